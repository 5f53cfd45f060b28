"""A grid of cells to draw on, and the widget that shows one. Knows no figure."""

from collections.abc import Callable

from rich.cells import cell_len
from textual.content import Content, Span
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from homogaudit.tui.theme import FAINT, MUTED, Palette, palette_of, shade_glyph
from homogaudit.tui.widgets.scale import even_ticks

CellStyle = Style | str

_RAMP_CELLS = 10


def fit(text: str, width: int) -> str:
    """Return `text` cut or filled with spaces to exactly `width` cells; a cut end is marked."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    kept: list[str] = []
    room = width - 1
    for char in text:
        cells = cell_len(char)
        if cells > room:
            break
        kept.append(char)
        room -= cells
    return "".join(kept) + "…" + " " * room


def fit_name(name: str, width: int) -> str:
    """Return the name of a signal on exactly `width` cells; what is cut is its first word: families differ in ends."""
    head, line, tail = name.partition("_")
    room = width - len(tail) - 2
    if len(name) <= width or room < 0 or not name.isascii():
        return fit(name, width)
    return fit(f"{head[:room]}…{line}{tail}", width)


class Canvas:
    """A grid of `width` x `height` cells, each a character and a style. What falls outside is not drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.width = max(width, 0)
        self.height = max(height, 0)
        self._chars = [[" "] * self.width for _ in range(self.height)]
        self._styles: list[list[CellStyle]] = [[""] * self.width for _ in range(self.height)]

    def put(self, x: int, y: int, text: str, style: CellStyle = "") -> None:
        """Write `text` to the right from cell (x, y); a character of no width joins the one before it."""
        if not 0 <= y < self.height:
            return
        for char in text:
            cells = cell_len(char)
            if cells == 0:
                if 0 < x <= self.width:
                    self._chars[y][x - 1] += char
                continue
            if x + cells > self.width:
                return
            if x >= 0:
                self._chars[y][x] = char
                self._styles[y][x] = style
                if cells == 2:
                    # The second half of a wide character holds nothing of its own.
                    self._chars[y][x + 1] = ""
                    self._styles[y][x + 1] = style
            x += cells

    def right(self, x: int, y: int, text: str, style: CellStyle = "") -> None:
        """Write `text` so that its last cell is the one before x."""
        self.put(x - cell_len(text), y, text, style)

    def char(self, x: int, y: int) -> str:
        """Return the character at a cell."""
        return self._chars[y][x]

    def content(self) -> Content:
        """Return the grid as lines of text with spans of style."""
        spans: list[Span] = []
        lines: list[str] = []
        offset = 0
        for chars, styles in zip(self._chars, self._styles, strict=True):
            start, current = offset, ""
            for char, style in zip(chars, styles, strict=True):
                if style != current:
                    if current:
                        spans.append(Span(start, offset, current))
                    start, current = offset, style
                offset += len(char)
            if current:
                spans.append(Span(start, offset, current))
            lines.append("".join(chars))
            offset += 1
        return Content("\n".join(lines), spans)


def draw_ticks(
    canvas: Canvas,
    y: int,
    left: int,
    right: int,
    ends: tuple[float, float],
    column: Callable[[float], int],
    *,
    percent: bool = False,
    whole: bool = False,
) -> int:
    """Draw the ticks of a level axis on line `y` and their labels under it; return the first free cell behind them.

    Labels lie left of the cell `right`; `column` gives the cell of a value. With `whole` only whole numbers are ticks.
    """
    most = max(2, (right - left) // 8)
    found = even_ticks(*ends, most, column, lambda label: len(label) + 2, percent=percent, whole=whole)
    free = 0
    for tick in found:
        start = min(max(tick.cell - len(tick.label) // 2, 0), right - len(tick.label))
        canvas.put(tick.cell, y, "┴", FAINT)
        # Not so far from its tick that it seems to be another one's.
        if start + len(tick.label) >= tick.cell:
            canvas.put(start, y + 1, tick.label, MUTED)
            free = start + len(tick.label) + 1
    return free


def draw_ramp(canvas: Canvas, x: int, y: int, style: Callable[[float], Style], *, color: bool) -> int:
    """Draw the scale of a legend, from nothing to full in half cells; return the first cell behind it."""
    for cell in range(_RAMP_CELLS):
        share = cell / (_RAMP_CELLS - 1)
        # Half cells, so that the scale stays apart from what is above it.
        ink = Style(foreground=style(share).background) if color else ""
        canvas.put(x + cell, y, "▄" if color else shade_glyph(share), ink)
    return x + _RAMP_CELLS + 1


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` cells."""
    return [line.plain.rstrip() for line in Content(text).wrap(max(width, 1))]


class Figure(Widget):
    """A widget that draws itself on the cells that it is given, in the colours of the theme.

    A subclass has `draw`, a function of its data, of the size, of the palette and of whether there is colour; it is
    called again when any of them changes.
    """

    DEFAULT_CSS = """
    Figure { height: 1fr; width: 1fr; text-wrap: nowrap; text-overflow: clip; }
    """

    empty: reactive[str] = reactive("")
    """What a figure says that has nothing to draw."""

    def __init__(self, *, empty: str | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        if empty is not None:
            self.set_reactive(Figure.empty, empty)

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the figure on `width` x `height` cells; without colour characters alone must do."""
        raise NotImplementedError

    def render(self) -> Content:
        """Return the figure at the widget's size."""
        width, height = self.content_size
        return self.draw(width, height, self.palette, color=not self.app.no_color)

    @property
    def palette(self) -> Palette:
        """The colours for the theme in use."""
        return palette_of(self.app.current_theme.dark)

    def notify_style_update(self) -> None:
        """Draw again: the theme may have changed."""
        super().notify_style_update()
        if self.is_mounted:
            self.refresh()
