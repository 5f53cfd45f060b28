"""A table of any number of questions that draws only the lines on the screen. It neither sorts nor filters.

Textual's own table measures every cell before it draws one, which takes seconds for ten thousand rows.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.style import Style

from homogaudit.report.numbers import MISSING, count, decimal
from homogaudit.tui.question_rows import Column, QuestionRow, Sort
from homogaudit.tui.theme import MUTED, cluster_glyph, palette_of, state_mark
from homogaudit.tui.widgets.canvas import fit
from homogaudit.tui.widgets.selectable_lines import SelectableLines

_GAP = 2
_ANSWERS = 10
"""Cells of the strip of answers: one each for the usual ten samples."""

_CURSOR = "▌"
"""Marks the row of the cursor where there is no colour."""

Piece = tuple[str, str]
"""Text and its style in terms of the theme; a style `cluster N` is that cluster's colour."""


@dataclass(frozen=True, slots=True)
class _ColumnSpec:
    """One column.

    Attributes:
        column: What it is sorted by.
        width: Cells; 0 takes what is left.
        right: Numbers stand to the right.
        least: Cells that the table must have for the column to be shown.
        pieces: The cell of a row; not longer than the width.
    """

    column: Column
    title: str
    width: int
    right: bool
    least: int
    pieces: Callable[[QuestionRow], list[Piece]]


def _clusters(row: QuestionRow) -> list[Piece]:
    if row.clusters is None:
        return [(MISSING.rjust(8), MUTED)]
    style = "$text-warning bold" if row.is_single else "$foreground"
    total = f"/{sum(row.sizes)}"
    return [(str(row.clusters).rjust(8 - len(total)), style), (total, MUTED)]


def _answers(row: QuestionRow) -> list[Piece]:
    """Return a letter an answer, cluster by cluster; of more than ten answers ten that stand for them."""
    members = [cluster for cluster, size in enumerate(row.sizes) for _ in range(size)]
    if len(members) > _ANSWERS:
        members = [members[(2 * cell + 1) * len(members) // (2 * _ANSWERS)] for cell in range(_ANSWERS)]
    return [(cluster_glyph(cluster), f"cluster {cluster}") for cluster in members]


def _number(value: float | None, width: int, places: int) -> list[Piece]:
    return [(decimal(value, places).rjust(width), "$foreground" if value is not None else MUTED)]


def _result(row: QuestionRow) -> list[Piece]:
    mark = state_mark(row.result)
    return [(f"{mark.glyph} {mark.word}", mark.style)]


_COLUMNS = (
    _ColumnSpec(Column.POSITION, "#", 6, True, 0, lambda row: [(count(row.position + 1).rjust(6), MUTED)]),
    _ColumnSpec(Column.TEXT, "question", 0, False, 0, lambda row: [(row.text, "$foreground")]),
    _ColumnSpec(Column.CATEGORY, "category", 14, False, 104, lambda row: [(row.category, MUTED)]),
    _ColumnSpec(Column.CLUSTERS, "answers", _ANSWERS, False, 104, _answers),
    _ColumnSpec(Column.CLUSTERS, "clusters", 8, True, 0, _clusters),
    _ColumnSpec(Column.ENTROPY, "entropy", 8, True, 56, lambda row: _number(row.entropy, 8, 2)),
    _ColumnSpec(Column.SIGNAL, "token entropy", 13, True, 136, lambda row: _number(row.signal, 13, 3)),
    _ColumnSpec(Column.RESULT, "result", 12, False, 44, _result),
)


class QuestionTable(SelectableLines, can_focus=True):
    """Rows of questions with a cursor.

    Its rows are those of a run, and what it shows a list of their positions: both come from outside.
    """

    DEFAULT_CSS = """
    QuestionTable { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("enter", "open", "Open"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor stands on another question, or on none."""

        row: QuestionRow | None

    @dataclass
    class Opened(Message):
        """A question was chosen with Enter or by a second click."""

        row: QuestionRow

    @dataclass
    class SortAsked(Message):
        """The title of a column was clicked."""

        column: Column

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[QuestionRow] = ()
        self._shown: list[int] = []
        self._sort = Sort()
        self._cursor = 0
        self._strips: dict[tuple[int, bool], Strip] = {}
        self._styles: dict[str, RichStyle] = {}

    # What it shows

    @property
    def current(self) -> QuestionRow | None:
        """The question under the cursor."""
        return self._rows[self._shown[self._cursor]] if self._shown else None

    @property
    def cursor(self) -> int:
        """The line of the cursor among the rows shown, from 0."""
        return self._cursor

    @property
    def columns(self) -> list[Column]:
        """What is shown at this width and can be sorted by, from the left."""
        return list(dict.fromkeys(spec.column for spec in self._specs()))

    def show_rows(self, rows: Sequence[QuestionRow], shown: list[int], sort: Sort) -> None:
        """Show other rows, or the same in another order; the cursor stays on its question where it is still shown."""
        current = self.current
        above = self._cursor - self.scroll_offset.y
        is_same_list = shown == self._shown
        self._rows, self._shown, self._sort = rows, shown, sort
        self._strips.clear()
        if not is_same_list:
            place = None
            if current is not None:
                with contextlib.suppress(ValueError):
                    place = shown.index(current.position)
            self._cursor = min(self._cursor, max(len(shown) - 1, 0)) if place is None else place
            self.virtual_size = Size(0, len(shown) + 1)
            self.scroll_to(y=self._cursor - above if place is not None else 0, animate=False, force=True)
            self._keep_in_sight()
        self.refresh()
        if self.current is not current:
            self.post_message(self.Moved(self.current))

    def update_rows(self, changed: Iterable[QuestionRow]) -> None:
        """Draw again the lines of rows that changed in place; `show_rows` is for changes of which rows are shown."""
        positions = {row.position for row in changed}
        for position in positions:
            for is_cursor in (False, True):
                self._strips.pop((position, is_cursor), None)
        first = self.scroll_offset.y
        for line, position in enumerate(self._shown[first : first + self.size.height], start=1):
            if position in positions:
                self.refresh(Region(0, line, self.size.width, 1))
        if self.current is not None and self.current.position in positions:
            self.post_message(self.Moved(self.current))

    # The cursor

    def move_cursor(self, line: int) -> None:
        """Put the cursor on a line, or the nearest that there is."""
        line = min(max(line, 0), len(self._shown) - 1)
        if line < 0 or line == self._cursor:
            self._keep_in_sight()
            return
        before, self._cursor = self._cursor, line
        self._refresh_row(before)
        self._refresh_row(line)
        self._keep_in_sight()
        self.post_message(self.Moved(self.current))

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.move_cursor(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by the lines of a screen."""
        self.move_cursor(self._cursor + pages * max(self._room - 1, 1))

    def action_jump(self, line: int) -> None:
        """Move the cursor to the first line, or with -1 to the last."""
        self.move_cursor(line if line >= 0 else len(self._shown) - 1)

    def action_open(self) -> None:
        """Open the question under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    @property
    def _room(self) -> int:
        """Lines under the titles."""
        return max(self.size.height - 1, 1)

    def _refresh_row(self, line: int) -> None:
        self.refresh(Region(0, line - self.scroll_offset.y + 1, self.size.width, 1))

    def _keep_in_sight(self) -> None:
        first = self.scroll_offset.y
        if self._cursor < first:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= first + self._room:
            self.scroll_to(y=self._cursor - self._room + 1, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a row, open the one it stands on, or sort by a title."""
        if event.y == 0:
            column = self._column_at(event.x)
            if column is not None:
                self.post_message(self.SortAsked(column))
            return
        line = self.scroll_offset.y + event.y - 1
        if line >= len(self._shown):
            return
        if line == self._cursor and event.chain > 1:
            self.action_open()
        self.move_cursor(line)

    def on_resize(self) -> None:
        """Lay out the columns anew."""
        self._strips.clear()
        self.virtual_size = Size(0, len(self._shown) + 1)
        self.call_after_refresh(self._keep_in_sight)

    def on_focus(self) -> None:
        """Show the cursor as active."""
        self._redraw()

    def on_blur(self) -> None:
        """Show the cursor as passive."""
        self._redraw()

    def notify_style_update(self) -> None:
        """Take the colours of another theme."""
        super().notify_style_update()
        self._styles.clear()
        self._redraw()

    def _redraw(self) -> None:
        self._strips.clear()
        self.refresh()

    # Drawing

    def _specs(self) -> list[_ColumnSpec]:
        return [spec for spec in _COLUMNS if self.size.width >= spec.least]

    def _widths(self, specs: list[_ColumnSpec]) -> list[int]:
        taken = 1 + sum(spec.width for spec in specs) + _GAP * (len(specs) - 1) + 1
        left = max(self.scrollable_content_region.width - taken, 8)
        return [spec.width or left for spec in specs]

    def _column_at(self, x: int) -> Column | None:
        specs = self._specs()
        end = 1
        for spec, width in zip(specs, self._widths(specs), strict=True):
            end += width + _GAP
            if x < end:
                return spec.column
        return None

    def content_line(self, line: int) -> Strip:
        """Return the titles, or a question."""
        width = self.scrollable_content_region.width
        if line == 0:
            return self._titles(width)
        line -= 1
        if not 0 <= line < len(self._shown):
            return Strip.blank(width, self._style("$foreground"))
        key = (self._shown[line], line == self._cursor)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) > 2000:
                self._strips.clear()
            strip = self._strips[key] = self._line(self._rows[key[0]], key[1], width)
        return strip

    def _titles(self, width: int) -> Strip:
        specs = self._specs()
        muted, key = self._style(MUTED), self._style("$text-primary bold")
        segments = [Segment(" ", muted)]
        sorted_by = next((s for s in reversed(specs) if s.column is self._sort.column), None)
        for number, (spec, cells) in enumerate(zip(specs, self._widths(specs), strict=True)):
            title = spec.title
            if spec is sorted_by:
                title += "↓" if self._sort.descending else "↑"
            text = title.rjust(cells) if spec.right else fit(title, cells)
            segments.append(Segment(text, key if spec is sorted_by else muted))
            if number < len(specs) - 1:
                segments.append(Segment(" " * _GAP, muted))
        return Strip(segments).adjust_cell_length(width, muted)

    def _line(self, row: QuestionRow, is_cursor: bool, width: int) -> Strip:
        field = ("focus" if self.has_focus else "blur") if is_cursor else ""
        blank = self._style("$foreground", field)
        segments = [Segment(_CURSOR if is_cursor else " ", self._style("$text-primary bold", field))]
        specs = self._specs()
        for number, (spec, cells) in enumerate(zip(specs, self._widths(specs), strict=True)):
            pieces = spec.pieces(row)
            if len(pieces) == 1:
                text, style = pieces[0]
                segments.append(Segment(fit(text, cells), self._style(style, field)))
            else:
                segments += [Segment(text, self._style(style, field)) for text, style in pieces]
                segments.append(Segment(" " * (cells - sum(len(text) for text, _ in pieces)), blank))
            if number < len(specs) - 1:
                segments.append(Segment(" " * _GAP, blank))
        return Strip(segments).adjust_cell_length(width, blank)

    def _style(self, name: str, field: str = "") -> RichStyle:
        """Return a style on the table's background, or on the field of the cursor."""
        found = self._styles.get(name + field)
        if found is None:
            variables = self.app.theme_variables
            _, background = self.background_colors
            if field:
                background = background + Color.parse(variables["primary"]).with_alpha(
                    0.28 if field == "focus" else 0.12
                )
            base = Style(background=background, foreground=Color.parse(variables["foreground"]))
            if name.startswith("cluster "):
                color = palette_of(self.app.current_theme.dark).cluster_color(int(name.removeprefix("cluster ")))
                style = Style(foreground=color)
            else:
                style = Style.parse(name, variables)
            found = self._styles[name + field] = (base + style).rich_style
        return found
