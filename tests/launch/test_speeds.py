"""Speeds that `bench` measured, kept beside the runs."""

from pathlib import Path

import pytest

from homogaudit.launch.speeds import Speeds, find_serial_speed, find_speeds, store_speeds


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return path


def test_a_speed_is_found_by_the_content_of_the_file(tmp_path: Path, model: Path):
    store_speeds(tmp_path / "runs", model, Speeds(300.0, 100.0))
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(b"weights")
    assert find_speeds(tmp_path / "runs", copy) == Speeds(300.0, 100.0)
    copy.write_bytes(b"others")
    assert find_speeds(tmp_path / "runs", copy) is None


def test_a_later_measurement_replaces_the_earlier_one(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    store_speeds(tmp_path, model, Speeds(300.0, 100.0))
    store_speeds(tmp_path, model, Speeds(310.0, 110.0))
    assert find_serial_speed(str(model)) == 110.0


def test_a_damaged_file_or_a_missing_model_is_no_speed(tmp_path: Path, model: Path):
    (tmp_path / "bench.json").write_text("{", encoding="utf-8")
    assert find_speeds(tmp_path, model) is None
    assert find_speeds(tmp_path, tmp_path / "nowhere.gguf") is None
