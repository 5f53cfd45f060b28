import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import entropy

from homogaudit.records import (
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Question,
    SampleSet,
    SignalValue,
    TokenStatistics,
)
from homogaudit.signals.registry import SignalInputs, compute_signals
from homogaudit.signals.sampling import rao_semantic_entropy, semantic_entropy

ASSIGNMENTS = st.lists(st.integers(0, 5), min_size=1, max_size=12)


def samples(count: int, *, valid: int | None = None, logprobs: list[list[float]] | None = None) -> SampleSet:
    valid = count if valid is None else valid
    drawn = [
        Generation(
            "q",
            i,
            "text",
            "text",
            GenerationState.VALID if i < valid else GenerationState.EMPTY,
            statistics=TokenStatistics(
                logprobs=None if logprobs is None else np.asarray(logprobs[i], dtype=np.float32)
            ),
        )
        for i in range(count)
    ]
    return SampleSet(Question("q", "?"), None, drawn)


def clustered(*assignment: int, name: str = "jaccard") -> dict[str, Clustering]:
    method = ClusteringMethod(name, "single", 0.4)
    return {name: Clustering("q", method, assignment)}


def one(given_inputs: SignalInputs, name: str) -> SignalValue:
    return compute_signals(given_inputs, [name])[0]


@given(ASSIGNMENTS)
def test_semantic_entropy_is_the_entropy_of_scipy_over_cluster_sizes(assignment: list[int]) -> None:
    sizes = np.unique(assignment, return_counts=True)[1]
    assert semantic_entropy(assignment) == pytest.approx(entropy(sizes), abs=1e-12)


@given(ASSIGNMENTS, st.permutations(range(6)), st.randoms())
def test_semantic_entropy_is_bitwise_the_same_for_relabelled_and_permuted_samples(
    assignment: list[int], names: list[int], random: Random
) -> None:
    shuffled = [names[cluster] for cluster in assignment]
    random.shuffle(shuffled)
    assert semantic_entropy(shuffled) == semantic_entropy(assignment)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10])
def test_one_cluster_has_entropy_exactly_zero(count: int) -> None:
    for value in (semantic_entropy([4] * count), rao_semantic_entropy([4] * count, [-0.3 * i for i in range(count)])):
        assert value == 0.0
        assert math.copysign(1.0, value) == 1.0


def test_partitions_of_equal_entropy_tie_exactly() -> None:
    # 4^4 = (2^2)^4: both are ln 10 - 0.8 ln 2. 6^6 = 3^3 3^3 2^2 2^2 2^2, of 12.
    first, second = [0] * 4 + [1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert semantic_entropy(first) == semantic_entropy(second) == pytest.approx(math.log(10) - 0.8 * math.log(2))
    third, fourth = [0] * 6 + [*range(1, 7)], [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]
    assert semantic_entropy(third) == semantic_entropy(fourth)


def test_rao_does_not_depend_on_the_order_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assignment, logprobs, order = rng.integers(0, 4, 10), -rng.random(10), rng.permutation(10)
        shuffled = rao_semantic_entropy(assignment[order].tolist(), logprobs[order].tolist())
        assert shuffled == rao_semantic_entropy(assignment.tolist(), logprobs.tolist())


def test_rao_weighs_clusters_by_likelihood() -> None:
    # weights: cluster 0 has 0.5 + 0.25, cluster 1 has 0.25 -> shares 0.75 and 0.25
    found = rao_semantic_entropy([0, 1, 0], [math.log(0.5), math.log(0.25), math.log(0.25)])
    assert found == pytest.approx(entropy([0.75, 0.25]))


def test_rao_of_equal_likelihoods_is_the_discrete_entropy() -> None:
    assert rao_semantic_entropy([0, 1, 1, 2], [-1.5] * 4) == pytest.approx(semantic_entropy([0, 1, 1, 2]))


def test_rao_of_very_unlikely_answers_does_not_vanish() -> None:
    assert rao_semantic_entropy([0, 1], [-5000.0, -5000.0]) == pytest.approx(math.log(2))


def test_semantic_entropy_signals_read_their_clustering() -> None:
    inputs = SignalInputs(samples(4, logprobs=[[-1.0, -3.0], [-2.0], [-2.0], [-2.0]]), 4, clustered(0, 0, 1, 1))
    assert one(inputs, "semantic_entropy_jaccard").value == pytest.approx(math.log(2))
    assert one(inputs, "semantic_entropy_jaccard_rao").value == pytest.approx(math.log(2))
    assert one(inputs, "semantic_entropy_answer").value is None
    assert one(inputs, "semantic_entropy_answer").reason == "there is no `answer` clustering"


def test_fewer_valid_samples_than_drawn_give_none_with_the_counts() -> None:
    inputs = SignalInputs(samples(10, valid=3), 10, clustered(0, 0, 1), np.eye(3))
    for name in ("semantic_entropy_jaccard", "semantic_entropy_jaccard_rao", "sindex"):
        assert one(inputs, name).value is None
        assert one(inputs, name).reason == "3 of 10 samples hold an answer"


def test_rao_without_every_log_probability_is_none_with_the_counts() -> None:
    inputs = SignalInputs(samples(2, logprobs=[[-1.0], []]), 2, clustered(0, 1))
    assert one(inputs, "semantic_entropy_jaccard").value == pytest.approx(math.log(2))
    assert one(inputs, "semantic_entropy_jaccard_rao").value is None
    assert one(inputs, "semantic_entropy_jaccard_rao").reason == "1 of 2 samples have token log-probabilities"


def test_without_samples_the_reason_says_so() -> None:
    assert one(SignalInputs(samples(0), 0), "sindex").reason == "no answers were sampled"
    assert "one sample" in one(SignalInputs(samples(1), 1), "sindex").reason


def at_angles(*angles: float) -> NDArray[np.float64]:
    return np.array([[math.cos(angle), math.sin(angle)] for angle in angles])


def sindex_of(embeddings: NDArray[np.float64]) -> float | None:
    return one(SignalInputs(samples(len(embeddings)), len(embeddings), {}, embeddings), "sindex").value


def test_sindex_of_identical_answers_is_zero() -> None:
    found = sindex_of(np.ones((5, 3)))
    assert found == 0.0
    assert math.copysign(1.0, found) == 1.0


def test_sindex_by_hand() -> None:
    # cos(0.2) = 0.980 joins at distance 0.020; the third, at a right angle, is alone.
    # p' = 2/3 x cos(0.2) and 1/3 x 1, not renormalised
    coherent, alone = 2 / 3 * math.cos(0.2), 1 / 3
    expected = -coherent * math.log(coherent) - alone * math.log(alone)
    assert sindex_of(at_angles(0.0, 0.2, math.pi / 2)) == pytest.approx(expected)


def test_sindex_of_one_cluster_of_different_answers_is_above_zero() -> None:
    expected = -math.cos(0.2) * math.log(math.cos(0.2))
    assert sindex_of(at_angles(0.0, 0.2)) == pytest.approx(expected)


def test_sindex_joins_by_the_mean_distance_to_the_members() -> None:
    # The third is 0.45 rad from the first (distance 0.0996) and 0.20 from the second (0.0199): mean 0.0597 > 0.05.
    assert 1 - (math.cos(0.45) + math.cos(0.20)) / 2 > 0.05
    pair, alone = 2 / 3 * math.cos(0.25), 1 / 3
    expected = -pair * math.log(pair) - alone * math.log(alone)
    assert sindex_of(at_angles(0.0, 0.25, 0.45)) == pytest.approx(expected)
