"""Figures of diversity in a report, from a run whose clusters and texts are counted by hand."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from homogaudit.pipeline.diversity import store_diversity
from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.console import render_console
from homogaudit.report.glossary import lookup
from homogaudit.report.json import to_json
from homogaudit.report.records import Report
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import Estimate
from homogaudit.store import RunFile

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
ENTAILMENT = ClusteringMethod("entailment", "single", 0.5, "nli#1")


@pytest.fixture
def run(build_run: Callable[..., Any]) -> RunFile:
    """Twelve questions: half with three equal answers, half with two equal ones and one that shares no word."""
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["one two"] * 3 if position % 2 else ["one two", "one two", "three four"])
    assignments = {position: (0, 0, 0) if position % 2 else (0, 0, 1) for position in range(12)}
    for method in (JACCARD, ENTAILMENT):
        builder.cluster(assignments, method)
    return builder.score(JACCARD, ENTAILMENT)


def shown(report: Report, *, full: bool) -> str:
    stream = io.StringIO()
    render_console(report, Console(file=stream, width=80), full=full)
    return stream.getvalue()


def test_distinct_clusters_are_in_every_report(run: RunFile) -> None:
    report = build(run, draws=200)
    points = report.diversity.clusterings["jaccard"].distinct_clusters
    assert not isinstance(points, Undefined)
    # Of three pairs two show both clusters of a question that has two.
    expected = {1: 1, 2: (1 + 5 / 3) / 2, 3: 1.5}
    assert {x.k: x.distinct_clusters.value for x in points} == pytest.approx(expected)
    assert all(x.distinct_clusters.n == 12 for x in points)
    last = points[-1].distinct_clusters
    assert last.low is not None and last.high is not None and last.low < 1.5 < last.high
    assert points[0].distinct_clusters.low is None
    assert f"Distinct 1.50 [{last.low:.2f}, {last.high:.2f}] of 3 samples, similarity 0.667" in shown(
        report, full=False
    )
    assert report.diversity.wording == WITH_FULL
    assert report.diversity.clusterings["jaccard"].vendi_score == WITH_FULL


def test_what_scoring_stored_is_in_the_full_report(run: RunFile) -> None:
    store_diversity(run, "scoring")
    report = build(run, draws=200, full=True)
    texts = report.diversity.wording
    assert not isinstance(texts, Undefined) and isinstance(texts.distinct_1, Estimate)
    # Two of six words, or four of six.
    assert texts.distinct_1.value == pytest.approx((1 / 3 + 2 / 3) / 2) and texts.distinct_1.n == 12
    vendi = report.diversity.clusterings["jaccard"].vendi_score
    assert isinstance(vendi, Estimate)
    # Eigenvalues 2/3 and 1/3: exp(ln 3 - 2/3 ln 2).
    assert vendi.value == pytest.approx((1 + 3 / 2 ** (2 / 3)) / 2)
    written = shown(report, full=True)
    rows = {line.split("  ")[1].strip(): line.split() for line in written.splitlines() if line.startswith("  ")}
    assert rows["distinct-1"][1] == "0.500" and "self-BLEU" in rows and "compression ratio" in rows
    values = to_json(report)["diversity"]
    assert values["wording"]["self_bleu"]["n"] == 12
    assert values["clusterings"]["jaccard"]["distinct_clusters"][2]["distinct_clusters"]["value"] == 1.5
    assert values["clusterings"]["entailment"]["vendi_score"]["value"] is None
    assert lookup("Vendi score").source == "Friedman & Dieng 2023, TMLR, The Vendi Score"


def test_a_run_that_was_scored_before_there_were_any_says_so(run: RunFile) -> None:
    report = build(run, draws=50, full=True)
    texts = report.diversity.wording
    assert not isinstance(texts, Undefined) and isinstance(texts.self_bleu, Undefined)
    assert "`homogaudit score` adds it" in texts.self_bleu.reason
    told = " ".join(shown(report, full=True).split())
    assert "distinct-1, distinct-2, self-BLEU, compression ratio, the run is not scored as a whole" in told
    assert "By wording" not in told


def test_a_run_without_samples_has_none(build_run: Callable[..., Any]) -> None:
    builder = build_run(2, samples=0)
    for position in range(2):
        builder.draw(position, [])
    report = build(builder.score(JACCARD), draws=50, full=True)
    assert report.diversity.clusterings["jaccard"].distinct_clusters == Undefined("the run holds no samples")
    assert not isinstance(report.diversity.wording, Undefined)
    assert report.diversity.wording.self_bleu == Undefined("the run holds no samples")
