import pytest

from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.dot_plot import DotAxis, DotRow, draw_dot_plot

ROWS = [
    DotRow("B1", heading=True),
    DotRow("token_entropy_mean", 0.75, 0.6, 0.9, "works"),
    DotRow("density", 0.5, 0.4, 0.6),
    DotRow("association", 0.25, 0.1, 0.4),
    DotRow("freshness", None, note="no time expression"),
]


def plot(rows: list[DotRow] = ROWS, width: int = 100, height: int = 7, axis: DotAxis | None = None) -> list[str]:
    return draw_dot_plot(rows, axis or DotAxis(), width, height, DARK_PALETTE).plain.split("\n")


def test_every_row_has_name_dot_value_and_interval() -> None:
    lines = plot()
    assert lines[1].startswith("token_entropy_mean ")
    assert "0.750  [0.600, 0.900]  works" in lines[1]
    assert "╺" in lines[1] or "━" in lines[1]


def test_the_dot_is_hollow_where_the_interval_holds_the_reference() -> None:
    lines = plot()
    assert "●" in lines[1]
    assert "○" in lines[2]
    assert "●" in lines[3]


def test_dots_stand_in_the_order_of_their_values_around_the_reference() -> None:
    lines = plot()
    reference = lines[-2].index("┴", lines[-2].index("┴") + 1)
    assert lines[3].index("●") < lines[2].index("○") < lines[1].index("●")
    assert any("┊" in line for line in lines[1:4])
    assert reference > 0


def test_a_row_without_a_value_says_why() -> None:
    assert "no time expression" in plot()[4]
    assert not set("●○") & set(plot()[4])


def test_the_numbers_go_before_the_axis_does() -> None:
    narrow = plot(width=44)
    assert "[0.600" not in narrow[1]
    assert "●" in narrow[1]
    assert [len(line) for line in narrow] == [44] * 7


def test_what_lies_outside_the_axis_ends_in_an_arrow() -> None:
    line = plot([DotRow("a", 0.5, -1, 2), DotRow("b", 3.0)], height=4)
    assert "◂" in line[0]
    assert "▸" in line[0]
    assert "▸" in line[1]


def test_without_a_reference_every_dot_is_full() -> None:
    assert "●" in plot([DotRow("a", 0.5, 0.4, 0.6)], axis=DotAxis(reference=None))[0]


@pytest.mark.parametrize("size", [(0, 0), (20, 3), (9, 1), (200, 50)])
def test_no_size_is_too_small_or_too_large(size: tuple[int, int]) -> None:
    assert all(len(line) <= size[0] for line in plot(width=size[0], height=size[1]))


def test_names_of_others_are_text() -> None:
    assert plot([DotRow("[b]\x1b[1mx", 0.5)])[0].startswith("[b]x ")
