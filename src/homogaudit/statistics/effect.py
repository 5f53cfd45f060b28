"""Effect size. It does not know whether the difference could be chance: `bootstrap` gives the interval."""

import math

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import class_vector, require_classes, score_vector


def cohens_d(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return Cohen's d: mean of the positives minus mean of the negatives, over the pooled deviation (ddof 1).

    Args:
        scores: Shape (n,), finite.
        positive: Shape (n,), True for the positive class.

    Raises:
        UndefinedStatisticError: A class has fewer than two questions, neither class varies, or a score is not
            finite.

    Source:
        Cohen (1988), "Statistical power analysis for the behavioral sciences", section 2.2.
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    require_classes(labels, 2, "Cohen's d")
    positives, negatives = vector[labels], vector[~labels]
    # Asked of the range, because the variance of equal values can round to something above 0.
    if np.ptp(positives) == 0 and np.ptp(negatives) == 0:
        raise UndefinedStatisticError("the scores do not vary within the classes", "Cohen's d divides by their spread")
    squares = (positives.size - 1) * np.var(positives, ddof=1) + (negatives.size - 1) * np.var(negatives, ddof=1)
    pooled = math.sqrt(float(squares) / (vector.size - 2))
    return float(positives.mean() - negatives.mean()) / pooled
