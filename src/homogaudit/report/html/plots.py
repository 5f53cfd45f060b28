"""The plots of a section as SVG: drawn with classes alone, so that the page's stylesheet gives colours and themes.

Nothing is worded here: titles and labels are those of the section, and numbers stand in tables beside each plot.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from homogaudit.report.numbers import MISSING, decimal
from homogaudit.report.section import Axis, Bar, Curve, Curves, HeatMap, Span

_MARK_WIDTH, _MARK_HEIGHT = 160, 18
_PAD = 10
"""Room for a dot and half a label at either end of an axis."""
_SCALE_WIDTH = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 36
_WIDTH, _HEIGHT = 400, 240
_STYLES = 8
"""Ways to draw a line that the stylesheet tells apart."""
_TICKS = 5

_At = Callable[[float, float], tuple[float, float]]
"""Returns where a point of a plot is drawn."""


def mark_svg(mark: Bar | Span | None, axis: Axis | None) -> Markup:
    """Draw a bar, or an interval on its axis, beside the cells that say the same."""
    if mark is None:
        return Markup()
    svg = _svg(_MARK_WIDTH, _MARK_HEIGHT, "mark")
    svg.set("aria-hidden", "true")
    if isinstance(mark, Bar):
        _add(svg, "rect", "bar", x=0, y=3, width=max(mark.share * _MARK_WIDTH, 1), height=_MARK_HEIGHT - 6, rx=2)
    else:
        _draw_span(svg, mark, axis or Axis(), _MARK_WIDTH, _MARK_HEIGHT / 2)
    return _markup(svg)


def axis_svg(axis: Axis) -> Markup:
    """Draw the ends and marks of an axis, for the heading over its spans."""
    svg = _svg(_MARK_WIDTH, 14, "mark")
    svg.set("aria-hidden", "true")
    _draw_ends(svg, axis, _MARK_WIDTH, 11)
    return _markup(svg)


def scale_svg(span: Span, axis: Axis, title: str) -> Markup:
    """Draw the one span of a table on a wide scale, its marks named below."""
    svg = _svg(_SCALE_WIDTH, 40, "scale", title, axis.label)
    _draw_span(svg, span, axis, _SCALE_WIDTH, 12)
    _draw_ends(svg, axis, _SCALE_WIDTH, 36)
    return _markup(svg)


def _draw_span(svg: ElementTree.Element, span: Span, axis: Axis, width: float, y: float) -> None:
    half = y - 1
    _add(svg, "line", "base", x1=_PAD, x2=width - _PAD, y1=y, y2=y)
    for value in axis.marks:
        x = _place(value, axis.low, axis.high, _PAD, width - _PAD)
        _add(svg, "line", "tick", x1=x, x2=x, y1=y - half, y2=y + half)
    if span.low is not None and span.high is not None:
        low, high = (_place(value, axis.low, axis.high, _PAD, width - _PAD) for value in (span.low, span.high))
        _add(svg, "line", "interval", x1=low, x2=high, y1=y, y2=y)
    x = _place(span.value, axis.low, axis.high, _PAD, width - _PAD)
    _add(svg, "circle", "dot", cx=x, cy=y, r=min(half * 0.55, 6))


def _draw_ends(svg: ElementTree.Element, axis: Axis, width: float, y: float) -> None:
    """Write the marks and the ends of an axis; an end gives way to a mark beside it."""
    taken: list[tuple[float, float]] = []
    for value in (*axis.marks, axis.low, axis.high):
        text = _short(value, percent=axis.percent)
        x, half = _place(value, axis.low, axis.high, _PAD, width - _PAD), 3.4 * len(text) + 3
        if all(x + half < low or x - half > high for low, high in taken):
            taken.append((x - half, x + half))
            _add(svg, "text", "axis", text, x=x, y=y, **{"text-anchor": "middle"})


def curves_svg(plot: Curves) -> Markup:
    """Draw lines with their bands on one pair of axes; a curve of one point is a dot."""
    xs = [x for curve in plot.curves for x in curve.x]
    ys = [y for curve in plot.curves for y in (*curve.y, *curve.low, *curve.high)]
    if not xs:
        return Markup()
    x_ticks = _ticks(min(xs), max(xs))
    y_ticks = _ticks(*(plot.y_range or (min(ys), max(ys))))
    x_range = min(xs), max(max(xs), min(xs) + 1e-9)
    y_range = min(y_ticks[0], *ys), max(y_ticks[-1], *ys)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _place(x, *x_range, _LEFT, _WIDTH - _RIGHT),
            _place(y, *y_range, _HEIGHT - _BOTTOM, _TOP),
        )

    svg = _svg(_WIDTH, _HEIGHT, "curves", plot.title, ", ".join(curve.name for curve in plot.curves))
    for value in y_ticks:
        y = at(x_range[0], value)[1]
        _add(svg, "line", "grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
        text = _short(value, percent=True)
        _add(svg, "text", "axis", text, x=_LEFT - 6, y=y + 4, **{"text-anchor": "end"})
    for value in (x for x in x_ticks if x_range[0] <= x <= x_range[1]):
        text = _short(value, percent=plot.x_percent)
        x = at(value, y_range[0])[0]
        _add(svg, "text", "axis", text, x=x, y=_HEIGHT - _BOTTOM + 15, **{"text-anchor": "middle"})
    _add(svg, "text", "axis", plot.x_label, x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 4, **{"text-anchor": "middle"})
    for value in (x for x in plot.x_marks if x_range[0] <= x <= x_range[1]):
        x = at(value, y_range[0])[0]
        _add(svg, "line", "tick", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM)
    for value in (y for y in plot.y_marks if y_range[0] <= y <= y_range[1]):
        y = at(x_range[0], value)[1]
        _add(svg, "line", "tick", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
    for number, curve in enumerate(plot.curves):
        _draw_curve(svg, curve, f"c{number % _STYLES}", at)
    return _markup(svg)


def _draw_curve(svg: ElementTree.Element, curve: Curve, style: str, at: _At) -> None:
    if curve.low and curve.high:
        upper, lower = zip(curve.x, curve.high, strict=True), zip(curve.x, curve.low, strict=True)
        edge = [*upper, *reversed(list(lower))]
        _add(svg, "polygon", f"band {style}", points=_points(at(x, y) for x, y in edge))
    points = [at(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    _add(svg, "polyline", f"curve {style}", points=_points(points))
    if len(points) <= 12:
        for x, y in points:
            _add(svg, "circle", f"point {style}", cx=x, cy=y, r=2.2)


def heat_map_svg(plot: HeatMap) -> Markup:
    """Draw a square of coloured cells, each with its value."""
    cell, left = 48, 12 + 7 * max(map(len, plot.names), default=0)
    side = cell * len(plot.names)
    svg = _svg(left + side, side + 22, "heat", plot.title, ", ".join(plot.names))
    svg.set("width", f"{1.15 * (left + side):g}")
    for row, values in enumerate(plot.values):
        y = 20 + cell * row
        _add(svg, "text", "axis", plot.names[row], x=left - 8, y=y + cell / 2 + 4, **{"text-anchor": "end"})
        x = left + cell * (row + 0.5)
        _add(svg, "text", "axis", plot.names[row], x=x, y=13, **{"text-anchor": "middle"})
        for column, value in enumerate(values):
            x = left + cell * column
            kind = "none" if value is None else "plus" if value >= 0 else "minus"
            square = _add(svg, "rect", f"cell {kind}", x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, rx=4)
            if value is not None:
                # As faint as keeps black, or white, text on it readable.
                square.set("fill-opacity", f"{0.06 + 0.5 * abs(value):.3f}")
            text = MISSING if value is None else decimal(value, 2)
            _add(svg, "text", "value", text, x=x + cell / 2, y=y + cell / 2 + 4, **{"text-anchor": "middle"})
    return _markup(svg)


def _ticks(low: float, high: float) -> list[float]:
    """Return round values from at or below `low` to at or above `high`."""
    if high <= low:
        return [low]
    rough = (high - low) / _TICKS
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, last + 1)]


def _short(value: float, *, percent: bool) -> str:
    return f"{100 * value:g}%" if percent else f"{value:g}"


def _place(value: float, low: float, high: float, start: float, end: float) -> float:
    """Return where a value lies between `start` and `end`; one outside its axis is drawn at the nearer end."""
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return round(start + share * (end - start), 1)


def _points(points: Iterable[Sequence[float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _svg(width: float, height: float, kind: str, title: str = "", description: str = "") -> ElementTree.Element:
    """Return an empty drawing; one with a title is an image to those who do not see it."""
    svg = ElementTree.Element("svg", {"class": kind, "viewBox": f"0 0 {width:g} {height:g}"})
    if title:
        svg.set("role", "img")
        for tag, text in {"title": title, "desc": description}.items():
            if text:
                ElementTree.SubElement(svg, tag).text = text
    return svg


def _add(
    svg: ElementTree.Element, tag: str, kind: str, text: str = "", **attributes: float | str
) -> ElementTree.Element:
    written = {name: x if isinstance(x, str) else f"{x:g}" for name, x in attributes.items()}
    made = ElementTree.SubElement(svg, tag, {"class": kind, **written})
    made.text = text or None
    return made


def _markup(svg: ElementTree.Element) -> Markup:
    # The serializer escapes every text and attribute.
    return Markup(ElementTree.tostring(svg, encoding="unicode", method="html"))
