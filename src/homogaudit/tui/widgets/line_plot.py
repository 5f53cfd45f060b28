"""Several lines y(x), each with the band of its interval, on axes with round ticks."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from homogaudit.report.section import Curve, Curves
from homogaudit.report.text import shorten
from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.braille import DotGrid
from homogaudit.tui.widgets.canvas import Canvas, Figure, draw_ticks, fit
from homogaudit.tui.widgets.scale import Tick, even_ticks

_MARKERS = "●▲■◆▼○△□◇▽"
_NO_TINT = Style.null()


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where data lie on the canvas: the first cell of the plot, its size, and the ranges of both axes."""

    left: int
    top: int
    width: int
    height: int
    x0: float
    x1: float
    y0: float
    y1: float

    def dot_x(self, x: float) -> float:
        return (x - self.x0) / (self.x1 - self.x0) * (2 * self.width - 1)

    def dot_y(self, y: float) -> float:
        return (self.y1 - y) / (self.y1 - self.y0) * (4 * self.height - 1)

    def column(self, x: float) -> int:
        return self.left + round(self.dot_x(x)) // 2

    def row(self, y: float) -> int:
        return self.top + round(self.dot_y(y)) // 4


def draw_line_plot(
    plot: Curves, width: int, height: int, palette: Palette, *, color: bool = True, empty: str = "no data yet"
) -> Content:
    """Return the plot on `width` x `height` cells.

    Intervals are tinted bands, and without colour dotted edges. What lies outside the ranges is cut off, never moved
    to the border. Below 5 lines the legend goes, below 4 the axis of x.
    """
    canvas = Canvas(width, height)
    shown = [line for line in plot.curves if any(math.isfinite(y) for y in line.y)]
    legend = _legend_rows(plot.curves, width) if height >= 5 else []
    legend = legend[: max(1, height // 4)]
    own_row = height >= 12 and bool(plot.x_label)
    bottom = 3 if own_row else 2 if height >= 4 else 0
    rows = height - len(legend) - bottom
    if rows < 1 or width < 8:
        return canvas.content()
    _draw_legend(canvas, legend, palette)
    if not shown:
        text = fit(empty, min(width, cell_len(empty)))
        canvas.put((width - cell_len(text)) // 2, len(legend) + rows // 2, text, MUTED)
        return canvas.content()
    y0, y1 = plot.y_range or _extent([v for line in shown for part in (line.y, line.low, line.high) for v in part])
    x0, x1 = _extent([x for line in shown for x in line.x], pad=False)
    frame = _Frame(0, len(legend), width, rows, x0, x1, y0, y1)
    most = max(2, min(rows // 2 + 1, 6))
    levels = even_ticks(y0, y1, most, frame.row, lambda _: 1, percent=True)
    left = max(len(level.label) for level in levels) + 1
    frame = replace(frame, left=left + 1, width=width - left - 1)
    _draw_marks(canvas, frame, plot)
    colors = [plot.curves.index(line) for line in shown]
    shown = [_thinned(line, frame) for line in shown]
    bands = _draw_bands(canvas, frame, shown, colors, palette) if color else {}
    _draw_lines(canvas, frame, shown, colors, palette, bands, edges=not color)
    _draw_axes(canvas, frame, plot, levels, bottom, whole=_are_whole(shown))
    return canvas.content()


def _thinned(line: Curve, frame: _Frame) -> Curve:
    """Return a line of no more points than can be seen: of each column of dots the first, last, lowest and highest."""
    if len(line.x) <= 4 * frame.width:
        return line
    x, y = np.asarray(line.x, dtype=np.float64), np.asarray(line.y, dtype=np.float64)
    columns = np.floor((x - frame.x0) / (frame.x1 - frame.x0) * 2 * frame.width)
    first = np.flatnonzero(np.diff(columns, prepend=-np.inf))
    last = np.append(first[1:], len(x)) - 1
    # NaN sorts behind the highest, so that a gap stays a gap.
    by_height = np.lexsort((y, columns))
    kept = np.unique(np.concatenate([first, last, by_height[first], by_height[last]]))

    def thin(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(float(values[place]) for place in kept)

    low, high = (thin(part) if part else () for part in (line.low, line.high))
    return Curve(line.name, thin(line.x), thin(line.y), low, high)


def _extent(values: Sequence[float], *, pad: bool = True) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    if low == high:
        return (low - 0.5, high + 0.5) if pad else (low, low + 1)
    room = 0.05 * (high - low) if pad else 0
    return low - room, high + room


_LegendRow = list[tuple[str, int]]


def _legend_rows(curves: Sequence[Curve], width: int) -> list[_LegendRow]:
    """Return the rows above the plot: marker and name of each line with its colour."""
    rows: list[_LegendRow] = []
    used = width + 1
    for mark, line in enumerate(curves):
        if not line.name:
            continue
        text = f"{_MARKERS[mark % len(_MARKERS)]} {shorten(line.name, max(width - 4, 4))}"
        if used + 3 + cell_len(text) > width:
            rows.append([])
            used = -3
        rows[-1].append((text, mark))
        used += 3 + cell_len(text)
    return rows


def _draw_legend(canvas: Canvas, rows: Sequence[_LegendRow], palette: Palette) -> None:
    for y, row in enumerate(rows):
        x = 0
        for text, mark in row:
            canvas.put(x, y, text, palette.cluster_style(mark))
            x += cell_len(text) + 3


def _draw_marks(canvas: Canvas, frame: _Frame, axes: Curves) -> None:
    for mark in axes.y_marks:
        if frame.y0 <= mark <= frame.y1:
            canvas.put(frame.left, frame.row(mark), "┈" * frame.width, FAINT)
    for mark in axes.x_marks:
        if frame.x0 <= mark <= frame.x1:
            for y in range(frame.top, frame.top + frame.height):
                canvas.put(frame.column(mark), y, "┊", FAINT)


def _draw_bands(
    canvas: Canvas, frame: _Frame, shown: Sequence[Curve], colors: Sequence[int], palette: Palette
) -> dict[tuple[int, int], Style]:
    """Tint the cells of the intervals; return the tint under each cell, for the lines that cross it."""
    tints: dict[tuple[int, int], Style] = {}
    for line, color in zip(reversed(shown), reversed(colors), strict=True):
        tint = palette.tint(color)
        half = Style(foreground=tint)
        for column in range(frame.width):
            x = frame.x0 + (2 * column + 0.5) / (2 * frame.width - 1) * (frame.x1 - frame.x0)
            band = _at(line, x)
            if band is None:
                continue
            first, last = frame.dot_y(band[1]), frame.dot_y(band[0])
            for row in range(max(int(first // 4), 0), min(int(last // 4), frame.height - 1) + 1):
                # A half cell is filled where its middle lies in the band.
                upper = first <= 4 * row + 0.5 <= last
                lower = first <= 4 * row + 2.5 <= last
                cell = (frame.left + column, frame.top + row)
                if upper and lower:
                    # Where bands overlap the tint is of both colours, so that each can be followed to its ends.
                    under = tints[cell].background if cell in tints else None
                    field = Style(background=tint if under is None else palette.tint_over(under, color))
                    tints[cell] = field
                    mark = canvas.char(*cell)
                    canvas.put(*cell, mark if mark in "┈┊" else " ", field + Style(dim=True))
                elif (upper or lower) and cell not in tints:
                    canvas.put(*cell, "▀" if upper else "▄", half)
    return tints


def _at(line: Curve, x: float) -> tuple[float, float] | None:
    """Return the interval at place x, linear between the points, `None` outside them or where it is not defined."""
    if not line.low or not line.high or not line.x[0] <= x <= line.x[-1]:
        return None
    right = bisect_left(line.x, x)
    left = max(right - 1, 0)
    span = line.x[right] - line.x[left]
    share = (x - line.x[left]) / span if span else 0.0
    low = line.low[left] + (line.low[right] - line.low[left]) * share
    high = line.high[left] + (line.high[right] - line.high[left]) * share
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _draw_lines(
    canvas: Canvas,
    frame: _Frame,
    shown: Sequence[Curve],
    colors: Sequence[int],
    palette: Palette,
    bands: dict[tuple[int, int], Style],
    *,
    edges: bool,
) -> None:
    """Draw the lines, the first on top, with markers where there is room and at each end."""
    grid = DotGrid(frame.width, frame.height)
    markers: list[tuple[int, int, int]] = []
    for line, color in zip(reversed(shown), reversed(colors), strict=True):
        if edges and line.low and line.high:
            _trace(grid, frame, line.x, line.low, color, every=3)
            _trace(grid, frame, line.x, line.high, color, every=3)
        _trace(grid, frame, line.x, line.y, color)
        places = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
        if len(places) > frame.width // 4:
            places = places[-1:]
        for x, y in places:
            if frame.x0 <= x <= frame.x1 and frame.y0 <= y <= frame.y1:
                markers.append((frame.column(x), frame.row(y), color))
    styles = {(color, tint): palette.cluster_style(color) + tint for color in colors for tint in _tints(bands)}
    for x, y, char, color in grid.cells():
        cell = (frame.left + x, frame.top + y)
        canvas.put(*cell, char, styles[color, bands.get(cell, _NO_TINT)])
    for x, y, color in markers:
        canvas.put(x, y, _MARKERS[color % len(_MARKERS)], styles[color, bands.get((x, y), _NO_TINT)])


def _tints(bands: dict[tuple[int, int], Style]) -> set[Style]:
    return {_NO_TINT, *bands.values()}


def _trace(
    grid: DotGrid, frame: _Frame, xs: Sequence[float], ys: Sequence[float], owner: int, *, every: int = 1
) -> None:
    before: tuple[float, float] | None = None
    for x, y in zip(xs, ys, strict=True):
        if not math.isfinite(y):
            before = None
            continue
        place = (frame.dot_x(x), frame.dot_y(y))
        grid.line(*(before or place), *place, owner, every=every)
        before = place


def _are_whole(shown: Sequence[Curve]) -> bool:
    return all(float(x).is_integer() for line in shown for x in line.x)


def _draw_axes(canvas: Canvas, frame: _Frame, axes: Curves, levels: Sequence[Tick], below: int, *, whole: bool) -> None:
    axis = frame.left - 1
    for y in range(frame.top, frame.top + frame.height):
        canvas.put(axis, y, "│", FAINT)
    for level in levels:
        canvas.right(axis, level.cell, level.label + " ", MUTED)
        canvas.put(axis, level.cell, "┤", FAINT)
    if below == 0:
        return
    bottom = frame.top + frame.height
    canvas.put(axis, bottom, "└" + "─" * frame.width, FAINT)
    right = canvas.width
    if below == 3:
        label = fit(axes.x_label, min(frame.width, cell_len(axes.x_label)))
        canvas.put(frame.left + (frame.width - cell_len(label)) // 2, bottom + 2, label, MUTED)
    elif axes.x_label and cell_len(axes.x_label) + 12 <= frame.width:
        canvas.right(right, bottom + 1, axes.x_label, MUTED)
        right -= cell_len(axes.x_label) + 1
    draw_ticks(
        canvas, bottom, frame.left, right, (frame.x0, frame.x1), frame.column, percent=axes.x_percent, whole=whole
    )


class LinePlot(Figure):
    """Several lines on one pair of axes; the most important first: it is drawn on top."""

    DEFAULT_CSS = """
    LinePlot { min-height: 3; }
    """

    plot: reactive[Curves] = reactive(Curves("", "", (), ""), always_update=False)

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the plot."""
        return draw_line_plot(self.plot, width, height, palette, color=color, empty=self.empty)
