"""The report on a terminal: readable at 80 columns, without colour, and where output is not a terminal.

Nothing is parsed as markup: every string is made a `Text` first. Colour only repeats what the words say.
"""

import math
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from homogaudit.report.layout import Bar, Plot, Section, Table, sections
from homogaudit.report.records import Report

__all__ = ["render_console", "render_section"]

_LEVEL_STYLES = {"none": "green", "undecided": "yellow", "mild": "yellow", "severe": "red", "invalid": "red"}
_INDENT = 2
_BAR_WIDTH = 30
_SPAN_WIDTH = 25
_WIDE = 110
"""Columns from which on an interval is also drawn."""


def render_console(report: Report, console: Console, *, full: bool = False) -> None:
    """Print the report.

    Args:
        report: The report.
        console: Where; its width, colours and encoding are respected.
        full: Whether to print the sweeps as tables, every histogram and what each signal costs.
    """
    for number, section in enumerate(sections(report, full=full)):
        if number:
            console.print()
        _print_section(section, console, _LEVEL_STYLES[report.verdict.level])


def render_section(section: Section, console: Console) -> None:
    """Print one section by itself."""
    _print_section(section, console, "")


def _print_section(section: Section, console: Console, level_style: str) -> None:
    style = f"bold {level_style}" if section.title.startswith("Verdict") else "bold"
    console.print(_text(section.title, console, style))
    for line in section.warnings:
        warning = Text.assemble(("warning: ", "bold yellow"), _text(line, console))
        console.print(_indented(warning))
    _print_lines(section.lines, console)
    for table in section.tables:
        console.print()
        console.print(_indented(_rich_table(table, console)))
    if section.notes:
        console.print()
    _print_lines(section.notes, console)


def _print_lines(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        console.print(_indented(_text(line, console)))


def _indented(content: Text | RichTable) -> Padding:
    return Padding(content, (0, 0, 0, _INDENT), expand=False)


def _text(text: str, console: Console, style: str = "") -> Text:
    """Return `text` without markup; what the output's encoding cannot hold is written as an escape."""
    return Text(text.encode(console.encoding, "backslashreplace").decode(console.encoding), style=style)


def _rich_table(table: Table, console: Console) -> RichTable:
    found = RichTable(box=None, padding=(0, _gap(table, console), 0, 0), pad_edge=False, header_style="bold")
    for number, name in enumerate(table.columns):
        # A cell that does not fit is folded, never cut: a lost digit is a wrong number.
        found.add_column(_text(name, console), justify="right" if number else "left", overflow="fold")
    plotted = bool(table.plots) and (isinstance(table.plots[0], Bar) or console.width >= _WIDE)
    if plotted:
        is_bar = isinstance(table.plots[0], Bar)
        found.add_column(Text("" if is_bar else "0" + "0.5".center(_SPAN_WIDTH - 2) + "1"), no_wrap=True)
    for number, row in enumerate(table.rows):
        cells = [_text(cell, console) for cell in row]
        if plotted:
            cells.append(Text(_drawn(table.plots[number], ascii_only=console.options.ascii_only)))
        found.add_row(*cells)
    return found


def _gap(table: Table, console: Console) -> int:
    """Return the spaces between columns: one where two would fold the names of the first."""
    cells = zip(table.columns, *table.rows, strict=True)
    widths = [max(cell_len(cell) for cell in column) for column in cells]
    return 2 if sum(widths) + 2 * (len(widths) - 1) <= console.width - _INDENT else 1


def _drawn(plot: Plot, *, ascii_only: bool) -> str:
    """Draw a bar, or an interval on a line from 0 to 1 with a mark at 0.5."""
    if isinstance(plot, Bar):
        return ("#" if ascii_only else "█") * math.ceil(plot.share * _BAR_WIDTH)
    blank, half, line, dot = (" ", "|", "-", "o") if ascii_only else ("·", "│", "─", "●")
    cells = [blank] * _SPAN_WIDTH
    if plot.low is not None and plot.high is not None:
        first, last = _cell(plot.low), _cell(plot.high)
        cells[first : last + 1] = line * (last + 1 - first)
    cells[_SPAN_WIDTH // 2] = half
    cells[_cell(plot.value)] = dot
    return "".join(cells)


def _cell(value: float) -> int:
    """Return the cell of a value between 0 and 1."""
    return round(value * (_SPAN_WIDTH - 1))
