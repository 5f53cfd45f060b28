import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from homogaudit.records import SampleSet
from homogaudit.signals.graph import (
    degree,
    eccentricity,
    eigenvalue_laplacian,
    kernel_language_entropy,
    num_semantic_sets,
    pair_scores,
)
from homogaudit.signals.registry import SignalInputs, compute_signals

NAMES = ["num_semantic_sets", "eigenvalue_laplacian", "degree", "eccentricity", "kernel_language_entropy"]


def of_matrices(entailment: NDArray[np.float64], contradiction: NDArray[np.float64]) -> dict[str, float]:
    return {
        "num_semantic_sets": num_semantic_sets(entailment, contradiction),
        "eigenvalue_laplacian": eigenvalue_laplacian(entailment),
        "degree": degree(entailment),
        "eccentricity": eccentricity(entailment),
        "kernel_language_entropy": kernel_language_entropy(entailment, contradiction),
    }


def of_embeddings(draws: Callable[..., SampleSet], rows: NDArray[np.floating]) -> dict[str, float | None]:
    inputs = SignalInputs(draws(samples=len(rows)), len(rows), {}, rows)
    return {value.signal: value.value for value in compute_signals(inputs, NAMES)}


@pytest.mark.parametrize("name", NAMES)
def test_graph_signals_are_those_of_lm_polygraph(lm_polygraph: list[dict[str, Any]], name: str) -> None:
    assert {case["n"] for case in lm_polygraph} == {5, 10}
    for case in lm_polygraph:
        found = of_matrices(np.array(case["entailment"]), np.array(case["contradiction"]))
        assert found[name] == pytest.approx(case["expected"][name], abs=1e-9), case["kind"]


def test_samples_that_are_all_alike_have_exact_values(draws: Callable[..., SampleSet]) -> None:
    for n in (2, 5, 7, 10):
        row = np.random.default_rng(n).normal(size=384).astype(np.float32)
        found = of_embeddings(draws, np.stack([row] * n))
        assert found.pop("kernel_language_entropy") is not None
        assert found == {"num_semantic_sets": 1.0, "eigenvalue_laplacian": 1.0, "degree": 0.0, "eccentricity": 0.0}


def test_kernel_language_entropy_of_equal_answers_is_one_number_above_zero(draws: Callable[..., SampleSet]) -> None:
    # Laplacian of n equal answers, edges 2: eigenvalues 0 and 2n. The kernel's diagonal is (1 + (n - 1) e) / n with
    # e = exp(-0.3 x 2n), so its spectrum, scaled to trace 1, is 1 / s once and e / s n - 1 times, s = 1 + (n - 1) e.
    n = 4
    e = math.exp(-0.3 * 2 * n)
    s = 1 + (n - 1) * e
    expected = -(math.log(1 / s) / s + (n - 1) * e / s * math.log(e / s)) / math.log(n)
    for seed in range(3):
        row = np.random.default_rng(seed).normal(size=16)
        assert of_embeddings(draws, np.stack([row] * n))["kernel_language_entropy"] == pytest.approx(expected)


def test_samples_at_right_angles_are_as_many_sets_as_samples(draws: Callable[..., SampleSet]) -> None:
    # no edges: Laplacian 0, W = identity; eccentricity: n eigenvectors of length 1 less their mean's part, sqrt(n - 1)
    found = of_embeddings(draws, np.eye(4))
    assert found == pytest.approx(
        {
            "num_semantic_sets": 4.0,
            "eigenvalue_laplacian": 4.0,
            "degree": 1 - 4 / 16,
            "eccentricity": math.sqrt(3),
            "kernel_language_entropy": 1.0,
        }
    )


def test_an_eigenvalue_at_the_limit_is_not_below_it_whatever_its_last_digit() -> None:
    # Two answers as similar as s have the eigenvalues 0 and 2 s / (1 + s), which is 0.9 at s = 9 / 11.
    for last_digit in (-1e-12, 0.0, 1e-12):
        similarity = 9 / 11 + last_digit
        assert eccentricity(np.array([[1.0, similarity], [similarity, 1.0]])) == 0.0


def test_opposite_answers_are_no_more_apart_than_unrelated_ones(draws: Callable[..., SampleSet]) -> None:
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert pair_scores(SignalInputs(draws(samples=2), 2, {}, opposite)).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert of_embeddings(draws, opposite) == pytest.approx(of_embeddings(draws, np.eye(2)))


def test_semantic_sets_join_from_a_cosine_of_0_85(draws: Callable[..., SampleSet]) -> None:
    # angles 0, 0.5 and 1.0: neighbours at cos 0.5 = 0.878 chain to one set; 0.6 apart, cos 0.6 = 0.825, they do not
    for step, sets in ((0.5, 1.0), (0.6, 3.0)):
        rows = np.array([[math.cos(step * i), math.sin(step * i)] for i in range(3)])
        assert of_embeddings(draws, rows)["num_semantic_sets"] == sets


@settings(max_examples=40)
@given(st.integers(2, 8), st.integers(0, 10_000), st.randoms())
def test_graph_signals_do_not_depend_on_the_order_of_the_samples(n: int, seed: int, random: Random) -> None:
    rng = np.random.default_rng(seed)
    entailment = rng.random((n, n))
    np.fill_diagonal(entailment, 1.0)
    contradiction = (1 - entailment) * rng.random((n, n))
    order = list(range(n))
    random.shuffle(order)
    turned = np.ix_(order, order)
    assert of_matrices(entailment[turned], contradiction[turned]) == pytest.approx(
        of_matrices(entailment, contradiction), abs=1e-8
    )


def test_rounding_of_embeddings_does_not_rank_questions_by_eccentricity(draws: Callable[..., SampleSet]) -> None:
    rng = np.random.default_rng(5)
    exact = np.repeat(np.eye(8)[[0, 1, 3]], [4, 4, 2], axis=0)
    found = set()
    for _ in range(20):
        rows = exact @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
        values = compute_signals(SignalInputs(draws(samples=10), 10, {}, rows.astype(np.float32)), ["eccentricity"])
        found.add(values[0].value)
    assert len(found) == 1


def test_samples_that_were_not_embedded_are_named(draws: Callable[..., SampleSet]) -> None:
    values = compute_signals(SignalInputs(draws(samples=3), 3), NAMES)
    assert {(value.value, value.reason) for value in values} == {(None, "the samples were not embedded")}
