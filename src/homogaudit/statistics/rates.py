"""Rates with Wilson intervals, and how many questions would settle one.

It does not know what is counted: single clusters, correct answers and refusals are all `k` of `n`.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from homogaudit.codec import Count, Share
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray

__all__ = ["Rate", "questions_needed", "wilson"]

MOST_QUESTIONS = 1_000_000
"""Beyond this an audit is not a plan, so `questions_needed` gives no number."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`k` of `n` with its Wilson interval.

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


def _check(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"expected 0 <= k <= n, not k = {k}, n = {n}")
    if n == 0:
        raise UndefinedStatisticError("a rate over `0` questions", "a rate needs at least one question")


def _wilson_bounds(k: FloatArray, n: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper ends for arrays of counts; exactly 0 at k = 0 and exactly 1 at k = n."""
    rate = k / n
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return np.where(k == 0, 0.0, center - half), np.where(k == n, 1.0, center + half)


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
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low, high = _wilson_bounds(np.array([k], dtype=np.float64), np.array([n], dtype=np.float64), z)
    return Rate(value=k / n, low=float(low[0]), high=float(high[0]), k=k, n=n)


def questions_needed(k: int, n: int, level: float) -> int | None:
    """Return the smallest number of questions at which the 95% interval of this rate no longer holds `level`.

    The rate observed is taken to stay as it is, so that m questions give round(k / n * m). Rounding makes some
    small m look decided by luck: while the interval at `n` still holds `level`, only numbers above `n` are
    considered. The interval ends must lie on the rate's own side of `level`.

    Args:
        k: How many were seen; 0 <= k <= n.
        n: Of how many.
        level: The rate to be told apart from, for example 0.05.

    Returns:
        The number of questions; `None` where the rate equals `level` or more than 1,000,000 are needed.

    Raises:
        ValueError: `k` is not between 0 and `n`.
        UndefinedStatisticError: `n` is 0.
    """
    _check(k, n)
    rate = k / n
    if rate == level:
        return None
    z = NormalDist().inv_cdf(0.975)
    questions = np.arange(1, MOST_QUESTIONS + 1, dtype=np.float64)
    low, high = _wilson_bounds(np.rint(rate * questions), questions, z)
    decided = high < level if rate < level else low >= level
    start = 0 if n > MOST_QUESTIONS or decided[n - 1] else n
    settling = np.flatnonzero(decided[start:])
    return int(questions[start + settling[0]]) if settling.size else None
