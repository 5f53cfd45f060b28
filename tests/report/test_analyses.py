"""The analyses on runs that give some of their figures, or none: a reason each, never a crash."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.report.json import dumps, schema
from homogaudit.report.records import Report
from homogaudit.report.undefined import WITH_FULL, Undefined

SECTIONS = ("comparisons", "selective", "agreement", "categories", "calibration", "dependence")


def checked(report: Report) -> Report:
    Draft202012Validator(schema()).validate(json.loads(dumps(report)))
    return report


def signal_run(
    build_run: Callable[..., Any],
    incorrect: list[bool],
    signals: dict[str, list[float | None]],
    categories: list[str] | None = None,
) -> Any:
    names = categories or [None] * len(incorrect)
    builder = build_run([Question(f"q{n}", f"Question {n}?", name) for n, name in enumerate(names)])
    for position, wrong in enumerate(incorrect):
        builder.draw(position, ["a", "b", "c"])
        builder.label({position: "incorrect" if wrong else "correct"})
    for name, values in signals.items():
        builder.signal(name, dict(enumerate(values)), reason="not there")
    return builder.score()


def test_a_short_report_has_the_comparisons_and_says_how_to_get_the_rest(small_run: Any) -> None:
    report = checked(build(small_run, draws=100))
    for name in ("agreement", "categories", "calibration", "dependence"):
        assert getattr(report, name) == WITH_FULL
    assert not isinstance(report.selective, Undefined)
    assert report.selective.signals["token_entropy_mean"].curve == WITH_FULL
    assert not isinstance(report.comparisons, Undefined)


def test_a_full_report_of_twelve_questions_gives_a_figure_or_a_reason(small_run: Any) -> None:
    report = checked(build(small_run, draws=100, full=True))
    assert report.categories == Undefined("the questions have no categories")
    assert report.comparisons.signals["response_length"] == Undefined("all values are equal")
    assert report.comparisons.signals["perplexity"] == Undefined("log-probabilities were not recorded")
    assert report.dependence.pairs == (Undefined("fewer than two boundaries"),)
    assert isinstance(report.selective.signals["token_entropy_mean"].risk_bound, Undefined)


@pytest.mark.parametrize("wrong", [0, 3, 12])
def test_labels_that_carry_no_figure_are_the_reason_of_every_section(build_run: Callable[..., Any], wrong: int) -> None:
    values = [float(number % 5) for number in range(12)]
    run = signal_run(build_run, [n < wrong for n in range(12)], {"token_entropy_mean": values})
    report = checked(build(run, draws=100, full=True))
    for name in SECTIONS:
        found = getattr(report, name)
        assert isinstance(found, Undefined)
        assert "labelled answers" in found.reason


def test_a_run_without_labels_has_no_analyses(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.signal("token_entropy_mean", {position: float(position) for position in range(12)})
    report = checked(build(builder.score(judge=None), draws=100, full=True))
    assert all(isinstance(getattr(report, name), Undefined) for name in SECTIONS)


def test_without_the_primary_signal_the_others_are_still_scored(build_run: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    run = signal_run(build_run, [n % 2 == 0 for n in range(40)], {"response_length": rng.normal(size=40).tolist()})
    report = checked(build(run, draws=100, full=True))
    assert isinstance(report.comparisons, Undefined)
    assert "token_entropy_mean is not stored" in report.comparisons.reason
    assert isinstance(report.agreement, Undefined)
    assert not isinstance(report.selective.signals["response_length"], Undefined)
    assert report.selective.leading == ("response_length",)
    assert "response_length" in report.calibration.signals


def test_gaps_one_class_in_common_and_a_category_of_one_question_are_reasons(build_run: Callable[..., Any]) -> None:
    rng = np.random.default_rng(4)
    incorrect = [n % 2 == 0 for n in range(40)]
    # Known only where the answer is wrong, and known for three questions.
    one_class = [float(n) if wrong else None for n, wrong in enumerate(incorrect)]
    few = [float(n) if n < 3 else None for n in range(40)]
    signals = {"token_entropy_mean": rng.normal(size=40).tolist(), "odd": one_class, "few": few}
    report = checked(build(signal_run(build_run, incorrect, signals, ["alone", *["many"] * 39]), draws=100, full=True))
    assert isinstance(report.comparisons.signals["odd"], Undefined)
    assert "in common with the primary signal" in report.comparisons.signals["few"].reason
    assert isinstance(report.dependence.signals["few"], Undefined)
    found = report.categories.signals["token_entropy_mean"]
    assert isinstance(found.difference, Undefined)
    assert isinstance(found.categories["alone"].auroc, Undefined)
    assert found.categories["many"].n == 39


def test_the_same_seed_gives_the_same_analyses(small_run: Any) -> None:
    first, again = (build(small_run, draws=100, full=True) for _ in range(2))
    assert dumps(first) == dumps(again)
