"""How much less of something one choice gives than another on the same questions, and whether that is little.

It does not know what is lost: accuracy of samples is one case.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.codec import Count
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import score_vector
from homogaudit.statistics.comparisons import MARGIN


@dataclass(frozen=True, slots=True)
class MeanLoss:
    """A mean of paired losses and its upper bound.

    Attributes:
        value: Mean loss.
        high: Upper end of the one-sided 95% interval.
        p: One-sided, of a loss of the margin or more.
        n: Questions.
    """

    value: float
    high: float
    p: float
    n: Count


def mean_loss(losses: ArrayLike, margin: float = MARGIN, confidence: float = 0.95) -> MeanLoss:
    """Return the mean of losses, whether it stays under a margin, by Student's t over them and one of 1 beside them.

    The loss of 1 stands for the question not asked that loses everything: without it losses that are rare and large are
    not seen in most samples, and equal ones would have an interval without a width.

    Args:
        losses: Shape (n,), each at most 1.
        margin: What may be lost.
        confidence: Of the one-sided interval, between 0 and 1.

    Raises:
        UndefinedStatisticError: There are no losses.
        ValueError: One is above 1.
    """
    from scipy.special import stdtr, stdtrit

    found = score_vector(losses)
    if not found.size:
        raise UndefinedStatisticError("a mean loss over `0` questions", "it needs at least one question")
    if found.max() > 1:
        raise ValueError(f"expected losses of at most 1, not {found.max():g}")
    with_worst = np.append(found, 1.0)
    n, center, spread = with_worst.size, float(with_worst.mean()), float(with_worst.std(ddof=1))
    if not spread:
        return MeanLoss(1.0, 1.0, 1.0, found.size)
    error = spread / n**0.5
    high = center + float(stdtrit(n - 1, confidence)) * error
    return MeanLoss(float(found.mean()), min(1.0, high), float(stdtr(n - 1, (center - margin) / error)), found.size)
