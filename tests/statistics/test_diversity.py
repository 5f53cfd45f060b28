"""Diversity of answers against hand calculations, enumeration, SciPy and NLTK."""

import gzip
import math
import random
from itertools import combinations

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from nltk import ngrams
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from homogaudit.clustering.similarity import jaccard_similarity
from homogaudit.statistics.diversity import (
    compression_ratio,
    distinct_n,
    expected_distinct_clusters,
    self_bleu,
    vendi_scores,
)


def some_texts(generator: random.Random) -> list[str]:
    """Return 2 to 12 texts of 1 to 40 words of a small or a larger vocabulary, some of them equal by chance."""
    words = "abcdefghijklmnopqrstuvwxyzABC"[: generator.choice([2, 5, 29])]
    longest = generator.choice([3, 8, 40])
    return [
        " ".join(generator.choice(words) for _ in range(generator.randint(1, longest)))
        for _ in range(generator.randint(2, 12))
    ]


TEXTS = [some_texts(random.Random(seed)) for seed in range(60)]


def test_distinct_clusters_are_the_mean_over_all_subsets() -> None:
    assignments = [(0, 0, 0, 0, 0, 0), (0, 1, 2, 3, 4, 5), (0, 0, 1, 0, 2, 1)]
    found = expected_distinct_clusters(assignments, [1, 2, 3, 6])
    counted = [
        [np.mean([len(set(subset)) for subset in combinations(row, k)]) for k in (1, 2, 3, 6)] for row in assignments
    ]
    assert found == pytest.approx(np.array(counted), abs=1e-12)


def test_distinct_clusters_by_hand() -> None:
    # Clusters of 3 and 1: of the six pairs three show both.
    assert expected_distinct_clusters([(0, 0, 0, 1)], [2]) == pytest.approx(1.5)


def test_vendi_scores_by_hand() -> None:
    pairs = np.kron(np.eye(2), np.ones((2, 2)))
    # Eigenvalues of the last, over 2: 0.75 and 0.25.
    halves = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert vendi_scores(np.array([np.eye(4), np.ones((4, 4)), pairs])) == pytest.approx([4, 1, 2], abs=1e-12)
    assert vendi_scores(halves[None]) == pytest.approx([math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))])


def test_vendi_scores_are_the_exponential_of_scipys_entropy_of_the_eigenvalues() -> None:
    for texts in TEXTS:
        similarity = jaccard_similarity(texts)
        eigenvalues = np.clip(scipy.linalg.eigvalsh(similarity / len(texts)), 0, None)
        expected = math.exp(scipy.stats.entropy(eigenvalues))
        assert vendi_scores(similarity[None]) == pytest.approx([expected], abs=1e-9)


def test_similarities_that_are_no_kernel_have_no_vendi_score() -> None:
    one_with_both = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    assert np.isnan(vendi_scores(one_with_both[None]))
    assert vendi_scores(np.empty((0, 3, 3))).size == 0


@pytest.mark.parametrize("n", [1, 2])
def test_distinct_n_counts_the_n_grams_of_nltk(n: int) -> None:
    for texts in TEXTS:
        grams = [gram for text in texts for gram in ngrams(text.lower().split(), n)]
        expected = len(set(grams)) / len(grams) if grams else math.nan
        assert distinct_n(texts, n) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_distinct_n_by_hand_reaches_over_no_two_texts() -> None:
    # Pairs: a-b, b-a, a-b; c has none, and b-c is not one.
    assert distinct_n(["a b a", "A b", "c"], 2) == pytest.approx(2 / 3)
    assert math.isnan(distinct_n(["a", "b"], 2))


def test_self_bleu_is_that_of_nltk() -> None:
    method1 = SmoothingFunction().method1
    for texts in TEXTS:
        words = [text.lower().split() for text in texts]
        scores = [
            sentence_bleu(words[:at] + words[at + 1 :], of, smoothing_function=method1, auto_reweigh=True)
            for at, of in enumerate(words)
        ]
        assert self_bleu(texts) == pytest.approx(sum(scores) / len(scores), abs=1e-9)


def test_self_bleu_by_hand() -> None:
    assert self_bleu(["Paris", "paris"]) == 1
    assert self_bleu(["a b c d e"] * 3) == pytest.approx(1)
    assert self_bleu(["a b", "c d"]) == 0
    # Of "a b": one word of two, no pair of one (0.1 counts); of "a c" the same.
    assert self_bleu(["a b", "a c"]) == pytest.approx(math.sqrt(0.5 * 0.1))


def test_the_compression_ratio_is_bytes_over_those_of_gzip() -> None:
    texts = ["It lies in Italy.", "It lies in Italy, südlich der Alpen.", "It lies in Italy."]
    joined = " ".join(texts).encode()
    assert compression_ratio(texts) == len(joined) / len(gzip.compress(joined))
    assert compression_ratio(["again and again"] * 50) > 10
