import pytest

from homogaudit.report.section import Axis, Span
from homogaudit.tui.widgets.dot_plot import draw_dot_plot

SPANS = [Span(0.75, 0.6, 0.9), Span(0.5, 0.4, 0.6), Span(0.25, 0.1, 0.4), None]
CHANCE = Axis(marks=(0.5,))


def plot(spans: list[Span | None] = SPANS, axis: Axis = CHANCE, width: int = 60) -> list[str]:
    rows, below = draw_dot_plot(spans, axis, width)
    return [line.plain for line in (*rows, *below)]


def test_a_span_is_a_dot_on_a_line_between_its_ends() -> None:
    line = plot([Span(0.5, 0.25, 0.75)], Axis(), 41)[0]
    # 41 cells from 0 to 1: a quarter is cell 10, a half cell 20.
    assert line.index("●") == 20
    assert (line.index("━"), line.rindex("━")) == (10, 30)


def test_the_dot_is_hollow_where_the_interval_holds_a_mark() -> None:
    lines = plot()
    assert "●" in lines[0]
    assert "○" in lines[1]
    assert "●" in lines[2]
    assert "○" in plot([Span(0.1, 0.02, 0.25)], Axis(marks=(0.05, 0.2)))[0]


def test_dots_stand_in_the_order_of_their_values() -> None:
    lines = plot()
    assert lines[2].index("●") < lines[1].index("○") < lines[0].index("●")


def test_every_mark_is_drawn_and_labelled_before_what_is_round() -> None:
    lines = plot([None], Axis(marks=(0.05, 0.2), percent=True), 80)
    assert lines[0].count("┊") == 2
    assert lines[-1].split()[:3] == ["0%", "5%", "20%"]
    assert lines[-2].index("┴", 1) == lines[0].index("┊")


def test_a_line_without_a_span_has_the_marks_alone() -> None:
    assert set(plot()[3]) == {" ", "┊"}


def test_what_lies_outside_the_axis_ends_in_an_arrow() -> None:
    lines = plot([Span(0.5, -1, 2), Span(3.0, None, None)], Axis())
    assert lines[0][0] == "◂"
    assert lines[0][-1] == "▸"
    assert lines[1].strip() == "▸"


@pytest.mark.parametrize("width", [0, 1, 2, 9, 200])
def test_no_width_is_too_small_or_too_large(width: int) -> None:
    assert all(len(line) == width for line in plot(width=width))
