import pytest

from homogaudit.tui.widgets.histogram import Bar, bar_of, draw_histogram

BARS = [Bar("1", 16), Bar("2", 8), Bar("3", 1), Bar("4", 0)]


def lines(bars: list[Bar], width: int, height: int) -> list[str]:
    return draw_histogram(bars, width, height).plain.split("\n")


def test_bars_are_as_long_as_their_counts() -> None:
    shown = lines(BARS, 21, 4)
    assert shown[0] == "1 " + "█" * 16 + " 16"
    assert shown[1].rstrip() == "2 " + "█" * 8 + " 8"
    assert shown[2].rstrip() == "3 █ 1"
    assert shown[3].split() == ["4", "0"]


def test_a_small_count_is_not_lost() -> None:
    assert "▏" in lines([Bar("1", 10_000), Bar("2", 1)], 30, 2)[1]
    assert (bar_of(1e-9, 8), bar_of(0, 8)) == ("▏", "")


def test_a_bar_is_exact_to_an_eighth_of_a_cell() -> None:
    # 0.45 of 10 cells are 36 eighths: four full cells and a half one.
    assert bar_of(0.45, 10) == "████▌"


def test_bars_without_room_are_counted_in_the_last() -> None:
    shown = lines(BARS, 30, 2)
    assert shown[0].split()[-1] == "16"
    assert shown[1].startswith("2+")
    assert shown[1].split()[-1] == "9"


def test_without_data_it_says_so() -> None:
    assert "no data yet" in "".join(lines([], 40, 3))


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (20, 3), (5, 2), (200, 50)])
def test_no_size_is_too_small_or_too_large(size: tuple[int, int]) -> None:
    assert all(len(line) <= size[0] for line in lines(BARS, *size))
