"""From the bytes of a question file to records with their line numbers: JSON Lines, JSON, YAML, CSV, TSV, plain text.

Knows which format a file is in; what the columns mean is `layouts`' business. The bytes are somebody else's: what is
not clean text, or not finite and well-formed JSON, is refused with its line.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from homogaudit.errors import QuestionFileError
from homogaudit.questions.binary_files import read_binary, unpack
from homogaudit.questions.json_files import is_json_lines, is_one_document, json_lines_records, json_records
from homogaudit.questions.layouts import Columns, has_question_column
from homogaudit.questions.raw_records import RawRecord, RawRecords
from homogaudit.questions.tables import find_delimiter, read_table
from homogaudit.questions.wording import quoted
from homogaudit.questions.yaml_files import is_yaml, yaml_records

_MISTAKEN = (
    (b"GGUF", "this is a model file; the order is MODEL QUESTIONS"),
    (b"SQLite format 3", "this is a database; a run file is opened with `homogaudit report FILE`"),
    (b"PK\x03\x04", "this is an archive; unpack it, and give one of its files"),
    (b"\xd0\xcf\x11\xe0", "this is an old spreadsheet (.xls); save it as .xlsx or CSV"),
    (b"7z\xbc\xaf", "this is an archive; unpack it, and give one of its files"),
    (b"%PDF", "this is a PDF; copy its questions into a text file, one per line"),
    (b"\x93NUMPY", "this is a NumPy array; write the questions as JSON Lines"),
    (b"\x89HDF", "this is HDF5; write the questions as JSON Lines"),
    (b"{\\rtf", "this is rich text; save it as plain text, one question per line"),
    (b"<?xml", "this is XML; write the questions as JSON Lines or CSV"),
    (b"version https://git-lfs.github.com", "this is a Git LFS pointer, not the data; fetch it with `git lfs pull`"),
)
"""First bytes of files that are given by mistake."""

_PACKED = frozenset(
    {".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".parquet", ".arrow", ".feather", ".xlsx", ".xlsm", ".xls", ".zip"}
)
"""Endings of names whose files never are plain text."""

_LINE_KINDS = (
    (re.compile(r"(?:A|Answer|Ans)[ \t]*:"), "begin with `A:` like answers", 0),
    (re.compile(r"[^\t]*\S[ \t]*\t[ \t]*\S"), "hold a tab like a table without a header", 0),
    (re.compile(r"\|.*\|"), "are enclosed in bars like the rows of a table", 0),
    (re.compile(r"(?:#{1,6}|//)[ \t]"), "begin like a comment or a heading", 0),
    (re.compile(r"(?:[-*\u2022]|\d{1,4}[.)])[ \t]+\S"), "begin with a number or a bullet, which is asked too", 0.5),
)
"""Lines of a plain text that may be no questions, and the share of all lines above which it is said."""

_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_WEB_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_JSON_START = re.compile(r"\s*(?:\[\s*[\[{\"\]]|\{\s*[\"}])")
_NAME = re.compile(r"[\w #()/.-]{1,40}")
"""A cell of a header as it is accepted in a file whose name does not say that it is a table."""

_JSON_LINES = frozenset({".jsonl", ".ndjson", ".jsonlines"})


@dataclass(frozen=True, slots=True)
class RawFile:
    """What a file holds.

    Attributes:
        format: `jsonl`, `json`, `yaml`, `table`, `binary` or `text`.
        notes: What was left out or guessed, a line each.
        lines: The text's own lines where 0.1.0 asked those, though the file holds records; else empty.
    """

    format: str
    columns: tuple[str, ...]
    records: tuple[RawRecord, ...]
    notes: tuple[str, ...] = ()
    lines: tuple[RawRecord, ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether its values are cells, where a list is written into a text."""
        return self.format in ("table", "binary")


def read_file(data: bytes, name: str, columns: Columns) -> RawFile:
    """Return the records of a file, unpacked where it is compressed.

    The suffix of its name says what it should be.

    Raises:
        QuestionFileError: The file is of a kind that is given by mistake, is broken, or needs a library that is not
            there.
    """
    data, name = unpack(data, name)
    if (binary := read_binary(data, name, columns)) is not None:
        return _raw_file("binary", binary)
    for magic, hint in _MISTAKEN:
        if data.startswith(magic):
            raise QuestionFileError(f"{quoted(name)} is not a question file", hint)
    if _PICKLE.match(data):
        hint = "this is a pickle, which is never opened: it may run code; write the questions as JSON Lines"
        raise QuestionFileError(f"{quoted(name)} is not a question file", hint)
    text = decode(data, name)
    if (suffix := PurePath(name).suffix.lower()) in _PACKED and not _WEB_PAGE.match(text):
        hint = "download it again, or name it after what it holds, such as `.jsonl`, `.csv` or `.txt`"
        raise QuestionFileError(f"{quoted(name)} is named {suffix} but holds plain text", hint)
    return parse(text, name.rpartition(".")[1] + name.rpartition(".")[2], columns, name)


def decode(data: bytes, file: str) -> str:
    """Return the text of `data`: UTF-8, or UTF-16 with its mark; every line end as one newline.

    Raises:
        QuestionFileError: Neither, or binary; with the line.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise QuestionFileError(f"{quoted(file)} is not valid UTF-16", "save it as UTF-8") from None
        data = text.encode()
    if (position := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, position) + 1
        is_utf16 = data.count(b"\0", 0, 1000) * 3 > len(data[:1000])
        raise QuestionFileError(
            f"{quoted(file)} line {line} holds a NUL byte: it is not text",
            "it looks like UTF-16 or UTF-32; save it as UTF-8"
            if is_utf16
            else "give JSON Lines, JSON, CSV, TSV or text",
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

    `suffix` has its dot; `.txt` and one that is not known are decided by the text.

    Raises:
        QuestionFileError: The text is empty or broken; with the line.
    """
    if not text.strip():
        raise QuestionFileError(f"{quoted(file)} is empty", "give at least one question")
    if _WEB_PAGE.match(text):
        raise QuestionFileError(f"{quoted(file)} is a web page", "download the file itself, not the page that shows it")
    delimiters = ",;\t"
    is_known = is_text = True
    match suffix.lower():
        case suffix if suffix in _JSON_LINES:
            # Some programs write one list, or an object over several lines, under this name.
            kind = "json" if is_one_document(text) else "jsonl"
            is_known = kind == "jsonl"
        case ".json":
            kind = "jsonl" if is_json_lines(text, columns) else "json"
        case ".yaml" | ".yml":
            kind = "yaml"
        case ".csv":
            kind = "table"
        case ".tsv":
            kind, delimiters = "table", "\t"
        case _:
            is_known = False
            is_text = suffix.lower() in (".txt", ".text", "")
            kind = _sniff(text, columns, is_text=suffix.lower() == ".txt")
    match kind:
        case "jsonl":
            found = json_lines_records(text, columns, file)
        case "json":
            found = json_records(text, columns, file)
        case "yaml":
            found = yaml_records(text, columns, file)
        case "table":
            found = read_table(text, delimiters, columns, file)
        case _:
            lines = _lines(text)
            return _raw_file("text", RawRecords(lines, tuple(_text_notes(lines, file, is_named=is_text))))
    was_asked_by_line = not is_known and (suffix.lower() == ".txt" or kind == "yaml")
    if not is_known:
        words = {"jsonl": "JSON Lines", "json": "JSON", "yaml": "YAML", "table": "a table"}
        found = RawRecords(found.records, (f"{quoted(file)} is read as {words[kind]}", *found.notes))
    return _raw_file(kind, found, _lines(text) if was_asked_by_line else ())


def _raw_file(kind: str, found: RawRecords, lines: tuple[RawRecord, ...] = ()) -> RawFile:
    names = tuple(dict.fromkeys(name for record in found.records for name in record.values))
    return RawFile(kind, names, found.records, found.notes, lines)


def _lines(text: str) -> tuple[RawRecord, ...]:
    lines = enumerate(text.split("\n"), start=1)
    return tuple(RawRecord(number, {"question": line.strip()}) for number, line in lines if line.strip())


def _text_notes(lines: Sequence[RawRecord], file: str, *, is_named: bool) -> Iterator[str]:
    """Yield what a user may not expect of a plain text, a line each."""
    if not is_named:
        yield f"{quoted(file)} is read as plain text: each line is a question"
    for pattern, what, share in _LINE_KINDS:
        found = [line for line in lines if pattern.match(line.values["question"])]
        if len(found) > share * len(lines):
            place = f"the first at line {found[0].line}"
            yield f"{len(found)} of {len(lines)} lines {what}, {place}: all are asked as they are"


def _sniff(text: str, columns: Columns, *, is_text: bool) -> str:
    """Return the format that a text shows.

    One whose file `is_text` by its name must look like a table to be one.
    """
    if _JSON_START.match(text):
        if text.lstrip().startswith("["):
            return "json"
        return "jsonl" if is_json_lines(text, columns) else "json"
    if _holds_json_texts(text):
        return "jsonl"
    if is_yaml(text, columns):
        return "yaml"
    delimiter = find_delimiter(text, ",;\t", columns)
    if delimiter is None or (is_text and not _is_header(text, delimiter, columns)):
        return "text"
    return "table"


def _holds_json_texts(text: str) -> bool:
    """Whether every line is a text as JSON writes it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not all(line.startswith('"') and line.endswith('"') for line in lines):
        return False
    try:
        return all(isinstance(json.loads(line), str) for line in lines)
    except (ValueError, RecursionError):
        return False


def _is_header(text: str, delimiter: str, columns: Columns) -> bool:
    """Whether the first line of a plain text can only be the header of a table."""
    first = text.lstrip().partition("\n")[0]
    if first.casefold().startswith(("sep=", '"sep=')):
        return True
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    if len(cells) == 1:
        return cells[0].casefold() in ("question", "questions", "prompt")
    return has_question_column(cells, columns) and all(
        _NAME.fullmatch(cell) and len(cell.split()) < 5 for cell in cells
    )
