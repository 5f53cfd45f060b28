from typing import Any

import pytest

from homogaudit.report.build import build
from homogaudit.report.records import ThresholdPoint, Undefined
from homogaudit.store.run_file import RunFile


def calibrated(run: RunFile, threshold: float | None, key: str = "tiny#1a2b3c4d") -> Any:
    run.set_meta("embedders", {key: {"name": "tiny", "calibrated_threshold": threshold}})
    return build(run, draws=50).homogenization.methods["embedding"].calibrated_threshold


def test_scr_at_a_calibrated_threshold_is_that_of_the_sweep_at_the_same_threshold(small_run: RunFile) -> None:
    sweep = {x.threshold: x for x in build(small_run, draws=50).homogenization.methods["embedding"].thresholds}
    for threshold in (0.70, 0.95):
        assert calibrated(small_run, threshold) == sweep[threshold]


def test_a_threshold_that_joins_everything_gives_one_cluster_a_question(small_run: RunFile) -> None:
    point = calibrated(small_run, -1.0)
    assert isinstance(point, ThresholdPoint)
    assert point.scr.value == point.mean_clusters == 1.0


@pytest.mark.parametrize(("threshold", "key"), [(None, "tiny#1a2b3c4d"), (0.9, "other#0")])
def test_an_embedder_that_was_not_calibrated_has_no_such_scr(
    small_run: RunFile, threshold: float | None, key: str
) -> None:
    assert isinstance(calibrated(small_run, threshold, key), Undefined)


def test_wording_has_no_calibrated_threshold(small_run: RunFile) -> None:
    found = build(small_run, draws=50).homogenization.methods["jaccard"].calibrated_threshold
    assert found == Undefined("only the cosine of an embedder is calibrated")


def test_the_calibrated_threshold_is_a_point_of_the_curve(small_run: RunFile) -> None:
    small_run.set_meta("embedders", {"tiny#1a2b3c4d": {"name": "tiny", "calibrated_threshold": 0.925}})
    found = build(small_run, draws=50).homogenization.methods["embedding"]
    assert [x.threshold for x in found.thresholds] == [0.70, 0.75, 0.80, 0.85, 0.90, 0.925, 0.95]
    assert found.thresholds[5] == found.calibrated_threshold
