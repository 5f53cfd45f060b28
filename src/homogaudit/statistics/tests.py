"""Tests of paired outcomes and counts, and the correction for many tests.

It knows no AUROC: `comparisons` tests those. It does not know where p values to correct come from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import class_vector, score_vector

EXACT_BELOW = 25
"""Discordant pairs below which the chi-square approximation is not used."""

MOST_EXACT = 50
"""Pairs up to which the exact distribution of the signed-rank sum is used, as SciPy does."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's test of two rates on the same questions.

    Attributes:
        n: Questions.
        only_first: Questions where only the first outcome is true.
        only_second: Questions where only the second is.
        p: Two-sided; 1 where no question is discordant.
        method: `exact` (binomial) or `chi_square` (with Edwards' continuity correction).
    """

    n: int
    only_first: int
    only_second: int
    p: float
    method: str


@dataclass(frozen=True, slots=True)
class Wilcoxon:
    """Wilcoxon's signed-rank test of paired values.

    Attributes:
        n: Pairs that differ; the others say nothing about the direction.
        rank_sum_positive: Sum of the ranks of the pairs in which the first value is higher.
        rank_sum_negative: Sum of the ranks of the others.
        p: Two-sided.
    """

    n: int
    rank_sum_positive: float
    rank_sum_negative: float
    p: float


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """Test whether two outcomes are true of the same questions equally often.

    Below 25 discordant pairs the exact binomial test, from 25 on the chi-square with the continuity correction
    (|b - c| - 1)^2 / (b + c), which is 0 where b = c.

    Args:
        first: Shape (n,), boolean.
        second: Shape (n,), boolean, of the same questions.

    Raises:
        UndefinedStatisticError: There are no questions.

    Source:
        McNemar (1947), "Note on the sampling error of the difference between correlated proportions"; Edwards (1948)
        for the correction.
    """
    # scipy.special and not scipy.stats, whose import takes longer than many a report.
    from scipy.special import bdtr, chdtrc

    a = np.asarray(first, dtype=np.bool_)
    b = class_vector(second, a.size)
    if a.shape != b.shape:
        raise ValueError(f"expected a vector of outcomes, not shape {a.shape}")
    if not a.size:
        raise UndefinedStatisticError("a paired test over `0` questions", "McNemar's test needs at least one question")
    only_first, only_second = int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))
    discordant = only_first + only_second
    if discordant == 0:
        return McNemar(a.size, 0, 0, 1.0, "exact")
    if discordant < EXACT_BELOW:
        p = min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))
        return McNemar(a.size, only_first, only_second, p, "exact")
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
    return McNemar(a.size, only_first, only_second, float(chdtrc(1, statistic)), "chi_square")


def wilcoxon(first: ArrayLike, second: ArrayLike) -> Wilcoxon:
    """Test whether paired values, for example cluster counts of two runs, are shifted against each other.

    Equal pairs are left out. The p is exact up to 50 pairs whose differences have no ties in size, else by the normal
    approximation with the correction for ties.

    Args:
        first: Shape (n,), finite.
        second: Shape (n,), finite, of the same questions.

    Raises:
        UndefinedStatisticError: No pair differs, or a value is not finite.

    Source:
        Wilcoxon (1945), "Individual comparisons by ranking methods".
    """
    from scipy.stats import rankdata
    from scipy.stats import wilcoxon as signed_rank

    a, b = score_vector(first), score_vector(second)
    if a.size != b.size:
        raise ValueError(f"expected pairs, not {a.size} and {b.size} values")
    differences = (a - b)[a != b]
    if not differences.size:
        raise UndefinedStatisticError(
            f"none of `{a.size}` pairs differs", "a signed-rank test needs pairs that are not equal"
        )
    ranks = rankdata(np.abs(differences))
    # Its result is typed as a bare tuple, without its attributes.
    exact = differences.size <= MOST_EXACT and np.unique(np.abs(differences)).size == differences.size
    found: Any = signed_rank(differences, method="exact" if exact else "approx")
    return Wilcoxon(
        n=differences.size,
        rank_sum_positive=float(ranks[differences > 0].sum()),
        rank_sum_negative=float(ranks[differences < 0].sum()),
        p=min(1.0, float(found.pvalue)),
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p values, in the order given.

    Args:
        p_values: Shape (m,), each between 0 and 1; may be empty.

    Returns:
        Shape (m,), never below the p given, never above 1, in the same order of size.

    Raises:
        UndefinedStatisticError: A p is NaN or outside [0, 1].

    Source:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"expected a vector of p values, not shape {p.shape}")
    invalid = p[~((p >= 0) & (p <= 1))]
    if invalid.size:
        raise UndefinedStatisticError(f"`{invalid[0]}` is not a p value", "leave out tests that could not be made")
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
