"""The rate in large digits: which interval stands beside it, and what is ahead."""

import pytest

from homogaudit.events import Deciding
from homogaudit.outlook import Outlook
from homogaudit.report.numbers import percent_interval
from homogaudit.statistics.running_rate import RateSeries, RunningRates
from homogaudit.statistics.two_phase_rate import two_phase_rate
from homogaudit.tui.rate_figure import RateFigure
from homogaudit.tui.theme import DARK_PALETTE

RATES = RunningRates((RateSeries("meaning", (0,) * 20 + tuple(range(1, 21))),), {}, 40)


def lines(width: int, deciding: Deciding | None, running: RunningRates = RATES) -> list[str]:
    figure = RateFigure()
    figure.set_reactive(RateFigure.running, running)
    figure.set_reactive(RateFigure.deciding, deciding)
    return [line.rstrip() for line in figure.draw(width, 5, DARK_PALETTE, color=False).plain.splitlines()]


def test_a_run_that_stops_once_it_is_decided_shows_its_sequence_and_says_early_that_no_verdict_comes():
    # Wilson's interval of 20 of 40 is [35.2%, 64.8%].
    assert "95% [35.2%, 64.8%]" in lines(70, None)[0]
    likely = Deciding(40, 160, 0.3, 0.7, ("mild", "severe"), Outlook(0.62, 90, 400), False)
    found = lines(70, likely)
    assert "95% [30.0%, 70.0%]" in found[0]
    assert found[3] == "left: mild, severe"
    assert found[4] == "62% likely in the other 120, needs about 90 to 400 questions"
    assert lines(44, likely)[4] == "62% likely in the other 120"
    found = lines(70, Deciding(40, 160, 0.3, 0.7, ("mild", "severe"), Outlook(0.02, 300, None), False))
    assert found[3] == "left: mild, severe; no verdict to be expected"
    assert found[4] == "2% likely in the other 120, needs over 300 questions"


def test_a_run_for_the_rate_alone_shows_the_estimate_of_its_report_and_what_that_rests_on():
    # 4 of 20 stayed open and are single; 1 of 6 audited ones lay apart and is: 36.7%, about 7 of 20.
    series = RateSeries("meaning", (1, 2, 3, *[4] * 17), (0,) * 19 + (1,), (*range(6), *[6] * 14))
    ends = two_phase_rate(4, 20, 1, 6)
    found = lines(70, None, RunningRates((series,), {}, 20))
    assert f"95% {percent_interval(ends.low, ends.high)}" in found[0]
    assert "about 7 of 20 questions" in found[1]
    assert found[4] == "6 of them audited"
    assert lines(28, None, RunningRates((series,), {}, 20))[3].startswith("about 7 of 20")
    unknown = RateSeries("meaning", (1, 1), (0, 0), (0, 0))
    assert "2 scored, none audited yet" in "".join(lines(70, None, RunningRates((unknown,), {}, 2)))


@pytest.mark.parametrize(("chance", "shown"), [(0.04, "no verdict to be expected"), (0.05, "left: mild, severe")])
def test_a_narrow_screen_says_only_that_nothing_is_to_be_expected(chance: float, shown: str):
    assert lines(30, Deciding(40, 160, 0.3, 0.7, ("mild", "severe"), Outlook(chance, 90, 400), False))[4] == shown
