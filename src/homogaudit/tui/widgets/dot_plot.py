"""Rows of one value each with its interval, on one axis with a line of reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive

from homogaudit.report.numbers import decimal, interval, percent, percent_interval
from homogaudit.report.text import plain
from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure, fit, fit_name
from homogaudit.tui.widgets.scale import format_tick, ticks

__all__ = ["DotAxis", "DotPlot", "DotRow", "draw_dot_plot"]


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row.

    Attributes:
        name: In front of the axis.
        value: `None` where it does not exist.
        low: Lower end of the interval, `None` where there is none.
        high: Upper end.
        note: Behind the numbers, or the reason in place of a value.
        style: Of the dot and its interval; empty for one that tells on which side of the reference the interval lies.
        heading: The row is a heading: its name alone, over the whole width.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    style: str = ""
    heading: bool = False


@dataclass(frozen=True, slots=True)
class DotAxis:
    """The axis of a dot plot; `reference` is `None` for no line, `places` the decimals of the numbers.

    With `percent` the numbers are written as percentages.
    """

    low: float = 0.0
    high: float = 1.0
    reference: float | None = 0.5
    label: str = ""
    places: int = 3
    percent: bool = False


def draw_dot_plot(rows: Sequence[DotRow], axis: DotAxis, width: int, height: int, palette: Palette) -> Content:
    """Return the rows and, under them, the axis on `width` x `height` cells.

    The dot is full where the interval leaves the reference out and hollow where it holds it. Where the width is short
    the interval in numbers goes first, then the notes, then the value. What lies outside the axis ends in an arrow.
    """
    canvas = Canvas(width, height)
    shown = rows[: max(height - 2, 1)] if height < len(rows) + 2 else rows
    values = [_value(row, axis) for row in rows if not row.heading]
    value_width = max(map(len, values), default=0)
    intervals = [_interval(row, axis) for row in rows]
    interval_width = max(map(len, intervals), default=0)
    note_width = max((cell_len(plain(row.note)) for row in rows if row.value is not None), default=0)
    names = max((cell_len(plain(row.name)) for row in rows if not row.heading), default=0)
    name_width = min(names, max(2 * width // 5, 6))
    left = name_width + 1
    right = width
    columns: dict[str, int] = {}
    # Most dispensable last: each column is taken only where the axis keeps 16 cells.
    for column, cells in (("value", value_width), ("interval", interval_width), ("note", note_width)):
        if cells and right - left - cells - 2 >= 16:
            right -= cells + 2
            columns[column] = cells
    for y, row in enumerate(shown):
        if row.heading:
            canvas.put(0, y, fit(plain(row.name), width), "bold $text-primary")
            continue
        canvas.put(0, y, fit_name(plain(row.name), name_width))
        _draw_row(canvas, y, row, axis, left, right)
        x = right + 2
        if row.value is None:
            room = width - left - 3
            canvas.put(left + 2, y, fit(plain(row.note) or "not defined", room), MUTED)
            continue
        if "value" in columns:
            canvas.right(x + value_width, y, _value(row, axis))
            x += value_width + 2
        if "interval" in columns:
            canvas.put(x, y, _interval(row, axis), MUTED)
            x += interval_width + 2
        if "note" in columns:
            canvas.put(x, y, plain(row.note), MUTED)
    if height > len(shown):
        _draw_axis(canvas, len(shown), axis, left, right)
    return canvas.content()


def _value(row: DotRow, axis: DotAxis) -> str:
    return percent(row.value) if axis.percent and row.value is not None else decimal(row.value, axis.places)


def _interval(row: DotRow, axis: DotAxis) -> str:
    if row.low is None or row.high is None or row.value is None:
        return ""
    return percent_interval(row.low, row.high) if axis.percent else interval(row.low, row.high, axis.places)


def _dot_style(row: DotRow, axis: DotAxis) -> tuple[str, str]:
    """Return glyph and style: where the interval lies beside the reference."""
    low, high, reference = row.low, row.high, axis.reference
    if reference is None:
        return "●", row.style or "$text-primary"
    if low is None or high is None or low <= reference <= high:
        return "○", row.style or "$foreground 75%"
    return "●", row.style or ("$text-success" if low > reference else "$text-error")


def _draw_row(canvas: Canvas, y: int, row: DotRow, axis: DotAxis, left: int, right: int) -> None:
    cells = right - left
    if cells < 2 or not axis.high > axis.low:
        return

    def halves(value: float) -> float:
        return (value - axis.low) / (axis.high - axis.low) * (2 * cells - 1)

    if axis.reference is not None and axis.low <= axis.reference <= axis.high:
        canvas.put(left + round(halves(axis.reference)) // 2, y, "┊", FAINT)
    if row.value is None or not math.isfinite(row.value):
        return
    glyph, style = _dot_style(row, axis)
    if row.low is not None and row.high is not None:
        first, last = round(halves(max(row.low, axis.low))), round(halves(min(row.high, axis.high)))
        for cell in range(first // 2, last // 2 + 1):
            on = (first <= 2 * cell <= last, first <= 2 * cell + 1 <= last)
            canvas.put(left + cell, y, {(True, True): "━", (True, False): "╸", (False, True): "╺"}[on], style)
        if row.low < axis.low:
            canvas.put(left, y, "◂", style)
        if row.high > axis.high:
            canvas.put(right - 1, y, "▸", style)
    if axis.low <= row.value <= axis.high:
        canvas.put(left + round(halves(row.value)) // 2, y, glyph, style)
    else:
        canvas.put(left if row.value < axis.low else right - 1, y, "◂" if row.value < axis.low else "▸", style)


def _draw_axis(canvas: Canvas, y: int, axis: DotAxis, left: int, right: int) -> None:
    cells = right - left
    if cells < 2:
        return
    canvas.put(left, y, "─" * cells, FAINT)
    places = ticks(axis.low, axis.high, max(2, cells // 8))
    if axis.reference is not None and cells < 24:
        places = sorted({axis.low, axis.reference, axis.high})
    step = places[1] - places[0] if len(places) > 1 else axis.high - axis.low
    free = 0
    for place in places:
        label = format_tick(place, step, percent=axis.percent)
        column = left + round((place - axis.low) / (axis.high - axis.low) * (2 * cells - 1)) // 2
        canvas.put(column, y, "┴", FAINT)
        start = min(max(column - len(label) // 2, 0), canvas.width - len(label))
        if start >= free:
            canvas.put(start, y + 1, label, MUTED)
            free = start + len(label) + 1
    if axis.label:
        canvas.put(max(free, right) + 1, y + 1, axis.label, MUTED)


class DotPlot(Figure):
    """Values with intervals, one a row, and a line of reference.

    Args:
        rows: From the top.
        low: Lowest value of the axis.
        high: Highest value of the axis.
        reference: Where the dotted line stands, `None` for none.
        label: What the axis measures.
        places: Decimals of the numbers.
    """

    DEFAULT_CSS = """
    DotPlot { height: auto; }
    """

    rows: reactive[tuple[DotRow, ...]] = reactive((), layout=True)
    axis: reactive[DotAxis] = reactive(DotAxis())

    def __init__(
        self,
        rows: Sequence[DotRow] = (),
        *,
        low: float = 0.0,
        high: float = 1.0,
        reference: float | None = 0.5,
        label: str = "",
        places: int = 3,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(DotPlot.rows, tuple(rows))
        self.set_reactive(DotPlot.axis, DotAxis(low, high, reference, label, places))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of all rows and the axis."""
        return len(self.rows) + 2

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the plot."""
        return draw_dot_plot(self.rows, self.axis, width, height, palette)
