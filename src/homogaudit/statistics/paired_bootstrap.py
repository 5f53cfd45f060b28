"""Means and AUROCs of two runs on the same questions: their difference with an interval, by a bootstrap of questions.

A draw takes a question with both of its values, so that what makes a question hard in both runs cancels. It knows no
signal and no run; labels may differ between the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import (
    BoolArray,
    FloatArray,
    class_vector,
    require_classes,
    score_matrix,
    score_vector,
)
from homogaudit.statistics.auroc import auroc
from homogaudit.statistics.bootstrap import (
    DRAWS,
    Estimate,
    WeightArray,
    percentile_interval,
    question_weights,
    weighted_aurocs,
)
from homogaudit.statistics.comparisons import MARGIN


@dataclass(frozen=True, slots=True)
class PairedMeans:
    """Two means over the same questions.

    Attributes:
        difference: The first minus the second.
        ratio: The first over the second; `None` where a mean is not above 0.
    """

    first: float
    second: float
    difference: Estimate
    ratio: Estimate | None


@dataclass(frozen=True, slots=True)
class PairedAurocs:
    """Two AUROCs on the same questions, each with labels of its own.

    Attributes:
        difference: The first minus the second; `n` counts the questions that count in either.
        p: Two-sided, of no difference.
        p_equivalent: Of two one-sided tests of "they differ by the margin or more".
    """

    first: float
    second: float
    difference: Estimate
    p: float
    p_equivalent: float


def paired_means(first: ArrayLike, second: ArrayLike, draws: int = DRAWS, seed: int = 0) -> PairedMeans:
    """Return two means, their difference and their ratio with percentile intervals.

    Pairs that are all equal have a difference without an interval: resampling them moves nothing.

    Args:
        first: Shape (n,), finite.
        second: Shape (n,), finite, of the same questions.
        draws: How many resamples of the questions.
        seed: Of the resampling.

    Raises:
        UndefinedStatisticError: There are fewer than two questions, or a value is not finite.

    Source:
        Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    a, b = score_vector(first), score_vector(second)
    if a.size != b.size:
        raise ValueError(f"expected pairs, not {a.size} and {b.size} values")
    if a.size < 2:
        raise UndefinedStatisticError(f"a difference of means over `{a.size}` questions", "it needs at least two")
    values = np.stack([a, b], axis=1)
    drawn = np.concatenate([weights @ values for weights in question_weights(a.size, draws, seed)])
    mean, other = float(a.mean()), float(b.mean())
    ratio = None
    if min(mean, other) > 0:
        whole = drawn[:, 1] > 0
        ratio = _estimate(mean / other, drawn[whole, 0] / drawn[whole, 1], a.size)
    difference = _estimate(float((a - b).mean()), (drawn[:, 0] - drawn[:, 1]) / a.size, a.size)
    return PairedMeans(mean, other, difference, ratio)


def paired_aurocs(
    scores: ArrayLike, positive: ArrayLike, draws: int = DRAWS, seed: int = 0, margin: float = MARGIN
) -> PairedAurocs:
    """Return two AUROCs with the interval and the tests of their difference.

    Args:
        scores: Shape (2, n), of the first and the second run; NaN where a question does not count there, for want of
            a label or a score.
        positive: Shape (2, n), True for an incorrect answer.
        draws: How many resamples of the questions.
        seed: Of the resampling.
        margin: The largest difference that does not matter.

    Raises:
        UndefinedStatisticError: A run has fewer than two counted questions of a class, or scores that are all equal.

    Source:
        Efron and Tibshirani (1993), chapters 13 and 16; a p counts the draws beyond, one more than there are, so that
        it is never 0 (Davison and Hinkley (1997), "Bootstrap methods and their application", section 4.2).
    """
    matrix = score_matrix(scores)
    labels = [class_vector(row, matrix.shape[1]) for row in np.asarray(positive, dtype=np.bool_)]
    counted = ~np.isnan(matrix)
    for row, own, counts in zip(matrix, labels, counted, strict=True):
        require_classes(own[counts], 2, "a difference of AUROCs")
        if np.ptp(row[counts]) == 0:
            raise UndefinedStatisticError("all values are equal", "an AUROC compares different ones")
    # Questions that count in neither would only thin the draws.
    kept = counted.any(axis=0)
    matrix, counted, labels = matrix[:, kept], counted[:, kept], [own[kept] for own in labels]
    drawn = np.concatenate(
        [
            _weighted(matrix[0], labels[0], counted[0], weights) - _weighted(matrix[1], labels[1], counted[1], weights)
            for weights in question_weights(matrix.shape[1], draws, seed)
        ]
    )
    drawn = drawn[~np.isnan(drawn)]
    first, second = (auroc(row[own], label[own]) for row, own, label in zip(matrix, counted, labels, strict=True))
    return PairedAurocs(
        first=first,
        second=second,
        difference=_estimate(first - second, drawn, matrix.shape[1]),
        p=min(1.0, 2 * min(_beyond(drawn <= 0), _beyond(drawn >= 0))),
        p_equivalent=max(_beyond(drawn <= -margin), _beyond(drawn >= margin)),
    )


def _weighted(scores: FloatArray, positive: BoolArray, counted: BoolArray, weights: WeightArray) -> FloatArray:
    return weighted_aurocs(scores[counted], positive[counted], weights[:, counted])


def _beyond(draws: BoolArray) -> float:
    return (int(np.count_nonzero(draws)) + 1) / (draws.size + 1)


def _estimate(value: float, drawn: FloatArray, n: int) -> Estimate:
    """Return a value with the interval of its draws, none where they do not vary."""
    found = percentile_interval(drawn) if drawn.size and np.ptp(drawn) > 0 else None
    return Estimate(value, found and found.low, found and found.high, n)
