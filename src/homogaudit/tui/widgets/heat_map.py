"""Values of pairs as a map of shaded cells: similarities of answers by cluster, or any square of named values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive

from homogaudit.report.numbers import decimal
from homogaudit.tui.theme import MUTED, Palette, cluster_glyph, shade_glyph
from homogaudit.tui.widgets.canvas import Canvas, Figure, draw_ramp, fit

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HeatMapData:
    """What a heat map shows.

    Attributes:
        similarity: (n, n), symmetric.
        assignment: Cluster number of each row.
        threshold: Pairs at or above it carry a dot; `None` for no dots.
    """

    similarity: Float64Array
    assignment: Sequence[int]
    threshold: float | None = None

    @property
    def order(self) -> list[int]:
        """The rows, the largest cluster first, in their own order inside each."""
        sizes = Counter(self.assignment)
        return sorted(
            range(len(self.assignment)), key=lambda row: (-sizes[self.assignment[row]], self.assignment[row], row)
        )


def scale_low(similarity: Float64Array) -> float:
    """Return the lower end of the scale: the least similarity, down to the next tenth, and 0.9 at most."""
    if len(similarity) < 2:
        return 0.0
    least = float(similarity[np.triu_indices(len(similarity), 1)].min())
    return min(np.floor(least * 10 + 1e-9) / 10, 0.9)


def _cell_width(n: int, room: int) -> int:
    """Return the cells across one answer: 4 hold a number, 2 make a square, 1 is the least."""
    return next((cells for cells in (4, 2) if n * cells <= room), 1)


def draw_heat_map(
    data: HeatMapData | None, width: int, height: int, palette: Palette, *, color: bool = True, empty: str = ""
) -> Content:
    """Return the map on `width` x `height` cells: letters of clusters at both edges, the legend in the last line.

    Where an answer has 4 cells they hold the similarity in hundredths. Where there are more answers than cells,
    neighbours of the order share one and it shows their mean. Without colour a cell has as much ink as similarity.
    """
    canvas = Canvas(width, height)
    if data is None or not len(data.assignment):
        canvas.put(0, 0, fit(empty or "no similarities", width), MUTED)
        return canvas.content()
    legend = 1 if height >= 4 else 0
    rows_room = height - legend - 1
    if width < 4 or rows_room < 1:
        return canvas.content()
    order = data.order
    matrix = data.similarity[np.ix_(order, order)]
    letters = [data.assignment[row] for row in order]
    n = len(order)
    room = width - 2
    shared = max(-(-n // rows_room), -(-n // room))
    if shared > 1:
        edges = list(range(0, n, shared))
        sums = np.add.reduceat(np.add.reduceat(matrix, edges, axis=0), edges, axis=1)
        sizes = np.diff([*edges, n])
        matrix, letters = sums / np.outer(sizes, sizes), [letters[edge] for edge in edges]
        n = len(edges)
    cells = _cell_width(n, room)
    low = scale_low(data.similarity)
    for place, cluster in enumerate(letters):
        style = palette.cluster_style(cluster, bold=True)
        canvas.put(2 + place * cells, 0, cluster_glyph(cluster).center(cells), style)
        canvas.put(0, 1 + place, cluster_glyph(cluster), style)
    for row in range(n):
        for column in range(n):
            value = float(matrix[row, column])
            share = (value - low) / (1 - low)
            joined = data.threshold is not None and row != column and value >= data.threshold and shared == 1
            text = _cell_text(value, share, cells, joined=joined, color=color)
            style = palette.similarity_style(share) if color else ""
            canvas.put(2 + column * cells, 1 + row, text, style)
    if legend:
        _draw_legend(canvas, 1 + n, low, shared, data.threshold, palette, color=color)
    return canvas.content()


def _cell_text(value: float, share: float, cells: int, *, joined: bool, color: bool) -> str:
    if cells == 4:
        # Three characters: a negative similarity has one decimal, which is enough to see that it is negative.
        places = 2 if 0 <= value < 0.995 else 1
        number = (f"{value:.{places}f}" if abs(value) >= 0.05 or value >= 0 else "0.00").replace("0.", ".", 1)
        return f"{number:>3}" + ("•" if joined else " ")
    if cells == 2 and joined:
        return "• " if color else "•" + shade_glyph(share)
    return (" " if color else shade_glyph(share)) * cells


def _draw_legend(
    canvas: Canvas, y: int, low: float, shared: int, threshold: float | None, palette: Palette, *, color: bool
) -> None:
    start = decimal(low, 1)
    canvas.put(0, y, start, MUTED)
    x = draw_ramp(canvas, len(start) + 1, y, palette.similarity_style, color=color)
    parts = ["1.0"]
    if shared > 1:
        parts.append(f"means of {shared} x {shared}")
    elif threshold is not None:
        parts.append(f"• {decimal(threshold, 2)} or more")
    for part in parts:
        if x + cell_len(part) <= canvas.width:
            canvas.put(x, y, part, MUTED)
            x += cell_len(part) + 2


def draw_value_map(
    names: Sequence[str], values: Sequence[Sequence[float | None]], width: int, palette: Palette, *, color: bool
) -> list[Content]:
    """Return values from -1 to 1 on shaded cells, a line a name; with their numbers where all of them have room."""
    left = min(max(map(cell_len, names)), max(width // 3, 4)) + 1
    cells = max(7, *(cell_len(name) + 1 for name in names))
    has_numbers = left + cells * len(names) <= width
    if not has_numbers:
        cells = 2
    canvas = Canvas(width, len(names) + has_numbers)
    for y, (name, row) in enumerate(zip(names, values, strict=True), start=int(has_numbers)):
        canvas.put(0, y, fit(name, left - 1), MUTED)
        if has_numbers:
            canvas.right(left + cells * (y - 1) + (cells + cell_len(name)) // 2, 0, name, MUTED)
        for number, value in enumerate(row):
            # -1 to 1 on a scale from 0 to 1.
            share = None if value is None else (value + 1) / 2
            ink = " " if share is None or color else shade_glyph(share)
            text = f"{decimal(value, 2):^{cells - 1}}" if has_numbers else ink
            style = palette.similarity_style(share) if color and share is not None else MUTED
            canvas.put(left + cells * number, y, text + ink, style)
    return canvas.content().split("\n", allow_blank=True)


class HeatMap(Figure):
    """Similarities as a map."""

    DEFAULT_CSS = """
    HeatMap { height: auto; min-height: 3; }
    """

    data: reactive[HeatMapData | None] = reactive(None, layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of all answers, the letters and the legend, as far as the container has them."""
        if self.data is None:
            return 3
        n = len(self.data.assignment)
        return min(-(-n // max(-(-n // max(width - 2, 1)), 1)), 40) + 2

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the map."""
        return draw_heat_map(self.data, width, height, palette, color=color, empty=self.empty)
