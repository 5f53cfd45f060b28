"""Probabilities from scores, out of fold, and how well probabilities hold: ECE and Brier score.

A probability is that of an incorrect answer. It does not know where scores come from, and fits nothing on the questions
that it predicts.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, require_classes, score_vector
from homogaudit.statistics.bootstrap import CHUNK_WEIGHTS, DRAWS, percentile_interval
from homogaudit.statistics.logistic_regression import fit_logistic_regression

BINS = 10
"""Bins of equal mass (METHODS, Statistics)."""

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Out-of-fold probabilities of an incorrect answer and how well they hold.

    Attributes:
        method: `platt` or `isotonic`.
        probabilities: Shape (n,), each from a fit on the other folds.
        ece: Expected calibration error of them; `None` with fewer questions than bins.
        brier: Brier score of them.
    """

    method: str
    probabilities: FloatArray
    ece: float | None
    brier: float


def _checked(probabilities: ArrayLike, positive: ArrayLike) -> tuple[FloatArray, BoolArray]:
    vector = score_vector(probabilities)
    labels = class_vector(positive, vector.size)
    outside = vector[(vector < 0) | (vector > 1)]
    if outside.size:
        raise UndefinedStatisticError(
            f"`{outside[0]:g}` is not a probability", "a calibration error needs scores between 0 and 1"
        )
    if not vector.size:
        raise UndefinedStatisticError("a calibration over `0` questions", "it needs at least one question")
    return vector, labels


def _bin_numbers(probabilities: FloatArray) -> NDArray[np.intp]:
    """Return the bin of each question: between quantiles, equal probabilities in one bin."""
    if probabilities.size < BINS:
        raise UndefinedStatisticError(
            f"`{probabilities.size}` questions for `{BINS}` bins", "an ECE needs at least one question a bin"
        )
    edges = np.quantile(probabilities, np.linspace(0, 1, BINS + 1))
    return np.searchsorted(edges[1:-1], probabilities)


def expected_calibration_error(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """Return the ECE over 10 bins of equal mass: the mean over questions of |mean probability - error rate| of a bin.

    The bins lie between quantiles, so equal probabilities are never parted and bins with ties may be larger. It is
    above 0 by chance even where the probabilities hold: `ece_by_chance` says how far.

    Args:
        probabilities: Shape (n,), between 0 and 1.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There are fewer questions than bins, or a value is not a probability.

    Source:
        Naeini, Cooper and Hauskrecht (2015); bins of equal mass as in Nguyen and O'Connor (2015).
    """
    vector, labels = _checked(probabilities, positive)
    gaps = np.bincount(_bin_numbers(vector), weights=vector - labels, minlength=BINS)
    return float(np.abs(gaps).sum()) / vector.size


def brier_score(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """Return the mean squared distance of the probabilities from the outcomes.

    Args:
        probabilities: Shape (n,), between 0 and 1.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There are no questions, or a value is not a probability.

    Source:
        Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    vector, labels = _checked(probabilities, positive)
    return float(np.mean((vector - labels) ** 2))


def ece_by_chance(probabilities: ArrayLike, positive: ArrayLike, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Return between which values the ECE lies by chance alone where the probabilities hold, in 95% of draws.

    An ECE is above 0 by chance, and an interval around it would leave out the 0 that may be true. So the labels are
    drawn anew from the probabilities, and the ECE is to be read beside what that gives: above the upper end the
    probabilities are shown not to hold.

    Args:
        probabilities: Shape (n,), between 0 and 1.
        positive: Shape (n,), True for an incorrect answer; only checked.
        draws: How many sets of labels.
        seed: Of the labels.

    Raises:
        UndefinedStatisticError: There are fewer questions than bins, or a value is not a probability.

    Source:
        Broecker and Smith (2007), "Increasing the reliability of reliability diagrams", Weather and Forecasting 22:
        consistency resampling.
    """
    vector, _ = _checked(probabilities, positive)
    bins = np.zeros((vector.size, BINS))
    bins[np.arange(vector.size), _bin_numbers(vector)] = 1.0
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_WEIGHTS // vector.size)
    drawn: list[FloatArray] = []
    for start in range(0, draws, rows):
        labels = generator.random((min(rows, draws - start), vector.size)) < vector
        drawn.append(np.abs((vector - labels) @ bins).sum(axis=1) / vector.size)
    found = percentile_interval(np.concatenate(drawn))
    assert found is not None
    return found


def calibrate_out_of_fold(
    scores: ArrayLike, positive: ArrayLike, method: Literal["platt", "isotonic"], seed: int = 0
) -> Calibrated:
    """Return P(incorrect) of every question from its score, by a fit on the other four of five stratified folds.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        method: `platt`, a logistic curve that may also fall, or `isotonic`, a rising step function.
        seed: Of the folds.

    Raises:
        UndefinedStatisticError: A class has fewer questions than there are folds, or a score is not finite.

    Source:
        Platt (1999), "Probabilistic outputs for support vector machines", with his targets; Zadrozny and Elkan (2002),
        "Transforming classifier scores into accurate multiclass probability estimates".
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    require_classes(labels, FOLDS, f"calibration in {FOLDS} folds")
    fit = {"platt": _platt, "isotonic": _isotonic}[method]
    probabilities = np.empty(vector.size)
    fold = _folds(labels, seed)
    for number in range(FOLDS):
        training, held_out = fold != number, fold == number
        probabilities[held_out] = fit(vector[training], labels[training], vector[held_out])
    ece = expected_calibration_error(probabilities, labels) if vector.size >= BINS else None
    return Calibrated(method, probabilities, ece, brier_score(probabilities, labels))


def _folds(positive: BoolArray, seed: int) -> NDArray[np.intp]:
    """Return the fold of each question: those of scikit-learn's `StratifiedKFold`, shuffled."""
    generator = np.random.RandomState(seed)
    # The class of the first question comes first. Dealt out in turns, it says how many of each a fold gets.
    classes = (positive == positive[0], positive != positive[0])
    dealt = np.arange(positive.size) % FOLDS
    first = np.count_nonzero(classes[0])
    fold = np.empty(positive.size, dtype=np.intp)
    for members, turns in zip(classes, (dealt[:first], dealt[first:]), strict=True):
        numbers = np.sort(turns)
        generator.shuffle(numbers)
        fold[members] = numbers
    return fold


def _platt(scores: FloatArray, positive: BoolArray, held_out: FloatArray) -> FloatArray:
    from scipy.special import expit

    # Standardised, so that the solver converges whatever the unit of the signal.
    center, scale = scores.mean(), scores.std() or 1.0
    positives = np.count_nonzero(positive)
    # Platt's targets are not quite 0 and 1, which keeps the curve finite where the classes do not overlap.
    targets = np.where(positive, (positives + 1) / (positives + 2), 1 / (positive.size - positives + 2))
    model = fit_logistic_regression((scores - center)[:, None] / scale, targets)
    return expit(model.log_odds((held_out - center)[:, None] / scale))


def _isotonic(scores: FloatArray, positive: BoolArray, held_out: FloatArray) -> FloatArray:
    from scipy.optimize import isotonic_regression

    # Equal scores are one point of the step function; between two it rises along a line.
    points, number, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rates = np.bincount(number, weights=positive) / counts
    return np.interp(held_out, points, isotonic_regression(rates, weights=counts).x)
