"""Against figures that scikit-learn and SciPy gave on recorded answers of Qwen3-14B."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.statistics import auroc, bootstrap_auroc, cohens_d, delong, holm, p_works, wilson

REFERENCE = Path(os.environ.get("HOMOGAUDIT_REFERENCE", Path(__file__).parents[2] / ".." / "shared" / "reference"))
SIGNALS = (
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_std",
    "high_entropy_ratio",
    "response_length",
)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    path = REFERENCE / "expected.json"
    if not path.is_file():
        pytest.skip(f"no reference data at {REFERENCE}: set HOMOGAUDIT_REFERENCE")
    return json.loads(path.read_text(encoding="utf-8"))["qwen3-14b"]


@pytest.fixture(scope="module")
def recorded(expected: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The five token signals of the labelled questions, and which answers are incorrect."""
    lines = (REFERENCE / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines[1:]]
    labelled = [record for record in records if record["label"] in ("correct", "incorrect")]
    columns: list[list[float]] = []
    for record in labelled:
        entropies = np.array(record["greedy"]["token_entropies"])
        mean = entropies.mean()
        columns.append([mean, entropies.max(), entropies.std(), (entropies > 2 * mean).mean(), entropies.size])
    return np.array(columns).T, np.array([record["label"] == "incorrect" for record in labelled])


@pytest.mark.parametrize("row", range(5), ids=SIGNALS)
def test_recorded_signal_has_the_expected_figures(expected: dict[str, Any], recorded, on_log_odds, row: int):
    figures = expected["signals"][SIGNALS[row]]
    scores, positive = recorded[0][row], recorded[1]
    interval = delong(scores, positive)
    assert (positive.size, positive.sum()) == (expected["n"], expected["positives"])
    assert auroc(scores, positive) == pytest.approx(figures["auroc"], abs=1e-5)
    assert (interval.low, interval.high) == pytest.approx(on_log_odds(figures), abs=1e-5)
    assert cohens_d(scores, positive) == pytest.approx(figures["cohens_d"], abs=1e-5)


def test_one_sided_p_values_agree_with_the_two_sided_ones(expected: dict[str, Any], recorded):
    for name, p in zip(SIGNALS, p_works(*recorded), strict=True):
        figures = expected["signals"][name]
        # Above 0.5 half of the two-sided p. Below, its complement, up to the continuity correction.
        if figures["auroc"] > 0.5:
            assert p == pytest.approx(figures["mannwhitney_p"] / 2, abs=1e-5)
        else:
            assert p == pytest.approx(1 - figures["mannwhitney_p"] / 2, abs=1e-3)


def test_no_recorded_token_signal_is_shown_to_work(recorded):
    assert (holm(p_works(*recorded)) > 0.05).all()


def test_bootstrap_and_delong_agree_on_recorded_signals(recorded):
    scores, positive = recorded
    for row, interval in zip(scores, bootstrap_auroc(scores, positive), strict=True):
        second = delong(row, positive)
        assert interval is not None
        # Both are asymptotically the same; the Monte Carlo error of an end is about 0.001 at 10,000 draws.
        assert interval.low == pytest.approx(second.low, abs=0.006)
        assert interval.high == pytest.approx(second.high, abs=0.006)


def test_accuracy_is_as_expected(expected: dict[str, Any], recorded):
    _, positive = recorded
    assert wilson(int((~positive).sum()), positive.size).value == pytest.approx(expected["accuracy"], abs=1e-6)
