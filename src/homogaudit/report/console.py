"""Sections on a terminal: readable at 80 columns, without colour, and where output is not a terminal.

Nothing is parsed as markup: every string is made a `Text` first. Colour only repeats what the words say. Curves and
heat maps are left out: what they draw stands in tables.
"""

import math
import re
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from homogaudit.report.layout import sections
from homogaudit.report.records import Report
from homogaudit.report.section import Axis, Bar, Line, Row, Section, Span, Table
from homogaudit.report.summary import summary

_TONES = {"good": "green", "doubtful": "yellow", "bad": "red", "warning": "yellow", "muted": "dim", "": ""}
_INDENT = 2
_BAR_WIDTH = 30
_SPAN_WIDTH = 25
_LABEL_WIDTH = 9
_WIDE = 110
"""Columns from which on an interval is also drawn beside more than one row."""


def render_console(report: Report, console: Console, *, full: bool = False) -> None:
    """Print the short report, which comes last: the end of an output is what a terminal shows."""
    render_sections((*(sections(report) if full else ()), summary(report)), console)


def render_sections(shown: Iterable[Section], console: Console) -> None:
    """Print sections one below the other."""
    for number, section in enumerate(shown):
        if number:
            console.print()
        console.print(_text(section.title, console, f"bold {_TONES[section.tone]}".strip()))
        _print_parts(section, console)


def _print_parts(section: Section, console: Console) -> None:
    was_table, indent = False, _INDENT
    for number, part in enumerate(section.parts):
        if isinstance(part, Line):
            if was_table:
                console.print()
            # A line without a label goes on where the labelled one before it stands.
            indent = _INDENT + _LABEL_WIDTH if part.label else indent
            _print_line(part, indent, console)
            was_table = False
        elif isinstance(part, Table) and part.rows:
            is_scale = part.axis is not None and len(part.rows) == 1
            if number and not is_scale:
                console.print()
            if part.title:
                _print_text(_text(part.title, console, "bold"), console)
            console.print(Padding(_rich_table(part, console), (0, 0, 0, _INDENT), expand=False))
            if is_scale and part.axis is not None:
                _print_scale(part.rows[0], part.axis, console)
            was_table, indent = not is_scale, _INDENT


def _print_line(line: Line, indent: int, console: Console) -> None:
    text = _text(line.text, console, "" if line.tone == "warning" else _TONES[line.tone])
    if line.tone == "warning":
        text = Text.assemble(("warning: ", "bold yellow"), text)
    label = _text(line.label, console, "bold") if line.label else Text()
    _print_text(text, console, indent, label)


def _print_text(text: Text, console: Console, indent: int = _INDENT, label: Text | None = None) -> None:
    """Print a text folded beside its margin, a label in the margin of its first line; no line ends in spaces."""
    margin = Text(" " * _INDENT) + (label or Text())
    for piece in text.wrap(console, max(console.width - indent, 1)):
        piece.rstrip()
        margin.pad_right(indent - margin.cell_len)
        console.print(margin + piece, soft_wrap=True)
        margin = Text()


def _text(text: str, console: Console, style: str = "") -> Text:
    """Return `text` without markup; what the output's encoding cannot hold is written as an escape."""
    return Text(text.encode(console.encoding, "backslashreplace").decode(console.encoding), style=style)


def _rich_table(table: Table, console: Console) -> RichTable:
    found = RichTable(box=None, padding=(0, _gap(table, console), 0, 0), pad_edge=False, header_style="bold")
    for number, column in enumerate(table.columns):
        # A cell that does not fit is folded, never cut: a lost digit is a wrong number.
        found.add_column(_text(column.name, console), justify="right" if number else "left", overflow="fold")
    marks = [row.mark for row in table.rows]
    is_bars = isinstance(marks[0], Bar)
    is_drawn = is_bars or (table.axis is not None and len(marks) > 1 and console.width >= _WIDE)
    if is_drawn:
        found.add_column(Text("" if is_bars else _ends(table.axis or Axis(), _SPAN_WIDTH)), no_wrap=True)
    # What is left to the first column where no other is folded.
    room = console.width - _INDENT - sum(_widths(table)[1:]) - _gap(table, console) * (len(table.columns) - 1)
    for row in table.rows:
        cells = [_text(cell, console) for cell in (_folded(row.cells[0], room), *row.cells[1:])]
        if is_drawn:
            cells.append(Text(_drawn(row.mark, table.axis or Axis(), ascii_only=console.options.ascii_only)))
        found.add_row(*cells)
    return found


def _gap(table: Table, console: Console) -> int:
    """Return the spaces between columns: one where two would fold the names of the first."""
    widths = _widths(table)
    return 2 if sum(widths) + 2 * (len(widths) - 1) <= console.width - _INDENT else 1


def _widths(table: Table) -> list[int]:
    """Return the cells that each column takes where nothing is folded."""
    columns = zip([column.name for column in table.columns], *(row.cells for row in table.rows), strict=True)
    return [max(map(cell_len, column)) for column in columns]


def _folded(name: str, room: int) -> str:
    """Fold a name that is too long for `room` cells between its words, which underscores part too, if those fit."""
    if max(map(cell_len, re.split(r"(?<=[_\s])", name))) > room:
        return name
    lines = [""]
    for word in re.findall(r"[^_\s]*[_\s]*", name):
        if lines[-1] and cell_len(lines[-1] + word.rstrip()) > room:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def _print_scale(row: Row, axis: Axis, console: Console) -> None:
    """Draw the only row of a table on a scale as wide as the console, the marks named below it."""
    width = max(min(console.width, 80) - 2 * _INDENT, _SPAN_WIDTH)
    drawn = _drawn(row.mark, axis, ascii_only=console.options.ascii_only, width=width)
    _print_text(_text(drawn, console, _TONES[row.tone]), console)
    _print_text(_text(_ends(axis, width), console, "dim"), console)


def _ends(axis: Axis, width: int) -> str:
    """Return the ends and the marks of an axis, each at its place."""
    line = [" "] * width
    for value in (*axis.marks, axis.low, axis.high):
        text = f"{value:.0%}" if axis.percent else f"{value:g}"
        start = min(max(_cell(value, axis, width) - len(text) // 2, 0), width - len(text))
        if not "".join(line[max(start - 1, 0) : start + len(text) + 1]).strip():
            line[start : start + len(text)] = text
    return "".join(line).rstrip()


def _drawn(mark: Bar | Span | None, axis: Axis, *, ascii_only: bool, width: int = _SPAN_WIDTH) -> str:
    """Draw a bar, or an interval on its axis."""
    if mark is None:
        return ""
    if isinstance(mark, Bar):
        return ("#" if ascii_only else "█") * math.ceil(mark.share * _BAR_WIDTH)
    blank, tick, rule, dot = (" ", "|", "-", "o") if ascii_only else ("·", "│", "─", "●")
    cells = [blank] * width
    if mark.low is not None and mark.high is not None:
        first, last = _cell(mark.low, axis, width), _cell(mark.high, axis, width)
        cells[first : last + 1] = rule * (last + 1 - first)
    for value in axis.marks:
        cells[_cell(value, axis, width)] = tick
    cells[_cell(mark.value, axis, width)] = dot
    return "".join(cells)


def _cell(value: float, axis: Axis, width: int) -> int:
    """Return the cell of a value."""
    return min(max(round((value - axis.low) / (axis.high - axis.low) * (width - 1)), 0), width - 1)
