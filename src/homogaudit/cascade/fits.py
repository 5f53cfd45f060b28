"""The cascade's rule and its fit: normalisation, calibrated P(incorrect) at each depth, thresholds. Many fits at once.

At depth i P_i is the calibrated P(incorrect | signals 1 to i). A question stops at stage i where P_i lies outside the
thresholds: above the upper one it is flagged, below the lower one accepted. At the first stage those are thresholds on
the signal itself; later they are on all that has been paid for, so that a decision never contradicts an earlier stage's
evidence. All stages are held to the same P, so a weak signal stops few questions and a strong one many: with three
stages that saves up to twice what equal shares at each stage save. What reaches the end is flagged where its P is above
the share of incorrect answers.

A fit is a row: the same questions with other weights. It does not know folds, costs or names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.cascade.boundaries import Stage
from homogaudit.cascade.weighted import fit_logistic, logistic, weighted_aurocs, weighted_quantiles
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, require_classes, score_matrix
from homogaudit.statistics.comparisons import MARGIN

FOLDS = 5

LEAST_OF_A_CLASS = 2 * FOLDS
"""Two in every held-out fold; a policy is fitted on no fewer than can be evaluated."""

BANDS = tuple(step / 10 for step in range(11))
"""The share of the questions, by P after all stages, between the thresholds: 0 stops all at the first stage, 1 runs
every stage. One number for both thresholds is what hundreds of questions can settle."""

TOLERANCE = 0.3 * MARGIN
"""AUROC that the chosen band may lose in training; the rest of the margin is for the error of the difference."""

CLIP = 4.0
"""Deviations from the mean beyond which a signal counts no more: one outlier must not decide a fit."""

TIE = 1e-9
"""Probabilities closer than this are equal. Taken off the cut: a question of which nothing is known is flagged."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What cascades did.

    Attributes:
        score: P(incorrect | signals seen), shape (rows, n).
        stage: Where each question was decided, from 0, shape (rows, n).
    """

    score: FloatArray
    stage: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class FittedCascades:
    """Cascades of k stages, one a row.

    Attributes:
        mean: Of each signal, shape (rows, k).
        deviation: Standard deviation of each signal, shape (rows, k).
        coefficients: For each depth d the intercept and d weights, shape (rows, d + 1).
        cut: Share of incorrect answers, shape (rows,).
        lower: Lower threshold for every band of `BANDS`, shape (rows, bands).
        upper: Upper thresholds, likewise.
        band: The index of the chosen band, shape (rows,).
    """

    mean: FloatArray
    deviation: FloatArray
    coefficients: tuple[FloatArray, ...]
    cut: FloatArray
    lower: FloatArray
    upper: FloatArray
    band: NDArray[np.intp]

    def probabilities(self, signals: FloatArray) -> list[FloatArray]:
        """Return P at every depth for the same questions under every fit.

        Args:
            signals: Shape (n, k).

        Returns:
            k arrays of shape (rows, n).
        """
        return _probabilities(_normalise(signals, self.mean, self.deviation), self.coefficients)

    def decide(self, probabilities: list[FloatArray], band: NDArray[np.intp] | int | None = None) -> Outcome:
        """Run the cascades, at the chosen band or at another.

        Args:
            probabilities: From `probabilities`.
            band: An index into `BANDS`, for all rows or one a row.
        """
        rows = np.arange(self.band.size)
        chosen = np.broadcast_to(np.asarray(self.band if band is None else band, dtype=np.intp), rows.shape)
        return _decide(probabilities, self.lower[rows, chosen], self.upper[rows, chosen])


def checked_signals(stages: Sequence[Stage], signals: ArrayLike, positive: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Return (n, k) signals and (n,) labels that a cascade can be fitted on.

    Args:
        stages: k of them.
        signals: Shape (k, n), in the order of the stages.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There is one stage or none, a signal is constant or undefined somewhere, or a class has
            fewer than `LEAST_OF_A_CLASS` questions.
    """
    matrix = score_matrix(signals)
    if matrix.shape[0] != len(stages):
        raise ValueError(f"expected {len(stages)} rows of signals, not shape {matrix.shape}")
    labels = class_vector(positive, matrix.shape[1])
    if len(stages) < 2:
        raise UndefinedStatisticError(f"a cascade of `{len(stages)}` stages", "a cascade needs two signals or more")
    require_classes(labels, LEAST_OF_A_CLASS, "a cascade on held-out folds")
    for stage, row in zip(stages, matrix, strict=True):
        undefined = int(np.count_nonzero(np.isnan(row)))
        if undefined:
            raise UndefinedStatisticError(
                f"`{stage.signal}` is undefined for `{undefined}` of `{row.size}` questions",
                "leave out the questions for which a stage is undefined",
            )
        if np.ptp(row) == 0:
            raise UndefinedStatisticError(f"`{stage.signal}` is the same for every question", "leave out this stage")
    return matrix.T, labels


def fit_cascades(signals: FloatArray, positive: FloatArray, weights: FloatArray) -> FittedCascades:
    """Fit one cascade for every row of weights.

    Of the bands the narrowest is chosen whose AUROC in training is at most `TOLERANCE` below that of running every
    stage.

    Args:
        signals: Shape (n, k), oriented, in the order of the stages.
        positive: Shape (n,), 1 for an incorrect answer, else 0.
        weights: Shape (rows, n), how often each question counts; each row has some on both classes.
    """
    total = weights.sum(axis=1, keepdims=True)
    # About the overall mean, so that squares keep their digits.
    center = signals.mean(axis=0)
    offset = weights @ (signals - center) / total
    variance = weights @ (signals - center) ** 2 / total - offset**2
    spread = variance > 1e-12 * signals.var(axis=0)
    mean, deviation = center + offset, np.sqrt(np.where(spread, variance, 1.0))
    normalised = _normalise(signals, mean, deviation)
    coefficients: list[FloatArray] = []
    for depth in range(1, signals.shape[1] + 1):
        start = coefficients[-1] if coefficients else None
        coefficients.append(fit_logistic(normalised[:, :, :depth], positive, weights, start))
    probabilities = _probabilities(normalised, tuple(coefficients))
    positives = weights * positive
    cut = positives.sum(axis=1) / total[:, 0] - TIE
    lower, upper = _thresholds(probabilities[-1], weights, cut)
    negatives = weights - positives
    full = weighted_aurocs(probabilities[-1], positives, negatives)
    # The widest runs every stage and is good enough for whom no narrower one is.
    band = np.full(len(weights), len(BANDS) - 1, dtype=np.intp)
    wanting = np.arange(len(weights))
    for i in range(len(BANDS) - 1):
        own = [depth[wanting] for depth in probabilities]
        decided = _decide(own, lower[wanting, i], upper[wanting, i])
        is_good = weighted_aurocs(decided.score, positives[wanting], negatives[wanting]) >= full[wanting] - TOLERANCE
        band[wanting[is_good]] = i
        wanting = wanting[~is_good]
        if not wanting.size:
            break
    return FittedCascades(mean, deviation, tuple(coefficients), cut, lower, upper, band)


def _normalise(signals: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return (rows, n, k) deviations from the mean."""
    return np.clip((signals[None] - mean[:, None]) / deviation[:, None], -CLIP, CLIP)


def _probabilities(normalised: FloatArray, coefficients: tuple[FloatArray, ...]) -> list[FloatArray]:
    found: list[FloatArray] = []
    for fitted in coefficients:
        weighted = normalised[:, :, : fitted.shape[1] - 1] @ fitted[:, 1:, None]
        found.append(logistic(fitted[:, :1] + weighted[:, :, 0]))
    return found


def _thresholds(full: FloatArray, weights: FloatArray, cut: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper thresholds of shape (rows, bands) from P after all stages.

    A band of b lies around the b nearest to the cut, of those below it and of those above it.
    """
    bands = np.array(BANDS)
    below = ((weights * (full < cut[:, None])).sum(axis=1) / weights.sum(axis=1))[:, None]
    levels = np.concatenate([below * (1 - bands), below + (1 - below) * bands], axis=1)
    found = weighted_quantiles(full, weights, levels)
    # A threshold is often the P of tied questions: they stay together whatever the last bits.
    lower = np.minimum(found[:, : bands.size], cut[:, None]) - TIE
    upper = np.maximum(found[:, bands.size :], cut[:, None]) + TIE
    lower[:, 0] = upper[:, 0] = cut
    # Beyond what training showed too, every question escalates.
    lower[:, -1], upper[:, -1] = 0.0, 1.0
    return lower, upper


def _decide(probabilities: list[FloatArray], lower: FloatArray, upper: FloatArray) -> Outcome:
    last = len(probabilities) - 1
    score = probabilities[last]
    stage = np.full(score.shape, last, dtype=np.intp)
    for i in range(last - 1, -1, -1):
        own = probabilities[i]
        stops = (own < lower[:, None]) | (own > upper[:, None])
        score = np.where(stops, own, score)
        stage = np.where(stops, i, stage)
    return Outcome(score, stage)
