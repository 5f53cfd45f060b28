"""The blocks of the report as widgets with a cursor: rows, dots and curves. They draw, and tell what it stands on."""

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive

from homogaudit.report.numbers import MISSING
from homogaudit.tui.report_figures import Block, Curves, Dots, Item, Rows
from homogaudit.tui.theme import MUTED, Palette
from homogaudit.tui.widgets.canvas import Figure, fit
from homogaudit.tui.widgets.dot_plot import DotAxis, draw_dot_plot
from homogaudit.tui.widgets.line_plot import Axes, draw_line_plot

__all__ = ["BlockFigure", "CurvesFigure", "DotsFigure", "RowsFigure", "block_figure"]

_TITLE = "bold"
_CURVE_LINES = 12


class BlockFigure(Figure, can_focus=True):
    """A block with a cursor on one of its items; at its ends the cursor goes on to the next block."""

    DEFAULT_CSS = """
    BlockFigure { height: auto; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
    ]

    cursor: reactive[int] = reactive(0)

    @dataclass
    class Pointed(Message):
        """The cursor stands on an item."""

        item: Item
        figure: "BlockFigure"

    def __init__(self, items: tuple[Item, ...]) -> None:
        super().__init__()
        self.items = items

    @property
    def current(self) -> Item:
        """What is under the cursor."""
        return self.items[self.cursor]

    def lines_of(self, item: int, width: int) -> tuple[int, int]:
        """Return the first line of an item and how many it takes."""
        raise NotImplementedError

    def action_move(self, items: int) -> None:
        """Move the cursor, past an end to the next block."""
        place = self.cursor + items
        if 0 <= place < len(self.items):
            self.cursor = place
            return
        step = 1 if items > 0 else -1
        self.post_message(self.Left(self, step))

    @dataclass
    class Left(Message):
        """The cursor went past an end: to the block before (-1) or after (1)."""

        figure: "BlockFigure"
        step: int

    def watch_cursor(self) -> None:
        """Show and tell where it stands."""
        self.tell()

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Tell what is under the cursor."""
        super().watch_has_focus(_has_focus)
        self.tell()

    def tell(self) -> None:
        """Tell what is under the cursor, so that the screen can bring it into sight."""
        if self.is_mounted and self.has_focus:
            self.post_message(self.Pointed(self.current, self))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the item under the mouse."""
        for number in range(len(self.items)):
            first, lines = self.lines_of(number, self.content_size.width)
            if first <= event.y < first + lines:
                self.cursor = number
                self.tell()

    def marked(self, content: Content, width: int, *, color: bool) -> Content:
        """Return the drawing with the item under the cursor marked."""
        if not self.has_focus:
            return content
        first, lines = self.lines_of(self.cursor, width)
        texts = content.split(allow_blank=True)
        style = "on $primary 28%" if color else "reverse"
        for number in range(first, min(first + lines, len(texts))):
            line = texts[number]
            texts[number] = line.pad_right(max(width - line.cell_length, 0)).stylize_before(style)
        return Content("\n").join(texts)


class RowsFigure(BlockFigure):
    """Sentences, and names with their values; what does not fit goes on below."""

    def __init__(self, block: Rows) -> None:
        super().__init__(block.items)
        self._title = block.title
        self._laid_out: dict[int, list[list[Content]]] = {}

    def _lines(self, width: int) -> list[list[Content]]:
        """Return the lines of each item."""
        found = self._laid_out.get(width)
        if found is None:
            named = [item for item in self.items if len(item.name) > 1]
            name_width = min(max((cell_len(item.name) for item in named), default=0), max(width // 2, 8))
            value_width = max((cell_len(item.value) for item in named), default=0)
            found = [_item_lines(item, name_width, value_width, max(width, 12)) for item in self.items]
            self._laid_out = {width: found}
        return found

    def lines_of(self, item: int, width: int) -> tuple[int, int]:
        """Return the first line of an item and how many it takes."""
        lines = self._lines(width)
        return bool(self._title) + sum(len(x) for x in lines[:item]), len(lines[item])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the title and of all items."""
        return bool(self._title) + sum(len(lines) for lines in self._lines(width))

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the rows."""
        lines = [Content.styled(fit(self._title, width), _TITLE)] if self._title else []
        lines += [line for item in self._lines(width) for line in item]
        return self.marked(Content("\n").join(lines), width, color=color)


def _item_lines(item: Item, name_width: int, value_width: int, width: int) -> list[Content]:
    """Return one item on as many lines as it needs."""
    style = item.style or "$foreground"
    if not item.name:
        return Content.styled(item.value, style).wrap(width)
    if len(item.name) == 1:
        # A glyph in front of a sentence.
        wrapped = Content.styled(item.value, style).wrap(width - 2)
        return [
            Content.assemble((item.name if not number else " ", f"{style} bold"), " ", line)
            for number, line in enumerate(wrapped)
        ]
    style = MUTED if item.value == MISSING else style
    head = Content.assemble((fit(item.name, name_width), MUTED), "  ", (item.value, style))
    if not item.note:
        return [head]
    if item.value == MISSING:
        room, start = width - name_width - 6, name_width + 6
        if room >= 24:
            notes = Content.styled(item.note, MUTED).wrap(room)
            return [Content.assemble(head, "   ", notes[0]), *(Content.assemble(" " * start, x) for x in notes[1:])]
    start = name_width + 2 + value_width + 2
    if start + cell_len(item.note) <= width:
        gap = " " * (start - head.cell_length)
        return [Content.assemble(head, gap, (item.note, MUTED))]
    return [head, *(Content.assemble("    ", x) for x in Content.styled(item.note, MUTED).wrap(width - 4))]


class DotsFigure(BlockFigure):
    """Values with intervals on one axis, one a line, under a title."""

    def __init__(self, block: Dots) -> None:
        super().__init__(block.items)
        self._block = block

    def lines_of(self, item: int, width: int) -> tuple[int, int]:
        """Return the line of an item."""
        return item + 1, 1

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the title, the rows and the axis."""
        return len(self.items) + 3

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the plot."""
        axis = DotAxis(reference=self._block.reference, percent=self._block.percent)
        plot = draw_dot_plot(self._block.rows, axis, width, len(self.items) + 2, palette)
        title = Content.styled(fit(self._block.title, width), _TITLE)
        return self.marked(Content("\n").join([title, plot]), width, color=color)


class CurvesFigure(BlockFigure):
    """Lines on one pair of axes under a title; the whole plot is one item."""

    def __init__(self, block: Curves) -> None:
        super().__init__((block.item,))
        self._block = block

    @property
    def _plot_lines(self) -> int:
        return _CURVE_LINES if self._block.series else 1

    def lines_of(self, item: int, width: int) -> tuple[int, int]:
        """Return the title's line: the plot itself is not marked."""
        return 0, 1

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the title and the plot."""
        return 1 + self._plot_lines

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the plot."""
        block = self._block
        title = Content.styled(fit(block.title, width), _TITLE)
        if not block.series:
            plot = Content.assemble((MISSING, MUTED), "   ", (fit(block.empty, width - 4), MUTED))
        else:
            axes = Axes(
                block.x_label,
                y_range=block.y_range,
                y_percent=True,
                x_percent=block.x_percent,
                x_marks=block.x_marks,
                y_marks=block.y_marks,
            )
            plot = draw_line_plot(block.series, axes, width, self._plot_lines, palette, color=color)
        return self.marked(Content("\n").join([title, plot]), width, color=color)


def block_figure(block: Block) -> BlockFigure:
    """Return the widget of a block."""
    match block:
        case Rows():
            return RowsFigure(block)
        case Dots():
            return DotsFigure(block)
        case Curves():
            return CurvesFigure(block)
