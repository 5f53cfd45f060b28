"""Similarities between the answers of one question, as symmetric (n, n) matrices.

They know nothing of thresholds, linkages or where texts and embeddings come from.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.final_answer import final_number

__all__ = [
    "answer_similarity",
    "cosine_similarity",
    "has_no_word_spaces",
    "jaccard_similarity",
]

Float64Array = NDArray[np.float64]

_SCRIPTS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # CJK ideographs, extension A
    (0x4E00, 0x9FFF),  # CJK ideographs
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0x20000, 0x323AF),  # CJK ideographs, further extensions
)
_MOSTLY = 0.5
"""A text counts as one without spaces where at least half of its letters belong to such a script."""


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


def has_no_word_spaces(texts: Sequence[str]) -> bool:
    """Whether the texts are mostly in a script that writes no spaces between words (Chinese, Japanese, Thai, ...).

    Word bigrams mean little there: the `jaccard` clustering then deserves a warning.

    Args:
        texts: Questions or answers; an empty list has no such script.
    """
    letters = without_spaces = 0
    for text in texts:
        if text.isascii():
            letters += sum(map(str.isalpha, text))
            continue
        for char in text:
            if _is_of_script_without_spaces(ord(char)):
                letters += 1
                without_spaces += 1
            elif char.isalpha():
                letters += 1
    return letters > 0 and without_spaces >= _MOSTLY * letters


def _is_of_script_without_spaces(code: int) -> bool:
    return any(low <= code <= high for low, high in _SCRIPTS_WITHOUT_SPACES)


def _word_bigrams(text: str) -> frozenset[tuple[str, ...]]:
    words = text.lower().split()
    if len(words) == 1:
        return frozenset({(words[0],)})
    return frozenset(pairwise(words))
