"""Similarities between the answers of one question, as symmetric (n, n) matrices.

They know nothing of thresholds, linkages or where texts and embeddings come from.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.final_answer import final_number

Float64Array = NDArray[np.float64]


def jaccard_similarity(texts: Sequence[str]) -> Float64Array:
    """Return the Jaccard index of the word bigrams of every pair of texts.

    Words are the lower-cased text split at white space; a single word is its own bigram. A text without words is
    similar (1) to another one without words and to nothing else (0).

    Args:
        texts: n texts.

    Returns:
        (n, n) float64 in [0, 1], symmetric, ones on the diagonal.

    Source: arXiv 2603.24124, the surface clustering.
    """
    unique: dict[frozenset[tuple[str, ...]], int] = {}
    position = [unique.setdefault(_word_bigrams(text), len(unique)) for text in texts]
    bigrams = list(unique)
    similarity = np.eye(len(bigrams))
    for row, first in enumerate(bigrams):
        for column in range(row):
            shared = len(first & bigrams[column])
            if shared:
                # One correctly rounded division: 2/5 is the very float that the threshold 0.4 is.
                index = shared / (len(first) + len(bigrams[column]) - shared)
                similarity[row, column] = similarity[column, row] = index
    return similarity[np.ix_(position, position)]


def cosine_similarity(embeddings: NDArray[np.floating]) -> Float64Array:
    """Return the cosine of every pair of rows; exactly 1 for identical rows.

    A row of zeros has cosine 1 with another row of zeros and 0 with every other.

    Args:
        embeddings: (n, d), any floating type, rows of any length.

    Returns:
        (n, n) float64 in [-1, 1], symmetric, ones on the diagonal.
    """
    embeddings = np.ascontiguousarray(embeddings)
    unique: dict[bytes, int] = {}
    position = [unique.setdefault(row.tobytes(), len(unique)) for row in embeddings]
    first = [position.index(number) for number in range(len(unique))]
    rows = embeddings[first].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) if len(rows) else np.ones((0, 1))
    rows /= np.where(lengths == 0.0, 1.0, lengths)
    products = rows @ rows.T
    # Matrix products may round (i, j) and (j, i) apart; their mean is symmetric.
    similarity = np.clip((products + products.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    return similarity[np.ix_(position, position)]


def answer_similarity(answers: Sequence[str]) -> Float64Array:
    """Return 1 where two answers have the same final number, else 0.

    An answer without a number is equal only to an identical text (white space around it aside).

    Args:
        answers: n answers.

    Returns:
        (n, n) float64 of zeros and ones, symmetric, ones on the diagonal.
    """
    numbers: dict[object, int] = {}
    classes: list[int] = []
    for answer in answers:
        number = final_number(answer)
        classes.append(numbers.setdefault(answer.strip() if number is None else number, len(numbers)))
    ids = np.asarray(classes, dtype=np.intp)
    return (ids[:, None] == ids[None, :]).astype(np.float64)


def _word_bigrams(text: str) -> frozenset[tuple[str, ...]]:
    words = text.lower().split()
    if len(words) == 1:
        return frozenset({(words[0],)})
    return frozenset(pairwise(words))
