"""Stratified folds of questions; every use brings its own generator, so that repeats differ and seeds decide."""

import numpy as np
from numpy.typing import NDArray

from homogaudit.statistics.arrays import BoolArray


def stratified_folds(positive: BoolArray, folds: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the fold of each question, from 0, each class spread as evenly as it goes.

    Args:
        positive: Shape (n,), True for an incorrect answer.
        folds: How many.
        generator: Of the lots; it moves on, so that a second call gives other folds.
    """
    fold = np.empty(positive.size, dtype=np.intp)
    for members in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        fold[generator.permutation(members)] = np.arange(members.size) % folds
    return fold
