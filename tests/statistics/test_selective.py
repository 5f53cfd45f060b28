import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics import (
    COVERAGES,
    accuracy_at_coverage,
    aurc,
    bootstrap_auroc,
    bootstrap_selective,
    prr,
    risk_coverage_curve,
)


def tied_data(seed: int, n: int = 60, levels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    positive[:2] = [True, False]
    return rng.integers(0, levels, n) + positive * rng.integers(0, 3, n).astype(float), positive


def risks_over_all_orders(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The mean over every order that the ties allow of the risk among the first k."""
    risks = []
    for order in itertools.permutations(range(scores.size)):
        if (np.diff(scores[list(order)]) >= 0).all():
            risks.append(np.cumsum(positive[list(order)]) / np.arange(1, scores.size + 1))
    return np.mean(risks, axis=0)


def polygraph_prr(scores: np.ndarray, positive: np.ndarray) -> float:
    """lm-polygraph's prediction-rejection area over the whole curve, normalised; for scores without ties."""

    def area(uncertainty: np.ndarray) -> float:
        quality = (~positive)[np.argsort(uncertainty)].astype(float)
        return float((np.cumsum(quality) / np.arange(1, quality.size + 1))[::-1].mean())

    random = float((~positive).mean())
    return (area(scores) - random) / (area(positive.astype(float)) - random)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_risk_is_the_mean_over_all_orders_of_tied_questions(questions: list[tuple[int, bool]]):
    scores, positive = np.array([x for x, _ in questions], dtype=float), np.array([y for _, y in questions])
    expected = risks_over_all_orders(scores, positive)
    found = risk_coverage_curve(scores, positive)
    np.testing.assert_allclose(found.risk, expected, atol=1e-12)
    np.testing.assert_allclose(found.coverage, np.arange(1, scores.size + 1) / scores.size)
    assert aurc(scores, positive) == pytest.approx(expected.mean(), abs=1e-12)
    for k in range(1, scores.size + 1):
        at = accuracy_at_coverage(scores, positive, k / scores.size)
        assert (at.accepted, at.value) == (k, pytest.approx(1 - expected[k - 1], abs=1e-12))


@pytest.mark.parametrize("seed", range(10))
def test_prr_is_that_of_lm_polygraph_without_ties(seed: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(50) < 0.4
    scores = rng.normal(size=50) + positive
    assert prr(scores, positive) == pytest.approx(polygraph_prr(scores, positive), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_prr_with_ties_is_the_mean_over_random_tie_breaks(seed: int):
    scores, positive = tied_data(seed)
    rng = np.random.default_rng(seed)
    broken = [polygraph_prr(scores + rng.uniform(0, 0.5, scores.size), positive) for _ in range(3000)]
    assert prr(scores, positive) == pytest.approx(np.mean(broken), abs=4 * np.std(broken) / math.sqrt(3000))


def test_prr_is_one_for_the_oracle_and_zero_for_a_constant():
    positive = np.array([True, False, False, True, False])
    assert prr(positive.astype(float), positive) == 1.0
    assert prr(np.full(5, 0.3), positive) == pytest.approx(0.0, abs=1e-15)
    assert aurc(np.full(5, 0.3), positive) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=40), st.randoms())
def test_the_order_of_the_file_and_the_scale_of_the_scores_do_not_matter(questions, random):
    scores, positive = np.array([x for x, _ in questions], dtype=float), np.array([y for _, y in questions])
    order = list(range(scores.size))
    random.shuffle(order)
    moved = aurc(np.exp(scores[order] / 5), positive[order])
    assert moved == pytest.approx(aurc(scores, positive), abs=1e-12)


def test_accuracy_names_the_threshold_and_how_many_are_accepted():
    found = accuracy_at_coverage([0.4, 0.1, 0.3, 0.2], [True, False, True, False], 0.75)
    assert (found.value, found.accepted, found.threshold, found.n) == (pytest.approx(2 / 3), 3, 0.3, 4)
    # In floating point 100 * 0.29 is below 29.
    assert accuracy_at_coverage(np.arange(100.0), np.zeros(100, dtype=bool), 0.29).accepted == 29


def test_what_has_no_figure_says_why():
    with pytest.raises(UndefinedStatisticError, match=r"`0\.3` of `2` questions is none"):
        accuracy_at_coverage([0.1, 0.2], [True, False], 0.3)
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        aurc([], [])
    with pytest.raises(UndefinedStatisticError, match="`0` incorrect and `2` correct"):
        prr([0.1, 0.2], [False, False])
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        risk_coverage_curve([0.1, math.nan], [True, False])
    with pytest.raises(ValueError, match="coverage between 0 and 1"):
        accuracy_at_coverage([0.1], [True], 1.5)


def assert_interval(interval: Interval | None, values: list[float]) -> None:
    assert interval is not None
    low, high = np.quantile(values, [0.025, 0.975])
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-10), pytest.approx(high, abs=1e-10))


@pytest.mark.parametrize("levels", [2, 6, 10_000])
def test_bootstrap_is_that_of_the_figures_of_every_resample(levels: int):
    scores, positive = tied_data(levels, levels=levels)
    gaps = scores.copy()
    gaps[::7] = math.nan
    generator = np.random.default_rng(11)
    resamples = [generator.integers(0, scores.size, scores.size) for _ in range(300)]
    found = bootstrap_selective([scores, gaps], positive, draws=300, seed=11)
    for row, intervals in zip((scores, gaps), found, strict=True):
        kept = [drawn[~np.isnan(row[drawn])] for drawn in resamples]
        assert intervals is not None
        assert_interval(intervals.aurc, [aurc(row[i], positive[i]) for i in kept])
        assert_interval(intervals.prr, [prr(row[i], positive[i]) for i in kept])
        for coverage, interval in zip(COVERAGES, intervals.accuracy, strict=True):
            assert_interval(interval, [accuracy_at_coverage(row[i], positive[i], coverage).value for i in kept])


def test_constant_scores_and_one_class_have_no_interval():
    rng = np.random.default_rng(0)
    scores = np.stack([np.full(20, 0.2), rng.random(20)])
    positive = rng.random(20) < 0.5
    constant, varied = bootstrap_selective(scores, positive, draws=50)
    assert constant is None
    assert varied is not None
    assert bootstrap_selective(scores, np.zeros(20, dtype=bool), draws=50) == (None, None)
    assert bootstrap_auroc(scores, np.zeros(20, dtype=bool), draws=50) == (None, None)


def test_a_coverage_that_accepts_nobody_has_no_interval():
    (found,) = bootstrap_selective([[0.1, 0.2, 0.3]], [True, False, True], coverages=(0.1, 1.0), draws=50)
    assert found is not None
    assert found.accuracy[0] is None
    assert found.accuracy[1] is not None


def test_accuracy_at_coverage_of_recorded_answers(reference: Path):
    expected = json.loads((reference / "expected.json").read_text(encoding="utf-8"))["qwen3-14b"]
    lines = (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    labelled = [record for record in map(json.loads, lines) if record["label"] in ("correct", "incorrect")]
    scores = [np.mean(record["greedy"]["token_entropies"]) for record in labelled]
    positive = [record["label"] == "incorrect" for record in labelled]
    for coverage, accuracy in expected["accuracy_at_coverage_token_entropy_mean"].items():
        found = accuracy_at_coverage(scores, positive, float(coverage))
        # The recorded means have no ties, so that the expectation is the accuracy in stable order.
        assert found.value == pytest.approx(accuracy, abs=1e-5)
        assert found.n == expected["n"]
