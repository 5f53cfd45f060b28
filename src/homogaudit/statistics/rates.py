"""Rates with their intervals, and how many questions would settle one.

It does not know what is counted: single clusters, correct answers and refusals are all `k` of `n`.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.codec import Count, Share
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import FloatArray

MOST_QUESTIONS = 1_000_000
"""Beyond this an audit is not a plan, so `questions_needed` gives no number."""

POWER = 0.80
"""With which probability an audit of as many questions as are said to be needed decides."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`k` of `n` with an interval, Wilson's unless it is said to be another.

    Attributes:
        value: k / n.
        low: Lower end of the interval.
        high: Upper end of the interval.
        k: How many.
        n: Of how many.
    """

    value: Share
    low: Share
    high: Share
    k: Count
    n: Count


def _check(k: float, n: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"expected 0 <= k <= n, not k = {k}, n = {n}")
    if n == 0:
        raise UndefinedStatisticError("a rate over `0` questions", "a rate needs at least one question")


def wilson(k: int, n: int, confidence: float = 0.95) -> Rate:
    """Return the rate `k / n` with its Wilson score interval, no continuity correction.

    Args:
        k: How many; 0 <= k <= n.
        n: Of how many.
        confidence: Of the two-sided interval, between 0 and 1.

    Raises:
        ValueError: `k` is not between 0 and `n`.
        UndefinedStatisticError: `n` is 0.

    Source:
        Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    _check(k, n)
    interval = wilson_interval(k / n, n, confidence)
    return Rate(k / n, interval.low, interval.high, k, n)


def wilson_interval(share: float, n: int, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a share of `n`, which need not be a whole number of them.

    Args:
        share: Between 0 and 1.
        n: At least 1.
        confidence: Of the two-sided interval, between 0 and 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Exact where rounding would leave a trace.
    return Interval(0.0 if share <= 0 else center - half, 1.0 if share >= 1 else center + half)


def clopper_pearson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the two-sided interval whose ends are each wrong in at most half of 1 - `confidence`, at every n.

    Args:
        k: How many; 0 <= k <= n. An effective number need not be whole.
        n: Of how many.
        confidence: Between 0 and 1.

    Raises:
        ValueError: `k` is not between 0 and `n`.
        UndefinedStatisticError: `n` is 0.

    Source:
        Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial".
    """
    # scipy.special and not scipy.stats, whose import takes longer than many a report.
    from scipy.special import betaincinv

    _check(k, n)
    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Interval(low, high)


def grouped_interval(hits: ArrayLike, groups: Sequence[Hashable], confidence: float = 0.95) -> Interval:
    """Return the interval of a rate whose questions resemble each other within groups, such as categories.

    Clopper and Pearson's for as many independent questions as would have the variance that the groups show, made
    fewer for how little a few groups tell of that variance. It is never narrower than that of as many independent
    questions, and it is that one where nothing varies.

    Args:
        hits: Shape (n,), True for a question that counts.
        groups: The group of each question.
        confidence: Between 0 and 1.

    Raises:
        UndefinedStatisticError: There are fewer than two groups.

    Source:
        Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data", Survey Methodology 24(2).
    """
    from scipy.special import stdtrit

    counted = np.asarray(hits, dtype=np.bool_)
    places: dict[Hashable, int] = {}
    group = np.array([places.setdefault(name, len(places)) for name in groups], dtype=np.intp)
    m, n, k = len(places), counted.size, int(counted.sum())
    if m < 2:
        raise UndefinedStatisticError(f"an interval over `{m}` groups", "it needs at least two")
    rate = k / n
    totals, sizes = np.bincount(group, counted), np.bincount(group)
    variance = m / (m - 1) * float(((totals - rate * sizes) ** 2).sum()) / n**2
    effective = float(n)
    if variance > 0:
        quantile = 0.5 + confidence / 2
        few_groups = float(stdtrit(n - 1, quantile) / stdtrit(m - 1, quantile)) ** 2
        effective = min(effective, rate * (1 - rate) / variance * few_groups)
    return clopper_pearson(rate * effective, effective, confidence)


def questions_needed(rate: float, bounds: Sequence[float], *, power: float = POWER, weight: float = 1.0) -> int | None:
    """Return how many questions would put the Clopper-Pearson interval between two neighbouring bounds, or beyond one.

    Args:
        rate: The true rate, in [0, 1]; its place among the bounds is what is to be shown.
        bounds: Rates in (0, 1), rising, for example 0.05 and 0.20.
        power: The probability of it, at this number of questions and at every larger one.
        weight: How many questions tell as much as one independent one.

    Returns:
        The number of questions, exact up to 200 and within 1% above; `None` where the rate equals a bound or more
        than 1,000,000 are needed.
    """
    if rate in bounds:
        return None
    questions: FloatArray = np.unique(np.append(np.arange(1.0, 201.0), np.geomspace(200, MOST_QUESTIONS, 860).round()))
    low = max((bound for bound in bounds if bound < rate), default=0.0)
    high = min((bound for bound in bounds if bound > rate), default=1.0)
    # How many hits put the lower end above the bound below, and the upper end under the bound above.
    fewest = np.zeros(questions.size) if low == 0 else _first_above(questions, low)
    most = questions if high == 1 else questions - _first_above(questions, 1 - high)
    chance = _at_most(most, questions, rate) - _at_most(fewest - 1, questions, rate)
    short = np.flatnonzero(chance < power)
    place = int(short[-1]) + 1 if short.size else 0
    if place == questions.size:
        return None
    needed = math.ceil(questions[place] * weight)
    return needed if needed <= MOST_QUESTIONS else None


def _first_above(questions: FloatArray, bound: float) -> FloatArray:
    """Return how many hits first have a lower end above a bound: P(that many or more | bound) is under 2.5%.

    Where even all of them have not, it is one more than there are.
    """
    low, high = np.zeros(questions.size), questions + 1
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        is_above = 1 - _at_most(middle - 1, questions, bound) < 0.025
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    return high


def _at_most(k: FloatArray, n: FloatArray, rate: float) -> FloatArray:
    """Return P(at most k of n) at a rate."""
    from scipy.special import betainc

    inside = np.clip(k, 0, n - 1)
    return np.where(k < 0, 0.0, np.where(k >= n, 1.0, betainc(n - inside, inside + 1, 1 - rate)))
