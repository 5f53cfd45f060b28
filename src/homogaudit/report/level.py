"""From single and several clusters to a rate, and from its interval to a level: all that decides is here.

Bands are [0, 5%), [5%, 20%] and (20%, 1]; a level names those that the interval touches. It knows no clustering and no
words around a level.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from homogaudit.records import Interval
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate, clopper_pearson, grouped_interval, wilson
from homogaudit.statistics.bootstrap import FEWEST_CATEGORIES
from homogaudit.statistics.decision_sequence import confidence_sequence
from homogaudit.statistics.two_phase_rate import two_phase_rate

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


def deciding_starts(max_scr: float | None) -> tuple[float, ...]:
    """Return where the bands begin between which a run decides while it goes on: on a bound, or on the level."""
    return LEVEL_STARTS if max_scr is None else bound_starts(max_scr)


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
class Phases:
    """Of a run for the rate alone: which questions lay apart at first, and which are drawn to the end all the same.

    Attributes:
        apart: Shape (n,), whether the first samples form two clusters or more.
        audited: Shape (n,), whether a question is of the random share that is drawn to the end.
    """

    apart: NDArray[np.bool_]
    audited: NDArray[np.bool_]


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
        phases: Of a run for the rate alone, `None` of another. A question that was drawn no further counts as one of
            two clusters; what its rest may have made of it is estimated from the audited ones.
    """

    clusters: NDArray[np.intp]
    whole: NDArray[np.bool_]
    categories: Sequence[str | None]
    question_ids: Sequence[str]
    starts: tuple[float, ...] | None = None
    phases: Phases | None = None

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
        """Return whether each question that is known to be single or not is single, by its id.

        Of a run for the rate alone those of the random share.
        """
        known = self._known if self.phases is None else self._known & self.phases.audited
        rows = zip(self.question_ids, self._best, known, strict=True)
        return {question_id: bool(single) for question_id, single, is_known in rows if is_known}

    def rate(self, reason: str) -> Rate | Undefined:
        """Return the single-cluster rate of the questions known to be single or not, with Wilson's interval.

        Of a run for the rate alone it is the estimate of `two_phase_rate`, with its interval.
        """
        return self._rate(self._best, self._known, reason)

    def best_case(self, reason: str) -> Rate | Undefined:
        """Return the lowest rate that the missing answers allow."""
        return self._rate(self._best, np.ones_like(self.whole), reason)

    def worst_case(self, reason: str) -> Rate | Undefined:
        """Return the highest."""
        return self._rate(self._worst, np.ones_like(self.whole), reason)

    def reversals(self) -> Rate | Undefined:
        """Return the share of the audited questions, of those that lay apart at first, that are single all the same."""
        if self.phases is None:
            return Undefined("every question is drawn to the end")
        found = self._best[self.phases.apart & self.phases.audited & self._known]
        return wilson(int(found.sum()), found.size) if found.size else Undefined("no audited question lay apart")

    def _rate(self, single: NDArray[np.bool_], of: NDArray[np.bool_], reason: str) -> Rate | Undefined:
        if not of.any():
            return Undefined(reason)
        if self.phases is None:
            return wilson(int(single[of].sum()), int(of.sum()))
        audited, apart = self.phases.audited & of, self.phases.apart
        if not audited.any():
            return Undefined("no question of the random share is drawn to the end yet")
        single = single & of
        reversals = int((single & apart & audited).sum())
        return two_phase_rate(int((single & ~apart).sum()), int(of.sum()), reversals, int(audited.sum()))

    def by_category(self) -> Rate | Undefined:
        """Return the rate with its interval over categories, from the best to the worst case."""
        named = len({name for name in self.categories if name is not None})
        if named < FEWEST_CATEGORIES:
            return Undefined(f"an interval over categories needs {FEWEST_CATEGORIES}, there are {named}")
        # A question without a category is one of its own; no name equals its place.
        groups = [place if name is None else name for place, name in enumerate(self.categories)]
        return self._enveloped("no question is clustered", lambda single: self._grouped(single, groups))

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
        exact = self._enveloped(reason, self._exact)
        over = self.by_category()
        if isinstance(over, Undefined) or isinstance(exact, Undefined):
            return exact
        return over if over.high - over.low > exact.high - exact.low else exact

    def _exact(self, single: NDArray[np.bool_]) -> Interval:
        """Return the interval of independent questions."""
        if self.phases is not None:
            found = self._rate(single, np.ones_like(self.whole), "")
            assert isinstance(found, Rate)
            return Interval(found.low, found.high)
        return clopper_pearson(int(single.sum()), single.size)

    def _grouped(self, single: NDArray[np.bool_], groups: Sequence[Hashable]) -> Interval:
        """Return the interval of questions that are alike within groups."""
        found = grouped_interval(single, groups)
        if self.phases is None:
            return found
        # What is seen to be single is alike within groups; as much as reversals add, they add here.
        seen, exact = clopper_pearson(int(single.sum()), single.size), self._exact(single)
        return Interval(min(found.low, exact.low), min(1.0, found.high + max(0.0, exact.high - seen.high)))

    def _enveloped(self, reason: str, interval: Callable[[NDArray[np.bool_]], Interval]) -> Rate | Undefined:
        rate = self.rate(reason)
        if isinstance(rate, Undefined):
            return rate
        return replace(rate, low=interval(self._best).low, high=interval(self._worst).high)
