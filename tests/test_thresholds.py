"""`homogaudit.config.thresholds`: the file of calibrated thresholds."""

from pathlib import Path

import pytest

from homogaudit.config.thresholds import CalibratedThreshold, calibrated_thresholds, store_threshold, thresholds_file
from homogaudit.errors import ConfigError, StorageError

FOUND = CalibratedThreshold("mini", 0.9, 0.8, None, 424, "ab", "2026-01-01T00:00:00+00:00")


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    named = tmp_path / "data" / "thresholds.json"
    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(named))
    return named


def test_without_a_file_nothing_is_calibrated(file: Path) -> None:
    assert calibrated_thresholds() == {}
    assert thresholds_file() == file


def test_a_stored_threshold_comes_back_and_takes_the_place_of_an_earlier_one_of_its_key(file: Path) -> None:
    assert store_threshold("mini#1", FOUND) == file
    other = CalibratedThreshold("mini", 0.95, None, None, 424, "ab", "2026-01-02T00:00:00+00:00")
    store_threshold("mini#2", FOUND)
    store_threshold("mini#1", other)
    assert calibrated_thresholds() == {"mini#1": other, "mini#2": FOUND}
    assert [path.name for path in file.parent.iterdir()] == ["thresholds.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"embedders": {"a": {}}}', '{"embedders": []}'])
def test_a_broken_file_is_one_clear_error(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"thresholds\.json"):
        calibrated_thresholds()


def test_a_folder_that_cannot_be_made_is_one_clear_error(file: Path) -> None:
    file.parent.write_text("a file")
    with pytest.raises((StorageError, ConfigError)):
        store_threshold("mini#1", FOUND)
