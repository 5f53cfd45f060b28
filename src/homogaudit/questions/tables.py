"""Tables: from the text of a CSV or TSV file, or from rows of cells, to records with the line where each began.

Knows delimiters, headers and quotes only; what the columns mean is `layouts`' business.
"""

import contextlib
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns, has_question_column
from homogaudit.questions.raw_records import RawRecord, RawRecords
from homogaudit.questions.wording import quoted

_MAX_CELL = 2**31 - 1
"""The csv module's own limit is 128 KiB; passages can be longer. The largest that fits every platform's C long."""

_PREAMBLE = 10
"""Rows among which the header is looked for: some spreadsheets begin with a notice."""

_MISSING = frozenset({"NaN", "nan", "NAN", "<NA>", "NaT", "NULL", "null", "#N/A"})
"""Cells in which a program wrote that there is nothing; `None` and `NA` may be answers."""

_CHOICE = re.compile(r"[a-j]|(?:option|choice|ans|answer|opt|op)[ _-]?[a-j0-9]", re.IGNORECASE)
"""Columns of choices, where `NULL` is a text as any other."""

_EXCEL_DELIMITER = re.compile(r'\ufeff?"?sep=(.)"?[ \t]*(?:\n|$)', re.IGNORECASE)
"""What Excel writes and reads in the first line to say which delimiter follows."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and the line where it began (from 1)."""

    line: int
    cells: Sequence[Any]


def find_delimiter(text: str, delimiters: str, columns: Columns) -> str | None:
    """Return the delimiter under which one of the first rows has a question column, `None` where none does."""
    if match := _EXCEL_DELIMITER.match(text):
        return match[1]
    for delimiter in delimiters:
        if _header_place([row.cells for row in _first_rows(text, delimiter)], columns) is not None:
            return delimiter
    return None


def read_table(text: str, delimiters: str, columns: Columns, file: str) -> RawRecords:
    """Return the records of a CSV or TSV file.

    `delimiters` are those that it may have, the likeliest first.

    Raises:
        QuestionFileError: It has no header, two columns of one name, a row that is too long, or a quote left open.
    """
    notes: list[str] = []
    if match := _EXCEL_DELIMITER.match(text):
        delimiters = match[1]
        notes.append(f"the first line of {quoted(file)} names the delimiter ({quoted(match[1])}) and is not a row")
        # Blanked, so that the lines keep their numbers.
        text = "\n" + text[match.end() :]
    delimiter = find_delimiter(text, delimiters, columns) or delimiters[0]
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        if delimiter != "\t":
            raise _broken_table(text, delimiter, error, file) from None
        # Most TSV writers do not quote, so a cell that merely begins with a quotation mark is no error there.
        rows = list(_rows(text, delimiter, csv.QUOTE_NONE))
    table = read_rows(rows, columns, file, delimiter)
    return RawRecords(table.records, (*notes, *table.notes))


def has_questions(rows: Sequence[Row], columns: Columns) -> bool:
    """Whether rows have a header with a question column, and something below it."""
    place = _header_place([row.cells for row in rows[:_PREAMBLE]], columns)
    return place is not None and len(rows) > place + 1


def read_rows(rows: Sequence[Row], columns: Columns, file: str, delimiter: str = ",") -> RawRecords:
    """Return the records of rows, whose header is the first of them, or one below a notice.

    Raises:
        QuestionFileError: As `read_table`.
    """
    if not rows:
        raise QuestionFileError(f"{quoted(file)} holds empty cells only", "give at least one question")
    place = _header_place([row.cells for row in rows[:_PREAMBLE]], columns) or 0
    header = ["" if cell is None else str(cell) for cell in rows[place].cells]
    if columns == Columns() and not has_question_column(header, columns) and _is_no_header(header):
        raise QuestionFileError(
            f"{quoted(file)} has no header: its first line is {quoted(delimiter.join(header))}",
            "put column names in the first line, such as `question,answers`; for one question per line use a .txt file",
        )
    names = [name or f"column_{number}" for number, name in enumerate(header, start=1)]
    times = Counter(name.casefold() for name in names)
    if twice := [name for name in names if times[name.casefold()] > 1]:
        raise QuestionFileError(f"{quoted(file)} has two columns {quoted(twice[0])}", "rename one of them")
    notes = (f"{place} row{'s' if place > 1 else ''} before the header of {quoted(file)} left out",) if place else ()
    may_miss = [not _CHOICE.fullmatch(name.strip()) for name in names]
    body: list[Row] = []
    missing = 0
    for row in rows[place + 1 :]:
        lacks = [can and cell in _MISSING for can, cell in zip(may_miss, row.cells, strict=False)]
        missing += sum(lacks)
        cells = ["" if lack else cell for lack, cell in zip(lacks, row.cells, strict=False)]
        body.append(Row(row.line, [*cells, *row.cells[len(cells) :]]) if any(lacks) else row)
    if missing:
        verb = "cell is marked as" if missing == 1 else "cells are marked as"
        notes = (*notes, f"{missing} {verb} missing (such as `NaN` and `NULL`), and read as empty")
    return RawRecords(tuple(_records(body, names, delimiter, file)), notes)


def _records(rows: Sequence[Row], names: Sequence[str], delimiter: str, file: str) -> Iterator[RawRecord]:
    for row in rows:
        if any(cell not in ("", None) for cell in row.cells[len(names) :]):
            raise QuestionFileError(
                f"{quoted(file)} line {row.line} has {len(row.cells)} cells, the header {len(names)}",
                f"put a cell that holds {quoted(delimiter)} in double quotes"
                if delimiter != "\t"
                else "remove the tabs inside cells",
            )
        padded = [*row.cells, *[""] * (len(names) - len(row.cells))]
        yield RawRecord(row.line, dict(zip(names, padded, strict=False)))


def _header_place(rows: Sequence[Sequence[Any]], columns: Columns) -> int | None:
    """Return which of the first rows is the header, by its question column; `None` where none has one."""
    for place, cells in enumerate(rows[:_PREAMBLE]):
        # A cell of a notice may be a word such as `question`; a header has more than one column.
        if has_question_column(map(str, cells), columns) and (place == 0 or sum(map(bool, cells)) > 1):
            return place
    return None


def _rows(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[Row]:
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
            yield Row(line, cells)
        line = reader.line_num + 1


def _first_rows(text: str, delimiter: str) -> list[Row]:
    found: list[Row] = []
    with contextlib.suppress(csv.Error):
        found.extend(itertools.islice(_rows(text, delimiter), _PREAMBLE))
    return found


def _is_no_header(header: Sequence[str]) -> bool:
    """Whether the first row reads like a question rather than like names."""
    return any(cell.endswith(("?", ".")) or len(cell.split()) > 4 or cell.isdecimal() for cell in header)


def _broken_table(text: str, delimiter: str, error: csv.Error, file: str) -> QuestionFileError:
    """Return the error line for a quote that does not close or does not end its cell."""
    line = 1
    lines = text.split("\n")
    with contextlib.suppress(csv.Error):
        for row in _rows(text, delimiter):
            # The broken row begins behind the last good one.
            line = row.line + 1 + sum(cell.count("\n") for cell in row.cells)
    while line < len(lines) and not lines[line - 1].strip():
        line += 1
    return QuestionFileError(
        f"{quoted(file)} line {line} is not valid CSV: {error}",
        'close every double quote, and write one inside a quoted cell twice (`""`)',
    )
