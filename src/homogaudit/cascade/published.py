"""The in-sample band sweep of the published protocol, kept only to reproduce its figures.

Everything is chosen and scored on the same questions, the 57% saving among it: `ucbd` is what a decision rests on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.cascade.costs import expected_cost, saving
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray, class_vector, require_classes, score_vector
from homogaudit.statistics.auroc import auroc

PUBLISHED_BANDS = (0.0, 0.04, 0.1, 0.2, 0.3)

WEIGHTS = tuple(step / 20 for step in range(21))


@dataclass(frozen=True, slots=True)
class BandPoint:
    """One band of the sweep, in sample.

    Attributes:
        band: Half width around the median of the normalised first signal.
        escalated: Questions inside the band.
        escalation_rate: Their share.
        saving: 1 - the share, as the first signal is free and the second costs one unit.
        auroc: The weighted sum where a question escalates, else the first signal.
    """

    band: float
    escalated: int
    escalation_rate: float
    saving: float
    auroc: float


@dataclass(frozen=True, slots=True)
class PublishedProtocol:
    """The published protocol, in sample.

    Attributes:
        weight_first: Of the first signal in the best weighted sum.
        auroc_parallel: Of that sum.
    """

    n: int
    positives: int
    auroc_first: float
    auroc_second: float
    weight_first: float
    auroc_parallel: float
    points: tuple[BandPoint, ...]


def published_protocol(
    first: ArrayLike, second: ArrayLike, positive: ArrayLike, bands: Sequence[float] = PUBLISHED_BANDS
) -> PublishedProtocol:
    """Reproduce the published sweep: min-max normalisation, the best of 21 weights, bands around the median.

    Args:
        first: The free signal (mean token entropy), shape (n,), finite, higher = more uncertain.
        second: The signal escalated to (minus density), likewise.
        positive: Shape (n,), True for an incorrect answer.
        bands: Half widths.

    Raises:
        UndefinedStatisticError: A signal is constant or not finite, or there is one class.

    Source:
        arXiv 2603.24124, the cascade's band sweep; of an even number of questions the upper median.
    """
    b1, b2 = _minmax(first, "first"), _minmax(second, "second")
    if b1.size != b2.size:
        raise ValueError(f"expected two signals on the same questions, not {b1.size} and {b2.size}")
    labels = class_vector(positive, b1.size)
    require_classes(labels, 1, "an AUROC")
    aurocs = [auroc(weight * b1 + (1 - weight) * b2, labels) for weight in WEIGHTS]
    best = int(np.argmax(aurocs))
    combined = WEIGHTS[best] * b1 + (1 - WEIGHTS[best]) * b2
    distance = np.abs(b1 - np.sort(b1)[b1.size // 2])
    points: list[BandPoint] = []
    for band in bands:
        escalates = distance <= band
        rate = float(escalates.mean())
        points.append(
            BandPoint(
                band=band,
                escalated=int(np.count_nonzero(escalates)),
                escalation_rate=rate,
                saving=float(saving(expected_cost((0.0, 1.0), [rate]), 1.0)),
                auroc=auroc(np.where(escalates, combined, b1), labels),
            )
        )
    return PublishedProtocol(
        n=labels.size,
        positives=int(np.count_nonzero(labels)),
        auroc_first=auroc(b1, labels),
        auroc_second=auroc(b2, labels),
        weight_first=WEIGHTS[best],
        auroc_parallel=aurocs[best],
        points=tuple(points),
    )


def _minmax(scores: ArrayLike, which: str) -> FloatArray:
    vector = score_vector(scores)
    if not vector.size:
        raise UndefinedStatisticError("a cascade over `0` questions", "it needs at least one question of each class")
    width = float(np.ptp(vector))
    if width == 0:
        raise UndefinedStatisticError(f"the {which} signal is the same for every question", "it cannot be normalised")
    return (vector - vector.min()) / width
