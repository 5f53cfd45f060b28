import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import AgglomerativeClustering

from homogaudit.clustering.linkage import LINKAGES, are_single_clusters, cluster_counts_by_threshold, link, partitions
from homogaudit.clustering.similarity import jaccard_similarity
from homogaudit.errors import UsageError

THRESHOLDS = (0.2, 0.4, 0.5, 0.6, 0.8)


def random_similarity(seed: int, n: int) -> NDArray[np.float64]:
    values = np.random.default_rng(seed).random((n, n))
    similarity = np.triu(values, 1) + np.triu(values, 1).T
    np.fill_diagonal(similarity, 1.0)
    return similarity


def similarity_of_pairs(n: int, pairs: dict[tuple[int, int], float]) -> NDArray[np.float64]:
    similarity = np.eye(n)
    for (i, j), value in pairs.items():
        similarity[i, j] = similarity[j, i] = value
    return similarity


def by_first_appearance(labels: list[int]) -> tuple[int, ...]:
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(label, len(numbers)) for label in labels)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 14), st.sampled_from(THRESHOLDS))
def test_average_makes_the_partition_of_scikit_learn(seed: int, n: int, threshold: float) -> None:
    similarity = random_similarity(seed, n)
    other = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - threshold
    ).fit_predict(1 - similarity)
    assert link(similarity, threshold, "average") == by_first_appearance(other.tolist())


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 14), st.sampled_from(THRESHOLDS))
def test_single_makes_the_connected_components_of_scipy(seed: int, n: int, threshold: float) -> None:
    similarity = random_similarity(seed, n)
    _, labels = connected_components(similarity >= threshold, directed=False)
    assert link(similarity, threshold, "single") == by_first_appearance(labels.tolist())


def test_leader_joins_the_first_similar_leader() -> None:
    # 2 is similar to leader 0 and to 1; 3 only to 2, which leads nothing, so it leads its own.
    similarity = similarity_of_pairs(4, {(0, 2): 0.5, (1, 2): 0.9, (2, 3): 0.9})
    assert link(similarity, 0.5, "leader") == (0, 1, 0, 2)


def test_single_chains_where_average_does_not() -> None:
    # 0-1 and 1-2 are similar, 0-2 is not: mean of {0, 1} with 2 is (0 + 0.9) / 2 = 0.45.
    similarity = similarity_of_pairs(3, {(0, 1): 0.95, (1, 2): 0.9})
    assert link(similarity, 0.5, "single") == (0, 0, 0)
    assert link(similarity, 0.5, "average") == (0, 0, 1)
    assert link(similarity, 0.45, "average") == (0, 0, 0)


@pytest.mark.parametrize("linkage", LINKAGES)
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.85, 0.95, 1.0])
def test_a_pair_exactly_at_the_threshold_joins(linkage: str, threshold: float) -> None:
    assert link(similarity_of_pairs(2, {(0, 1): threshold}), threshold, linkage) == (0, 0)
    below = similarity_of_pairs(2, {(0, 1): threshold - 1e-9})
    assert link(below, threshold, linkage) == (0, 1)


@pytest.mark.parametrize("threshold", [0.7, 0.85, 0.95])
def test_a_mean_of_similarities_at_the_threshold_joins(threshold: float) -> None:
    similarity = np.full((7, 7), threshold)
    np.fill_diagonal(similarity, 1.0)
    assert link(similarity, threshold, "average") == (0,) * 7
    assert are_single_clusters(similarity[None], np.arange(7)[None, :], threshold, "average").all()


@pytest.mark.parametrize("linkage", LINKAGES)
def test_one_row_is_one_cluster_and_none_is_none(linkage: str) -> None:
    assert link(np.ones((1, 1)), 0.5, linkage) == (0,)
    assert link(np.zeros((0, 0)), 0.5, linkage) == ()


def test_an_unknown_linkage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="`ward`") as caught:
        link(np.eye(2), 0.5, "ward")
    assert "single" in (caught.value.hint or "")


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 10), st.sampled_from(["single", "average"]))
def test_the_partition_does_not_depend_on_the_order_of_the_samples(seed: int, n: int, linkage: str) -> None:
    similarity = random_similarity(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    straight = np.array(link(similarity, 0.5, linkage))
    shuffled = np.array(link(similarity[np.ix_(order, order)], 0.5, linkage))
    np.testing.assert_array_equal(
        straight[order][:, None] == straight[order][None, :], shuffled[:, None] == shuffled[None, :]
    )


@pytest.mark.parametrize("linkage", ["single", "average"])
def test_ties_do_not_make_the_partition_depend_on_the_order(linkage: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        # Word bigrams of a few words: many pairs of texts share the same similarity.
        texts = [" ".join(rng.choice(list("abcd"), size=rng.integers(2, 6))) for _ in range(10)]
        order = rng.permutation(10)
        straight = np.array(link(jaccard_similarity(texts), 0.4, linkage))
        shuffled = np.array(link(jaccard_similarity([texts[place] for place in order]), 0.4, linkage))
        np.testing.assert_array_equal(
            straight[order][:, None] == straight[order][None, :], shuffled[:, None] == shuffled[None, :]
        )


def test_pairs_that_tie_join_at_once() -> None:
    # B is as near to A as to C. Joining one first would leave the other at a mean of 0.25, below 0.4.
    similarity = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]])
    assert link(similarity, 0.4, "average") == (0, 0, 0)
    assert link(similarity, 0.51, "average") == (0, 1, 2)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 10), st.sampled_from(LINKAGES))
def test_counts_by_threshold_are_those_of_linking_at_each(seed: int, n: int, linkage: str) -> None:
    similarities = np.stack([random_similarity(seed + number, n) for number in range(3)])
    counts = cluster_counts_by_threshold(similarities, linkage, THRESHOLDS)
    assert counts.tolist() == [[len(set(link(x, level, linkage))) for level in THRESHOLDS] for x in similarities]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 10), st.sampled_from(LINKAGES), st.sampled_from(THRESHOLDS))
def test_many_questions_at_once_are_linked_as_one_by_one(seed: int, n: int, linkage: str, threshold: float) -> None:
    similarities = np.stack([random_similarity(seed + number, n) for number in range(3)])
    assert partitions(similarities, threshold, linkage) == [link(x, threshold, linkage) for x in similarities]
    assert partitions(similarities[:0], threshold, linkage) == []


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([3, 5, 7]), st.sampled_from(LINKAGES), st.sampled_from(THRESHOLDS))
def test_subsets_at_once_are_decided_as_one_by_one(seed: int, k: int, linkage: str, threshold: float) -> None:
    similarity = random_similarity(seed, 8)
    random = np.random.default_rng(seed)
    subsets = np.sort(np.array([random.choice(8, k, replace=False) for _ in range(12)]), axis=1)
    similarities = np.stack([similarity, np.ones((8, 8)), np.eye(8), random_similarity(seed + 1, 8)])
    alone = [[len(set(link(x[np.ix_(rows, rows)], threshold, linkage))) == 1 for rows in subsets] for x in similarities]
    assert are_single_clusters(similarities, subsets, threshold, linkage).tolist() == alone
