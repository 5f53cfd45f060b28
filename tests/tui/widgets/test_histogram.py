import pytest

from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.histogram import Bar, Direction, draw_histogram

BARS = [Bar("1", 16), Bar("2", 8), Bar("3", 1), Bar("4", 0)]


def lines(bars: list[Bar], width: int, height: int, direction: Direction = "horizontal", label: str = "") -> list[str]:
    return draw_histogram(bars, width, height, DARK_PALETTE, direction=direction, label=label).plain.split("\n")


def test_lying_bars_are_as_long_as_their_counts() -> None:
    shown = lines(BARS, 21, 4)
    assert shown[0] == "1 " + "█" * 16 + " 16"
    assert shown[1].rstrip() == "2 " + "█" * 8 + " 8"
    assert shown[2].rstrip() == "3 █ 1"
    assert shown[3].split() == ["4", "0"]


def test_a_small_count_is_not_lost() -> None:
    assert "▏" in lines([Bar("1", 10_000), Bar("2", 1)], 30, 2)[1]


def test_standing_bars_are_as_high_as_their_counts() -> None:
    shown = lines(BARS, 11, 6, "vertical")
    columns = ["".join(line[x] for line in shown) for x in (0, 3, 6, 9)]
    assert [column.count("█") for column in columns[:2]] == [4, 2]
    assert shown[-1].split() == ["1", "2", "3", "4"]


def test_bars_without_room_are_counted_in_the_last() -> None:
    shown = lines(BARS, 30, 2)
    assert shown[0].split()[-1] == "16"
    assert shown[1].startswith("2+")
    assert shown[1].split()[-1] == "9"


def test_the_label_stands_above() -> None:
    assert lines(BARS, 40, 5, label="questions by clusters")[0].startswith("questions by clusters")


def test_without_data_it_says_so() -> None:
    assert "no data yet" in "".join(lines([], 40, 3))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("size", [(0, 0), (1, 1), (20, 3), (5, 2), (200, 50)])
def test_no_size_is_too_small_or_too_large(direction: Direction, size: tuple[int, int]) -> None:
    assert all(len(line) <= size[0] for line in lines(BARS, *size, direction))
