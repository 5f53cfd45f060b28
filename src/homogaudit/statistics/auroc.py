"""AUROC with ties counted half, its DeLong interval and the paired DeLong test.

Scores are oriented so that higher is more uncertain; the positive class is an incorrect answer. Nothing here knows
what a signal is or resamples anything: `bootstrap` does that.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import (
    BoolArray,
    FloatArray,
    class_vector,
    require_classes,
    score_vector,
)

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class DeLong:
    """An AUROC with DeLong's standard error and 95% interval, on the scale of its log-odds.

    `se` is 0 for constant scores and for classes that do not overlap; the interval is then one point and says
    nothing.
    """

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedDeLong:
    """The difference of two AUROCs on the same questions.

    Attributes:
        delta: AUROC of the first scores minus that of the second.
        se: DeLong's standard error of `delta`.
        z: delta / se; 0 where both are 0.
        p: Two-sided.
        low: Lower end of the 95% interval, clipped to [-1, 1].
        high: Upper end of it.
    """

    delta: float
    se: float
    z: float
    p: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Placements:
    """Where each question stands among those of the other class, ties half.

    Attributes:
        auroc: From the count of pairs won, so that equal rankings differ by exactly 0.
        positives: For each positive the share of negatives below it; the mean is the AUROC.
        negatives: For each negative the share of positives above it; the mean is the AUROC.
    """

    auroc: float
    positives: FloatArray
    negatives: FloatArray

    @property
    def se(self) -> float:
        """DeLong's standard error of the AUROC; each class must have two questions."""
        return _standard_error(self.positives, self.negatives)


def midranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, tied values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return middle[inverse]


def placements(scores: FloatArray, positive: BoolArray) -> Placements:
    """Return the placements of checked `scores`, by midranks in O(n log n); both classes must be there."""
    ranks = midranks(scores)
    wins = ranks[positive] - midranks(scores[positive])
    losses = ranks[~positive] - midranks(scores[~positive])
    return Placements(
        auroc=float(wins.sum()) / (wins.size * losses.size),
        positives=wins / losses.size,
        negatives=1 - losses / wins.size,
    )


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve by Mann-Whitney with midranks: ties count half.

    Args:
        scores: Shape (n,), finite, higher = more likely positive.
        positive: Shape (n,), True for the positive class.

    Raises:
        UndefinedStatisticError: There are no questions or only one class, or a score is not finite.
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    require_classes(labels, 1, "an AUROC")
    positives = int(np.count_nonzero(labels))
    rank_sum = float(midranks(vector)[labels].sum())
    wins = rank_sum - positives * (positives + 1) / 2
    return wins / (positives * (vector.size - positives))


def delong(scores: ArrayLike, positive: ArrayLike) -> DeLong:
    """Return the AUROC with DeLong's standard error and interval, by midranks in O(n log n).

    Args:
        scores: Shape (n,), finite, higher = more likely positive.
        positive: Shape (n,), True for the positive class.

    Raises:
        UndefinedStatisticError: A class has fewer than two questions, or a score is not finite.

    Source:
        DeLong, DeLong and Clarke-Pearson (1988); Sun and Xu (2014), "Fast implementation of DeLong's algorithm",
        IEEE Signal Processing Letters 21(11), algorithm 2.
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    require_classes(labels, 2, "a DeLong interval")
    placed = placements(vector, labels)
    value, se = placed.auroc, placed.se
    found = logit_interval(value, se)
    return DeLong(value=value, se=se, low=found.low, high=found.high)


def logit_interval(value: float, se: float) -> Interval:
    """Return the 95% interval of an AUROC, symmetric on the scale of its log-odds, where it is nearer to normal.

    It stays within 0 and 1 and keeps its level with few questions of a class; one point where `se` is 0.

    Args:
        value: Between 0 and 1; 0 and 1 themselves give one point.
        se: Of the AUROC itself.

    Source:
        Pepe (2003), "The statistical evaluation of medical tests for classification and prediction", section 5.2.
    """
    spread = value * (1 - value)
    if se == 0 or spread == 0:
        return Interval(value, value)
    center, half = math.log(value / (1 - value)), Z_95 * se / spread
    return Interval(*(1 / (1 + math.exp(-x)) for x in (center - half, center + half)))


def _standard_error(positives: FloatArray, negatives: FloatArray) -> float:
    """Return the standard error of a mean of placements, the classes being independent."""
    return math.sqrt(
        float(np.var(positives, ddof=1)) / positives.size + float(np.var(negatives, ddof=1)) / negatives.size
    )


def delong_paired(a: ArrayLike, b: ArrayLike, positive: ArrayLike) -> PairedDeLong:
    """Test whether two signals on the same questions have the same AUROC.

    Args:
        a: Scores of the first signal, shape (n,), finite.
        b: Scores of the second, shape (n,), finite.
        positive: Shape (n,), True for the positive class.

    Raises:
        UndefinedStatisticError: A class has fewer than two questions, a score is not finite, or the AUROCs differ
            without any variance (both separate the classes without overlap or are constant).

    Source:
        DeLong, DeLong and Clarke-Pearson (1988); the variance is that of the differences of placements, which
        equals var(a) + var(b) - 2 cov(a, b) and is exactly 0 for equal rankings.
    """
    first, second = score_vector(a), score_vector(b)
    labels = class_vector(positive, first.size)
    if second.size != first.size:
        raise ValueError(f"expected two signals on the same questions, not {first.size} and {second.size}")
    require_classes(labels, 2, "a paired DeLong test")
    return difference(placements(first, labels), placements(second, labels))


def difference(first: Placements, second: Placements) -> PairedDeLong:
    """Return the paired DeLong test from the placements of both signals, so that many tests can share one.

    Raises:
        UndefinedStatisticError: The AUROCs differ without any variance.
    """
    se = _standard_error(first.positives - second.positives, first.negatives - second.negatives)
    delta = first.auroc - second.auroc
    if se == 0 and delta != 0:
        raise UndefinedStatisticError(
            f"the AUROCs differ by `{delta:.4g}` without variance",
            "a test needs scores in which the classes overlap",
        )
    z = delta / se if se > 0 else 0.0
    return PairedDeLong(
        delta=delta,
        se=se,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)),
        low=max(-1.0, delta - Z_95 * se),
        high=min(1.0, delta + Z_95 * se),
    )
