from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity as sklearn_cosine

from homogaudit.clustering.similarity import (
    answer_similarity,
    cosine_similarity,
    jaccard_similarity,
)

WORDS = st.lists(st.sampled_from(["a", "b", "C", "d"]), max_size=6).map(" ".join)


def test_jaccard_is_shared_over_all_bigrams() -> None:
    # bigrams {the cat, cat sat} and {the cat, cat ran}: 1 shared of 3
    similarity = jaccard_similarity(["The cat  sat", "the cat ran", "dogs"])
    np.testing.assert_array_equal(similarity, [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])


def test_a_single_word_is_its_own_bigram() -> None:
    np.testing.assert_array_equal(jaccard_similarity(["Paris", "paris", "Rome"])[0], [1, 1, 0])


def test_an_empty_text_is_similar_to_empty_texts_only() -> None:
    similarity = jaccard_similarity(["", "", "a b", "a"])
    np.testing.assert_array_equal(similarity[0], [1, 1, 0, 0])


def test_two_of_five_bigrams_are_the_float_of_the_threshold() -> None:
    # {ab, bc, cd} and {ab, bc, cx, xy}: 2 shared, 5 in all
    assert jaccard_similarity(["a b c d", "a b c x y"])[0, 1] == 0.4


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_jaccard_agrees_with_sets_pair_by_pair(texts: list[str]) -> None:
    def bigrams(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return {tuple(words)} if len(words) == 1 else set(pairwise(words))

    similarity = jaccard_similarity(texts)
    assert similarity.dtype == np.float64
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            a, b = bigrams(first), bigrams(second)
            expected = len(a & b) / len(a | b) if a | b else 1.0
            assert similarity[i, j] == expected


def test_cosine_agrees_with_scikit_learn() -> None:
    embeddings = np.random.default_rng(0).normal(size=(12, 30))
    np.testing.assert_allclose(cosine_similarity(embeddings), sklearn_cosine(embeddings), atol=1e-12)


def test_identical_rows_have_cosine_exactly_one() -> None:
    row = np.random.default_rng(1).normal(size=384).astype(np.float32)
    embeddings = np.stack([row, -row, row])
    similarity = cosine_similarity(embeddings)
    assert similarity[0, 2] == 1.0
    assert (np.diag(similarity) == 1.0).all()
    assert similarity[0, 1] == pytest.approx(-1.0)
    assert similarity.min() >= -1.0


def test_a_zero_row_is_similar_to_zero_rows_only() -> None:
    similarity = cosine_similarity(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(similarity[0], [1, 0, 1])


def test_cosine_is_symmetric_to_the_last_bit() -> None:
    similarity = cosine_similarity(np.random.default_rng(2).normal(size=(40, 384)).astype(np.float32))
    np.testing.assert_array_equal(similarity, similarity.T)


def test_no_embeddings_give_an_empty_matrix() -> None:
    assert cosine_similarity(np.zeros((0, 5))).shape == (0, 0)
    assert jaccard_similarity([]).shape == (0, 0)
    assert answer_similarity([]).shape == (0, 0)


def test_answers_are_equal_by_their_final_number() -> None:
    similarity = answer_similarity(["It is 18.", "$18.00", "19", "I do not know", "I do not know ", "Who knows"])
    np.testing.assert_array_equal(similarity[0], [1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(similarity[3], [0, 0, 0, 1, 1, 0])
