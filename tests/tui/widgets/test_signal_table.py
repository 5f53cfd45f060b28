import pytest

from homogaudit.report.undefined import Undefined
from homogaudit.tui.question_view import RankedSignal
from homogaudit.tui.widgets.signal_table import draw_signal_table, table_height

LINES = [
    RankedSignal("token_entropy_mean", 1.25, 1, 0, 790),
    RankedSignal("response_length", 24.0, 100, 3, 790),
    RankedSignal("perplexity", Undefined("no token log-probabilities"), 0, 0, 0),
    RankedSignal("mars", Undefined("no token log-probabilities"), 0, 0, 0),
]


def lines(width: int) -> list[str]:
    return draw_signal_table(LINES, width, table_height(LINES, width)).plain.split("\n")


def test_values_and_ranks_stand_in_columns() -> None:
    shown = lines(50)
    assert shown[0].split() == ["signal", "value", "rank"]
    assert shown[1].split() == ["token_entropy_mean", "1.250", "1", "of", "790"]
    assert shown[2].split() == ["response_length", "24.000", "=100", "of", "790"]
    assert shown[1].index(".") == shown[2].index(".")


def test_with_room_a_track_shows_the_place_in_the_run() -> None:
    shown = lines(80)
    assert shown[1].index("●") < shown[2].index("●")


def test_signals_without_a_value_stand_under_their_reason() -> None:
    shown = [line.rstrip() for line in lines(50)]
    assert shown[-2:] == ["no token log-probabilities:", "  perplexity, mars"]


@pytest.mark.parametrize("width", [1, 10, 20, 44, 200])
def test_no_width_is_too_small(width: int) -> None:
    assert all(len(line) <= width for line in lines(width))


def test_without_signals_it_says_so() -> None:
    assert draw_signal_table([], 40, 1).plain.rstrip() == "no signals are stored"
