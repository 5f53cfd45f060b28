import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from homogaudit.records import Clustering, ClusteringMethod, SampleSet, SignalValue
from homogaudit.signals.likelihood import cocoa, sar
from homogaudit.signals.registry import SignalInputs, compute_signals

Draws = Callable[..., SampleSet]


def one(inputs: SignalInputs, name: str) -> SignalValue:
    return compute_signals(inputs, [name])[0]


def test_cocoa_is_that_of_lm_polygraph(lm_polygraph: list[dict[str, Any]]) -> None:
    for case in lm_polygraph:
        similarity, expected = np.array(case["greedy_similarity"]), case["expected"]
        logprobs = np.array(case["greedy_logprobs"])
        assert cocoa(-logprobs.sum(), similarity) == pytest.approx(expected["cocoa_msp"])
        assert cocoa(-logprobs.mean(), similarity) == pytest.approx(expected["cocoa_ppl"])
        assert cocoa(np.mean(case["greedy_entropies"]), similarity) == pytest.approx(expected["cocoa_mte"])


def test_sar_is_that_of_lm_polygraph(lm_polygraph: list[dict[str, Any]]) -> None:
    for case in lm_polygraph:
        entailment = np.array(case["entailment"])
        similarity = (entailment + entailment.T) / 2
        logprobs = [np.array(tokens) for tokens in case["sample_logprobs"]]
        relevance = [1 - np.array(tokens) for tokens in case["sample_token_similarity"]]
        assert sar(logprobs, similarity, relevance) == pytest.approx(case["expected"]["sar"])
        assert sar(logprobs, similarity) == pytest.approx(case["expected"]["sar_equal_tokens"])
        # One token of the summed log-probability is the answer's own probability: SentenceSAR.
        sums = [tokens.sum(keepdims=True) for tokens in logprobs]
        assert sar(sums, similarity) == pytest.approx(case["expected"]["sentence_sar"])


def test_sar_of_very_unlikely_answers_does_not_vanish() -> None:
    # each alone: -ln p = 5000, where p itself is 0 in double precision
    assert sar([np.array([-5000.0]), np.array([-5000.0])], np.eye(2)) == pytest.approx(5000.0)
    assert sar([np.array([-1.0]), np.array([-5000.0])], np.eye(2)) == pytest.approx(5001.0 / 2)


def test_cocoa_signal_by_hand(draws: Draws) -> None:
    # -mean ln p = 2; cosines with the greedy answer 1, 0.6 and -1, which counts as 0: distances 0, 0.4, 1
    rows = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    inputs = SignalInputs(draws(greedy_logprobs=[-1.0, -3.0], samples=3), 3, {}, rows, np.array([2.0, 0.0]))
    assert one(inputs, "cocoa").value == pytest.approx(2 * (0 + 0.4 + 1) / 3)


def test_cocoa_is_zero_where_the_samples_repeat_the_answer(draws: Draws) -> None:
    row = np.random.default_rng(0).normal(size=384).astype(np.float32)
    found = one(SignalInputs(draws(greedy_logprobs=[-2.0], samples=5), 5, {}, np.stack([row] * 5), row), "cocoa").value
    assert found == 0.0
    assert math.copysign(1.0, found) == 1.0


def test_sar_signal_by_hand(draws: Draws) -> None:
    # p = exp(mean ln p): 0.5, 0.25; similarity 0.6: -ln(0.5 + 0.25 x 600), -ln(0.25 + 0.5 x 600)
    logprobs = [[math.log(0.5), math.log(0.5)], [math.log(0.25)]]
    rows = np.array([[1.0, 0.0], [0.6, 0.8]])
    expected = -(math.log(0.5 + 0.25 * 600) + math.log(0.25 + 0.5 * 600)) / 2
    inputs = SignalInputs(draws(logprobs=logprobs), 2, {}, rows)
    assert one(inputs, "sar").value == pytest.approx(expected, rel=1e-6)


def energy_inputs(
    draws: Draws, rows: list[list[float]], assignment: tuple[int, ...], greedy: list[float], **arrays: Any
) -> SignalInputs:
    clustering = Clustering("q", ClusteringMethod("embedding", "average", 0.85, "e"), assignment)
    return SignalInputs(
        draws(samples=len(rows), **arrays), len(rows), {"embedding": clustering}, np.array(rows), np.array(greedy)
    )


def test_semantic_energy_by_hand(draws: Draws) -> None:
    # The greedy answer lies in the first cluster: samples 0 and 2 with mean logits 15 and 9, of N = 3.
    logits = [[10.0, 20.0], [99.0], [8.0, 10.0]]
    inputs = energy_inputs(draws, [[1, 0], [0, 1], [1, 0.1]], (0, 1, 0), [1, 0], logits=logits)
    assert one(inputs, "semantic_energy").value == pytest.approx(-(15 + 9) / 3)


def test_a_larger_cluster_has_less_energy_than_a_smaller_one(draws: Draws) -> None:
    logits = [[10.0], [10.0], [10.0]]
    all_agree = energy_inputs(draws, [[1, 0], [1, 0], [1, 0]], (0, 0, 0), [1, 0], logits=logits)
    one_agrees = energy_inputs(draws, [[1, 0], [0, 1], [0, 1]], (0, 1, 1), [1, 0], logits=logits)
    assert one(all_agree, "semantic_energy").value == -10.0
    assert one(one_agrees, "semantic_energy").value == pytest.approx(-10 / 3)


def test_an_answer_that_no_sample_gives_has_no_energy(draws: Draws) -> None:
    # nearest cluster: mean cosine (1 + 0.6) / 2 = 0.8 < 0.85, although one of its samples repeats the answer
    inputs = energy_inputs(draws, [[1, 0], [0.6, 0.8]], (0, 0), [1, 0], logits=[[1.0], [1.0]])
    found = one(inputs, "semantic_energy")
    assert (found.value, found.reason) == (None, "the greedy answer belongs to no cluster of the samples")


def test_energy_without_every_logit_is_none_with_the_counts(draws: Draws) -> None:
    inputs = energy_inputs(draws, [[1, 0], [1, 0]], (0, 0), [1, 0], logits=[[1.0], []])
    assert one(inputs, "semantic_energy").reason == "1 of 2 samples have raw token logits"


@pytest.mark.parametrize("name", ["sar", "semantic_energy"])
def test_token_statistics_that_are_not_finite_never_read_as_confident(draws: Draws, name: str) -> None:
    arrays = {"logprobs": [[-1.0], [math.nan]], "logits": [[1.0], [math.inf]]}
    found = one(energy_inputs(draws, [[1, 0], [1, 0]], (0, 0), [1, 0], **arrays), name)
    assert found.value is None
    assert "not finite" in found.reason
