"""Deciding while a run goes on: in which band a rate lies, however often that is looked at.

For every rate there is a one-sided test against each side, valid at all numbers of questions at once: a mixture of
likelihood ratios that stays below 1/alpha forever with probability 1 - alpha where the rate is the true one. The rates
that no test has rejected yet are a confidence sequence, and the bands that it touches are those that are left.

The errors are allotted so that whatever the true rate, a wrong band is left alone with probability 5% at most, and the
sequence is a 95% one: in an outer band only the inner end can miss the rate (5%), in an inner one each end can (2.5%).
So the tests that name an inner band have 5% each, those that name an outer band 2.5%.

Questions are to come in random order. The tests are those of independent questions; drawn without replacement from a
file they err no more often, because where they reject a rate the answers seen are less likely under it without
replacement than with it.

Source:
    Ville (1939); Robbins (1970), "Statistical methods related to the law of the iterated logarithm"; Waudby-Smith and
    Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B 86(1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.records import Interval
from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.rates import MOST_QUESTIONS

ALPHA = 0.05
"""Probability with which a wrong band may ever be named, and the sequence ever miss the rate."""

_SHAPE = 0.5
"""Of the beta distribution over rates that a test is a mixture by: Jeffreys', cut at the rate that is tested."""

_HALVINGS = 30
"""Of a band, after which an end is known to a billionth."""


@dataclass(frozen=True, slots=True)
class Band:
    """Rates from `low` to `high`, both included, with the errors of the tests that reject them."""

    low: float
    high: float
    below: float
    above: float


def bands_of(starts: Sequence[float]) -> list[Band]:
    """Return the bands; `starts` are the lowest rates of all but the first."""
    lows = [0.0, *starts]
    highs = [*(math.nextafter(start, 0.0) for start in starts), 1.0]
    each = ALPHA / 2
    if not starts:
        return [Band(0.0, 1.0, each, each)]
    found = [Band(low, high, each, each) for low, high in zip(lows, highs, strict=True)]
    found[0] = Band(lows[0], highs[0], ALPHA, 0.0)
    found[-1] = Band(lows[-1], highs[-1], 0.0, ALPHA)
    return found


def log_evidence(k: FloatArray, n: FloatArray, rate: float, *, is_above: bool) -> FloatArray:
    """Return the log likelihood ratio of a mixture of all higher, or all lower, rates against one rate.

    Args:
        k: Shape (m,), how many count.
        n: Shape (m,), of how many.
        rate: In [0, 1]; 1 has no higher rates, and 0 no lower ones.
        is_above: Whether the mixture is of higher rates.
    """
    from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy

    share = betaincc if is_above else betainc
    a, b = k + _SHAPE, n - k + _SHAPE
    # The share is 0 to rounding where the answers are far on the other side: no evidence at all.
    with np.errstate(divide="ignore"):
        mixed = betaln(a, b) + np.log(share(a, b, rate))
    mixed -= betaln(_SHAPE, _SHAPE) + math.log(share(_SHAPE, _SHAPE, rate))
    return mixed - xlogy(k, rate) - xlog1py(n - k, -rate)


def _rejects(k: FloatArray, n: FloatArray, rate: float, alpha: float, *, is_above: bool) -> bool:
    """Whether a rate was rejected at some time, because the true one is above it, or below."""
    if not alpha or not k.size or rate == (1.0 if is_above else 0.0):
        return False
    return bool(log_evidence(k, n, rate, is_above=is_above).max() >= -math.log(alpha))


def confidence_sequence(least: ArrayLike, most: ArrayLike, starts: Sequence[float] = ()) -> Interval:
    """Return the rates that are left after some questions, in the order in which they were taken.

    It covers the true rate at every number of questions at once with probability 95%. An end that stops at a band
    leaves that band whole or not at all.

    Args:
        least: Shape (n,), whether each question counts, of one that is not known False.
        most: The same, of one that is not known True.
        starts: The lowest rate of each band but the first, rising, in (0, 1); without any there is one band.

    Returns:
        The smallest and the largest rate left; [0, 1] without a question.
    """
    counted = [np.cumsum(np.asarray(x, dtype=np.bool_)).astype(np.float64) for x in (least, most)]
    n = np.arange(1.0, counted[0].size + 1)
    bands = bands_of(starts)
    return _between(_end(counted[0], n, bands, is_low=True), _end(counted[1], n, bands, is_low=False))


class DecisionSequence:
    """The confidence sequence of questions that come one by one, as `confidence_sequence` gives it.

    Attributes:
        questions: How many have come.
        least: How many of them count at least.
        most: How many count at most.
    """

    def __init__(self, starts: Sequence[float]) -> None:
        self.questions = 0
        self._bands = bands_of(starts)
        self.least = self.most = 0
        self._low, self._high = 0.0, 1.0

    def add(self, *, least: bool, most: bool) -> None:
        """Take a question that counts at least, and at most, so much."""
        self.questions += 1
        self.least += least
        self.most += most
        n, least_of, most_of = (np.array([float(x)]) for x in (self.questions, self.least, self.most))
        self._low = max(self._low, _end(least_of, n, self._bands, is_low=True))
        self._high = min(self._high, _end(most_of, n, self._bands, is_low=False))

    @property
    def interval(self) -> Interval:
        """The rates that are left."""
        return _between(self._low, self._high)


def _between(low: float, high: float) -> Interval:
    """Return what is left; where every rate is rejected, as in fewer than 5% of runs, what lies between the ends."""
    return Interval(min(low, high), max(low, high))


def _end(k: FloatArray, n: FloatArray, bands: Sequence[Band], *, is_low: bool) -> float:
    """Return the lower end of what is left, or the upper one; the rates beyond it are rejected."""
    for band in bands if is_low else reversed(bands):
        alpha, outer, inner = (band.below, band.low, band.high) if is_low else (band.above, band.high, band.low)
        if _rejects(k, n, inner, alpha, is_above=is_low):
            continue
        if not _rejects(k, n, outer, alpha, is_above=is_low):
            return outer
        for _ in range(_HALVINGS):
            middle = (outer + inner) / 2
            if _rejects(k, n, middle, alpha, is_above=is_low):
                outer = middle
            else:
                inner = middle
        return outer
    # Not reached: the last band has no error to reject it with, and a single one holds a rate that none rejects.
    return 1.0 if is_low else 0.0


def questions_to_one_band(rate: float, starts: Sequence[float], of: Sequence[float] | None = None) -> int | None:
    """Return after how many questions one band is left, if every one of them counts as much as a rate says.

    About half of the runs at this rate need more. `None` where more than 1,000,000 are needed, as at a rate where a
    band begins.

    Args:
        rate: In [0, 1].
        starts: The lowest rate of each band but the first.
        of: Those of the sequence, where it is one of other bands. It never leaves one band alone that it cannot tell
            from the rest of its own first or last band: `None` then too.
    """
    bands = bands_of(starts if of is None else of)
    tests: list[tuple[float, float, bool]] = []
    for start in starts:
        is_above = rate >= start
        nearest = math.nextafter(start, 0.0) if is_above else start
        band = next(x for x in reversed(bands) if nearest >= x.low)
        tests.append((nearest, band.below if is_above else band.above, is_above))

    def decides(questions: int) -> bool:
        n = np.array([float(questions)])
        return all(_rejects(n * rate, n, end, alpha, is_above=is_above) for end, alpha, is_above in tests)

    if not decides(MOST_QUESTIONS):
        return None
    few, enough = 0, MOST_QUESTIONS
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if decides(middle) else (middle, enough)
    return enough
