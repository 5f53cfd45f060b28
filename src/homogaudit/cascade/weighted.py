"""Many weighted AUROCs, quantiles and ridge-logistic fits at once: what makes refitting in every bootstrap draw cheap.

A row is one draw: the same questions with other weights (how often each was drawn). It knows nothing of stages.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.statistics.arrays import FloatArray

RIDGE = 1.0
"""Half of it times the squared weights is the penalty, as `C = 1` in scikit-learn: it keeps the fit finite where the
classes do not overlap, and at hundreds of questions does little else."""

NEWTON_STEPS = 50
DESCENT_ROUNDS = 20
CONVERGED = 1e-8

_FLAT = 1e-9
"""A gradient of a weight at 0 that is smaller than this, beside the others, is rounding."""


def weighted_aurocs(scores: FloatArray, positives: FloatArray, negatives: FloatArray) -> FloatArray:
    """Return the AUROC of every row, ties half, in O(n log n).

    Args:
        scores: Shape (rows, n), finite.
        positives: Shape (rows, n): the weight of each question as a positive, 0 for a negative one.
        negatives: The same the other way round.

    Returns:
        Shape (rows,), NaN where a class has no weight.
    """
    rows, n = scores.shape
    order = np.argsort(scores, axis=1)
    by_score = np.take_along_axis(scores, order, axis=1)
    starts = np.ones((rows, n), dtype=np.bool_)
    starts[:, 1:] = by_score[:, 1:] != by_score[:, :-1]
    # Groups of tied scores, numbered through all rows.
    group = np.cumsum(starts) - 1
    groups = int(group[-1]) + 1
    won = np.bincount(group, np.take_along_axis(positives, order, axis=1).ravel(), groups)
    lost = np.bincount(group, np.take_along_axis(negatives, order, axis=1).ravel(), groups)
    first = group[::n]
    sizes = np.diff(np.append(first, groups))
    below = np.cumsum(lost) - lost
    below -= np.repeat(below[first], sizes)
    wins = np.add.reduceat(won * (below + lost / 2), first)
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.divide(wins, pairs, out=np.full(rows, np.nan), where=pairs > 0)


def weighted_aurocs_of(scores: Sequence[FloatArray], positives: FloatArray, negatives: FloatArray) -> FloatArray:
    """Return what `weighted_aurocs` gives for several scores of the same questions, shape (scores, rows)."""
    count = (len(scores), 1)
    found = weighted_aurocs(np.concatenate(scores), np.tile(positives, count), np.tile(negatives, count))
    return found.reshape(len(scores), -1)


def weighted_quantiles(values: FloatArray, weights: FloatArray, levels: FloatArray) -> FloatArray:
    """Return the smallest value up to which each row holds a share of its weight.

    Args:
        values: Shape (rows, n).
        weights: Shape (rows, n), some of each row above 0.
        levels: Shape (rows, m), between 0 and 1.

    Returns:
        Shape (rows, m).
    """
    order = np.argsort(values, axis=1)
    shares = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    shares /= shares[:, -1:]
    # Without the subtraction 0.1 + 0.2 of the weight would not reach a level of 0.3.
    found = [np.searchsorted(row, wanted - 1e-12) for row, wanted in zip(shares, levels, strict=True)]
    places = np.minimum(np.array(found, dtype=np.intp), values.shape[1] - 1)
    return np.take_along_axis(np.take_along_axis(values, order, axis=1), places, axis=1)


def fit_logistic(
    inputs: FloatArray, positive: FloatArray, weights: FloatArray, start: FloatArray | None = None
) -> FloatArray:
    """Fit P(positive) = 1 / (1 + exp(-(intercept + w x))) with w >= 0 and a ridge on w, one fit a row.

    Inputs are oriented so that higher speaks for the positive class. A negative weight would use one upside down, so
    one that points the other way in training gets 0.

    Args:
        inputs: Shape (rows, n, k), on a scale of about 1.
        positive: Shape (n,), 1 or 0.
        weights: Shape (rows, n); each row has some on both classes.
        start: Shape (rows, up to k + 1), from a fit on the first inputs.

    Returns:
        Shape (rows, k + 1), the intercept first.

    Source:
        Newton's method with the quadratic model minimised under w >= 0 (projected Newton); the problem is convex.
    """
    rows, n, k = inputs.shape
    design = np.concatenate([np.ones((rows, n, 1)), inputs], axis=2)
    across = design.transpose(0, 2, 1)
    share = (weights @ positive) / weights.sum(axis=1)
    fitted = np.zeros((rows, k + 1))
    fitted[:, 0] = np.log(share / (1 - share))
    if start is not None:
        fitted[:, : start.shape[1]] = start
    ridge = np.full(k + 1, RIDGE)
    ridge[0] = 0
    diagonal = np.arange(k + 1)
    for _ in range(NEWTON_STEPS):
        probability = logistic((design @ fitted[:, :, None])[:, :, 0])
        gradient = (across @ (weights * (positive - probability))[:, :, None])[:, :, 0] - ridge * fitted
        hessian = across @ (design * (weights * probability * (1 - probability))[:, :, None])
        hessian[:, diagonal, diagonal] += ridge
        # A row whose probabilities are all 0 or 1 in the last bits has no curvature in the intercept.
        hessian[:, 0, 0] += 1e-12
        target = gradient + (hessian @ fitted[:, :, None])[:, :, 0]
        found = _solve(hessian, target)
        negative = (found[:, 1:] < 0).any(axis=1)
        if negative.any():
            found[negative] = _solve_nonnegative(hessian[negative], target[negative], fitted[negative])
        moved = float(np.abs(found - fitted).max())
        fitted = found
        if moved < CONVERGED:
            break
    return fitted


def logistic(values: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return (np.tanh(values / 2) + 1) / 2


def _solve(matrices: FloatArray, targets: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(matrices, targets[:, :, None])[:, :, 0], dtype=np.float64)


def _solve_nonnegative(hessian: FloatArray, target: FloatArray, start: FloatArray) -> FloatArray:
    """Minimise t H t / 2 - c t with t[1:] >= 0: exactly on the support of the last step, or else on another.

    From one step to the next the support seldom changes. Where the gradient points out of it, coordinate descent finds
    another one.
    """
    support = _support(start)
    found = _solve_on(support, hessian, target)
    gradient = target - (hessian @ found[:, :, None])[:, :, 0]
    outward = np.where(support, 0.0, gradient) > _FLAT * np.abs(target).max(axis=1, keepdims=True)
    moving = (found[:, 1:] < 0).any(axis=1) | outward.any(axis=1)
    if moving.any():
        found[moving] = _descend(hessian[moving], target[moving], start[moving])
    return found


def _support(weights: FloatArray) -> NDArray[np.bool_]:
    """Return which weights are not 0; the intercept always counts."""
    support: NDArray[np.bool_] = weights > 0
    support[:, 0] = True
    return support


def _solve_on(support: NDArray[np.bool_], hessian: FloatArray, target: FloatArray) -> FloatArray:
    """Return the minimum with all weights outside the support at 0, whatever the sign of the others."""
    reduced = np.where(support[:, :, None] & support[:, None, :], hessian, 0.0)
    columns = np.arange(support.shape[1])
    reduced[:, columns, columns] = np.where(support, hessian[:, columns, columns], 1.0)
    return _solve(reduced, np.where(support, target, 0.0))


def _descend(hessian: FloatArray, target: FloatArray, start: FloatArray) -> FloatArray:
    """Minimise as `_solve_nonnegative` by coordinate descent, then exactly on the support that it found."""
    found = start.copy()
    residual = target - (hessian @ found[:, :, None])[:, :, 0]
    for _ in range(DESCENT_ROUNDS):
        for column in range(found.shape[1]):
            value = found[:, column] + residual[:, column] / hessian[:, column, column]
            if column:
                value = np.maximum(value, 0)
            residual -= hessian[:, :, column] * (value - found[:, column])[:, None]
            found[:, column] = value
    exact = _solve_on(_support(found), hessian, target)
    feasible = (exact[:, 1:] >= 0).all(axis=1)
    found[feasible] = exact[feasible]
    return found
