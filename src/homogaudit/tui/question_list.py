"""The questions of a run in the order of their start, drawn line by line: as quick with 50,000 as with 20."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.visual import Visual

from homogaudit.report.numbers import decimal
from homogaudit.report.text import plain
from homogaudit.tui.live_state import QuestionRow
from homogaudit.tui.theme import MUTED, state_mark
from homogaudit.tui.widgets.canvas import fit
from homogaudit.tui.widgets.selectable_lines import SelectableLines

_WIDE = 72
"""From this width on there is a column for every clustering."""

_NUMBER_WIDTHS = (5, 7)
"""Cells of a column of numbers: below `_WIDE`, and from it on."""

_WORD_WIDTH = 11
"""Cells of the last column: the glyph and the word of a label; before there is one, the word of the state."""


class QuestionList(SelectableLines, can_focus=True):
    """The questions with their state, clusters, semantic entropy and label; one line is the cursor.

    It follows the newest question until the cursor is moved, and again once it is moved to the last line.
    """

    DEFAULT_CSS = """
    QuestionList { overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("enter", "open", "Open"),
    ]

    cursor: reactive[int] = reactive(0)

    @dataclass
    class Opened(Message):
        """The question under the cursor was chosen."""

        question_id: str

    def __init__(self, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[QuestionRow] = ()
        self._methods: tuple[str, ...] = ()
        self._primary: str | None = None
        self._follows = True

    def show(self, rows: Sequence[QuestionRow], methods: Sequence[str], primary: str | None) -> None:
        """Show these rows; only lines that changed and can be seen are drawn again."""
        before, self._rows = self._rows, rows
        if len(before) != len(rows):
            self.virtual_size = Size(self.size.width, len(rows) + 1)
        if (tuple(methods), primary) != (self._methods, self._primary) or len(before) != len(rows):
            self._methods, self._primary = tuple(methods), primary
            self.refresh()
        else:
            top = self.scroll_offset.y
            for line in range(1, self.size.height):
                position = top + line - 1
                if position < len(rows) and rows[position] is not before[position]:
                    self.refresh(Region(0, line, self.size.width, 1))
        if self._follows and rows:
            newest = next((i for i in range(len(rows) - 1, -1, -1) if rows[i].state != "waiting"), 0)
            self.cursor = newest

    def watch_cursor(self, before: int, after: int) -> None:
        """Draw both lines again and keep the cursor in sight."""
        height = max(1, self.size.height - 1)
        top = round(self.scroll_target_y)
        if after < top:
            self.scroll_to(y=after, animate=False)
        elif after >= top + height:
            self.scroll_to(y=after - height + 1, animate=False)
        for position in (before, after):
            line = position - self.scroll_offset.y + 1
            if 1 <= line < self.size.height:
                self.refresh(Region(0, line, self.size.width, 1))

    def action_move(self, by: int) -> None:
        """Move the cursor by some lines."""
        last = max(0, len(self._rows) - 1)
        self.cursor = min(max(0, self.cursor + by), last)
        self._follows = self.cursor == last

    def action_page(self, by: int) -> None:
        """Move the cursor by some pages."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_first(self) -> None:
        """Go to the first question."""
        self.action_move(-len(self._rows))

    def action_last(self) -> None:
        """Go to the last question."""
        self.action_move(len(self._rows))

    def action_open(self) -> None:
        """Choose the question under the cursor."""
        if self.cursor < len(self._rows):
            self.post_message(self.Opened(self._rows[self.cursor].question_id))

    def on_click(self, event: Click) -> None:
        """Move the cursor to the line; a second click chooses it."""
        if event.y == 0:
            return
        position = self.scroll_offset.y + event.y - 1
        if position < len(self._rows):
            self.action_move(position - self.cursor)
            if event.chain > 1:
                self.action_open()

    def on_resize(self) -> None:
        """Columns depend on the width."""
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)
        self.watch_cursor(self.cursor, self.cursor)

    def content_line(self, line: int) -> Strip:
        """Return the head, or a question."""
        width = self.scrollable_content_region.width
        position = line - 1
        if line == 0:
            content = self._head(width)
        elif position < len(self._rows):
            content = self._line(position, width)
        else:
            return Strip.blank(width, self.visual_style.rich_style)
        if line and position == self.cursor and self.has_focus:
            content = content.stylize("reverse") if self.app.no_color else content.stylize("on $primary 25%")
        strips = Visual.to_strips(self, content, width, 1, self.visual_style, pad=True, apply_selection=False)
        return strips[0] if strips else Strip([Segment(" " * width)])

    def _columns(self, width: int) -> tuple[str, ...]:
        """Return the clusterings that have a column."""
        if width >= _WIDE:
            return self._methods
        return (self._primary,) if self._primary else ()

    def _head(self, width: int) -> Content:
        cells = _NUMBER_WIDTHS[width >= _WIDE]
        right = "".join(f"{_short(method):>{cells}}" for method in (*self._columns(width), "SE"))
        right += "  " + "label".ljust(_WORD_WIDTH)
        number = len(str(len(self._rows)))
        left = fit(f"  {'#':>{number}}  question", max(0, width - len(right)))
        return Content.styled(left + right, MUTED)

    def _line(self, position: int, width: int) -> Content:
        row = self._rows[position]
        mark = state_mark(row.state)
        cells = _NUMBER_WIDTHS[width >= _WIDE]
        counts = [row.clusters.get(method) for method in self._columns(width)]
        right = "".join(f"{'' if clusters is None else clusters:>{cells}}" for clusters in counts)
        right += f"{decimal(row.entropy, 2) if row.state == 'scored' else '':>{cells}}"
        label = state_mark(row.label) if row.label else None
        word = "  " + (mark.word if label is None else f"{label.glyph} {label.word}").ljust(_WORD_WIDTH)
        number = f"{position + 1:>{len(str(len(self._rows)))}}"
        room = max(0, width - len(right) - len(word) - len(number) - 4)
        # No more than can be seen is made plain: a question can be a page long.
        text = fit(plain(row.text[: 4 * room]), room)
        return Content.assemble(
            (mark.glyph + " ", mark.style),
            (number + "  ", MUTED),
            (text, MUTED if row.state == "waiting" else ""),
            right,
            (word, label.style if label else MUTED),
        )


def _short(method: str) -> str:
    """Return the head of a clustering's column."""
    return {"embedding": "emb", "jaccard": "jacc", "meaning": "mean", "entailment": "nli"}.get(method, method)[:4]
