"""From the bytes of a question file to records with their line numbers: JSON Lines, JSON, CSV, TSV, plain text.

Knows formats only; what the columns mean is `layouts`' business. The bytes are somebody else's: what is not clean
UTF-8 text, or not finite and well-formed JSON, is refused with its line.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns, RawRecord, has_question_column, kind_of
from homogaudit.questions.wording import quoted

__all__ = ["RawFile", "decode", "parse", "read"]

_MAX_DEPTH = 64
"""Far beyond any question file, and far below what would exhaust the stack when the record is written again."""

_MAX_CELL = 2**31 - 1
"""The csv module's own limit is 128 KiB; passages can be longer. The largest that fits every platform's C long."""

_MAGIC = {
    b"GGUF": "this is a model file; the order is MODEL QUESTIONS",
    b"SQLite format 3": "this is a database; a run file is opened with `homogaudit report FILE`",
    b"PK\x03\x04": "this is an archive; save a spreadsheet as CSV (UTF-8), or unpack the archive",
    b"PAR1": "this is Parquet; convert it to JSON Lines",
    b"\x1f\x8b": "this is compressed; unpack it first",
    b"\xff\xfe": "this is UTF-16; save it as UTF-8",
    b"\xfe\xff": "this is UTF-16; save it as UTF-8",
}
"""First bytes of files that are given by mistake."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """What a file holds.

    Attributes:
        format: `jsonl`, `json`, `table` or `text`.
        columns: Every column in the order of its first appearance.
    """

    format: str
    columns: tuple[str, ...]
    records: tuple[RawRecord, ...]


def read(stream: BinaryIO, file: str) -> bytes:
    """Return all bytes of `stream`, unless the first say that it is a model or another file that is no text.

    Raises:
        QuestionFileError: The file is of a kind that is given by mistake.
    """
    head = stream.read(16)
    for magic, hint in _MAGIC.items():
        if head.startswith(magic):
            raise QuestionFileError(f"{quoted(file)} is not a question file", hint)
    return head + stream.read()


def decode(data: bytes, file: str) -> str:
    """Return the text of `data`: UTF-8, a byte-order mark dropped, every line end as one newline.

    Raises:
        QuestionFileError: Not UTF-8, or binary; with the line.
    """
    if (position := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, position) + 1
        raise QuestionFileError(
            f"{quoted(file)} line {line} holds a NUL byte: it is not text",
            "give JSON Lines, JSON, CSV, TSV or text",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With a byte-order mark `error.object` lacks its three bytes; they hold no line end.
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise QuestionFileError(
            f"{quoted(file)} line {line} is not UTF-8 (byte `0x{byte:02x}`)",
            "save it as UTF-8, for example `iconv -f WINDOWS-1252 -t UTF-8`",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str, suffix: str, columns: Columns, file: str) -> RawFile:
    """Return the records of `text`.

    Args:
        text: From `decode`.
        suffix: The file's, with the dot; one that is not known is decided by the text.
        columns: What the user named.
        file: The file's name in error lines.

    Raises:
        QuestionFileError: The text is empty or broken; with the line.
    """
    if not text.strip():
        raise QuestionFileError(f"{quoted(file)} is empty", "give at least one question")
    match suffix.lower():
        case ".jsonl" | ".ndjson":
            kind, delimiters = "jsonl", ""
        case ".json":
            kind, delimiters = "jsonl" if _is_json_lines(text, columns) else "json", ""
        case ".csv":
            kind, delimiters = "table", ",;\t"
        case ".tsv":
            kind, delimiters = "table", "\t"
        case ".txt":
            kind, delimiters = "text", ""
        case _:
            kind, delimiters = _sniff(text, columns), ",;\t"
    readers: dict[str, Callable[[], Iterable[RawRecord]]] = {
        "jsonl": lambda: _json_lines(text, file),
        "json": lambda: _json(text, file),
        "table": lambda: _table(text, delimiters, columns, file),
        "text": lambda: _text(text),
    }
    records = tuple(readers[kind]())
    names = tuple(dict.fromkeys(name for record in records for name in record.values))
    return RawFile(kind, names, records)


def _sniff(text: str, columns: Columns) -> str:
    start = text.lstrip()[:1]
    if start == "[":
        return "json"
    if start == "{":
        return "jsonl" if _is_json_lines(text, columns) else "json"
    return "table" if _find_delimiter(text, ",;\t", columns) else "text"


def _text(text: str) -> Iterator[RawRecord]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield RawRecord(number, {"question": line.strip()})


# JSON


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not a JSON number")


_SPACE = re.compile(r"[ \t\n]*")

_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class _Member:
    """A value inside a JSON list or object, and the offset in the text where it begins."""

    key: str | None
    offset: int
    value: Any


@dataclass(frozen=True, slots=True)
class _Container:
    """The members of a JSON list or object, and the offset behind its closing bracket."""

    members: list[_Member]
    end: int


def _is_json_lines(text: str, columns: Columns) -> bool:
    """Whether a text that begins with `{` holds one object a line rather than one object."""
    first = text.lstrip()
    if not first.startswith("{"):
        return False
    try:
        value, end = _DECODER.raw_decode(first)
    except (ValueError, RecursionError):
        # Broken somewhere in the first object: what stands on the first line alone decides who reports it.
        line = first.partition("\n")[0].rstrip()
        return line.endswith("}") and line != "{}"
    if first[end:].strip():
        return True
    return "\n" not in first[:end] and has_question_column(value, columns)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _container(text: str, start: int) -> _Container:
    """Read the list or object that begins at `start`; the json module alone does not tell where its members stand."""
    closing = {"[": "]", "{": "}"}[text[start]]
    members: list[_Member] = []
    position = _skip(text, start + 1)
    if text[position : position + 1] == closing:
        return _Container(members, position + 1)
    while True:
        key = None
        if closing == "}":
            if text[position : position + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
            key, position = cast("tuple[str, int]", _DECODER.raw_decode(text, position))
            position = _skip(text, position)
            if text[position : position + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", text, position)
            position = _skip(text, position + 1)
        offset = position
        value, position = _DECODER.raw_decode(text, position)
        members.append(_Member(key, offset, value))
        position = _skip(text, position)
        if text[position : position + 1] == closing:
            return _Container(members, position + 1)
        if text[position : position + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        position = _skip(text, position + 1)


def _broken(error: Exception, line: int | None, file: str) -> QuestionFileError:
    """Return the error line for what the json module raised, on `line` or where it says."""
    column = ""
    if isinstance(error, json.JSONDecodeError):
        line = error.lineno if line is None else line
        reason = error.msg[:1].lower() + error.msg[1:]
        column = f" at column {error.colno}"
    elif isinstance(error, RecursionError):
        reason = "nested too deep"
    else:
        # The json module reads integers with int(), which refuses thousands of digits in words of its own.
        reason = "a number too long to read" if "digits" in str(error) else str(error)
    where = "" if line is None else f" line {line}"
    return QuestionFileError(f"{quoted(file)}{where} is not valid JSON: {reason}{column}", "mend the line")


def _json(text: str, file: str) -> Iterator[RawRecord]:
    start = _skip(text, 0)
    if text[start] not in "[{":
        raise QuestionFileError(
            f"{quoted(file)} holds neither a JSON list nor an object",
            "give a list of objects, or one object a line",
        )
    try:
        whole = _container(text, start)
        if (end := _skip(text, whole.end)) < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        items = whole.members if text[start] == "[" else _only_list(text, whole.members, file)
    except (ValueError, RecursionError) as error:
        raise _broken(error, None, file) from None
    line, counted = 1, 0
    for item in items:
        line += text.count("\n", counted, item.offset)
        counted = item.offset
        yield _record(item.value, line, file)


def _only_list(text: str, members: Sequence[_Member], file: str) -> list[_Member]:
    """Return the items of the one list of objects that an object holds."""
    lists = [
        member
        for member in members
        if isinstance(member.value, list) and any(isinstance(item, dict) for item in cast("list[Any]", member.value))
    ]
    if len(lists) == 1:
        return _container(text, lists[0].offset).members
    keys = ", ".join(quoted(member.key) for member in lists)
    reason = f"holds several lists of objects: {keys}" if lists else "is an object that holds no list of objects"
    raise QuestionFileError(f"{quoted(file)} {reason}", "give a list of objects, or one object a line in a .jsonl")


def _json_lines(text: str, file: str) -> Iterator[RawRecord]:
    header_possible = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise _broken(error, number, file) from None
        record = _record(value, number, file)
        if header_possible and str(record.values.get("format", "")).startswith("homogaudit."):
            header_possible = False
            continue
        header_possible = False
        yield record


def _record(value: Any, line: int, file: str) -> RawRecord:
    if not isinstance(value, dict):
        hint = "a JSON list belongs in a .json file" if isinstance(value, list) else "give one object a question"
        raise QuestionFileError(f"{quoted(file)} line {line} is {kind_of(value)}, not an object", hint)
    _check_value(value, f"{quoted(file)} line {line}")
    return RawRecord(line, cast("dict[str, Any]", value))


def _check_value(value: Any, where: str) -> None:
    """Refuse what can be read as JSON but not be stored, shown or written again."""
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict | list):
            if depth > _MAX_DEPTH:
                raise QuestionFileError(f"{where} is nested too deep (over {_MAX_DEPTH} levels)", "flatten it")
            members: Iterable[Any] = item
            if isinstance(item, dict):
                mapping = cast("dict[str, Any]", item)
                members = [*mapping.keys(), *mapping.values()]
            pending.extend((member, depth + 1) for member in members)
        elif isinstance(item, float) and not math.isfinite(item):
            raise QuestionFileError(f"{where} holds a number that is not finite", "leave the value out")
        elif isinstance(item, str):
            if "\0" in item:
                raise QuestionFileError(f"{where} holds a NUL character in {quoted(item)}", "remove it")
            if not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
                raise QuestionFileError(
                    f"{where} holds half of a surrogate pair in {quoted(item)}", "mend the `\\u` escape"
                )


# Tables


def _rows(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line where it began, cells stripped."""
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=cast("Any", quoting),
        strict=True,
        skipinitialspace=delimiter != "\t",
    )
    line = 1
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next((row for _, row in _rows(text, delimiter)), [])
    except csv.Error:
        return []


def _find_delimiter(text: str, delimiters: str, columns: Columns) -> str | None:
    """Return the delimiter under which the first row has a question column."""
    return next(
        (delimiter for delimiter in delimiters if has_question_column(_header(text, delimiter), columns)),
        None,
    )


def _table(text: str, delimiters: str, columns: Columns, file: str) -> Iterator[RawRecord]:
    delimiter = _find_delimiter(text, delimiters, columns) or delimiters[0]
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        if delimiter != "\t":
            raise _broken_table(text, delimiter, error, file) from None
        # Most TSV writers do not quote, so a cell that merely begins with a quotation mark is no error there.
        rows = list(_rows(text, delimiter, csv.QUOTE_NONE))
    if not rows:
        raise QuestionFileError(f"{quoted(file)} holds empty cells only", "give at least one question")
    _, header = rows[0]
    if columns == Columns() and not has_question_column(header, columns) and _is_no_header(header):
        raise QuestionFileError(
            f"{quoted(file)} has no header: its first line is {quoted(delimiter.join(header))}",
            "put column names in the first line, such as `question,answers`; a question a line is a .txt file",
        )
    names = [name or f"column_{number}" for number, name in enumerate(header, start=1)]
    folded = [name.casefold() for name in names]
    if twice := [name for name in names if folded.count(name.casefold()) > 1]:
        raise QuestionFileError(f"{quoted(file)} has two columns {quoted(twice[0])}", "rename one of them")
    for line, cells in rows[1:]:
        if any(cells[len(names) :]):
            raise QuestionFileError(
                f"{quoted(file)} line {line} has {len(cells)} cells, the header {len(names)}",
                f"put a cell that holds {quoted(delimiter)} in double quotes"
                if delimiter != "\t"
                else "remove the tabs inside cells",
            )
        padded = [*cells, *[""] * (len(names) - len(cells))]
        yield RawRecord(line, dict(zip(names, padded, strict=False)))


def _is_no_header(header: Sequence[str]) -> bool:
    """Whether the first row reads like a question rather than like names."""
    return any(cell.endswith(("?", ".")) or len(cell.split()) > 4 or cell.isdecimal() for cell in header)


def _broken_table(text: str, delimiter: str, error: csv.Error, file: str) -> QuestionFileError:
    """Return the error line for a quote that does not close or does not end its cell."""
    line = 1
    lines = text.split("\n")
    try:
        for row_line, row in _rows(text, delimiter):
            # The broken row begins behind the last good one.
            line = row_line + 1 + sum(cell.count("\n") for cell in row)
    except csv.Error:
        pass
    while line < len(lines) and not lines[line - 1].strip():
        line += 1
    return QuestionFileError(
        f"{quoted(file)} line {line} is not valid CSV: {error}",
        'close every double quote, and write one inside a quoted cell twice (`""`)',
    )
