"""Sections as lines of a screen: nothing is cut, everything can be stood on."""

import re
from dataclasses import replace

import pytest

from homogaudit.report.section import (
    Axis,
    Bar,
    Column,
    Curve,
    Curves,
    HeatMap,
    Line,
    Part,
    Row,
    Section,
    Span,
    Table,
    Tone,
)
from homogaudit.tui.report_blocks import Drawn, draw_sections
from homogaudit.tui.theme import DARK_PALETTE

COLUMNS = (Column("signal", "uncertainty_signal"), Column("AUROC", "auroc"), Column("95% interval"), Column("n", "n"))
ROWS = (
    Row(("token_entropy_mean", "0.793", "[0.752, 0.831]", "790"), "token_entropy_mean", mark=Span(0.793, 0.752, 0.831)),
    Row(("density", "0.480", "[0.431, 0.529]", "790"), "density", mark=Span(0.48, 0.431, 0.529)),
    Row(("freshness", "-", "-", "-"), "freshness", "no time expression"),
)
TABLE = Table(COLUMNS, ROWS, "What each is worth", Axis(marks=(0.5,), label="0.5 is chance"))
CURVES = Curves("SCR by threshold", "threshold", (Curve("embedding", (0.7, 0.9), (0.5, 0.25)),), "similarity")
MAP = HeatMap("Correlation", "spearman", ("B1", "B2"), ((1.0, None), (None, 1.0)))


def section(*parts: Part, key: str = "signals", title: str = "Signals", tone: Tone = "") -> Section:
    return Section(key, title, "signals", parts, tone)


def drawn(*parts: Part, width: int = 100) -> Drawn:
    return draw_sections([section(*parts)], width, DARK_PALETTE, color=True)


def lines(*parts: Part, width: int = 100) -> list[str]:
    return [line.plain.rstrip() for line in drawn(*parts, width=width).lines]


def test_titles_sentences_rows_and_plots_are_stops_in_reading_order() -> None:
    found = drawn(Line("Said.", "auroc"), TABLE, CURVES, MAP)
    assert [stop.place for stop in found.stops] == [
        (0, 0, 0),
        (0, 1, 0),
        (0, 2, 0),
        (0, 2, 1),
        (0, 2, 2),
        (0, 3, 0),
        (0, 4, 0),
    ]
    terms = ["signals", "auroc", "token_entropy_mean", "density", "freshness", "threshold", "spearman"]
    assert [stop.term for stop in found.stops] == terms


def test_every_line_that_says_something_of_a_stop_is_its_own() -> None:
    found = drawn(Line("Said.", "auroc"), TABLE, CURVES, MAP)
    for number, line in found.marked.items():
        assert number in found.stops[line].lines
    starts = [stop.lines.start for stop in found.stops]
    assert starts == sorted(starts)


def test_a_row_is_copied_with_its_headings_and_what_is_missing_with_its_reason() -> None:
    texts = [stop.text for stop in drawn(TABLE).stops]
    assert texts[1] == "token_entropy_mean: AUROC 0.793, 95% interval [0.752, 0.831], n 790"
    assert texts[3] == "freshness: - (no time expression)"


def test_spans_stand_beside_their_rows_where_there_is_room() -> None:
    shown = lines(TABLE, width=100)
    row = next(line for line in shown if line.startswith("token_entropy_mean"))
    assert "[0.752, 0.831]  790" in row and "●" in row
    assert "○" in next(line for line in shown if line.startswith("density"))
    assert "0.5 is chance" in shown[2]


@pytest.mark.parametrize("width", [100, 80, 60, 44, 36, 30, 20, 12])
def test_no_width_loses_a_digit(width: int) -> None:
    shown = lines(TABLE, Line("Of 790 questions 26 are left.", "n"), width=width)
    assert all(len(line) <= width for line in shown)
    text = re.sub(r"\s", "", "".join(shown))
    for cell in (cell for row in ROWS for cell in row.cells):
        assert re.sub(r"\s", "", cell) in text


def test_a_table_that_is_too_wide_goes_on_below_under_its_names() -> None:
    found = drawn(TABLE, width=42)
    shown = [line.plain for line in found.lines]
    assert sum(line.startswith("token_entropy_mean") for line in shown) == 3
    # Numbers, more numbers, the plot: the cursor goes through each.
    assert [stop.place[2] for stop in found.stops[1:]] == [0, 1, 2] * 3


def test_columns_stand_closer_before_a_table_goes_on_below() -> None:
    table = Table(COLUMNS, tuple(replace(row, mark=None) for row in ROWS))
    # 18 + 5 + 14 + 3 cells, and three gaps of one.
    assert sum(line.startswith("density") for line in lines(table, width=43)) == 1
    assert sum(line.startswith("density") for line in lines(table, width=42)) == 2


def test_a_row_without_room_for_two_columns_is_written_out() -> None:
    shown = " ".join(line.strip() for line in lines(TABLE, width=26))
    assert "token_entropy_mean: AUROC 0.793, 95% interval [0.752, 0.831], n 790" in shown


def test_a_single_row_is_drawn_on_a_scale_as_wide_as_the_screen() -> None:
    scale = Axis(marks=(0.05, 0.2), percent=True)
    shown = lines(Table(COLUMNS[:2], (Row(("jaccard", "40.3%"), "scr", mark=Span(0.403, 0.3, 0.5)),), "", scale))
    place = next(line for line in shown if "●" in line).index("●")
    assert place == pytest.approx(0.403 * 99, abs=1)
    assert {"0%", "5%", "20%", "100%"} <= set(shown[-1].split())


def test_bars_are_drawn_beside_their_rows() -> None:
    columns = (Column("clusters", "clusters"), Column("questions"))
    rows = (Row(("1", "8"), "clusters", mark=Bar(1.0)), Row(("2", "4"), "clusters", mark=Bar(0.5)))
    shown = lines(Table(columns, rows), width=59)
    # 59 cells less names, numbers and gaps: 8 + 2 + 9 + 2 leave 38.
    assert [line.count("█") for line in shown[-2:]] == [38, 19]


def test_a_plot_is_one_stop_that_copies_all_its_points() -> None:
    found = drawn(CURVES, MAP)
    assert found.stops[1].text == "SCR by threshold\nembedding\t0.7\t0.5000\nembedding\t0.9\t0.2500"
    assert found.stops[2].text == "Correlation\n\tB1\tB2\nB1\t1.0000\t-\nB2\t-\t1.0000"
    assert len(found.stops[1].lines) > 10


def test_lines_after_a_labelled_one_stand_under_its_text() -> None:
    shown = lines(Line("Best is one.", "auroc", "Signals"), Line("Of 23, two work.", "auroc"))
    assert shown[1] == "Signals   Best is one."
    assert shown[2] == "          Of 23, two work."


def test_a_line_with_questions_shows_that_it_opens_them() -> None:
    found = drawn(Line("26 are missed.", "scr", questions="missed"), Line("None.", "scr"))
    assert [stop.questions for stop in found.stops] == ["", "missed", ""]
    assert [line.plain.endswith("⏎") for line in found.lines[1:]] == [True, False]


def test_warnings_have_a_glyph_without_colour() -> None:
    assert lines(Line("One of two answers is cut.", "warnings", tone="warning"))[1].startswith("! One")
