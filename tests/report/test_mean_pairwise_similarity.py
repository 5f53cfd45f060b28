import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.console import render_console
from homogaudit.report.glossary import lookup
from homogaudit.report.json import to_json
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report
from homogaudit.statistics import Estimate

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
ENTAILMENT = ClusteringMethod("entailment", "single", 0.5, "nli#1")


@pytest.fixture
def report(build_run: Callable[..., Any]) -> Report:
    """Twelve questions: half with three equal answers, half with two equal ones and one that shares no word."""
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["one two"] * 3 if position % 2 else ["one two", "one two", "three four"])
    assignments = {position: (0, 0, 0) if position % 2 else (0, 0, 1) for position in range(12)}
    for method in (JACCARD, ENTAILMENT):
        builder.cluster(assignments, method)
    return build(builder.score(JACCARD, ENTAILMENT), draws=100)


def test_pairs_are_averaged_by_question_and_then_over_questions(report: Report) -> None:
    found = report.homogenization.methods["jaccard"].mean_pairwise_similarity
    assert isinstance(found, Estimate) and found.low is not None and found.high is not None
    # Three pairs a question: all alike, or one of three alike; half of the questions each.
    assert found.value == pytest.approx((1 + 1 / 3) / 2, abs=1e-12)
    assert found.n == 12 and found.low < found.value < found.high


def test_a_clustering_that_compares_too_few_pairs_has_none(report: Report) -> None:
    found = report.homogenization.methods["entailment"].mean_pairwise_similarity
    assert not isinstance(found, Estimate) and "too few pairs" in found.reason


def test_it_is_told_everywhere(report: Report) -> None:
    stream = io.StringIO()
    render_console(report, Console(file=stream, width=80), full=True)
    told = stream.getvalue().splitlines()
    rows = [line.split() for line in told if line.lstrip().startswith("mean pairwise similarity")]
    assert [row[3] for row in rows] == ["0.667", "-"]
    assert "| mean pairwise similarity | 0.667 |" in to_markdown(report)
    assert to_json(report)["homogenization"]["methods"]["jaccard"]["mean_pairwise_similarity"]["n"] == 12
    assert lookup("mean pairwise similarity").definition.startswith("Mean similarity of a question's samples")
