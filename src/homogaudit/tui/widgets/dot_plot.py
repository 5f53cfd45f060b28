"""Values with their intervals, one a line, on one axis with the marks that matter on it."""

import math
from collections.abc import Sequence

from textual.content import Content

from homogaudit.report.section import Axis, Span
from homogaudit.tui.theme import FAINT, MUTED
from homogaudit.tui.widgets.canvas import Canvas, draw_ticks
from homogaudit.tui.widgets.scale import format_tick


def draw_dot_plot(
    spans: Sequence[Span | None], axis: Axis, width: int, styles: Sequence[str] = ()
) -> tuple[list[Content], list[Content]]:
    """Return a line a span, and the two lines of the axis under them, all `width` cells wide.

    The dot is full where the interval leaves every mark out and hollow where it holds one. What lies outside the axis
    ends in an arrow.

    A line without a span shows the marks alone; an empty style is the theme's.
    """
    canvas = Canvas(width, len(spans) + 2)
    if canvas.width >= 2 and axis.high > axis.low:
        for y, span in enumerate(spans):
            for mark in axis.marks:
                canvas.put(_halves(mark, axis, canvas.width) // 2, y, "┊", FAINT)
            if span is not None and math.isfinite(span.value):
                _draw_span(canvas, y, span, axis, styles[y] if styles else "")
        _draw_axis(canvas, len(spans), axis)
    lines = canvas.content().split("\n", allow_blank=True)
    return lines[: len(spans)], lines[len(spans) :]


def _halves(value: float, axis: Axis, width: int) -> int:
    """Return the half cell of a value."""
    return round((value - axis.low) / (axis.high - axis.low) * (2 * width - 1))


def _draw_span(canvas: Canvas, y: int, span: Span, axis: Axis, style: str) -> None:
    last_cell = canvas.width - 1
    holds_mark = False
    if span.low is not None and span.high is not None:
        low, high = span.low, span.high
        holds_mark = any(low <= mark <= high for mark in axis.marks)
        first, last = (_halves(min(max(end, axis.low), axis.high), axis, canvas.width) for end in (low, high))
        style = style or ("$foreground 75%" if holds_mark else "$text-primary")
        for cell in range(first // 2, last // 2 + 1):
            on = (first <= 2 * cell <= last, first <= 2 * cell + 1 <= last)
            canvas.put(cell, y, {(True, True): "━", (True, False): "╸", (False, True): "╺"}[on], style)
        if low < axis.low:
            canvas.put(0, y, "◂", style)
        if high > axis.high:
            canvas.put(last_cell, y, "▸", style)
    style = style or "$text-primary"
    if axis.low <= span.value <= axis.high:
        canvas.put(_halves(span.value, axis, canvas.width) // 2, y, "○" if holds_mark else "●", style)
    else:
        is_low = span.value < axis.low
        canvas.put(0 if is_low else last_cell, y, "◂" if is_low else "▸", style)


def _draw_axis(canvas: Canvas, y: int, axis: Axis) -> None:
    """Draw the axis: labelled at its marks and its ends, or evenly where it has no marks."""
    canvas.put(0, y, "─" * canvas.width, FAINT)
    ends = (axis.low, axis.high)
    if not axis.marks:
        draw_ticks(
            canvas, y, 0, canvas.width, ends, lambda x: _halves(x, axis, canvas.width) // 2, percent=axis.percent
        )
        return
    taken = [False] * canvas.width
    for place in (*axis.marks, *ends):
        label = format_tick(place, place or axis.high - axis.low, percent=axis.percent)
        column = _halves(place, axis, canvas.width) // 2
        start = min(max(column - len(label) // 2, 0), canvas.width - len(label))
        if start >= 0 and not any(taken[max(start - 1, 0) : start + len(label) + 1]):
            canvas.put(column, y, "┴", FAINT)
            canvas.put(start, y + 1, label, MUTED)
            taken[start : start + len(label)] = [True] * len(label)
