"""The short report: what a reader sees in ten seconds."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from scipy.stats import binomtest

from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.report.build import build
from homogaudit.report.cascade_records import CascadeFindings, CascadeStage, HeldOutCascade, StageAlone
from homogaudit.report.console import render_console
from homogaudit.report.records import Report
from homogaudit.report.section import Section, Span
from homogaudit.report.summary import summary
from homogaudit.report.undefined import Undefined

from .conftest import JACCARD


def told(section: Section) -> dict[str, str]:
    """Return its lines by label; one without a label belongs to the one before."""
    found: dict[str, str] = {}
    label = ""
    for line in section.lines():
        label = line.label or label
        found[label] = f"{found[label]} {line.text}" if label in found else line.text
    return found


@pytest.fixture
def severe(build_run: Callable[..., Any]) -> Report:
    """Forty questions, 30 of which have one cluster at 0.4; a third of the answers is wrong."""
    builder = build_run(40)
    for position in range(40):
        builder.draw(position, ["one two"] * 3 if position < 30 else ["one two", "three four", "five six"])
    builder.cluster({n: (0, 0, 0) if n < 30 else (0, 1, 2) for n in range(40)})
    builder.label({n: "correct" if n % 3 else "incorrect" for n in range(40)})
    builder.signal("token_entropy_mean", {n: float(n % 3 == 0) + n / 100 for n in range(40)})
    return build(builder.score(JACCARD), draws=100)


def test_the_rate_stands_on_a_scale_with_the_bounds_of_the_levels(severe: Report) -> None:
    found = summary(severe)
    (scale,) = found.tables()
    assert scale.axis is not None and scale.axis.marks == (0.05, 0.20)
    (row,) = scale.rows
    ends = binomtest(30, 40).proportion_ci(0.95, method="exact")
    assert isinstance(row.mark, Span) and row.mark.value == 0.75
    assert (row.mark.low, row.mark.high) == pytest.approx((ends.low, ends.high), abs=1e-9)
    assert "30 of 40" in row.cells


def test_a_level_that_holds_everywhere_is_robust_and_one_that_does_not_says_so(severe: Report) -> None:
    assert severe.verdict.robustness == "robust"
    assert summary(severe).title == "Homogenization: severe at 0.4, robust"
    assert told(summary(severe))["Robust?"].startswith("Yes: 75.0% at 0.1, 75.0% at 0.6")
    doubtful = replace(severe, verdict=replace(severe.verdict, robustness="depends on the threshold"))
    assert summary(doubtful).title == "Homogenization: severe at 0.4, depends on the threshold"
    assert told(summary(doubtful))["Robust?"].startswith("No: ")


def test_the_ends_of_the_sweep_decide_whether_a_level_is_robust(build_run: Callable[..., Any]) -> None:
    builder = build_run(40)
    for position in range(40):
        # One of three bigrams is shared: one cluster up to a threshold of a third, two above.
        builder.draw(position, ["a b c", "a b d", "a b c"])
    builder.cluster(dict.fromkeys(range(40), (0, 1, 0)))
    found = build(builder.score(JACCARD), draws=50)
    rates = [point.scr.value for point in found.homogenization.methods["jaccard"].thresholds]
    assert (rates[0], rates[-1]) == (1.0, 0.0)
    assert found.verdict.robustness == "depends on the threshold"


def test_wrong_answers_that_sampling_cannot_see_lead_to_their_questions(severe: Report) -> None:
    # Of 14 wrong answers (0, 3, ... 39) ten lie below 30.
    (line,) = [x for x in summary(severe).lines() if x.label == "Missed"]
    assert line.text.startswith("10 of 14 wrong answers (71.4%")
    assert line.questions == "missed"


def test_the_best_free_signal_and_those_that_work_are_named(severe: Report) -> None:
    text = told(summary(severe))["Signals"]
    assert text.startswith("Best free `token_entropy_mean`, AUROC 1.000")
    assert "`token_entropy_mean` works" in text and "n 40" in text


def cascade(recommended: bool, *, shown_worse: bool, first: str = "free", needed: int | None = None) -> CascadeFindings:
    value = HeldOutValue(0.793, 0.7, 0.88)
    alone = {name: StageAlone(value, value, 0.5, shown_worse) for name in ("token_entropy_mean", "sar")}
    held_out = HeldOutCascade(
        n=40,
        positives=14,
        folds=5,
        repeats=10,
        draws=100,
        auroc=HeldOutValue(0.79, 0.7, 0.88),
        auroc_parallel=HeldOutValue(0.808, 0.7, 0.9),
        difference=value,
        margin=0.05,
        p_non_inferior=0.01,
        accuracy_at_cut=HeldOutValue(0.7, 0.6, 0.8),
        accuracy_at_cut_parallel=HeldOutValue(0.71, 0.6, 0.8),
        decided={},
        saving={"calls": HeldOutValue(0.6, 0.5, 0.7)},
        alone=alone,
        points=(),
        conditions=(),
    )
    stages = (CascadeStage("token_entropy_mean", "B1", first, {}), CascadeStage("sar", "B1", "samples", {}))
    return CascadeFindings(stages, {}, held_out, recommended, needed, "a reason", Undefined("none"), Undefined("none"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (cascade(True, shown_worse=True), "The cascade saves 60.0% [50.0%, 70.0%] of the calls"),
        (
            cascade(False, shown_worse=False),
            "`token_entropy_mean` alone, no sampling: saves all sampling calls, AUROC 0.793 [0.700, 0.880] against",
        ),
        (
            cascade(False, shown_worse=True),
            "None is shown: a reason; AUROC 0.790 against 0.808 of every stage, accuracy 70.0%",
        ),
        (cascade(False, shown_worse=True, needed=120), "A cascade is promising, label about 80 more; AUROC 0.790"),
        (cascade(False, shown_worse=False, first="samples"), "None is shown: a reason"),
    ],
)
def test_the_saving_is_told_also_where_the_cheapest_signal_alone_is_the_answer(
    severe: Report, found: CascadeFindings, said: str
) -> None:
    assert told(summary(replace(severe, cascade=found)))["Saving"].startswith(said)


def test_an_unlabelled_run_says_what_is_not_known_and_how_to_label_it(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["one two"] * 3)
    builder.cluster(dict.fromkeys(range(12), (0, 0, 0)))
    found = told(summary(build(builder.score(JACCARD, judge=None), draws=50)))
    assert "no reference answers" in found["Signals"]
    assert found["Missed"].startswith("Not known: ") and found["Saving"].startswith("Not known: ")
    assert "`homogaudit score run0.audit --judge model:MODEL`" in found["Next"]


def test_an_audit_that_is_not_judged_says_why(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    for position in range(3):
        builder.draw(position, ["one two"] * 3)
    builder.cluster(dict.fromkeys(range(3), (0, 0, 0)))
    found = summary(build(builder.score(JACCARD), draws=50))
    assert found.title == "Homogenization: not judged"
    assert any("not judged: only 3 questions are clustered, 10 are needed" in line.text for line in found.lines())


def test_an_invalid_audit_says_why_and_gives_no_level(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["one two", "", ""])
    found = summary(build(builder.score(JACCARD), draws=50))
    assert found.title == "Homogenization: invalid"
    assert any("not valid: only 12 of 36 samples hold an answer" in line.text for line in found.lines())


def test_the_worst_warnings_limit_the_figures_and_the_rest_is_counted(severe: Report) -> None:
    warned = replace(severe, validity=replace(severe.validity, warnings=("one", "two", "three", "four")))
    assert told(summary(warned))["Caution"] == "one. two; 2 more under Validity (`--full`)."


def test_it_fits_24_lines_of_80_columns_whatever_it_warns_of(severe: Report) -> None:
    warned = replace(severe, validity=replace(severe.validity, warnings=("a long warning " * 30,) * 4))
    stream = io.StringIO()
    render_console(warned, Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
