import pytest

from homogaudit.cascade.boundaries import stage_of
from homogaudit.cascade.conditions import SingleStage, recommend
from homogaudit.cascade.held_out import HeldOutValue

WORKS, EQUAL = HeldOutValue(0.75, 0.7, 0.8), HeldOutValue(0.0, -0.02, 0.02)


def alone(cost: float, *, shown_worse: bool) -> SingleStage:
    return SingleStage(stage_of("token_entropy_mean"), WORKS, EQUAL, 0.5, cost, shown_worse)


def test_a_cascade_that_saves_less_than_five_percent_is_not_recommended() -> None:
    # Costs of at most 0.96 of 1 are a saving that is shown, and not one that is worth a second call.
    found = recommend(WORKS, EQUAL, HeldOutValue(0.955, 0.95, 0.96), 1.0, [alone(1.0, shown_worse=True)], 400)
    assert [x.met for x in found.conditions] == [True, True, False]
    assert found.reason == "the cascade is not shown to save 5% and more against running every stage"
    assert (found.recommended, found.questions_needed) == (False, None)


def test_a_cascade_whose_interval_reaches_five_percent_is_recommended() -> None:
    found = recommend(WORKS, EQUAL, HeldOutValue(0.8, 0.6, 0.94), 1.0, [alone(1.0, shown_worse=True)], 400)
    assert (found.recommended, found.questions_needed) == (True, None)


def test_a_promising_cascade_says_at_how_many_questions_it_would_be_recommended() -> None:
    # The saving is 0.15 +- 0.14: 0.10 from 5%. Shown four times in five needs 0.10 to be 1.96 + 0.84 errors; it is
    # 0.10 / (0.14 / 1.96) = 1.4 now: (2.80 / 1.4)^2 = 4.005 times the 200 questions.
    found = recommend(WORKS, EQUAL, HeldOutValue(0.85, 0.7, 0.99), 1.0, [alone(1.0, shown_worse=True)], 200)
    assert not found.recommended
    assert found.questions_needed == 810


def test_the_condition_that_needs_most_questions_counts() -> None:
    # One-sided: 0.05 is 1.645 + 0.84 errors of 0.1 / 1.96 at 6.4 times the questions.
    wide = HeldOutValue(0.0, -0.1, 0.1)
    found = recommend(WORKS, wide, HeldOutValue(0.8, 0.7, 0.9), 1.0, [alone(1.0, shown_worse=True)], 100)
    assert [x.met for x in found.conditions] == [True, False, True]
    assert found.questions_needed == 650


@pytest.mark.parametrize(
    ("parallel", "cost", "single"),
    [
        (HeldOutValue(0.49, 0.4, 0.58), HeldOutValue(0.5, 0.4, 0.6), alone(1.0, shown_worse=True)),
        (WORKS, HeldOutValue(0.97, 0.9, 1.0), alone(1.0, shown_worse=True)),
        (WORKS, HeldOutValue(0.5, 0.4, 0.6), alone(0.0, shown_worse=False)),
        (HeldOutValue(0.51, 0.4, 0.62), HeldOutValue(0.5, 0.4, 0.6), alone(1.0, shown_worse=True)),
    ],
)
def test_what_no_practicable_number_of_questions_would_show_is_not_promising(parallel, cost, single) -> None:
    found = recommend(parallel, EQUAL, cost, 1.0, [single], 200)
    assert (found.recommended, found.questions_needed) == (False, None)
