import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.records import Question
from homogaudit.signals.freshness import freshness_of
from homogaudit.signals.registry import RunInputs, compute_run_signals

CUTOFF = date(2024, 1, 1)
ASKED = date(2026, 7, 1)


def one(question: str, cutoff: date = CUTOFF, asked: date | None = ASKED) -> object:
    return freshness_of(question, cutoff=cutoff, asked=asked)


def expected(days: int) -> float:
    return 1 - math.exp(-0.5 * days / 365.25)


def test_current_is_the_day_of_the_run() -> None:
    # 1 January 2024 to 1 July 2026: 366 + 365 + 181 days
    assert one("Who is the current mayor?") == pytest.approx(expected(912))


def test_a_date_counts_from_the_cutoff_to_its_last_day() -> None:
    # to 31 December 2024: 365 days; to 31 March 2024: 90 days
    assert one("Who won in 2024?") == pytest.approx(expected(365))
    assert one("Who won in March 2024?") == pytest.approx(expected(90))


def test_the_latest_of_several_dates_counts() -> None:
    assert one("Who won in March 2024, after May 2019?") == pytest.approx(expected(90))


def test_what_holds_the_day_of_the_run_ends_there() -> None:
    today = one("Who is mayor now?")
    assert one("Who won most in the 2020s?") == today
    assert one("Who won in 2026?") == today
    assert one("Who lives in the 21st century?") == today


def test_what_lies_ahead_counts_to_its_end() -> None:
    # to 31 December 2027: 366 + 365 + 365 + 365 - 1 days
    assert one("Who will win in 2027?") == pytest.approx(expected(1460))


@pytest.mark.parametrize(
    "question", ["Who painted it?", "Who won in 1969?", "Who won in 2023?", "Who won on 1 January 2024?"]
)
def test_nothing_past_the_cutoff_is_zero_without_a_sign(question: str) -> None:
    found = one(question)
    assert found == 0.0
    assert isinstance(found, float)
    assert math.copysign(1.0, found) == 1.0


def test_a_model_younger_than_the_run_has_nothing_to_miss() -> None:
    assert one("Who is mayor now?", cutoff=date(2027, 1, 1)) == 0.0


def test_questions_without_a_known_day_or_cutoff_have_a_reason() -> None:
    asked = [Question("now", "Who is mayor now?"), Question("then", "Who won in 2024?"), Question("none", "Why?")]
    values = {x.question_id: x for x in compute_run_signals(RunInputs(asked, cutoff=CUTOFF), ["freshness"])}
    assert (values["now"].value, values["now"].reason) == (
        None,
        "the question is set at the day of the run, which is not known",
    )
    assert values["then"].value == pytest.approx(expected(365))
    assert values["none"].value == 0.0
    values = compute_run_signals(RunInputs(asked, run_date=ASKED), ["freshness"])
    assert {(x.value, x.reason) for x in values} == {(None, "the model's training cutoff is not known")}


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_freshness_grows_with_the_day_and_stays_in_zero_to_one(cutoff: date, asked: date) -> None:
    earlier, later = one("Who is mayor now?", cutoff, asked), one("Who wins next year?", cutoff, asked)
    assert isinstance(earlier, float)
    assert isinstance(later, float)
    assert 0.0 <= earlier <= later <= 1.0
