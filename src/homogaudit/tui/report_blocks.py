"""The sections of a report as lines of a screen, and what the cursor can stand on. Words nothing, and knows no widget.

A table that is too wide goes on below under its first column, and where not even two columns have room each row is
written out; no cell is ever cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from rich.cells import cell_len
from textual.content import Content

from homogaudit.report.numbers import MISSING
from homogaudit.report.section import Bar, Curves, HeatMap, Line, Part, Row, Section, Span, Table
from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.dot_plot import draw_dot_plot
from homogaudit.tui.widgets.heat_map import draw_value_map
from homogaudit.tui.widgets.histogram import bar_of
from homogaudit.tui.widgets.line_plot import draw_line_plot

_TONES = {
    "good": "$text-success",
    "doubtful": "$text-warning",
    "bad": "$text-error",
    "warning": "$text-warning",
    "muted": MUTED,
    "": "",
}
_GAP = 2
_LABEL_WIDTH = 10
_LEAST_PLOT = 24
_WIDEST_PLOT = 64
_CURVE_LINES = 12


@dataclass(frozen=True, slots=True)
class Stop:
    """What the cursor can stand on: a title, a sentence, a row, a plot.

    Attributes:
        place: Section, part and row, each from 0: the same at every width.
        text: What it says, as it is copied.
        shown: What is repeated of it at the bottom, where that is not its text.
        questions: The filter of the questions that it speaks of, empty for none.
        lines: Those of the screen that are its own.
    """

    place: tuple[int, int, int]
    text: str
    term: str
    lines: range
    style: str = ""
    shown: str = ""
    questions: str = ""


@dataclass
class Drawn:
    """All lines, and the stops in their order; `marked` are the lines that are lit with the cursor on their stop."""

    lines: list[Content] = field(default_factory=list[Content])
    stops: list[Stop] = field(default_factory=list[Stop])
    marked: dict[int, int] = field(default_factory=dict[int, int])

    def blank(self) -> None:
        """Leave a line free, unless one is."""
        if self.lines and self.lines[-1].plain:
            self.lines.append(Content())

    def stop(
        self,
        place: tuple[int, int, int],
        text: str,
        term: str,
        lines: Iterable[Content],
        below: Sequence[Content] = (),
        *,
        style: str = "",
        shown: str = "",
        questions: str = "",
    ) -> None:
        """Add a stop with its lines, and those that come into sight with it and are not lit."""
        first = len(self.lines)
        for line in lines:
            self.marked[len(self.lines)] = len(self.stops)
            self.lines.append(line)
        self.lines += below
        own = range(first, len(self.lines))
        self.stops.append(Stop(place, text, term, own, style, shown, questions))


def draw_sections(sections: Sequence[Section], width: int, palette: Palette, *, color: bool) -> Drawn:
    """Return the sections one below the other on lines of `width` cells."""
    drawn = Drawn()
    width = max(width, 12)
    for number, section in enumerate(sections):
        drawn.blank()
        style = _TONES[section.tone]
        rule = Content.styled(" " + "─" * max(width - cell_len(section.title) - 1, 0), FAINT)
        title = Content.styled(section.title, f"{style or '$text-primary'} bold")
        heading = [*title.wrap(width)] if cell_len(section.title) >= width else [title + rule]
        drawn.stop((number, 0, 0), section.title, section.term, heading, style=style)
        indent, before = 0, None
        for place, part in enumerate(section.parts, 1):
            if not (isinstance(part, Line) and isinstance(before, Line)) and place > 1 and not _is_scale(part):
                drawn.blank()
            if isinstance(part, Line):
                indent = _LABEL_WIDTH if part.label else indent
                _line(drawn, (number, place, 0), part, indent, width)
            else:
                indent = 0
                _figure(drawn, (number, place), part, width, palette, color=color)
            before = part
    return drawn


def _figure(drawn: Drawn, at: tuple[int, int], part: Part, width: int, palette: Palette, *, color: bool) -> None:
    match part:
        case Table() if part.rows:
            _table(drawn, at, part, width)
        case Curves() if part.curves:
            plot = draw_line_plot(part, width, _CURVE_LINES, palette, color=color)
            points = [f"{x.name}\t{a:g}\t{b:.4f}" for x in part.curves for a, b in zip(x.x, x.y, strict=True)]
            _plot(drawn, at, part, points, plot.split("\n", allow_blank=True), width)
        case HeatMap() if part.names:
            rows = [
                "\t".join([name, *(MISSING if x is None else f"{x:.4f}" for x in values)])
                for name, values in zip(part.names, part.values, strict=True)
            ]
            plot = draw_value_map(part.names, part.values, width, palette, color=color)
            _plot(drawn, at, part, ["\t".join(["", *part.names]), *rows], plot, width)
        case _:
            pass


def _plot(
    drawn: Drawn, at: tuple[int, int], part: Curves | HeatMap, points: list[str], plot: list[Content], width: int
) -> None:
    """Add a plot as one stop that copies all its points; its title is what is lit."""
    title = Content.styled(part.title, "bold").wrap(width)
    shown = f"{part.title}: y copies all its points"
    drawn.stop((*at, 0), "\n".join([part.title, *points]), part.term, title, plot, shown=shown)


def _line(drawn: Drawn, place: tuple[int, int, int], line: Line, indent: int, width: int) -> None:
    style = _TONES[line.tone]
    text = Content.styled(line.text, style)
    if line.tone == "warning":
        text = Content.assemble(("! ", "$text-warning bold"), text)
    if line.questions:
        text = Content.assemble(text, (" ⏎", "$text-primary bold"))
    margin = Content.styled(line.label, "bold").pad_right(max(indent - cell_len(line.label), 0))
    rest = Content(" " * indent)
    lines = [(rest if number else margin) + x for number, x in enumerate(text.wrap(max(width - indent, 8)))]
    copied = f"{line.label}: {line.text}" if line.label else line.text
    drawn.stop(place, copied, line.term, lines, style=style, questions=line.questions)


# Tables


def _table(drawn: Drawn, at: tuple[int, int], table: Table, width: int) -> None:
    if table.title:
        drawn.lines += Content.styled(table.title, "bold").wrap(width)
    texts = [_row_text(table, row) for row in table.rows]
    for number, group in enumerate(_groups(table, width)):
        if number:
            drawn.blank()
        if group.heading.plain.strip():
            drawn.lines.append(group.heading)
        for y, (row, lines) in enumerate(zip(table.rows, group.rows, strict=True)):
            below = group.below if y == len(table.rows) - 1 else []
            drawn.stop((*at, y), texts[y], row.term, lines, below, style=_TONES[row.tone])


def _row_text(table: Table, row: Row) -> str:
    """Return a row as a sentence, with the headings of its cells and the reason for what is missing."""
    name, *cells = row.cells
    pairs = zip(table.columns[1:], cells, strict=True)
    told = ", ".join(f"{column.name} {cell}".strip() for column, cell in pairs if cell and cell != MISSING)
    return f"{name}: {told or MISSING}" + (f" ({row.reason})" if row.reason else "")


@dataclass(frozen=True, slots=True)
class _Group:
    """Some columns of a table beside the first: a heading, the lines of each row, what stands below all rows."""

    heading: Content
    rows: list[list[Content]]
    below: list[Content] = field(default_factory=list[Content])


def _groups(table: Table, width: int) -> list[_Group]:
    """Return as many groups of columns as the width asks for, the plots of the rows last."""
    columns = [[column.name, *(row.cells[at] for row in table.rows)] for at, column in enumerate(table.columns)]
    widths = [max(map(cell_len, column)) for column in columns]
    if widths[0] + max(widths[1:], default=-_GAP) + _GAP > width:
        return [_Group(Content(), [_written_out(table, row, width) for row in table.rows])]
    # Columns stand closer where that keeps them together.
    gap = next((x for x in (_GAP, 1) if sum(widths) + x * (len(widths) - 1) <= width), _GAP)
    shared: list[list[int]] = [[]]
    used = widths[0]
    for at in range(1, len(widths)):
        if used + gap + widths[at] > width:
            shared.append([])
            used = widths[0]
        shared[-1].append(at)
        used += gap + widths[at]
    grids = [_grid(table, widths, group, gap) for group in shared]
    if not any(row.mark for row in table.rows):
        return grids
    if _is_scale(table):
        lines, axis = _marks(table, width)
        return [*grids[:-1], replace(grids[-1], below=[*lines, *axis])]
    if width - used - _GAP < _LEAST_PLOT:
        grids.append(_grid(table, widths, [], gap))
        used = widths[0]
    return [*grids[:-1], _beside(table, grids[-1], min(width - used - _GAP, _WIDEST_PLOT))]


def _is_scale(part: Part) -> bool:
    """Whether a table is one row, whose span is drawn below it over the whole width."""
    return isinstance(part, Table) and part.axis is not None and len(part.rows) == 1


def _written_out(table: Table, row: Row, width: int) -> list[Content]:
    """Return a row as a sentence over several lines."""
    lines = Content.styled(_row_text(table, row), _TONES[row.tone]).wrap(width - _GAP)
    return [Content(" " * _GAP * bool(number)) + line for number, line in enumerate(lines)]


def _grid(table: Table, widths: Sequence[int], group: Sequence[int], gap: int) -> _Group:
    """Return some columns beside the first: names to the left, numbers to the right."""

    def line(cells: Sequence[str], style: str) -> Content:
        parts = [Content.styled(cells[0] + " " * (widths[0] - cell_len(cells[0])), style)]
        for at in group:
            text = " " * (gap + widths[at] - cell_len(cells[at])) + cells[at]
            parts.append(Content.styled(text, MUTED if cells[at] == MISSING else style))
        return Content("").join(parts)

    heading = line([column.name for column in table.columns], MUTED)
    return _Group(heading, [[line(row.cells, _TONES[row.tone])] for row in table.rows])


def _beside(table: Table, grid: _Group, width: int) -> _Group:
    """Return a group with the plots of its rows on its right side."""
    lines, below = _marks(table, width)
    gap = Content(" " * _GAP)
    rows = [[row[0] + gap + line] for row, line in zip(grid.rows, lines, strict=True)]
    start = Content(" " * grid.heading.cell_length) + gap
    label = table.axis.label if table.axis is not None else ""
    heading = Content.assemble(grid.heading, gap, (label if cell_len(label) <= width else "", MUTED))
    return _Group(heading, rows, [start + line for line in below])


def _marks(table: Table, width: int) -> tuple[list[Content], list[Content]]:
    """Return the plot of every row, and the axis under them."""
    styles = [_TONES[row.tone] for row in table.rows]
    if table.axis is not None:
        spans = [row.mark if isinstance(row.mark, Span) else None for row in table.rows]
        return draw_dot_plot(spans, table.axis, width, styles)
    bars = [bar_of(row.mark.share, width) if isinstance(row.mark, Bar) else "" for row in table.rows]
    return [Content.styled(bar, style or "$primary") for bar, style in zip(bars, styles, strict=True)], []
