import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.linkage import cluster_counts_by_threshold, link
from homogaudit.clustering.methods import (
    SAMPLE_SIZES,
    choose_methods,
    cluster_counts_of_first_k,
    cluster_question,
    similarity_matrix,
    single_cluster_share_of_subsets,
    sweep_thresholds,
)
from homogaudit.clustering.similarity import jaccard_similarity
from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, Generation, GenerationState, Question, SampleSet

JACCARD = ClusteringMethod("jaccard", "single", 0.40)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "hashing")
ANSWER = ClusteringMethod("answer", "single", None)


def sample_set(*answers: str) -> SampleSet:
    samples = [
        Generation("q", i, text, text, GenerationState.VALID if text else GenerationState.EMPTY)
        for i, text in enumerate(answers)
    ]
    return SampleSet(Question("q", "?"), None, samples)


def test_choose_methods_follow_what_is_there() -> None:
    assert choose_methods(embedder=None, numeric=False) == (JACCARD,)
    assert choose_methods(embedder="hashing", numeric=True) == (JACCARD, EMBEDDING, ANSWER)


def test_sweeps_hold_the_default_threshold_and_an_equality_has_none() -> None:
    assert sweep_thresholds(JACCARD) == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    assert sweep_thresholds(EMBEDDING) == (0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
    assert sweep_thresholds(ANSWER) == ()


def test_only_valid_samples_are_clustered() -> None:
    clustering = cluster_question(sample_set("in Paris", "", "In  paris", "in Rome"), JACCARD)
    assert clustering is not None
    assert clustering.assignment == (0, 0, 1)
    assert clustering.clusters == 2
    assert clustering.question_id == "q"


@pytest.mark.parametrize("answers", [(), ("",), ("one",), ("one", "", "")])
def test_fewer_than_two_valid_samples_give_no_clustering(answers: tuple[str, ...]) -> None:
    assert cluster_question(sample_set(*answers), JACCARD) is None


def test_numbers_are_clustered_by_equality() -> None:
    clustering = cluster_question(sample_set("It is 5.", "$5", "6"), ANSWER)
    assert clustering is not None
    assert clustering.assignment == (0, 0, 1)


def test_embeddings_are_clustered_at_their_threshold() -> None:
    # cosines: 0-1 is 0.8, 0-2 is 0, 1-2 is 0.6
    embeddings = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    clustering = cluster_question(sample_set("a", "b", "c"), ClusteringMethod("embedding", "average", 0.8), embeddings)
    assert clustering is not None
    assert clustering.assignment == (0, 0, 1)


def test_embedding_without_embeddings_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="2 answers need as many embeddings"):
        cluster_question(sample_set("a", "b"), EMBEDDING)


def test_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(UsageError, match="`bleu`"):
        similarity_matrix(["a"], ClusteringMethod("bleu", "single", 0.5))


def test_sizes_above_the_number_of_samples_have_no_figure() -> None:
    similarity = jaccard_similarity(["a b"] * 4)
    assert cluster_counts_of_first_k(similarity[None], JACCARD, (3, 4, 5)).tolist() == [[1, 1, 0]]
    np.testing.assert_array_equal(
        single_cluster_share_of_subsets(similarity[None], JACCARD, (3, 4, 5)), [[1, 1, np.nan]]
    )


def random_similarity(n: int) -> NDArray[np.float64]:
    values = np.random.default_rng(5).random((n, n))
    similarity = np.triu(values, 1) + np.triu(values, 1).T
    np.fill_diagonal(similarity, 1.0)
    return similarity


@pytest.mark.parametrize("linkage", ["single", "average", "leader"])
def test_few_subsets_are_all_taken(linkage: str) -> None:
    similarity = random_similarity(8)
    method = ClusteringMethod("jaccard", linkage, 0.5)
    subsets = list(combinations(range(8), 3))  # 56
    single = [len(set(link(similarity[np.ix_(rows, rows)], 0.5, linkage))) == 1 for rows in subsets]
    assert single_cluster_share_of_subsets(similarity[None], method, (3,))[0, 0] == pytest.approx(sum(single) / 56)


def test_many_subsets_are_drawn_by_seed_and_near_the_mean_of_all() -> None:
    similarity = random_similarity(12)
    method = ClusteringMethod("jaccard", "single", 0.5)
    drawn = single_cluster_share_of_subsets(similarity[None], method, (5,), seed=1)
    again = single_cluster_share_of_subsets(similarity[None], method, (5,), seed=1)
    all_of_them = single_cluster_share_of_subsets(similarity[None], method, (5,), draws=792)  # 12 choose 5
    assert drawn == again
    # four standard errors of a share of 200 draws are at most 4 x 0.5 / sqrt(200) = 0.14
    assert abs(drawn - all_of_them) < 0.14


def test_the_share_of_all_samples_is_whether_they_form_one_cluster() -> None:
    similarity = random_similarity(10)
    for threshold in (0.2, 0.5, 0.8):
        method = ClusteringMethod("jaccard", "single", threshold)
        share = single_cluster_share_of_subsets(similarity[None], method, (10,))[0, 0]
        assert share == float(len(set(link(similarity, threshold, "single"))) == 1)


@pytest.fixture(scope="module")
def minimax(reference: Path) -> list[NDArray[np.float64]]:
    """Jaccard similarities of the raw MiniMax texts, thinking included, a question each."""
    lines = (reference / "minimax-m2.7.samples.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return [jaccard_similarity([sample["text"] for sample in json.loads(line)["samples"]]) for line in lines]


@pytest.fixture(scope="module")
def expected(reference: Path) -> dict[str, Any]:
    return json.loads((reference / "expected.json").read_text(encoding="utf-8"))["minimax-m2.7"]


@pytest.mark.parametrize("linkage", ["single", "leader"])
def test_raw_minimax_text_has_the_reference_clusters_at_every_threshold(
    minimax: list[NDArray[np.float64]], expected: dict[str, Any], linkage: str
) -> None:
    figures = {float(threshold): by_linkage[linkage] for threshold, by_linkage in expected["raw_text"].items()}
    counts = cluster_counts_by_threshold(np.stack(minimax), linkage, list(figures))
    np.testing.assert_allclose((counts == 1).mean(axis=0), [figure["scr"] for figure in figures.values()])
    np.testing.assert_allclose(counts.mean(axis=0), [figure["mean_clusters"] for figure in figures.values()])


def test_raw_minimax_text_has_the_reference_rates_of_the_first_k(
    minimax: list[NDArray[np.float64]], expected: dict[str, Any]
) -> None:
    method = ClusteringMethod("jaccard", "single", 0.2)
    counts = cluster_counts_of_first_k(np.stack(minimax), method)
    rates = expected["raw_text_first_k_single_0.2"]
    np.testing.assert_allclose((counts == 1).mean(axis=0), [rates[str(k)] for k in SAMPLE_SIZES])


def test_a_specification_takes_the_place_of_the_default_of_its_similarity() -> None:
    methods = choose_methods(embedder="mini", numeric=False, specifications=["jaccard=0.2/leader", "embedding=0.9"])
    assert methods == (
        ClusteringMethod("jaccard", "leader", 0.2),
        ClusteringMethod("embedding", "average", 0.9, "mini"),
    )
    assert choose_methods(embedder=None, numeric=False, specifications=["answer"])[-1].similarity == "answer"


@pytest.mark.parametrize(
    "specification",
    ["jacard", "jaccard=2", "jaccard=x", "jaccard=nan", "jaccard/complete", "embedding=0.9", "answer=0.5", ""],
)
def test_a_specification_that_cannot_be_read_is_a_usage_error(specification: str) -> None:
    with pytest.raises(UsageError):
        choose_methods(embedder=None, numeric=False, specifications=[specification])
