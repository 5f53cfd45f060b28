"""How likely a decision is within the questions that are left, and after how many of them.

The rest of a run is simulated many times, each time at one of the rates that its questions leave likely, and followed
until its decision sequence leaves one band. So what is told holds that the rate is not known, and chance; the number of
questions that the rate of the moment needs holds neither.

Source:
    Spiegelhalter, Freedman and Blackburn (1986), "Monitoring clinical trials: conditional or predictive power?",
    Controlled Clinical Trials 7(1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from homogaudit.outlook import Outlook
from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.decision_sequence import DecisionSequence, bands_of, log_evidence
from homogaudit.statistics.rates import MOST_QUESTIONS

_RUNS = 500
"""Simulated. A chance of 5% is then known to one point."""

_STEP, _STEP_BEHIND = 0.03, 0.1
"""From one look at a simulated run to the next, as a share of its questions, within the file and behind it. A run looks
after every question, so one that is simulated is found to be decided at most so much late."""

_QUARTILES = (0.25, 0.75)
"""Of the questions of simulated runs, which are told: of a wider range the upper end says nothing, as a rate close to
where a band begins is nearly always among the likely ones."""


@dataclass(frozen=True, slots=True)
class _Looks:
    """When simulated runs are looked at, and what is shown then at each place where a band begins.

    Attributes:
        questions: Shape (looks,), rising.
        above: Shape (places, looks), the smallest count that rejects the band below the place; none is more than all.
        below: Shape (places, looks), the largest count that rejects the band above it; -1 where none does.
    """

    questions: NDArray[np.int64]
    above: NDArray[np.int64]
    below: NDArray[np.int64]


def outlook(sequence: DecisionSequence, of: int, starts: Sequence[float], *, seed: int = 0) -> Outlook:
    """Return what is to be expected of a run by what its questions were so far.

    The rate is distributed as Jeffreys' prior and the questions say. Questions that are not known stay as frequent as
    they are.

    Args:
        sequence: Of at least one question.
        of: Questions of the file.
        starts: The lowest rate of each band but the first.
        seed: Of the simulation.
    """
    looks = _looks(of, tuple(starts))
    at = sequence.questions
    first = int(np.searchsorted(looks.questions, at, side="right"))
    questions = looks.questions[first:]
    rng = np.random.default_rng(seed)
    unknown = (sequence.most - sequence.least) / at
    rates = (1 - unknown) * rng.beta(sequence.least + 0.5, at - sequence.most + 0.5, (_RUNS, 1))
    steps = np.diff(questions, prepend=at)
    more = rng.binomial(steps, rates).cumsum(axis=1)
    least, most = sequence.least + more, sequence.most + more
    if unknown:
        most += rng.binomial(steps, unknown, more.shape).cumsum(axis=1)

    left = sequence.interval
    # After how many questions all bands below a place are rejected, and all above it, by run.
    now, never = np.full(_RUNS, float(at)), np.full(_RUNS, math.inf)
    lower, upper = [now], [now]
    for place, start in enumerate(starts):
        found = now if left.low >= start else _first(least >= looks.above[place, first:], questions)
        lower.append(np.maximum(lower[-1], found))
    for place, start in reversed(list(enumerate(starts))):
        found = now if left.high < start else _first(most <= looks.below[place, first:], questions)
        upper.append(np.maximum(upper[-1], found))
    decided = np.minimum.reduce([never, *map(np.maximum, lower, reversed(upper))])
    ends = np.quantile(decided, _QUARTILES, method="inverted_cdf")
    fewest, enough = (int(x) if math.isfinite(x) else None for x in ends)
    return Outlook(float(np.mean(decided <= of)), fewest, enough)


def _first(hits: NDArray[np.bool_], questions: NDArray[np.int64]) -> FloatArray:
    """Return after how many questions each run is hit first, infinitely many where it never is."""
    return np.where(hits.any(axis=1), questions[hits.argmax(axis=1)], math.inf)


@lru_cache(maxsize=4)
def _looks(of: int, starts: tuple[float, ...]) -> _Looks:
    """Return the looks at the runs of a file and behind its end."""
    within, behind = math.log(max(of, 2)), math.log(max(MOST_QUESTIONS / of, 2))
    parts = [
        np.exp(np.linspace(0, within, math.ceil(within / _STEP))),
        of * np.exp(np.linspace(0, behind, math.ceil(behind / _STEP_BEHIND))),
    ]
    questions = np.unique(np.concatenate(parts).round().astype(np.int64))
    bands = bands_of(starts)
    above = [_bound(questions, x.high, x.below, is_above=True) for x in bands[:-1]]
    below = [_bound(questions, x.low, x.above, is_above=False) for x in bands[1:]]
    return _Looks(questions, np.array(above), np.array(below))


def _bound(questions: NDArray[np.int64], rate: float, alpha: float, *, is_above: bool) -> NDArray[np.int64]:
    """Return the count from which on a rate is rejected for a higher one, or down from which for a lower one."""
    n = questions.astype(np.float64)
    # A count that is one too many, on the side that rejects, and one on the other.
    yes, no = (questions + 1, np.full_like(questions, -1)) if is_above else (np.full_like(questions, -1), questions + 1)
    while np.any(abs(yes - no) > 1):
        middle = (yes + no) // 2
        rejects = log_evidence(middle.astype(np.float64), n, rate, is_above=is_above) >= -math.log(alpha)
        yes, no = np.where(rejects, middle, yes), np.where(rejects, no, middle)
    return yes
