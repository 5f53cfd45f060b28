"""What is shown of the recommended signal, where the truth is known: does it hold on fresh questions?"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.analysis_records import AnswerWhere
from homogaudit.report.records import Auroc, Estimate
from homogaudit.report.signal_choice import SignalChoice, choose_signal
from homogaudit.statistics import holm, p_works, wilson

WRONG, AUROC = 0.4, 0.6
APART = math.sqrt(2) * float(norm.ppf(AUROC))


def chosen(make_inputs: Callable[..., AnalysisInputs], rng: np.random.Generator, n: int, signals: int) -> Any:
    """Return the choice among signals of AUROC 0.6 that go together, their scores and which answers are wrong."""
    incorrect = rng.random(n) < WRONG
    common = rng.normal(size=n)
    scores = math.sqrt(0.5) * (common + rng.normal(size=(signals, n))) + APART * incorrect
    works = holm(p_works(scores, incorrect)) < 0.05
    inputs = make_inputs(incorrect, **{f"s{number}": row for number, row in enumerate(scores)})
    found = dict(inputs.signals)
    for number in np.flatnonzero(works).tolist():
        name = f"s{number}"
        area = found[name].auroc
        assert isinstance(area, Auroc)
        found[name] = replace(found[name], auroc=replace(area, reading="works"))
    return choose_signal(inputs.scores, found, 1), scores, incorrect


def accuracy_below(threshold: float) -> float:
    """Return how many of the answers to fresh questions at or below a threshold are right."""
    right, wrong = (1 - WRONG) * norm.cdf(threshold), WRONG * norm.cdf(threshold - APART)
    return float(right / (right + wrong))


def shown(make_inputs: Callable[..., AnalysisInputs], n: int, signals: int, worlds: int, seed: int) -> dict[str, float]:
    """Return means and coverages over the worlds in which a signal is recommended."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for _ in range(worlds):
        choice, scores, incorrect = chosen(make_inputs, rng, n, signals)
        assert isinstance(choice, SignalChoice)
        if choice.name is None:
            continue
        where, area = choice.where, choice.auroc
        assert isinstance(where, AnswerWhere) and isinstance(area, Estimate)
        assert None not in (where.accuracy.low, where.accuracy.high, area.low, area.high)
        truth = accuracy_below(where.threshold)
        accepted = scores[int(choice.name[1:])] <= where.threshold
        in_sample = wilson(int((accepted & ~incorrect).sum()), int(accepted.sum()))
        rows.append(
            (
                truth,
                where.accuracy.value,
                in_sample.value,
                where.accuracy.low <= truth <= where.accuracy.high,
                in_sample.low <= truth <= in_sample.high,
                area.low <= AUROC <= area.high,
            )
        )
    names = ("truth", "held_out", "in_sample", "covers", "in_sample_covers", "auroc_covers")
    means = np.mean(np.array(rows, dtype=np.float64), axis=0).tolist()
    return {"worlds": float(len(rows)), **dict(zip(names, means, strict=True))}


def test_the_accuracy_at_the_cut_is_not_flattered_by_the_choice(make_inputs: Callable[..., AnalysisInputs]) -> None:
    found = shown(make_inputs, 100, 10, 40, 5)
    assert found["worlds"] > 15
    # In the sample that chose, it is some hundredths too high; four errors of the mean are 0.04.
    assert found["in_sample"] - found["truth"] > 0.04
    assert abs(found["held_out"] - found["truth"]) < 0.04


@pytest.mark.parametrize(
    ("n", "signals", "worlds"),
    [
        (100, 1, 60),
        (200, 25, 40),
        *(pytest.param(n, signals, 400, marks=pytest.mark.slow) for n in (100, 200, 400) for signals in (1, 25)),
    ],
)
def test_intervals_of_the_recommended_signal_cover_what_fresh_questions_give(
    make_inputs: Callable[..., AnalysisInputs], n: int, signals: int, worlds: int
) -> None:
    found = shown(make_inputs, n, signals, worlds, n + signals)
    print(f"\n{n} questions, {signals} signals of AUROC {AUROC}: ", {name: round(x, 3) for name, x in found.items()})
    # Three errors of a coverage of 0.95, of which 150 worlds have 0.05 at most.
    error = math.sqrt(0.95 * 0.05 / found["worlds"])
    assert found["worlds"] > worlds / 8
    assert found["covers"] >= min(0.92, 0.95 - 3 * error) and found["auroc_covers"] >= min(0.90, 0.95 - 3 * error)
