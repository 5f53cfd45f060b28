import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import betabinom

from homogaudit.outlook import Outlook
from homogaudit.records import Interval
from homogaudit.statistics.decision_outlook import outlook
from homogaudit.statistics.decision_sequence import (
    DecisionSequence,
    confidence_sequence,
    log_evidence,
    questions_to_one_band,
)

STARTS = (0.05, math.nextafter(0.20, 1.0))
"""Of the bands [0, 5%), [5%, 20%] and (20%, 1]."""
FILE = 790


def sequence_of(singles, starts=STARTS) -> DecisionSequence:
    sequence = DecisionSequence(starts)
    for single in singles:
        sequence.add(least=bool(single), most=bool(single))
    return sequence


def bands_left(singles, starts=STARTS) -> int:
    found = confidence_sequence(singles, singles, starts)
    return sum(found.low < high and found.high >= low for low, high in pairwise((0.0, *starts, 2.0)))


@pytest.mark.parametrize("singles", [(1, 1, 0, 1, 1, 1, 0, 1), (1, 1, 1, 0, 1, 1, 1)])
def test_the_chance_within_the_last_questions_is_that_of_the_beta_binomial_distribution(singles):
    # Eight are left: the sum over all that they may be.
    n, k = len(singles), sum(singles)
    assert bands_left(singles, (0.5,)) == 2
    exact = sum(
        betabinom.pmf(sum(rest), 8, k + 0.5, n - k + 0.5) / math.comb(8, sum(rest))
        for rest in np.ndindex((2,) * 8)
        if bands_left([*singles, *rest], (0.5,)) == 1
    )
    found = outlook(sequence_of(singles, (0.5,)), n + 8, (0.5,))
    assert 0.2 < exact < 0.7
    assert found.chance == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 500))


def test_where_the_rate_is_known_the_range_holds_the_questions_that_it_needs():
    singles = np.arange(200) % 10 == 0
    found = outlook(sequence_of(singles), 790, STARTS)
    needed = questions_to_one_band(0.1, STARTS)
    assert found.fewest is not None and found.most is not None and needed is not None
    assert found.fewest <= needed <= found.most


def test_what_was_shown_is_kept_and_questions_that_are_not_known_are_against_every_decision():
    sequence = sequence_of([1] * 3 + [0] * 27)
    assert sequence.interval.low > 0.05
    # Only that it is not severe is left to be shown.
    assert outlook(sequence, 790, STARTS).chance > outlook(sequence_of([0] * 27 + [1] * 3), 790, STARTS).chance
    unknown = DecisionSequence((0.5,))
    for x in range(40):
        unknown.add(least=x % 4 == 0, most=x % 4 != 1)
    assert outlook(unknown, 10_000, (0.5,)) == Outlook(0.0, None, None)


def test_nothing_is_decided_where_no_question_is_left():
    assert outlook(sequence_of([0, 0, 1] * 10), 30, STARTS).chance == 0.0


@dataclass(frozen=True)
class Followed:
    """A decision sequence after some questions of a whole run, as `DecisionSequence` gives it."""

    questions: int
    least: int
    most: int
    interval: Interval


def follow(singles: NDArray[np.bool_]) -> tuple[int, list[Followed]]:
    """Return after how many questions a run is decided, infinitely many where it is not, and how it stood till then."""
    k, n = singles.cumsum().astype(float), np.arange(1.0, FILE + 1)

    def first(rate: float, errors_in: int, *, is_above: bool) -> float:
        hits = log_evidence(k, n, rate, is_above=is_above) >= math.log(errors_in)
        return n[hits.argmax()] if hits.any() else math.inf

    not_none, severe = first(0.05, 20, is_above=True), first(0.20, 40, is_above=True)
    none, not_severe = first(0.05, 40, is_above=False), first(0.20, 20, is_above=False)
    decided = min(max(none, not_severe), max(not_none, not_severe), max(severe, not_none))
    stood = []
    for at in range(30, int(min(decided, FILE)), 40):
        low = 0.21 if severe <= at else 0.05 if not_none <= at else 0.0
        high = 0.04 if none <= at else 0.20 if not_severe <= at else 1.0
        stood.append(Followed(at, int(k[at - 1]), int(k[at - 1]), Interval(low, high)))
    return decided, stood


@pytest.mark.parametrize("runs", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_that_no_verdict_is_to_be_expected_is_said_early_and_seldom_in_runs_that_decide(runs):
    rng = np.random.default_rng(5)
    too_soon = 0.0
    for rate in (0.01, 0.05, 0.10, 0.20, 0.30):
        followed = [follow(rng.random(FILE) < rate) for _ in range(runs)]
        said = [
            next((x.questions for x in stood if outlook(x, FILE, STARTS).chance < 0.05), None) for _, stood in followed
        ]
        decided = np.array([at <= FILE for at, _ in followed])
        wrongly = sum(x is not None for x, is_decided in zip(said, decided, strict=True) if is_decided)
        first = np.median([x or FILE for x, is_decided in zip(said, decided, strict=True) if not is_decided] or [0])
        print(
            f"rate {rate:4.0%}: {decided.mean():4.0%} decided, said in {wrongly} of them; in others first at {first:g}"
        )
        too_soon += wrongly / len(said) / 5
        if rate in (0.05, 0.20):
            assert first < 0.6 * FILE
    assert too_soon <= 0.05
