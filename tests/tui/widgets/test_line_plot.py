import math
from dataclasses import replace
from itertools import pairwise

import pytest
from textual.color import Color
from textual.style import Style

from homogaudit.report.section import Curve, Curves
from homogaudit.tui.theme import DARK_PALETTE, LIGHT_PALETTE
from homogaudit.tui.widgets.line_plot import draw_line_plot
from homogaudit.tui.widgets.scale import even_ticks, format_tick, ticks

LINE = Curve(
    "embedding", [0, 1, 2, 3, 4], [0.0, 0.25, 0.5, 0.75, 1.0], [0, 0.1, 0.3, 0.5, 0.8], [0.2, 0.4, 0.7, 0.9, 1]
)
AXES = Curves("SCR", "scr", (), "questions")


def plot(
    series: list[Curve], width: int = 60, height: int = 14, axes: Curves = AXES, *, color: bool = True
) -> list[str]:
    shown = replace(axes, curves=tuple(series))
    return draw_line_plot(shown, width, height, DARK_PALETTE, color=color).plain.split("\n")


def test_the_plot_has_exactly_the_cells_that_it_is_given() -> None:
    for width, height in ((60, 14), (20, 3), (33, 7), (120, 36)):
        lines = plot([LINE], width, height)
        assert [len(line) for line in lines] == [width] * height


def test_a_rising_line_rises() -> None:
    lines = plot([LINE])
    assert lines[0].startswith("● embedding")
    assert lines[1].startswith("100% ┤")
    assert lines[1].rstrip().endswith("●")
    bottom = next(line for line in lines if line.lstrip().startswith("0%"))
    assert "●" in bottom[:8]


def test_ticks_and_labels_stand_under_the_axis() -> None:
    lines = plot([LINE])
    assert lines[-3].lstrip().startswith("└")
    assert lines[-2].split() == ["0", "1", "2", "3", "4"]
    assert lines[-1].strip() == "questions"


def test_the_legend_stands_above_the_data_and_names_every_series() -> None:
    second = Curve("jaccard", [0, 4], [0.5, 0.5])
    lines = plot([LINE, second])
    assert "● embedding" in lines[0]
    assert "▲ jaccard" in lines[0]
    assert not any("jaccard" in line for line in lines[1:])


def test_what_lies_outside_the_range_is_cut_off() -> None:
    high = Curve("", [0, 1, 2], [5.0, 6.0, 5.0])
    lines = plot([high], axes=replace(AXES, x_label=""))
    assert not any(0x2800 < ord(char) < 0x2900 or char == "●" for line in lines for char in line)


def test_a_gap_is_left_where_there_is_no_value() -> None:
    whole = plot([Curve("", [0, 1, 2, 3], [0.5, 0.5, 0.5, 0.5])])
    gap = plot([Curve("", [0, 1, 2, 3], [0.5, math.nan, math.nan, 0.5])])
    dots = [sum(0x2800 < ord(char) < 0x2900 for line in lines for char in line) for lines in (whole, gap)]
    assert dots[0] > 40
    assert dots[1] <= 2


def test_without_colour_the_interval_has_dotted_edges() -> None:
    def dots(lines: list[str]) -> int:
        return sum((ord(char) - 0x2800).bit_count() for line in lines for char in line if 0x2800 < ord(char) < 0x2900)

    assert dots(plot([LINE], color=False)) > dots(plot([LINE], color=True)) + 30


def backgrounds(series: list[Curve], width: int = 40, height: int = 12) -> list[set[Color]]:
    """Return the tints of each line of the plot."""
    content = draw_line_plot(replace(AXES, curves=tuple(series)), width, height, DARK_PALETTE)
    found: list[set[Color]] = []
    for line in content.split(allow_blank=True):
        styles = [span.style for span in line.spans]
        found.append({x.background for x in styles if isinstance(x, Style) and x.background is not None})
    return found


def test_a_band_reaches_the_value_of_its_end() -> None:
    x = [0.0, 1.0]
    tinted = [bool(line) for line in backgrounds([Curve("a", x, [0.5, 0.5], [0.005, 0.005], [0.995, 0.995])])]
    first = tinted.index(True)
    # All lines between the legend and the axis, its labels and its name.
    assert tinted == [False] * first + [True] * (12 - first - 3) + [False] * 3


def test_where_bands_overlap_the_tint_is_of_both_colours() -> None:
    x = [0.0, 1.0]
    low, high = ([0.1, 0.1], [0.6, 0.6]), ([0.4, 0.4], [0.9, 0.9])
    tints = set().union(*backgrounds([Curve("a", x, [0.3, 0.3], *low), Curve("b", x, [0.7, 0.7], *high)]))
    alone = {DARK_PALETTE.tint(0), DARK_PALETTE.tint(1)}
    assert alone < tints
    assert len(tints) == 3


def test_without_data_it_says_so() -> None:
    assert any("no data yet" in line for line in plot([]))
    assert any("no data yet" in line for line in plot([Curve("a", [1, 2], [math.nan, math.nan])]))


def test_a_series_of_one_point_is_a_marker() -> None:
    assert sum(line.count("●") for line in plot([Curve("", [3], [0.4])])) == 1


def test_marks_are_dotted_lines() -> None:
    lines = plot([LINE], axes=replace(AXES, x_label="", y_marks=(0.2,), x_marks=(2.0,)))
    assert any(line.count("┈") > 30 for line in lines)
    assert sum("┊" in line for line in lines) >= 6


@pytest.mark.parametrize("palette", [DARK_PALETTE, LIGHT_PALETTE])
@pytest.mark.parametrize("size", [(0, 0), (1, 1), (7, 2), (20, 3), (20, 4), (300, 80)])
def test_no_size_is_too_small_or_too_large(palette: object, size: tuple[int, int]) -> None:
    content = draw_line_plot(replace(AXES, curves=(LINE, LINE)), *size, palette)  # type: ignore[arg-type]
    lines = content.plain.split("\n")
    assert all(len(line) <= size[0] for line in lines)


def test_a_name_of_others_is_text() -> None:
    lines = plot([Curve("[red]\x1b[31mx\x07", [0, 1], [0, 1])])
    assert "● [red]x" in lines[0]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 1, 3, [0, 0.5, 1.0]),
        (0.7, 0.95, 6, [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]),
        (1, 60, 7, [10, 20, 30, 40, 50, 60]),
        (0.31, 0.34, 2, [0.32, 0.34]),
        (5, 5, 4, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(expected)


@pytest.mark.parametrize("cells", range(3, 90))
def test_even_ticks_have_equal_gaps_and_labels_that_do_not_touch(cells: int) -> None:
    for high in (1.0, 8.0, 37.0, 817.0, 20_000.0):
        found = even_ticks(0, high, 9, lambda x, high=high: round(x / high * (cells - 1)), lambda label: len(label) + 2)
        gaps = [after.cell - before.cell for before, after in pairwise(found)]
        assert not gaps or max(gaps) - min(gaps) <= 1
        assert all(gap >= len(tick.label) + 2 for gap, tick in zip(gaps, found, strict=False))
        assert len({tick.label for tick in found}) == len(found)


def test_an_axis_that_counts_has_whole_ticks() -> None:
    lines = plot([Curve("a", [1, 2, 3], [0.1, 0.2, 0.3])], width=80)
    assert lines[-2].split() == ["1", "2", "3"]


def test_ticks_have_the_decimals_that_their_step_needs() -> None:
    assert format_tick(0.2, 0.2) == "0.2"
    assert format_tick(0.25, 0.05) == "0.25"
    assert format_tick(30, 10) == "30"
    assert format_tick(0.4, 0.2, percent=True) == "40%"
    assert format_tick(-1e-17, 0.5) == "0.0"


def test_a_line_of_many_points_looks_as_if_all_were_drawn() -> None:
    xs = [place / 1000 for place in range(20_000)]
    ys = [0.5 + 0.4 * math.sin(place) for place in xs]

    def cells(series: Curve) -> set[tuple[int, int]]:
        drawn = enumerate(plot([series]))
        return {(x, y) for y, line in drawn for x, char in enumerate(line) if 0x2800 < ord(char) < 0x2900}

    many, few = cells(Curve("a", xs, ys)), cells(Curve("a", xs[::100], ys[::100]))
    assert len(many) > 80
    assert len(many ^ few) <= 10


def test_a_spike_among_many_points_is_not_lost() -> None:
    ys = [0.0] * 20_000
    ys[7_777] = 1.0
    top = plot([Curve("", list(range(20_000)), ys)], axes=replace(AXES, x_label=""))[0]
    assert any(0x2800 < ord(char) < 0x2900 for char in top)
