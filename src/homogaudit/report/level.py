"""From single and several clusters to a rate, and from its interval to a level: all that decides is here.

Bands are [0, 5%), [5%, 20%] and (20%, 1]; a level names those that the interval touches. It knows no clustering and no
words around a level.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from homogaudit.records import Interval
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate, clopper_pearson, grouped_interval, wilson
from homogaudit.statistics.bootstrap import FEWEST_CATEGORIES
from homogaudit.statistics.decision_sequence import confidence_sequence

Band = Literal["none", "mild", "severe"]
Level = Literal["none", "at most mild", "mild", "at least mild", "severe", "undecided", "not judged"]
VerdictLevel = Literal[Level, "invalid"]

MILD = 0.05
SEVERE = 0.20
"""Single-cluster rates from which on, and above which, homogenization is mild and severe (METHODS)."""

LEVEL_STARTS = (MILD, math.nextafter(SEVERE, 1.0))
"""The lowest rates of the bands of mild and of severe homogenization."""

FEWEST_QUESTIONS = 10
"""With fewer questions whose samples all hold an answer no level is given (METHODS)."""

_BANDS: Mapping[VerdictLevel, tuple[Band, ...]] = {
    "none": ("none",),
    "at most mild": ("none", "mild"),
    "mild": ("mild",),
    "at least mild": ("mild", "severe"),
    "severe": ("severe",),
    "undecided": ("none", "mild", "severe"),
}


def bound_starts(bound: float) -> tuple[float, ...]:
    """Return the lowest rate above a bound, where the second of two bands begins: below and above it."""
    return (math.nextafter(bound, 1.0),)


def possible_bands(level: VerdictLevel) -> tuple[Band, ...]:
    """Return the bands that a level leaves open, the lowest first: all where it says nothing."""
    return _BANDS.get(level, _BANDS["undecided"])


def level_of(rate: Rate | Undefined) -> Level:
    """Return the level that names the bands which the interval of a rate touches."""
    if isinstance(rate, Undefined):
        return "not judged"
    touches: dict[Band, bool] = {
        "none": rate.low < MILD,
        "mild": rate.low <= SEVERE and rate.high >= MILD,
        "severe": rate.high > SEVERE,
    }
    touched = tuple(band for band, is_touched in touches.items() if is_touched)
    return next(level for level, bands in _BANDS.items() if bands == touched and level != "invalid")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Whether the samples of each scored question form one cluster.

    A question whose valid samples already form two clusters is not single whatever its missing ones would have said.

    Attributes:
        clusters: Shape (n,), of the valid samples; 1 where there are fewer than two of them.
        whole: Shape (n,), whether all N samples hold an answer.
        categories: Of each question.
        question_ids: Of each.
        starts: Where bands begin between which a run decides while it goes on, the questions being in their random
            order; empty for an interval that holds then without bands. `None` of a run whose number of questions was
            fixed beforehand.
    """

    clusters: NDArray[np.intp]
    whole: NDArray[np.bool_]
    categories: Sequence[str | None]
    question_ids: Sequence[str]
    starts: tuple[float, ...] | None = None

    @property
    def _best(self) -> NDArray[np.bool_]:
        """Which are single if each missing answer were a cluster of its own."""
        return (self.clusters == 1) & self.whole

    @property
    def _worst(self) -> NDArray[np.bool_]:
        """Which are single if each missing answer agreed with the others."""
        return self.clusters == 1

    @property
    def _known(self) -> NDArray[np.bool_]:
        return self._best | ~self._worst

    def known_single(self) -> dict[str, bool]:
        """Return whether each question that is known to be single or not is single, by its id."""
        rows = zip(self.question_ids, self._best, self._known, strict=True)
        return {question_id: bool(single) for question_id, single, is_known in rows if is_known}

    def rate(self, reason: str) -> Rate | Undefined:
        """Return the single-cluster rate of the questions known to be single or not, with Wilson's interval."""
        return _rate(self._best[self._known], reason)

    def best_case(self, reason: str) -> Rate | Undefined:
        """Return the lowest rate that the missing answers allow."""
        return _rate(self._best, reason)

    def worst_case(self, reason: str) -> Rate | Undefined:
        """Return the highest."""
        return _rate(self._worst, reason)

    def by_category(self) -> Rate | Undefined:
        """Return the rate with its interval over categories, from the best to the worst case."""
        named = len({name for name in self.categories if name is not None})
        if named < FEWEST_CATEGORIES:
            return Undefined(f"an interval over categories needs {FEWEST_CATEGORIES}, there are {named}")
        # A question without a category is one of its own; no name equals its place.
        groups = [place if name is None else name for place, name in enumerate(self.categories)]
        return self._enveloped("no question is clustered", lambda single: grouped_interval(single, groups))

    def level_rate(self, reason: str) -> Rate | Undefined:
        """Return the rate with the interval that the level goes by, or why there is no level.

        It reaches from the lower end of the best case to the upper end of the worst, each end Clopper and Pearson's or
        that over categories, whichever interval is wider; of a run that decides while it goes on it is the confidence
        sequence, which needs no such care: any order of categories is as likely as any other.

        Args:
            reason: Why there is no question, should there be none.
        """
        whole, scored = int(self.whole.sum()), self.whole.size
        if not whole:
            return Undefined(reason)
        if scored < FEWEST_QUESTIONS:
            are = "question is" if scored == 1 else "questions are"
            return Undefined(f"only {scored} {are} clustered, {FEWEST_QUESTIONS} are needed")
        if whole < FEWEST_QUESTIONS:
            have = f"{whole} of {scored:,} scored questions {'has' if whole == 1 else 'have'}"
            return Undefined(f"only {have} an answer in each of the samples, {FEWEST_QUESTIONS} are needed")
        if self.starts is not None:
            rate = self.rate(reason)
            ends = confidence_sequence(self._best, self._worst, self.starts)
            return rate if isinstance(rate, Undefined) else replace(rate, low=ends.low, high=ends.high)
        exact = self._enveloped(reason, lambda single: clopper_pearson(int(single.sum()), single.size))
        over = self.by_category()
        if isinstance(over, Undefined) or isinstance(exact, Undefined):
            return exact
        return over if over.high - over.low > exact.high - exact.low else exact

    def _enveloped(self, reason: str, interval: Callable[[NDArray[np.bool_]], Interval]) -> Rate | Undefined:
        rate = self.rate(reason)
        if isinstance(rate, Undefined):
            return rate
        return replace(rate, low=interval(self._best).low, high=interval(self._worst).high)


def _rate(single: NDArray[np.bool_], reason: str) -> Rate | Undefined:
    return wilson(int(single.sum()), single.size) if single.size else Undefined(reason)
