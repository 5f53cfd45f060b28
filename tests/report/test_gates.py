"""Gates on a report: passed, failed, not shown or not to be judged, and how many questions would decide."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from homogaudit.report.build import build
from homogaudit.report.gates import Gates, judge_gates, state_of
from homogaudit.report.json import from_json, to_json
from homogaudit.report.layout import sections
from homogaudit.report.records import Auroc, Report
from homogaudit.report.summary import summary
from homogaudit.statistics import Estimate, Rate

from .conftest import JACCARD


@pytest.fixture
def make(build_run: Callable[..., Any]) -> Callable[..., Report]:
    """Return a function that reports on a run of which some questions have one cluster and some wrong answers."""

    def make(questions: int, single: int, wrong: Callable[[int], bool] = lambda n: n % 3 == 0) -> Report:
        builder = build_run(questions)
        for position in range(questions):
            builder.draw(position, ["one two"] * 3 if position < single else ["one two", "three four", "five six"])
        builder.cluster({n: (0, 0, 0) if n < single else (0, 1, 2) for n in range(questions)})
        builder.label({n: "incorrect" if wrong(n) else "correct" for n in range(questions)})
        # Noisy on purpose: the classes overlap.
        builder.signal("token_entropy_mean", {n: float(wrong(n)) + 7 * n % 11 / 5 for n in range(questions)})
        return build(builder.score(JACCARD), draws=200, sweeps=False)

    return make


def states(report: Report, **gates: Any) -> list[str]:
    return [gate.state for gate in judge_gates(report, Gates(**gates)).gates]


def test_none_of_twenty_is_not_shown_to_be_under_five_per_cent_and_none_of_two_hundred_is(make: Callable[..., Report]):
    few = judge_gates(make(20, 0), Gates(max_scr=0.05))
    (gate,) = few.gates
    # The upper end of none of 20 is 1 - 0.025^(1/20) = 0.1684; from 72 questions on it is 0.05 and less.
    assert (gate.state, gate.questions_needed) == ("not shown", 72)
    assert gate.reason == "SCR 0.000 [0.000, 0.168] (0 of 20)"
    assert gate.hint == "about 72 questions would decide, with a probability of 80% if the true value is 0.000"
    assert states(few, max_scr=0.05) == ["not shown", "not shown"]
    assert states(make(200, 0), max_scr=0.05) == ["passed"]


@pytest.mark.parametrize(
    ("single", "state"), [(0, "passed"), (4, "passed"), (5, "not shown"), (17, "not shown"), (30, "failed")]
)
def test_a_rate_is_held_against_both_ends_of_its_exact_interval(make: Callable[..., Report], single: int, state: str):
    bound = 0.055
    ends = binomtest(single, 200).proportion_ci(0.95, method="exact")
    expected = "passed" if ends.high <= bound else "failed" if ends.low > bound else "not shown"
    report = make(200, single)
    assert states(report, max_scr=bound) == [expected] == [state]
    by_estimate = "passed" if single / 200 <= bound else "failed"
    assert states(report, max_scr=bound, by="estimate") == [by_estimate]


def test_as_many_questions_as_are_needed_decide_in_four_of_five_cases(make: Callable[..., Report]):
    (gate,) = judge_gates(make(100, 2), Gates(max_scr=0.05)).gates
    needed = gate.questions_needed
    assert gate.state == "not shown" and needed is not None

    def power(n: int) -> float:
        fits = [k for k in range(n // 10) if binomtest(k, n).proportion_ci(0.95, method="exact").high <= 0.05]
        return float(binom.cdf(max(fits), n, 0.02)) if fits else 0.0

    # Above 200 questions the number is rounded up by at most 1%.
    assert power(needed) >= 0.80
    assert min(power(n) for n in range(int(0.9 * needed), int(0.98 * needed), 3)) < 0.80


def test_missed_errors_are_held_against_the_wrong_answers_alone(make: Callable[..., Report]):
    # Of 300 questions the first 30 have one cluster; 100 are answered wrongly, ten of them among the 30.
    report = make(300, 30)
    ends = binomtest(10, 100).proportion_ci(0.95, method="exact")
    for bound in (ends.low - 0.001, ends.low + 0.001, ends.high - 0.001, ends.high + 0.001):
        (gate,) = judge_gates(report, Gates(max_missed=bound)).gates
        expected = "failed" if bound < ends.low else "passed" if bound > ends.high else "not shown"
        assert gate.state == expected
    (gate,) = judge_gates(report, Gates(max_missed=0.15)).gates
    assert isinstance(gate.found, Rate) and (gate.found.k, gate.found.n) == (10, 100)
    # A third of the questions is answered wrongly: what decides is three times as many questions.
    assert gate.questions_needed is not None and gate.questions_needed % 3 == 0


def test_fewer_than_ten_wrong_answers_pass_no_gate_on_them(make: Callable[..., Report]):
    (gate,) = judge_gates(make(60, 0, lambda n: n < 9), Gates(max_missed=1)).gates
    assert gate.state == "cannot be judged"
    assert gate.reason == "of those answered wrongly only 9 questions are clustered, 10 are needed"


def test_an_auroc_must_be_shown_to_reach_its_bound(make: Callable[..., Report]):
    report = make(120, 0)
    area = report.signals["token_entropy_mean"].auroc
    assert isinstance(area, Auroc) and area.low is not None and area.high is not None and area.by_category is None
    for bound, state in ((area.low - 0.01, "passed"), (area.value, "not shown"), (area.high + 0.01, "failed")):
        assert states(report, min_auroc={"token_entropy_mean": bound}) == [state]
    by_estimate = [area.value - 0.001, area.value + 0.001]
    found = [states(report, min_auroc={"token_entropy_mean": bound}, by="estimate") for bound in by_estimate]
    assert found == [["passed"], ["failed"]]
    (gate,) = judge_gates(report, Gates(min_auroc={"absent": 0.5})).gates
    assert (gate.state, gate.reason) == ("cannot be judged", "absent is not among the signals of this run")


def test_as_many_questions_as_an_auroc_needs_make_the_interval_reach_the_bound(make: Callable[..., Report]):
    report = make(120, 0)
    signal = report.signals["token_entropy_mean"]
    # On the log-odds 0.7 is 0.847, and the interval about it 0.75 either way.
    low, high = (1 / (1 + np.exp(-(np.log(0.7 / 0.3) + x))) for x in (-0.75, 0.75))
    known = replace(signal.auroc, value=0.7, low=float(low), high=float(high), n=120, by_category=None)
    report = replace(report, signals={"token_entropy_mean": replace(signal, auroc=known)})
    (gate,) = judge_gates(report, Gates(min_auroc={"token_entropy_mean": 0.6})).gates
    # z: 1.959964 of the interval, 0.841621 of the power; 0.6 is 0.405 on the log-odds.
    by_hand = 120 * ((1.959964 + 0.841621) * (0.75 / 1.959964) / (np.log(7 / 3) - np.log(1.5))) ** 2
    assert gate.state == "not shown"
    assert gate.questions_needed == int(np.ceil(by_hand))


def test_an_auroc_without_an_interval_cannot_be_judged_but_by_its_estimate(make: Callable[..., Report]):
    report = make(60, 0)
    signal = report.signals["token_entropy_mean"]
    apart = replace(signal.auroc, value=1.0, low=None, high=None, by_category=None)
    report = replace(report, signals={"token_entropy_mean": replace(signal, auroc=apart)})
    (gate,) = judge_gates(report, Gates(min_auroc={"token_entropy_mean": 0.6})).gates
    assert gate.state == "cannot be judged" and "has no interval: right and wrong answers do not overlap" in gate.reason
    assert states(report, min_auroc={"token_entropy_mean": 0.6}, by="estimate") == ["passed"]


def test_an_invalid_audit_fails_on_invalid_and_passes_nothing(make: Callable[..., Report]):
    report = make(40, 0)
    verdict = replace(report.verdict, level="invalid", level_reason="only 3 of 120 samples hold an answer")
    report = judge_gates(replace(report, verdict=verdict), Gates(max_scr=1, max_missed=1, valid=True))
    assert [gate.state for gate in report.gates] == ["failed", "cannot be judged", "cannot be judged"]
    assert report.gates[1].reason == "the audit is invalid, only 3 of 120 samples hold an answer"
    assert states(make(41, 0), valid=True) == ["passed"]


def test_an_unfinished_run_passes_no_gate(make: Callable[..., Report]):
    report = make(40, 0)
    report = replace(report, run=replace(report.run, status="started"))
    assert states(report, max_scr=1, valid=True) == ["cannot be judged", "cannot be judged"]


def test_a_report_without_gates_says_nothing_of_them(make: Callable[..., Report]):
    report = make(40, 0)
    assert to_json(report)["gates"] == []
    assert "gates" not in [section.key for section in sections(report)]
    assert not Gates() and Gates(valid=True)


def test_gates_stand_in_the_short_report_in_a_section_and_in_json(make: Callable[..., Report]):
    report = judge_gates(make(200, 5), Gates(max_scr=0.05, min_auroc={"token_entropy_mean": 0.5}))
    lines = [line.text for line in summary(report).lines() if line.term == "gate"]
    assert lines == ["`--max-scr 0.05` not shown", "`--min-auroc token_entropy_mean=0.5` passed"]
    (section,) = [x for x in sections(report) if x.key == "gates"]
    (table,) = section.tables()
    assert table.rows[0].cells[:3] == ("--max-scr 0.05", "not shown", "2.5%")
    assert from_json(to_json(report)) == report


@pytest.mark.parametrize(
    ("low", "high", "at_most", "at_least"),
    [(0.1, 0.2, "passed", "failed"), (0.3, 0.6, "not shown", "not shown"), (0.6, 0.9, "failed", "passed")],
)
def test_the_unfavourable_end_passes_and_the_favourable_one_fails(low: float, high: float, at_most: str, at_least: str):
    found = Estimate((low + high) / 2, low, high, 50)
    assert state_of(found, 0.5, "interval") == at_most
    assert state_of(found, 0.5, "interval", at_least=True) == at_least
