"""Compressed files, and tables that are no text: gzip and Zstandard, Parquet, Arrow and Excel workbooks.

The libraries behind the last are an extra; where one is missing the file is refused with the line that installs it.
Sizes are checked before anything is unpacked into memory.
"""

import bz2
import datetime
import decimal
import gzip
import importlib
import io
import lzma
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns
from homogaudit.questions.nesting import expand
from homogaudit.questions.raw_records import RawRecord, RawRecords, check_value
from homogaudit.questions.tables import Row, has_questions, read_rows
from homogaudit.questions.wording import listed, quoted

_LARGEST = 1 << 30
"""Bytes of an unpacked file: far beyond question files, and what a laptop's memory holds."""

_INSTALL = 'pip install "homogaudit[files]"'

_COMPRESSED = (
    (b"\x1f\x8b", (".gz", ".gzip")),
    (b"\x28\xb5\x2f\xfd", (".zst", ".zstd")),
    (b"BZh", (".bz2",)),
    (b"\xfd7zXZ\x00", (".xz",)),
)
"""First bytes of a compressed file, and the endings of its name that are not those of what it holds."""


def unpack(data: bytes, name: str) -> tuple[bytes, str]:
    """Return the bytes of a file and its name, without the compression that it may be in.

    Raises:
        QuestionFileError: It is broken, unpacks to more than a gigabyte, or needs a library that is not there.
    """
    for magic, suffixes in _COMPRESSED:
        if not data.startswith(magic):
            continue
        plain = PurePath(name)
        inner = plain.stem if plain.suffix.lower() in suffixes else name
        stream = io.BytesIO(data)
        try:
            return _limited(_opened(stream, magic, name), name), inner
        except QuestionFileError:
            raise
        # `OSError`, `EOFError`, and an error of its own for each of the libraries.
        except Exception as error:
            raise QuestionFileError(f"{quoted(name)} is a broken archive: {error}", "download it again") from None
    return data, name


def _opened(stream: BinaryIO, magic: bytes, name: str) -> Any:
    match magic[:1]:
        case b"\x1f":
            return gzip.GzipFile(fileobj=stream)
        case b"B":
            return bz2.BZ2File(stream)
        case b"\xfd":
            return lzma.LZMAFile(stream)
        case _:
            return _library("zstandard", "compressed with Zstandard", name).ZstdDecompressor().stream_reader(stream)


def _limited(stream: Any, name: str) -> bytes:
    """Return all bytes of a stream that is not too long."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(1 << 20):
        size += len(part)
        if size > _LARGEST:
            raise _too_large(name)
        parts.append(part)
    return b"".join(parts)


def read_binary(data: bytes, name: str, columns: Columns) -> RawRecords | None:
    """Return the records of a table that is no text, `None` where a file is none.

    Raises:
        QuestionFileError: It is broken, too large, or needs a library that is not there.
    """
    if data.startswith(b"PAR1"):
        return _read("Parquet", lambda: _parquet(data, name), name, columns)
    if data.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return _read("Arrow", lambda: _arrow(data, name), name, columns)
    if data.startswith(b"PK\x03\x04") and _is_workbook(data):
        return _workbook(data, name, columns)
    return None


# Parquet and Arrow


def _read(kind: str, read: Callable[[], Any], name: str, columns: Columns) -> RawRecords:
    pyarrow = _library("pyarrow", kind, name)
    try:
        table = read()
        if table.nbytes > _LARGEST:
            raise _too_large(name)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise QuestionFileError(f"{quoted(name)} is broken {kind}: {reason}", "download it again") from None
    records: list[RawRecord] = []
    dropped: set[str] = set()
    for number, row in enumerate(rows, start=1):
        values = {key: _plain(item, key, dropped) for key, item in row.items() if not key.startswith("__index_level_")}
        check_value(values, f"{quoted(name)} row {number}")
        records += [RawRecord(number, each) for each, _ in expand(values, columns)]
    notes = (f"{listed(sorted(dropped))} of {quoted(name)} hold binary data and are left out",) if dropped else ()
    return RawRecords(tuple(records), notes)


def _parquet(data: bytes, name: str) -> Any:
    pyarrow = _library("pyarrow", "Parquet", name)
    parquet = importlib.import_module("pyarrow.parquet")
    file = parquet.ParquetFile(pyarrow.BufferReader(data))
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    # What it says of itself; the table that is read is measured too.
    if sum(group.total_byte_size for group in groups) > _LARGEST:
        raise _too_large(name)
    return file.read()


def _arrow(data: bytes, name: str) -> Any:
    pyarrow = _library("pyarrow", "Arrow", name)
    reader = pyarrow.BufferReader(data)
    opened = pyarrow.ipc.open_file if data.startswith(b"ARROW1") else pyarrow.ipc.open_stream
    return opened(reader).read_all()


def _plain(value: Any, column: str, dropped: set[str]) -> Any:
    """Return a value as JSON could hold it; one that is not known is missing, as pandas writes it."""
    match value:
        case dict():
            return {str(key): _plain(item, column, dropped) for key, item in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_plain(item, column, dropped) for item in cast("list[Any]", value)]
        case bytes():
            dropped.add(column)
            return None
        case float() if math.isnan(value):
            return None
        case datetime.datetime() if value.time() == datetime.time() and value.tzinfo is None:
            # A workbook knows no day without a time.
            return value.date().isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta() | decimal.Decimal():
            return str(value)
        case _:
            return value


# Workbooks


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _workbook(data: bytes, name: str, columns: Columns) -> RawRecords:
    """Return the records of the first sheet with a question column, or of the first that is not empty."""
    openpyxl = _library("openpyxl", "an Excel workbook", name)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise _too_large(name)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = {sheet.title: list(_sheet_rows(sheet)) for sheet in book.worksheets}
    except Exception as error:
        # The library raises whatever the XML inside makes it stumble over.
        raise QuestionFileError(f"{quoted(name)} is a broken workbook: {error}", "save it as CSV (UTF-8)") from None
    filled = {title: rows for title, rows in sheets.items() if rows}
    if not filled:
        raise QuestionFileError(f"{quoted(name)} holds empty sheets only", "give at least one question")
    asking = [title for title, rows in filled.items() if has_questions(rows, columns)]
    chosen = asking[0] if asking else next(iter(filled))
    found = read_rows(filled[chosen], columns, name)
    for record in found.records:
        check_value(record.values, f"{quoted(name)} row {record.line}")
    others = [title for title in filled if title != chosen]
    notes = (f"of {quoted(name)} the sheet {quoted(chosen)} is read, not {listed(others)}",) if others else ()
    return RawRecords(found.records, (*notes, *found.notes))


def _sheet_rows(sheet: Any) -> Iterator[Row]:
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = [_cell(cell) for cell in cells]
        while row and row[-1] in ("", None):
            row.pop()
        if row:
            yield Row(number, row)


def _cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float) and cell.is_integer():
        # A workbook knows no whole numbers.
        return int(cell)
    return "" if cell is None else _plain(cell, "", set())


def _too_large(name: str) -> QuestionFileError:
    return QuestionFileError(f"{quoted(name)} unpacks to more than 1 GB", "split it, and use a part")


def _library(module: str, what: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise QuestionFileError(f"{quoted(name)} is {what}, and `{module}` is not installed", _INSTALL) from None
