"""The difference of two rates on the same questions: its interval, and whether it is small enough not to matter.

It does not know which rate is which: single clusters of two models and flags of two signals are both pairs of outcomes.
`tests.mcnemar` tests whether the difference is there at all.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.codec import Count
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import class_vector
from homogaudit.statistics.comparisons import MARGIN
from homogaudit.statistics.rates import MOST_QUESTIONS, POWER


@dataclass(frozen=True, slots=True)
class RateDifference:
    """The first rate minus the second, on the same questions.

    Attributes:
        value: Between -1 and 1.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Questions.
        only_first: Questions where only the first outcome is true.
        only_second: Questions where only the second is.
    """

    value: float
    low: float
    high: float
    n: Count
    only_first: Count
    only_second: Count


def rate_difference(first: ArrayLike, second: ArrayLike, confidence: float = 0.95) -> RateDifference:
    """Return the difference of two paired rates with Tango's score interval.

    It holds 0 exactly where McNemar's statistic without a correction does not reach the quantile, and has a width also
    where no question is discordant.

    Args:
        first: Shape (n,), boolean.
        second: Shape (n,), boolean, of the same questions.
        confidence: Of the two-sided interval, between 0 and 1.

    Raises:
        UndefinedStatisticError: There are no questions.

    Source:
        Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design", Statistics in Medicine 17, 891-908.
    """
    from scipy.optimize import bisect

    a = np.asarray(first, dtype=np.bool_)
    b = class_vector(second, a.size)
    if a.shape != b.shape:
        raise ValueError(f"expected a vector of outcomes, not shape {a.shape}")
    n = a.size
    if not n:
        raise UndefinedStatisticError("a difference of rates over `0` questions", "it needs at least one question")
    only_first, only_second = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    value = (only_first - only_second) / n
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def beyond(difference: float, quantile: float) -> float:
        return _score(only_first, only_second, n, difference) - quantile

    # Typed as if it might return more than the root. The statistic is infinite at the ends, so only its sign is used.
    low: Any = -1.0 if only_second == n else bisect(beyond, -1, value, args=(z,), xtol=1e-12)
    high: Any = 1.0 if only_first == n else bisect(beyond, value, 1, args=(-z,), xtol=1e-12)
    return RateDifference(value, low, high, n, only_first, only_second)


def p_below(found: RateDifference, bound: float) -> float:
    """Return the one-sided p of "the first rate is higher by `bound` or more"; small shows that it is not.

    It is at most 0.025 exactly where the upper end of the 95% interval is at most `bound`.

    Args:
        found: From `rate_difference`.
        bound: Between -1 and 1, without the ends.

    Source:
        Tango (1998), as in `rate_difference`.
    """
    if not -1 < bound < 1:
        raise ValueError(f"expected a bound between -1 and 1, not {bound}")
    return math.erfc(-_score(found.only_first, found.only_second, found.n, bound) / math.sqrt(2)) / 2


def p_equivalent_rates(found: RateDifference, margin: float = MARGIN) -> float:
    """Return the p of two one-sided tests of "the rates differ by `margin` or more"; small shows that they do not.

    It is at most 0.05 exactly where the 90% interval of the difference lies within the margin.

    Args:
        found: From `rate_difference`.
        margin: The largest difference that does not matter, above 0 and below 1.

    Source:
        Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach"; Tango (1998).
    """
    if not 0 < margin < 1:
        raise ValueError(f"expected a margin between 0 and 1, not {margin}")
    return max(p_below(found, margin), 1 - p_below(found, -margin))


def difference_questions_needed(found: RateDifference, bound: float, power: float = POWER) -> int | None:
    """Return about how many questions would put the 95% interval of a difference to one side of a bound.

    Args:
        found: From `rate_difference`; its shares of discordant questions are taken for the true ones.
        bound: Between -1 and 1, without the ends.
        power: With which probability.

    Returns:
        `None` where the difference equals the bound, or more than 1,000,000 are needed.

    Source:
        Liu, Hsueh, Hsieh and Chen (2002), "Tests for equivalence or non-inferiority for paired binary data",
        Statistics in Medicine 21, 231-245.
    """
    if found.value == bound:
        return None
    discordant = (found.only_first + found.only_second) / found.n
    spread = math.sqrt(max(discordant - found.value**2, 0.0))
    spread_at_bound = math.sqrt(_variance(found.only_first, found.only_second, found.n, bound) / found.n)
    z, z_power = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(power)
    needed = math.ceil(((z * spread_at_bound + z_power * spread) / (bound - found.value)) ** 2)
    return needed if needed <= MOST_QUESTIONS else None


def _score(only_first: int, only_second: int, n: int, difference: float) -> float:
    """Return the score statistic of a difference, standard normal where that is the true one."""
    distance = only_first - only_second - n * difference
    if distance == 0:
        return 0.0
    variance = _variance(only_first, only_second, n, difference)
    return math.copysign(math.inf if variance <= 0 else abs(distance) / math.sqrt(variance), distance)


def _variance(only_first: int, only_second: int, n: int, difference: float) -> float:
    """Return the variance of the number of discordant questions by which the first rate is higher, at a difference.

    The rate of "only the second" is estimated by maximum likelihood under it (Tango, equations 10 to 13).
    """
    square, linear = 2 * n, (2 * n - only_first + only_second) * difference - only_first - only_second
    constant = -only_second * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 4 * square * constant, 0.0))
    # With a positive linear term the usual form of the root would subtract two near numbers.
    rate = (root - linear) / (2 * square) if linear <= 0 else -2 * constant / (root + linear)
    return n * (2 * rate + difference * (1 - difference))
