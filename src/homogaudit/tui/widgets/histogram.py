"""Counts as bars, lying or standing, exact to an eighth of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from homogaudit.report.numbers import count
from homogaudit.report.text import plain
from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure, fit

__all__ = ["Bar", "Histogram", "draw_histogram"]

_LYING = " ▏▎▍▌▋▊▉█"
_STANDING = " ▁▂▃▄▅▆▇█"

Direction = Literal["horizontal", "vertical"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its count, and the number of its colour (`None` for the theme's)."""

    label: str
    count: int
    color: int | None = None


def draw_histogram(
    bars: Sequence[Bar],
    width: int,
    height: int,
    palette: Palette,
    *,
    direction: Direction = "horizontal",
    label: str = "",
    empty: str = "no data yet",
) -> Content:
    """Return the bars on `width` x `height` cells, the longest over the whole room.

    Any count above 0 has at least an eighth of a cell. Bars that find no room are counted in the last place.
    """
    canvas = Canvas(width, height)
    if not bars:
        text = fit(empty, min(width, cell_len(empty)))
        canvas.put((width - cell_len(text)) // 2, height // 2, text, MUTED)
    elif direction == "horizontal":
        _draw_lying(canvas, bars, palette, label)
    else:
        _draw_standing(canvas, bars, palette, label)
    return canvas.content()


def _eighths(value: int, top: int, cells: int) -> int:
    return max(1, round(8 * cells * value / top)) if value and top else 0


def _folded(bars: Sequence[Bar], room: int) -> list[Bar]:
    """Return at most `room` bars; the last one holds all that had no room."""
    if len(bars) <= room or room < 1:
        return list(bars[: max(room, 0)])
    rest = bars[room - 1 :]
    return [*bars[: room - 1], Bar(f"{plain(rest[0].label)}+", sum(bar.count for bar in rest))]


def _style(bar: Bar, palette: Palette) -> Style | str:
    return "$primary" if bar.color is None else palette.cluster_style(bar.color)


def _draw_lying(canvas: Canvas, bars: Sequence[Bar], palette: Palette, label: str) -> None:
    head = 1 if label and canvas.height > 2 else 0
    if head:
        canvas.put(0, 0, fit(label, min(canvas.width, cell_len(label))), MUTED)
    shown = _folded(bars, canvas.height - head)
    top = max((bar.count for bar in shown), default=0)
    names = min(max((cell_len(plain(bar.label)) for bar in shown), default=0), canvas.width // 3)
    numbers = max((len(count(bar.count)) for bar in shown), default=0)
    cells = max(canvas.width - names - numbers - 2, 1)
    for y, bar in enumerate(shown, start=head):
        name = fit(plain(bar.label), min(names, cell_len(plain(bar.label))))
        canvas.right(names, y, name, MUTED)
        eighths = _eighths(bar.count, top, cells)
        style = _style(bar, palette)
        canvas.put(names + 1, y, "█" * (eighths // 8) + _LYING[eighths % 8].strip(), style)
        canvas.put(names + 1 + (eighths + 7) // 8 + 1, y, count(bar.count), "" if bar.count else MUTED)


def _draw_standing(canvas: Canvas, bars: Sequence[Bar], palette: Palette, label: str) -> None:
    widest = max(max(cell_len(plain(bar.label)), len(count(bar.count))) for bar in bars)
    room = max((canvas.width + 1) // (min(widest, 4) + 1), 1)
    shown = _folded(bars, room)
    cells = max(min((canvas.width + 1) // len(shown) - 1, 6), 1)
    head = 1 if label and canvas.height > 5 else 0
    if head:
        canvas.put(0, 0, fit(label, min(canvas.width, cell_len(label))), MUTED)
    foot = 1 if canvas.height > 2 else 0
    rows = canvas.height - head - foot - (1 if canvas.height > 3 else 0)
    base = canvas.height - foot
    top = max((bar.count for bar in shown), default=0)
    for number, bar in enumerate(shown):
        x = number * (cells + 1)
        eighths = _eighths(bar.count, top, max(rows, 1))
        style = _style(bar, palette)
        for row in range(max(rows, 1)):
            part = min(max(eighths - 8 * row, 0), 8)
            canvas.put(x, base - 1 - row, _STANDING[part] * cells, style)
        if foot:
            name = plain(bar.label)
            canvas.put(x, base, fit(name, min(cells, cell_len(name))).center(cells), MUTED)
        if base - 1 - (eighths + 7) // 8 >= head:
            number_text = count(bar.count)
            if len(number_text) <= cells:
                canvas.put(x, base - 1 - (eighths + 7) // 8, number_text.center(cells), "" if bar.count else FAINT)


class Histogram(Figure):
    """Counts as bars.

    Args:
        bars: In order.
        direction: Of the bars.
        label: Above them.
        empty: What to say while there is no data.
    """

    bars: reactive[tuple[Bar, ...]] = reactive(())

    def __init__(
        self,
        bars: Sequence[Bar] = (),
        *,
        direction: Direction = "horizontal",
        label: str = "",
        empty: str = "no data yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(Histogram.bars, tuple(bars))
        self._direction: Direction = direction
        self._label = label
        self._empty = empty

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the bars."""
        return draw_histogram(
            self.bars, width, height, palette, direction=self._direction, label=self._label, empty=self._empty
        )
