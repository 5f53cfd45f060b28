import numpy as np
import pytest

from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.heat_map import HeatMapData, draw_heat_map, draw_value_map, scale_low

SIMILARITY = np.array([[1.0, 0.2, 0.9], [0.2, 1.0, 0.3], [0.9, 0.3, 1.0]])
DATA = HeatMapData(SIMILARITY, (0, 1, 0), 0.85)


def lines(data: HeatMapData | None = DATA, width: int = 40, height: int = 6, *, color: bool = True) -> list[str]:
    return draw_heat_map(data, width, height, DARK_PALETTE, color=color).plain.split("\n")


def test_answers_stand_in_the_order_of_their_clusters() -> None:
    assert DATA.order == [0, 2, 1]
    shown = lines()
    assert shown[0].split() == ["A", "A", "B"]
    assert [line[0] for line in shown[1:4]] == ["A", "A", "B"]


def test_the_largest_cluster_comes_first() -> None:
    assert HeatMapData(np.eye(4), (0, 1, 1, 2)).order == [1, 2, 0, 3]


def test_negative_similarities_keep_their_sign_unless_they_are_next_to_nothing() -> None:
    similarity = np.array([[1.0, -0.26, -0.004], [-0.26, 1.0, 0.0], [-0.004, 0.0, 1.0]])
    assert lines(HeatMapData(similarity, (0, 1, 2)))[1].rstrip() == "A 1.0 -.3 .00"


def test_with_room_cells_hold_the_similarity_and_joined_pairs_a_dot() -> None:
    shown = lines()
    assert shown[1].rstrip() == "A 1.0 .90•.20"
    assert shown[3].rstrip() == "B .20 .30 1.0"
    assert "• 0.85 or more" in shown[4]


def test_without_colour_more_similar_cells_have_more_ink() -> None:
    shown = lines(HeatMapData(SIMILARITY, (0, 1, 0)), width=9, color=False)
    assert shown[1].rstrip() == "A ██▓▓"
    assert shown[3].rstrip() == "B   ··██"


def test_the_scale_begins_at_the_tenth_below_the_least_similarity() -> None:
    assert scale_low(SIMILARITY) == pytest.approx(0.2)
    assert scale_low(np.ones((3, 3))) == pytest.approx(0.9)
    assert lines()[4].startswith("0.2 ")


def test_many_answers_share_cells_and_the_legend_says_so() -> None:
    n = 100
    shown = lines(HeatMapData(np.ones((n, n)), (0,) * n, 0.85), width=40, height=24)
    assert len(shown) == 24
    assert "means of 5 x 5" in shown[21]


def test_without_data_it_says_why() -> None:
    assert draw_heat_map(None, 40, 3, DARK_PALETTE, empty="no samples").plain.split("\n")[0].rstrip() == "no samples"


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 3), (20, 3), (20, 4), (200, 60)])
@pytest.mark.parametrize("n", [1, 2, 10, 64])
def test_no_size_is_too_small_or_too_large(size: tuple[int, int], n: int) -> None:
    shown = lines(HeatMapData(np.eye(n), tuple(range(n)), 0.5), *size)
    assert all(len(line) <= size[0] for line in shown)


NAMES = ("B1", "B2", "B3")
VALUES = ((1.0, -0.25, None), (-0.25, 1.0, 0.5), (None, 0.5, 1.0))


def value_lines(width: int, *, color: bool = True) -> list[str]:
    return [line.plain.rstrip() for line in draw_value_map(NAMES, VALUES, width, DARK_PALETTE, color=color)]


def test_named_values_stand_under_and_beside_their_names() -> None:
    head, first, *_ = value_lines(60)
    assert head.split() == ["B1", "B2", "B3"]
    assert first.split() == ["B1", "1.00", "-0.25", "-"]


def test_named_values_are_shaded_cells_where_their_numbers_have_no_room() -> None:
    assert value_lines(10, color=False) == ["B1 ██░░", "B2 ░░██▓▓", "B3   ▓▓██"]
