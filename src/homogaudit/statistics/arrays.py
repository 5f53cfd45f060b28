"""Checks that every statistic makes on its input: shapes, classes, finite scores.

It does not know which statistic asks. Wrong shapes are a mistake of the calling code and raise `ValueError`; data
for which a figure does not exist raise `UndefinedStatisticError`, whose message is the reason that a report shows.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def score_vector(scores: ArrayLike) -> FloatArray:
    """Return `scores` as a float64 vector of finite values.

    Raises:
        ValueError: It is not one-dimensional.
        UndefinedStatisticError: It holds NaN or an infinity.
    """
    vector = np.asarray(scores, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"expected a vector of scores, not shape {vector.shape}")
    undefined = int(np.count_nonzero(~np.isfinite(vector)))
    if undefined:
        raise UndefinedStatisticError(
            f"`{undefined}` of `{vector.size}` scores are not finite numbers",
            "leave out the questions for which the signal is undefined",
        )
    return vector


def score_matrix(scores: ArrayLike) -> FloatArray:
    """Return `scores` as a float64 matrix, one row a signal, NaN where a signal is undefined for a question.

    Raises:
        ValueError: It is not two-dimensional.
        UndefinedStatisticError: It holds an infinity.
    """
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"expected a matrix of signals by questions, not shape {matrix.shape}")
    infinite = int(np.count_nonzero(np.isinf(matrix)))
    if infinite:
        raise UndefinedStatisticError(
            f"`{infinite}` of `{matrix.size}` scores are infinite", "mark an undefined score as NaN"
        )
    return matrix


def class_vector(positive: ArrayLike, questions: int) -> BoolArray:
    """Return `positive` as a boolean vector of `questions` rows; True is the positive class, an incorrect answer.

    Raises:
        ValueError: Its shape is not `(questions,)`.
    """
    vector = np.asarray(positive, dtype=np.bool_)
    if vector.shape != (questions,):
        raise ValueError(f"expected {questions} class labels, not shape {vector.shape}")
    return vector


def require_classes(positive: BoolArray, least: int, figure: str) -> None:
    """Require at least `least` questions of each class.

    Raises:
        UndefinedStatisticError: A class has fewer; `figure` names what is undefined in the hint.
    """
    positives = int(np.count_nonzero(positive))
    negatives = positive.size - positives
    if min(positives, negatives) < least:
        raise UndefinedStatisticError(
            f"`{positives}` incorrect and `{negatives}` correct answers with a score",
            f"{figure} needs at least {least} of each",
        )
