"""A rate of which most questions are only looked at shortly, and a random share of them to the end.

What counts is which questions count in the end. After a first look a question either stays open, and is then looked at
to its end, or seems not to count; of the latter only those of a random sample, drawn before anything was known, are
looked at to their end. So of every question it is known whether it stayed open and counts, and of the sampled ones
whether they seemed not to count and do all the same: reversals.
"""

from functools import lru_cache

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.rates import Rate, clopper_pearson

_ERROR = 0.025
"""Of each end of the interval."""

_WEIGHT = 1.5
"""Of a reversal against its share of the sampled questions, in the order of outcomes that the upper end goes by, and
its reciprocal in that of the lower end. Any weight is exact; near this one, where the likelihood ratio puts it,
intervals are short where reversals are few."""

_SPLITS = np.linspace(0.0, 1.0, 48) ** 2
"""Shares of a rate that may be reversals; the worst counts, and it is among small ones where few are seen."""

_HALVINGS = 22
"""After which an end is known to a millionth."""


@lru_cache(maxsize=1024)
def two_phase_rate(open_ones: int, n: int, reversals: int, sampled: int) -> Rate:
    """Return the rate open_ones / n + reversals / sampled with an interval of at least 95%.

    The upper end is the highest rate, however it is made of open questions and of reversals, at which an outcome like
    this one or a lower one has a probability of 2.5%; the lower end the lowest at which one like this or higher has.
    The outcomes are ordered by open_ones / n + w reversals / sampled, with w = 1.5 for the upper end and 2/3 for the
    lower. Without reversals the interval is Clopper and Pearson's where the sample is large.

    Args:
        open_ones: Questions that stayed open and count.
        n: Of so many, sampled or not.
        reversals: Sampled questions that seemed not to count and do.
        sampled: Questions of the random sample, those that stayed open too.

    Returns:
        k is the estimated number of all n that count.

    Raises:
        ValueError: The numbers cannot be those of a sample of `n`.
        UndefinedStatisticError: Nothing is sampled.

    Source:
        Cochran (1977), "Sampling techniques", ch. 12, for the estimate by double sampling; Buehler (1957), "Confidence
        intervals for the product of two binomial parameters", JASA 52, for the ends.
    """
    if not 0 <= reversals <= sampled <= n or not 0 <= open_ones <= n - reversals:
        raise ValueError(f"no outcome of {sampled} of {n}: {open_ones} open ones, {reversals} reversals")
    if not sampled:
        raise UndefinedStatisticError("a rate without a sampled question", "at least one is looked at to its end")
    if sampled == n:
        exact = clopper_pearson(open_ones + reversals, n)
        return Rate((open_ones + reversals) / n, exact.low, exact.high, open_ones + reversals, n)
    value = min(1.0, open_ones / n + reversals / sampled)
    low, high = (_end(open_ones, n, reversals, sampled, is_low=is_low) for is_low in (True, False))
    return Rate(value, min(low, value), max(high, value), round(n * value), n)


def _end(open_ones: int, n: int, reversals: int, sampled: int, *, is_low: bool) -> float:
    weight = 1 / _WEIGHT if is_low else _WEIGHT
    seen = open_ones / n + weight * reversals / sampled
    # Numbers of reversals that are no higher an outcome, or a lower one, with few enough open ones; and how many.
    found = np.arange(min(sampled, int(seen * sampled / weight + 1e-9)) + 1.0)
    most = np.floor(n * (seen - weight * found / sampled) + 1e-9)
    if is_low:
        most = np.ceil(n * (seen - weight * found / sampled) - 1e-9) - 1
    low, high = (0.0, 1.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        no_higher = _chances(middle, most, found, n, sampled)
        is_above = (1 - no_higher).max() > _ERROR if is_low else no_higher.max() <= _ERROR
        low, high = (low, middle) if is_above else (middle, high)
    return low if is_low else high


def _chances(rate: float, most: FloatArray, found: FloatArray, n: int, sampled: int) -> FloatArray:
    """Return the probability of the outcomes of at most so many open ones, by how much of a rate are reversals."""
    from scipy.special import bdtr, gammaln, xlog1py, xlogy

    share = (rate * _SPLITS)[:, None]
    ways = gammaln(sampled + 1) - gammaln(found + 1) - gammaln(sampled - found + 1)
    reversed_ = np.exp(ways + xlogy(found, share) + xlog1py(sampled - found, -share))
    at_most = np.where(most < 0, 0.0, bdtr(np.clip(most, 0, n), n, rate - share))
    return (reversed_ * at_most).sum(axis=1)
