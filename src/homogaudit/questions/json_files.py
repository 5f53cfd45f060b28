"""JSON and JSON Lines: from text to records, each with the line where it began.

Knows how JSON is written; how data sets nest their records in it is `nesting`'s business.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns, has_question_column
from homogaudit.questions.nesting import expand, find_records, side_by_side
from homogaudit.questions.raw_records import RawRecord, RawRecords, check_value
from homogaudit.questions.wording import quoted


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


def is_json_lines(text: str, columns: Columns) -> bool:
    """Whether a text that begins with `{` holds one object per line rather than one object."""
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
    is_record = has_question_column(value, columns) and side_by_side(value, columns) is None
    is_record = is_record and not isinstance(value.get("questions"), list)
    return "\n" not in first[:end] and is_record


def is_one_document(text: str) -> bool:
    """Whether a text is one JSON list of objects, or one object that goes over several lines."""
    start = text.lstrip()
    first = start.partition("\n")[0]
    if not start.startswith("[") and not (start.startswith("{") and "\n" in start.strip() and first.strip() == "{"):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) or any(isinstance(item, dict) for item in value)


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
        reason = "nested too deeply"
    else:
        # The json module reads integers with int(), which refuses thousands of digits in words of its own.
        reason = "a number too long to read" if "digits" in str(error) else str(error)
    where = "" if line is None else f" line {line}"
    return QuestionFileError(f"{quoted(file)}{where} is not valid JSON: {reason}{column}", "fix the line")


def json_records(text: str, columns: Columns, file: str) -> RawRecords:
    """Return the records of a JSON list, or of an object that holds them in a known way.

    Raises:
        QuestionFileError: Broken JSON, with its line; or no records are found in it.
    """
    start = _skip(text, 0)
    if text[start] not in "[{":
        raise QuestionFileError(
            f"{quoted(file)} holds neither a JSON list nor an object",
            "give a list of objects, or one object per line",
        )
    try:
        whole = _container(text, start)
        if (end := _skip(text, whole.end)) < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        if text[start] == "[":
            members, notes = whole.members, list[str]()
        else:
            value = {member.key or "": member.value for member in whole.members}
            found = find_records(value, columns, file)
            notes = list(found.notes)
            if found.key is None:
                return _checked([RawRecord(1, record) for record in found.records], notes, columns, file)
            place = next(member for member in whole.members if member.key == found.key)
            members = _container(text, place.offset).members
    except (ValueError, RecursionError) as error:
        raise _broken(error, None, file) from None
    line, counted = 1, 0
    records: list[RawRecord] = []
    for member in members:
        line += text.count("\n", counted, member.offset)
        counted = member.offset
        records.append(RawRecord(line, _object(member.value, line, file, members[0].value)))
    return _checked(records, notes, columns, file)


def _checked(records: Iterable[RawRecord], notes: Sequence[str], columns: Columns, file: str) -> RawRecords:
    """Return records with what is nested in them taken out, every value checked."""
    expanded: list[RawRecord] = []
    more: dict[str, None] = {}
    for record in records:
        check_value(record.values, f"{quoted(file)} line {record.line}")
        for values, note in expand(record.values, columns):
            expanded.append(RawRecord(record.line, values))
            if note:
                more[note] = None
    return RawRecords(tuple(expanded), (*notes, *more))


def json_lines_records(text: str, columns: Columns, file: str) -> RawRecords:
    """Return the records of a text with one JSON object, or one JSON text, a line.

    Raises:
        QuestionFileError: A line is broken or is something else.
    """
    records: list[RawRecord] = []
    header_possible = True
    first: Any = None
    notes: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise _broken(error, number, file) from None
        first = value if header_possible else first
        values = _object(value, number, file, first)
        is_header = header_possible and str(values.get("format", "")).startswith("homogaudit.")
        header_possible = False
        if not is_header:
            records.append(RawRecord(number, values))
    if len(records) > 1 and _is_preface(records, columns):
        notes = (f"line {records[0].line} of {quoted(file)} has no question, unlike the others, and is left out",)
        del records[0]
    return _checked(records, notes, columns, file)


def _is_preface(records: Sequence[RawRecord], columns: Columns) -> bool:
    """Whether the first record speaks of the file: the others hold questions and share no column with it."""
    first, *others = (record.values.keys() for record in records)
    return (
        not has_question_column(first, columns)
        and not any("text" in record.values or "row" in record.values for record in records[:1])
        and all(has_question_column(names, columns) and not first & names for names in others)
    )


def _object(value: Any, line: int, file: str, first: Any) -> dict[str, Any]:
    """Return a record; where the first of a file is a text, all are, and each is a question."""
    if isinstance(value, str) and isinstance(first, str):
        return {"question": value}
    if not isinstance(value, dict):
        hint = "a JSON list belongs in a .json file" if isinstance(value, list) else "give one object per question"
        raise QuestionFileError(f"{quoted(file)} line {line} is {kind_of(value)}, not an object", hint)
    return cast("dict[str, Any]", value)
