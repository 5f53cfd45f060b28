"""The folder of a sweep and its manifest."""

from pathlib import Path

import pytest

from homogaudit.errors import RunFileError, UsageError
from homogaudit.launch.sweep import plan_folder
from homogaudit.sweep.axes import parse_axes
from homogaudit.sweep.folder import FILE, check_same, is_sweep, read_manifest, write_manifest


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path):
    manifest = plan_folder({"model": "demo", "limit": 3}, parse_axes(["temperature=0.3,1", "n=2,3"], "demo"))
    write_manifest(tmp_path / "new", manifest)
    assert is_sweep(tmp_path / "new")
    assert read_manifest(tmp_path / "new") == manifest
    check_same(tmp_path / "new", manifest)


def test_another_sweep_in_the_folder_is_named_by_what_differs(tmp_path: Path):
    axes = parse_axes(["temperature=0.3,1"], "demo")
    write_manifest(tmp_path, plan_folder({"limit": 3}, axes))
    with pytest.raises(UsageError, match="another `limit`"):
        check_same(tmp_path, plan_folder({"limit": 4}, axes))
    with pytest.raises(UsageError, match="other values"):
        check_same(tmp_path, plan_folder({"limit": 3}, parse_axes(["temperature=0.3,2"], "demo")))


@pytest.mark.parametrize("text", ["", "{}", '{"format": "homogaudit.sweep_folder/2"}'])
def test_a_file_that_is_no_manifest_is_no_sweep(tmp_path: Path, text: str):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RunFileError, match="holds no sweep"):
        read_manifest(tmp_path)
