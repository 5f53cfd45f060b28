"""Whether signals rank wrong answers above right ones, by Mann and Whitney's test; within categories where they must.

A signal that mostly tells categories apart says as little of single questions as the category's name does: its
questions are not independent, and over all of them it would seem to work, or to be inverted, by chance. It is tested
within the categories. What the categories mean, the module does not know.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, require_classes, score_matrix
from homogaudit.statistics.auroc import midranks
from homogaudit.statistics.bootstrap import FEWEST_CATEGORIES

MOSTLY = 0.5
"""Share of a signal's variance, in ranks, above which it lies between categories rather than within."""


def p_works(
    scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None] | None = None
) -> NDArray[np.float64]:
    """Return for every signal the one-sided p of "AUROC > 0.5", before any correction (see `holm`).

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question, which that signal then leaves
            out.
        positive: Shape (n,), True for the positive class.
        categories: Of the n questions; a signal that mostly tells them apart is then tested within them.

    Returns:
        Shape (signals,); 1 for constant scores, and for those constant within each category where that counts.

    Raises:
        UndefinedStatisticError: A signal has scores in only one class, or a score is infinite.

    Source:
        Mann and Whitney (1947), normal approximation with ties and continuity correction, as in SciPy. Within
        categories: van Elteren (1960), "On the combination of independent two-sample tests of Wilcoxon".
    """
    return _tested(score_matrix(scores), positive, categories)


def p_inverted(
    scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None] | None = None
) -> NDArray[np.float64]:
    """Return for every signal the one-sided p of "AUROC < 0.5", otherwise as `p_works`."""
    return _tested(-score_matrix(scores), positive, categories)


def tells_categories_apart(scores: ArrayLike, categories: Sequence[str | None]) -> NDArray[np.bool_]:
    """Return for every signal whether most of its variance, in ranks, lies between the categories.

    The share is that of the one-way analysis of variance, corrected for chance (Kelley 1935, epsilon squared); False
    with fewer than five named categories, or with hardly two questions in each.

    Args:
        scores: Shape (signals, n), NaN where a signal is undefined.
        categories: Of the n questions.
    """
    matrix = score_matrix(scores)
    found = np.zeros(matrix.shape[0], dtype=np.bool_)
    number = _numbered(categories)
    for row, signal in enumerate(matrix):
        defined = ~np.isnan(signal) & (number >= 0)
        members, own = np.unique(number[defined], return_inverse=True)
        n, k = own.size, members.size
        if k < FEWEST_CATEGORIES or n < 2 * k:
            continue
        ranks = midranks(signal[defined])
        means = np.bincount(own, weights=ranks) / np.bincount(own)
        total = float(((ranks - ranks.mean()) ** 2).sum())
        within = float(((ranks - means[own]) ** 2).sum())
        found[row] = total > 0 and 1 - (within / (n - k)) / (total / (n - 1)) > MOSTLY
    return found


def _numbered(categories: Sequence[str | None]) -> NDArray[np.intp]:
    """Return a number a category, -1 for questions without one."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(x, len(numbers)) if x else -1 for x in categories], dtype=np.intp)


def _tested(matrix: FloatArray, positive: ArrayLike, categories: Sequence[str | None] | None) -> NDArray[np.float64]:
    labels = class_vector(positive, matrix.shape[1])
    apart = np.zeros(matrix.shape[0], dtype=np.bool_)
    number = np.zeros(matrix.shape[1], dtype=np.intp)
    if categories is not None:
        apart, number = tells_categories_apart(matrix, categories), _numbered(categories)
    p_values = np.ones(matrix.shape[0])
    for row, signal in enumerate(matrix):
        defined = ~np.isnan(signal)
        values, classes = signal[defined], labels[defined]
        require_classes(classes, 1, "an AUROC")
        if apart[row]:
            p_values[row] = _p_within(values, classes, number[defined])
        elif np.ptp(values) > 0:
            distance, variance = _moments(values, classes)
            p_values[row] = math.erfc((distance - 0.5) / math.sqrt(2 * variance)) / 2
    return p_values


def _p_within(values: FloatArray, classes: BoolArray, number: NDArray[np.intp]) -> float:
    """Return the p over strata, each weighted by one over its questions and one."""
    distance = variance = 0.0
    for stratum in np.unique(number):
        members = number == stratum
        own = classes[members]
        if own.any() and not own.all():
            apart, spread = _moments(values[members], own)
            weight = 1 / (own.size + 1)
            distance, variance = distance + weight * apart, variance + weight**2 * spread
    return math.erfc(distance / math.sqrt(2 * variance)) / 2 if variance > 0 else 1.0


def _moments(values: FloatArray, classes: BoolArray) -> tuple[float, float]:
    """Return the pairs won beyond half, and their variance; SciPy's test takes a millisecond, and folds need many."""
    n, k = values.size, int(np.count_nonzero(classes))
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    wins = float(midranks(values)[classes].sum()) - k * (k + 1) / 2
    variance = k * (n - k) / 12 * (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1)))
    return wins - k * (n - k) / 2, variance
