"""How often a difference is found where there is none, and whether one that is there is always found."""

import numpy as np
import pytest

from homogaudit.comparison.build import with_holm
from homogaudit.comparison.changes import auroc_changes, mean_change, rate_change
from homogaudit.comparison.signals import SignalTable
from homogaudit.records import LabelValue
from homogaudit.report.undefined import Undefined
from homogaudit.signals.sampling import semantic_entropy

QUESTIONS = 100
SIGNALS = ("token_entropy_mean", "token_entropy_max", "response_length", "p_true", "semantic_entropy")


def assignments(rng: np.random.Generator, spread: np.ndarray) -> list[list[int]]:
    """Clusters of ten samples of each question, by a Chinese restaurant process of its own spread."""
    found: list[list[int]] = []
    for own in spread:
        seats: list[int] = []
        for drawn in range(10):
            is_new = rng.random() < own / (own + drawn)
            seats.append(max(seats, default=-1) + 1 if is_new else seats[rng.integers(drawn)])
        found.append(seats)
    return found


def drawn_run(rng: np.random.Generator, spread: np.ndarray, hard: np.ndarray) -> tuple[list[list[int]], SignalTable]:
    """One run: clusters, labels and signals that depend on the questions alone."""
    clusters = assignments(rng, spread)
    ids = tuple(f"q{at}" for at in range(spread.size))
    incorrect = rng.random(spread.size) < 1 / (1 + np.exp(-hard))
    noise = rng.normal(size=(len(SIGNALS) - 1, spread.size))
    matrix = np.vstack([0.6 * hard + 0.5 * incorrect + noise, [[semantic_entropy(x) for x in clusters]]])
    # Lengths and other counts tie.
    matrix[2] = np.round(matrix[2])
    labels = {x: LabelValue.INCORRECT if wrong else LabelValue.CORRECT for x, wrong in zip(ids, incorrect, strict=True)}
    return clusters, SignalTable(SIGNALS, matrix, ids, labels, {}, None)


# At a level of 5% three standard errors are 6.5% of 100 and 2.1% of 1,000.
@pytest.mark.parametrize(("pairs", "most"), [(100, 0.115), pytest.param(1000, 0.065, marks=pytest.mark.slow)])
def test_no_difference_is_found_more_often_than_allowed(capsys: pytest.CaptureFixture[str], pairs: int, most: float):
    rng = np.random.default_rng(20261129)
    found = dict.fromkeys(("mcnemar", "wilcoxon", "auroc", "family"), 0)
    for number in range(pairs):
        spread, hard = rng.gamma(1.0, 1.0, QUESTIONS), rng.normal(size=QUESTIONS)
        (one, first), (two, second) = (drawn_run(rng, spread, hard) for _ in range(2))
        ids = first.question_ids
        single = [{x: len(set(c)) == 1 for x, c in zip(ids, own, strict=True)} for own in (one, two)]
        rate = rate_change(*single, 0.05, "")
        means = {
            "clusters": [{x: float(len(set(c))) for x, c in zip(ids, own, strict=True)} for own in (one, two)],
            "entropy": [{x: semantic_entropy(c) for x, c in zip(ids, own, strict=True)} for own in (one, two)],
            "tokens": [table.values("token_entropy_mean") for table in (first, second)],
        }
        tests = {name: mean_change(*values, 2, number) for name, values in means.items()}
        tests |= auroc_changes(SIGNALS, first, second, 0.05, 999, number)
        tests["accuracy"] = rate_change(first.correct, second.correct, 0.05, "")
        assert not any(isinstance(x, Undefined) for x in (rate, *tests.values()))
        found["mcnemar"] += rate.p < 0.05
        found["wilcoxon"] += tests["clusters"].p < 0.05
        found["auroc"] += tests["token_entropy_mean"].p < 0.05
        found["family"] += any(x.reading != "not shown" for x in with_holm(tests).values())
    with capsys.disabled():
        print(f"\ndifferences found by chance, of {pairs}: {found}")
    assert all(count <= most * pairs for count in found.values())


@pytest.mark.parametrize("dependence", [0.0, 1.0])
def test_one_percent_against_28_5_percent_of_200_questions_is_always_found(dependence: float):
    rng = np.random.default_rng(1)
    for _ in range(1000):
        base, aligned = rng.random((2, 200))
        aligned = base if dependence else aligned
        rates = [dict(enumerate((own < rate).tolist())) for own, rate in ((base, 0.01), (aligned, 0.285))]
        found = rate_change(*rates, 0.05, "")
        assert not isinstance(found, Undefined)
        assert found.reading == "higher" and found.difference.low > 0
