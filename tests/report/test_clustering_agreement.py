from collections.abc import Callable
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.layout import sections
from homogaudit.report.undefined import WITH_FULL, Undefined

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
ENTAILMENT = ClusteringMethod("entailment", "single", 0.5, "nli#1")


@pytest.fixture
def run(build_run: Callable[..., Any]) -> Any:
    """Ten questions of three samples; one cluster by words in 4 of them, by entailment in 2 of these and one other."""
    builder = build_run(10)
    for position in range(10):
        builder.draw(position, ("a b", "a c", "d e"))
    words = {x: (0, 0, 0) if x < 4 else (0, 1, 2) for x in range(10)}
    entailed = {x: (0, 0, 0) if x in (0, 1, 9) else (0, 0, 1) if x == 2 else (0, 1, 2) for x in range(10)}
    builder.cluster(words)
    builder.cluster(entailed, ENTAILMENT)
    return builder.score(JACCARD, ENTAILMENT, judge=None)


def test_a_second_clustering_confirms_some_of_the_single_clusters_of_the_first(run: Any):
    report = build(run, draws=200, full=True)
    found = {x.clusterings: x for x in report.homogenization.agreement}
    assert list(found) == [("jaccard", "entailment"), ("entailment", "jaccard")]
    first = found["jaccard", "entailment"]
    assert (first.questions, first.confirmed.k, first.confirmed.n) == (10, 2, 4)
    # All 3 pairs twice, 1 of 3, and none.
    assert (first.joined.value, first.joined.n) == (pytest.approx((1 + 1 + 1 / 3 + 0) / 4), 4)
    words, entailed = [x < 4 for x in range(10)], [x in (0, 1, 9) for x in range(10)]
    assert first.kappa.value == pytest.approx(cohen_kappa_score(words, entailed))
    assert (found["entailment", "jaccard"].confirmed.k, found["entailment", "jaccard"].confirmed.n) == (2, 3)
    section = next(x for x in sections(report) if x.key == "clusterings")
    rows = [row.cells for table in section.tables() for row in table.rows]
    assert rows[0][:2] == ("entailment under jaccard", "50.0%") and rows[0][3] == "2 of 4"


def test_without_a_single_cluster_there_is_nothing_to_confirm(build_run: Callable[..., Any]):
    builder = build_run(2)
    for position in range(2):
        builder.draw(position, ("a", "b", "c"))
    for method in (JACCARD, ENTAILMENT):
        builder.cluster({0: (0, 1, 2), 1: (0, 1, 1)}, method)
    (first, _) = build(builder.score(JACCARD, ENTAILMENT, judge=None), draws=50, full=True).homogenization.agreement
    assert first.confirmed == first.joined == Undefined("no question has one cluster under the first")


def test_the_short_report_leaves_it_out(run: Any):
    assert build(run, draws=50).homogenization.agreement == WITH_FULL
