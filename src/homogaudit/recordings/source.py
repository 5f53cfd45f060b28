"""A file of somebody else's answers as a stream of objects: JSON Lines, one JSON document, or a table.

It knows how files are written, not what their columns mean.
"""

import codecs
import contextlib
import io
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self, cast

from homogaudit.errors import QuestionFileError, RecordedFileError
from homogaudit.questions.binary_files import unpack
from homogaudit.questions.formats import RawFile, decode, read_file
from homogaudit.questions.layouts import Columns, normalised
from homogaudit.questions.wording import quoted
from homogaudit.recordings.archives import refuse_what_is_no_text
from homogaudit.recordings.names import ANSWER_LISTS, ANSWER_TEXTS
from homogaudit.recordings.question_list import QuestionList
from homogaudit.store.recorded import Line, lines_of, numbered_lines, opened
from homogaudit.store.recorded_lines import FORMAT, LineError, read_object, shown

_PROBED = 50
"""Records that decide which layout a file has."""

_MAX_NAMES = 500
"""A document of columns has few of them, a dictionary of questions many."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says of a file; `None` leaves a column to its usual names.

    Attributes:
        answer: The column of what the model answered: one answer per row, or a list.
        sample: The column that tells the answers to one question apart.
        model: Whose answers to take where a file holds those of several models.
        asked: Questions and requests that were read beside the file.
    """

    question: str | None = None
    answer: str | None = None
    sample: str | None = None
    references: str | None = None
    model: str | None = None
    asked: QuestionList = field(default_factory=QuestionList)

    @property
    def names_columns(self) -> bool:
        """Whether any column is named."""
        return any((self.question, self.answer, self.sample, self.references))


@dataclass(slots=True)
class Notes:
    """What the user should know of how a file was read, a line each; complete when the file is read to its end."""

    _counts: dict[str, int] = field(default_factory=dict[str, int])
    _singular: dict[str, str] = field(default_factory=dict[str, str])
    _first: dict[str, str] = field(default_factory=dict[str, str])

    def say(self, text: str) -> None:
        """Add a line, once."""
        self._counts.setdefault(text, 0)

    def count(self, one: str, text: str, number: int = 1, *, first: str = "") -> None:
        """Add to the number that a line begins with.

        `one` is the line of the number 1, `text` that of others, both without it; `first` tells more of the first case.
        """
        self._singular[text] = one
        if first and text not in self._counts:
            self._first[text] = f", the first: {first}"
        self._counts[text] = self._counts.get(text, 0) + number

    def leave_out_model(self, kept: str | None, number: int = 1) -> None:
        """Count answers of models that were not chosen."""
        one = f"answer of a model other than {shown(kept)} is left out"
        self.count(one, f"answers of models other than {shown(kept)} are left out", number)

    def lines(self) -> tuple[str, ...]:
        """Return the lines in the order of their first appearance."""
        return tuple(
            f"{number:,} {self._singular[text] if number == 1 else text}{self._first.get(text, '')}" if number else text
            for text, number in self._counts.items()
        )


@dataclass(slots=True)
class Source:
    """An opened file.

    Attributes:
        kind: `lines`, `document`, `table` or `archive`.
        document: The whole value of a JSON document; `None` for the others.
        records: The first records, readable ones only; of a document those of its outer list.
        lines: All of them with their places, once.
    """

    path: Path
    kind: str
    document: Any
    records: tuple[Mapping[str, Any], ...]
    options: ImportOptions
    notes: Notes
    lines: Iterator[Line]

    def read(self, line: Line) -> Mapping[str, Any]:
        """Return the record of a line.

        Raises:
            RecordedFileError: It cannot be read.
        """
        with self.at(line.place):
            return line.read()

    @contextlib.contextmanager
    def at(self, place: str) -> Generator[None]:
        """Name a place of the file in what is refused inside.

        Raises:
            RecordedFileError: For a `LineError`.
        """
        try:
            yield
        except LineError as error:
            raise RecordedFileError(f"`{self.path}` {place}: {error.reason}", error.hint) from None

    def columns(self) -> tuple[str, ...]:
        """Return the names of the probed records in the order of their appearance."""
        return tuple(dict.fromkeys(name for record in self.records for name in record))


def open_source(path: Path, options: ImportOptions, *, is_archive: bool = False) -> Source:
    """Open a file and look at its beginning.

    `is_archive` is a zip archive that a layout reads itself.

    Raises:
        RecordedFileError: It cannot be read, or is no text.
    """
    if is_archive:
        return Source(path, "archive", None, (), options, Notes(), iter(()))
    refuse_what_is_no_text(path)
    content = _Content.open(path)
    kind = _kind(content)
    document = None
    notes = Notes()
    if kind == "lines":
        lines: Iterator[Line] = (
            Line(f"line {number}", lambda line=line: _flat(read_object(line))) for number, line in content.lines()
        )
    elif kind == "document":
        document = _document(content)
        rows = enumerate(_rows(document), start=1)
        lines = (Line(f"record {number}", partial(_record, row)) for number, row in rows)
    else:
        table = _table(content, options)
        for note in table.notes:
            notes.say(note)
        lines = (Line(f"line {record.line}", partial(dict, record.values)) for record in table.records)
    first = tuple(islice(lines, _PROBED))
    records: list[Mapping[str, Any]] = []
    for line in first:
        try:
            records.append(line.read())
        except LineError:
            continue
    return Source(path, kind, document, tuple(records), options, notes, chain(first, lines))


def header_line(**facts: Any) -> Line:
    """Return the header of the recorded format that says these facts."""
    return Line("its header", lambda: {"format": FORMAT, **facts})


def object_of(value: object) -> dict[str, Any]:
    """Return an object of JSON, an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items_of(value: object) -> list[Any]:
    """Return a list of JSON, an empty one for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text_of(value: object) -> str | None:
    """Return a text of JSON, `None` for anything else."""
    return value if isinstance(value, str) else None


def number_of(value: object) -> float | None:
    """Return a number, also one that stands in a cell; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


# What kind of file it is


@dataclass(frozen=True, slots=True)
class _Content:
    """The text of a file: read from it line by line, or held where it had to be unpacked.

    Attributes:
        name: Of the file, without the ending that says how it is packed.
        data: `None` where the file itself is the text.
    """

    path: Path
    name: str
    data: bytes | None

    @classmethod
    def open(cls, path: Path) -> Self:
        with path.open("rb") as stream:
            head = stream.read(8)
        if not head.startswith(_PACKED):
            return cls(path, path.name, None)
        try:
            data, name = unpack(path.read_bytes(), path.name)
            if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                data = decode(data, name).encode()
        except QuestionFileError as error:
            raise RecordedFileError(error.message, error.hint) from None
        return cls(path, name, data)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are not blank, with their numbers."""
        if self.data is None:
            return lines_of(self.path)
        return numbered_lines(io.BytesIO(self.data))

    def read(self) -> bytes:
        if self.data is not None:
            return self.data
        with opened(self.path) as stream:
            return stream.read()


_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY_TABLES = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"PK\x03\x04")


def _kind(content: _Content) -> str:
    """Return `lines`, `document` or `table` by what the file begins with."""
    first = next((line for _, line in content.lines()), b"")
    if first.startswith(_BINARY_TABLES):
        return "table"
    if first.startswith(b"{"):
        try:
            value = json.loads(first)
        except (ValueError, RecursionError):
            # A pretty-printed document opens an object on its first line and closes none there.
            is_whole = first.endswith(b"}") and len(first) > 2
            return "lines" if is_whole or content.suffix in _LINES else "document"
        if content.suffix in _LINES:
            return "lines"
        is_only = next(islice(content.lines(), 1, None), None) is None
        return "document" if is_only and (content.suffix == ".json" or _is_document(value)) else "lines"
    if first.startswith(b"["):
        return "document"
    return "lines" if content.suffix in _LINES else "table"


_LINES = frozenset({".jsonl", ".ndjson"})


def _is_document(value: dict[str, Any]) -> bool:
    """Whether the one object of a file holds many records rather than being one."""
    holders = [item for item in value.values() if isinstance(item, dict | list) and len(cast("Any", item)) > 0]
    return bool(holders) and "question" not in value


_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
"""A document with `NaN` in it was written by Python: its value is missing."""


def _document(content: _Content) -> Any:
    """Return the value of a JSON document, what is not finite as null."""
    path = content.path
    try:
        text = content.read().decode("utf-8-sig")
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        message = f"`{path}` is not UTF-8 (byte `0x{error.object[error.start]:02x}`)"
        raise RecordedFileError(message, "save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise RecordedFileError(f"`{path}`: a text holds half of a surrogate pair", "fix its `\\u` escape") from None
    except json.JSONDecodeError as error:
        where = f"`{path}` line {error.lineno}"
        hint = "give JSON, or JSON Lines with one object per line"
        raise RecordedFileError(f"{where}: broken JSON: {error.msg.lower()} at column {error.colno}", hint) from None
    except (RecursionError, ValueError):
        message = f"`{path}`: nested too deeply, or a number too long to read"
        raise RecordedFileError(message, "give JSON, or JSON Lines with one object per line") from None
    return value


# Records of a document


def _record(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise LineError("it is not an object", "give a list of objects, one per question or one per answer")
    record = cast("dict[str, Any]", row)
    if record.keys() == {"samples"}:
        hint = 'give objects such as `{"question": "...", "samples": ["...", "..."]}`'
        raise LineError("it holds answers without their question", hint)
    return _flat(record)


def _flat(row: dict[str, Any]) -> Mapping[str, Any]:
    """Return a record whose question and answer stand in objects of their own, as traces of a program have them."""
    inputs = object_of(row.get("inputs"))
    outputs = object_of(row.get("outputs"))
    if not inputs or not outputs:
        return _with_inner_answers(row)
    others = {key: value for key, value in row.items() if key not in ("inputs", "outputs", "reference_outputs")}
    texts = [value for value in outputs.values() if isinstance(value, str)]
    flat = {**others, **inputs, **({"output": texts[0]} if len(texts) == 1 else outputs)}
    wanted = [value for value in object_of(row.get("reference_outputs")).values() if isinstance(value, str)]
    return {**flat, "answers": wanted} if wanted else flat


def _with_inner_answers(row: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose list of answers stands in an object, such as `"generation": {"responses": [...]}`."""
    for key in ("generation", "generations", "result", "prediction", "predictions", "output", "outputs"):
        inner = object_of(row.get(key))
        if any(items_of(inner.get(name)) for name in ANSWER_LISTS):
            return {**{name: value for name, value in row.items() if name != key}, **inner}
    return row


def _of_pipeline(answers: list[Any]) -> Any:
    """Return what a text-generation pipeline of transformers gives for one prompt as a record."""
    texts = [object_of(answer).get("generated_text") for answer in answers]
    turns = [object_of(turn) for turn in items_of(texts[0])] if texts else []
    asked = [turn for turn in turns if turn.get("role") in ("system", "user")]
    if not all(isinstance(text, str | list) for text in texts):
        return answers
    return {**({"messages": asked} if asked else {}), "samples": answers}


def _rows(document: Any) -> Iterable[Any]:
    """Return the records of a document: a list, an object that wraps one, columns, or what pandas writes."""
    if isinstance(document, list):
        rows = cast("list[Any]", document)
        return [_of_pipeline(items_of(row)) if isinstance(row, list) and row else row for row in rows]
    outer = object_of(document)
    names, rows = outer.get("columns"), outer.get("data")
    if isinstance(names, list) and isinstance(rows, list):
        # pandas, orient `split`.
        texts = [str(name) for name in cast("list[Any]", names)]
        return [
            dict(zip(texts, cast("list[Any]", row), strict=False)) if isinstance(row, list) else row
            for row in cast("list[Any]", rows)
        ]
    for key in _HOLDERS:
        inner = outer.get(key)
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in cast("list[Any]", inner)):
            return cast("list[Any]", inner)
        if isinstance(inner, dict) and (columns := _of_columns(cast("dict[str, Any]", inner))):
            return columns
        if isinstance(inner, dict) and (found := _of_questions(cast("dict[str, Any]", inner), is_inner=True)):
            return found
    if columns := _of_columns(outer):
        return columns
    return _of_questions(outer) or [outer]


def _of_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records behind `{column: [value, ...]}` or pandas' `{column: {"0": value, ...}}`."""
    # A dictionary of questions with their answers has no column that is known to hold questions.
    if len(columns) > _MAX_NAMES or not any(name.casefold() in _QUESTION_COLUMNS for name in columns):
        return []
    values = [column for column in columns.values() if column]
    if all(isinstance(column, list) for column in values) and len({len(column) for column in values}) == 1:
        named = {name: column for name, column in columns.items() if column}
        return [dict(zip(named, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(column, dict) and list(column) == list(values[0]) for column in values):
        return [{name: column[key] for name, column in columns.items() if column} for key in values[0]]
    return []


_QUESTION_COLUMNS = frozenset({"question", "questions", "prompt", "prompts", "query", "queries", "input", "inputs"})


_HOLDERS = (
    *("data", "results", "rows", "records", "questions", "items", "examples", "instances", "predictions"),
    *("testCases", "test_cases", "testResults", "test_results"),
)
"""Keys of a document under which its records stand."""


def _of_questions(outer: Mapping[str, Any], *, is_inner: bool = False) -> list[dict[str, Any]]:
    """Return the records behind `{question: [answer, ...]}`, or `{question: answer}`."""
    known = {"question", "format", "id", "prompt", *ANSWER_LISTS, *ANSWER_TEXTS}
    if not outer or any(normalised(name) in known for name in outer):
        return []
    if all(isinstance(value, list) and all(isinstance(x, str) for x in items_of(value)) for value in outer.values()):
        return [{"question": name, "samples": value} for name, value in outer.items()]
    if len(outer) > 1 and all(isinstance(value, str) for value in outer.values()):
        return [{"question": name, "greedy": value} for name, value in outer.items()]
    asks = all({"question", "prompt"} & object_of(value).keys() for value in outer.values())
    if all(isinstance(value, dict) for value in outer.values()) and (asks or (len(outer) > 1 and not is_inner)):
        # `{id: {"question": ..., ...}}`, or `{question: {"samples": [...]}}`.
        return [
            {"id": name, **value} if {"question", "prompt"} & set(value) else {"question": name, **value}
            for name, value in outer.items()
        ]
    return []


# Tables


def _table(content: _Content, options: ImportOptions) -> RawFile:
    try:
        raw = read_file(content.read(), content.name, Columns(question=options.question))
    except QuestionFileError as error:
        raise RecordedFileError(error.message, error.hint) from None
    if raw.format == "text":
        raise RecordedFileError(
            f"{quoted(content.name)} is plain text: questions and answers cannot be told apart in it",
            "give JSON Lines, JSON, CSV or TSV; `homogaudit guide recorded` shows the format",
        )
    return raw
