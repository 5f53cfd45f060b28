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
    score_matrix,
    score_vector,
)
from homogaudit.statistics.auroc import auroc
from homogaudit.statistics.bootstrap import (
    DRAWS,
    Estimate,
    auroc_draws,
    percentile_interval,
    question_weights,
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
        raise UndefinedStatisticError(
            f"a difference of means over `{a.size}` question{'' if a.size == 1 else 's'}", "it needs at least two"
        )
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
    first: ArrayLike,
    second: ArrayLike,
    positive: ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
    margin: float = MARGIN,
) -> tuple[PairedAurocs | None, ...]:
    """Return the AUROCs of signals in two runs with the intervals and the tests of their differences.

    Args:
        first: Shape (signals, n), of the first run; NaN where a question does not count, without a label or a score.
        second: Shape (signals, n), of the second run, the same signals and questions.
        positive: Shape (2, n), True for an answer that is incorrect in the first and in the second run.
        draws: How many resamples of the questions.
        seed: Of the resampling.
        margin: The largest difference that does not matter.

    Returns:
        One a signal; `None` where a run has scores that are all equal, or fewer than two counted questions of a class.

    Raises:
        UndefinedStatisticError: A score is infinite.

    Source:
        Efron and Tibshirani (1993), chapters 13 and 16; a p counts the draws beyond, and one more, so that it is never
        0 (Davison and Hinkley (1997), "Bootstrap methods and their application", section 4.2).
    """
    matrices = score_matrix(first), score_matrix(second)
    labels = [class_vector(row, matrices[0].shape[1]) for row in np.asarray(positive, dtype=np.bool_)]
    drawn = [auroc_draws(matrix, own, draws, seed) for matrix, own in zip(matrices, labels, strict=True)]
    found: list[PairedAurocs | None] = []
    for one, other, *resampled in zip(*matrices, *drawn, strict=True):
        a, b = resampled
        counted = ~np.isnan(one), ~np.isnan(other)
        if a is None or b is None or min(_fewest(x[own]) for x, own in zip(labels, counted, strict=True)) < 2:
            found.append(None)
            continue
        differences = a - b
        differences = differences[~np.isnan(differences)]
        values = [auroc(row[own], x[own]) for row, own, x in zip((one, other), counted, labels, strict=True)]
        n = int(np.count_nonzero(counted[0] | counted[1]))
        found.append(
            PairedAurocs(
                first=values[0],
                second=values[1],
                difference=_estimate(values[0] - values[1], differences, n),
                p=min(1.0, 2 * min(_beyond(differences <= 0), _beyond(differences >= 0))),
                p_equivalent=max(_beyond(differences <= -margin), _beyond(differences >= margin)),
            )
        )
    return tuple(found)


def _fewest(positive: BoolArray) -> int:
    positives = int(np.count_nonzero(positive))
    return min(positives, positive.size - positives)


def _beyond(draws: BoolArray) -> float:
    return (int(np.count_nonzero(draws)) + 1) / (draws.size + 1)


def _estimate(value: float, drawn: FloatArray, n: int) -> Estimate:
    """Return a value with the interval of its draws, none where they do not vary."""
    found = percentile_interval(drawn) if drawn.size and np.ptp(drawn) > 0 else None
    return Estimate(value, found and found.low, found and found.high, n)
