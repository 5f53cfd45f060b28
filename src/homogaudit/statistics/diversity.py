"""How diverse the answers to one question are, by figures that go on telling where a number of clusters no longer does.

Words are the lower-cased text split at white space, as the clustering by wording has them. It knows no run and no
question: means over questions and their intervals are made elsewhere.
"""

import gzip
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.statistics.arrays import FloatArray

MOST_QUESTIONS = 2_000
"""Questions of which self-BLEU is taken: every answer is compared with every other one, word for word."""

_LONGEST = 4
"""Words of the longest n-grams of BLEU, as its authors have them."""
_NO_MATCH = 0.1
"""What counts as matching where no n-gram of a length does (`method1` of NLTK); one length without would make all 0."""
_ROUNDING = 1e-9
"""An eigenvalue further below 0 than this is none that rounding made."""


def expected_distinct_clusters(assignments: ArrayLike, sizes: Sequence[int]) -> FloatArray:
    """Return how many clusters k of a question's N samples are expected to show, drawn without replacement.

    It is unbiased for the clusters that k fresh samples would show, which the clusters of the first k are with more
    noise and those of all N are not.

    Args:
        assignments: (questions, N) cluster numbers from 0.
        sizes: The k, each from 1 to N.

    Returns:
        Shape (questions, sizes).

    Source:
        Hurlbert (1971), "The nonconcept of species diversity", Ecology 52:577-586 (rarefaction).
    """
    clusters = np.asarray(assignments, dtype=np.intp)
    questions, n = clusters.shape
    places = np.arange(questions)[:, None] * n + clusters
    counts = np.bincount(places.ravel(), minlength=questions * n).reshape(questions, n)
    # The chance that a cluster of so many samples is not among k: C(N - count, k) / C(N, k).
    missed = np.array([[math.comb(n - count, k) / math.comb(n, k) for count in range(n + 1)] for k in sizes])
    return np.stack([(1.0 - of[counts]).sum(axis=1) for of in missed], axis=1)


def vendi_scores(similarities: NDArray[np.floating]) -> FloatArray:
    """Return the Vendi score of each question: the effective number of different samples, from 1 to N.

    Args:
        similarities: (questions, N, N), symmetric with ones on the diagonal.

    Returns:
        Shape (questions,); NaN where the similarities are no kernel, so that an eigenvalue is negative.

    Source:
        Friedman and Dieng (2023), "The Vendi Score", TMLR, definition 3.1: the exponential of the entropy of the
        eigenvalues of K / N.
    """
    questions, n = similarities.shape[:2]
    if not questions:
        return np.empty(0)
    eigenvalues = np.linalg.eigvalsh(np.asarray(similarities, dtype=np.float64) / n)
    positive = eigenvalues > 0
    logarithms = np.log(eigenvalues, out=np.zeros_like(eigenvalues), where=positive)
    scores = np.exp(-(np.where(positive, eigenvalues, 0.0) * logarithms).sum(axis=1))
    return np.where(eigenvalues.min(axis=1) < -_ROUNDING, np.nan, scores)


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Return the different n-grams of words over all of them, none of which reaches over two texts; NaN without any.

    Source:
        Li et al. (2016), "A diversity-promoting objective function for neural conversation models", NAACL
        (arXiv 1510.03055).
    """
    grams = [gram for text in texts for gram in _grams(_words(text), n)]
    return len(set(grams)) / len(grams) if grams else math.nan


def self_bleu(texts: Sequence[str]) -> float:
    """Return the mean BLEU of each text against all others: 1 where all are one text, lower where they differ.

    BLEU is of one to four words with equal weights; where a length has no match, 0.1 of one counts; a text of fewer
    than four words is compared by what it has, so that equal short answers are equal.

    Args:
        texts: At least two, each with a word.

    Source:
        Zhu et al. (2018), "Texygen", SIGIR (arXiv 1802.01886); Papineni et al. (2002), "BLEU", ACL; as NLTK's
        `sentence_bleu` with `method1` of Chen and Cherry (2014) and `auto_reweigh`.
    """
    words = [_words(text) for text in texts]
    grams = [[Counter(_grams(of, n)) for of in words] for n in range(1, _LONGEST + 1)]
    most = [_most_elsewhere(of) for of in grams]
    lengths = [len(of) for of in words]
    return math.fsum(_bleu(place, grams, most, lengths) for place in range(len(words))) / len(words)


def compression_ratio(texts: Sequence[str]) -> float:
    """Return the bytes of the texts, joined by spaces, over those that gzip makes of them: higher is more alike.

    Source:
        Shaib et al. (2024), "Standardizing the measurement of text diversity" (arXiv 2403.00553).
    """
    written = " ".join(texts).encode("utf-8", "surrogatepass")
    return len(written) / len(gzip.compress(written, mtime=0))


def _words(text: str) -> list[str]:
    return text.lower().split()


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def _most_elsewhere(counts: Sequence[Counter[tuple[str, ...]]]) -> list[dict[tuple[str, ...], int]]:
    """Return for each text how often each of its n-grams stands in the text that has it most, itself left out."""
    best: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for place, of in enumerate(counts):
        for gram, count in of.items():
            first, owner, second = best.get(gram, (0, -1, 0))
            best[gram] = (count, place, first) if count > first else (first, owner, max(second, count))
    return [
        {gram: second if owner == place else first for gram in of for first, owner, second in (best[gram],)}
        for place, of in enumerate(counts)
    ]


def _bleu(
    place: int,
    grams: Sequence[Sequence[Counter[tuple[str, ...]]]],
    most: Sequence[Sequence[dict[tuple[str, ...], int]]],
    lengths: Sequence[int],
) -> float:
    """Return BLEU of one text against all others."""
    length = lengths[place]
    longest = min(_LONGEST, length)
    logarithms: list[float] = []
    for of, elsewhere in zip(grams[:longest], most[:longest], strict=True):
        matching = sum(min(count, elsewhere[place][gram]) for gram, count in of[place].items())
        if not logarithms and not matching:
            # Not a word in common: NLTK smooths nothing there.
            return 0.0
        logarithms.append(math.log((matching or _NO_MATCH) / of[place].total()))
    closest = min((abs(other - length), other) for at, other in enumerate(lengths) if at != place)[1]
    brevity = 0.0 if length > closest else 1.0 - closest / length
    return math.exp(brevity + math.fsum(logarithms) / longest)
