import math
from collections.abc import Callable
from typing import Any

import pytest

from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.report.layout import sections
from homogaudit.report.undefined import Undefined


def made(build_run: Callable[..., Any], freshness: dict[int, float | None] | None = None) -> Any:
    """Twenty questions, 8 of 12 right up to the cutoff and 2 of 8 after it."""
    builder = build_run([Question(f"q{x}", f"Question {x}?", answers=("Ada Lovelace",)) for x in range(20)])
    right = {*range(8), 12, 13}
    for position in range(20):
        builder.draw(position, ("a", "b", "c"), "Ada Lovelace" if position in right else "It is Ada")
    builder.cluster({x: (0, 1, 2) for x in range(20)})
    builder.label({x: "correct" if x in right else "incorrect" for x in range(20)})
    fresh = {x: 0.0 if x < 12 else 0.4 for x in range(20)} if freshness is None else freshness
    builder.signal("freshness", fresh, reason="the model's training cutoff is not known")
    return builder


def test_accuracy_is_told_before_and_after_the_cutoff(build_run: Callable[..., Any]):
    builder = made(build_run)
    report = build(builder.score(builder.run.clustering_methods()[0]), draws=200)
    labels = report.labels
    before, after = labels.accuracy_before_cutoff, labels.accuracy_after_cutoff
    assert (before.k, before.n, after.k, after.n) == (8, 12, 2, 8)
    # Katz: ln(8/12 : 2/8) +- 1.96 sqrt(1/8 - 1/12 + 1/2 - 1/8).
    error = math.sqrt(1 / 8 - 1 / 12 + 1 / 2 - 1 / 8)
    assert labels.accuracy_decay.value == pytest.approx(8 / 3)
    assert labels.accuracy_decay.low == pytest.approx(math.exp(math.log(8 / 3) - 1.959964 * error), rel=1e-5)
    assert labels.accuracy_decay.high == pytest.approx(math.exp(math.log(8 / 3) + 1.959964 * error), rel=1e-5)
    # 10 answers as they are in the reference; 10 of three words that share one of two.
    assert labels.token_f1.value == pytest.approx((10 * 1 + 10 * 2 / 5) / 20)
    lines = [x.text for section in sections(report) if section.key == "labels" for x in section.lines()]
    assert any(x.startswith("Word F1 of answers and references: 0.700") for x in lines)
    assert any("after it 25.0%" in x for x in lines)


def test_without_a_cutoff_the_reason_is_told(build_run: Callable[..., Any]):
    builder = made(build_run, dict.fromkeys(range(20)))
    labels = build(builder.score(builder.run.clustering_methods()[0]), draws=50).labels
    missing = Undefined("the model's training cutoff is not known")
    assert labels.accuracy_before_cutoff == labels.accuracy_after_cutoff == labels.accuracy_decay == missing


def test_where_nothing_is_right_after_the_cutoff_there_is_no_ratio(build_run: Callable[..., Any]):
    builder = made(build_run, {x: 0.0 if x < 14 else 0.4 for x in range(20)})
    labels = build(builder.score(builder.run.clustering_methods()[0]), draws=50).labels
    assert labels.accuracy_after_cutoff.k == 0
    assert labels.accuracy_decay == Undefined("no answer is right after the training cutoff")
