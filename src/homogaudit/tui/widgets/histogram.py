"""Counts as lying bars, exact to an eighth of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from homogaudit.report.numbers import count
from homogaudit.report.text import plain
from homogaudit.tui.theme import MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure, fit

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label and its count."""

    label: str
    count: int


def bar_of(share: float, cells: int) -> str:
    """Return a bar that takes a share of some cells; any share above 0 has at least an eighth of a cell."""
    eighths = max(1, round(8 * cells * share)) if share > 0 else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def draw_histogram(bars: Sequence[Bar], width: int, height: int, *, empty: str = "no data yet") -> Content:
    """Return the bars on `width` x `height` cells, the longest over the whole room.

    Bars that find no room are counted in the last place.
    """
    canvas = Canvas(width, height)
    if not bars:
        text = fit(empty, min(width, cell_len(empty)))
        canvas.put((width - cell_len(text)) // 2, height // 2, text, MUTED)
    shown = _folded(bars, canvas.height)
    top = max((bar.count for bar in shown), default=0)
    names = min(max((cell_len(plain(bar.label)) for bar in shown), default=0), canvas.width // 3)
    numbers = max((len(count(bar.count)) for bar in shown), default=0)
    cells = max(canvas.width - names - numbers - 2, 1)
    for y, bar in enumerate(shown):
        name = fit(plain(bar.label), min(names, cell_len(plain(bar.label))))
        canvas.right(names, y, name, MUTED)
        drawn = bar_of(bar.count / top if top else 0.0, cells)
        canvas.put(names + 1, y, drawn, "$primary")
        canvas.put(names + 1 + len(drawn) + 1, y, count(bar.count), "" if bar.count else MUTED)
    return canvas.content()


def _folded(bars: Sequence[Bar], room: int) -> list[Bar]:
    """Return at most `room` bars; the last one holds all that had no room."""
    if len(bars) <= room or room < 1:
        return list(bars[: max(room, 0)])
    rest = bars[room - 1 :]
    return [*bars[: room - 1], Bar(f"{plain(rest[0].label)}+", sum(bar.count for bar in rest))]


class Histogram(Figure):
    """Counts as bars."""

    bars: reactive[tuple[Bar, ...]] = reactive(())

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the bars."""
        return draw_histogram(self.bars, width, height, empty=self.empty)
