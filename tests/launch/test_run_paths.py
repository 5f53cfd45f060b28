"""Which run file a RUN argument means."""

import os
from pathlib import Path

import pytest

from homogaudit.errors import RunFileError
from homogaudit.launch.run_paths import SUFFIX, find_run, list_runs, new_run_path, runs_folder
from homogaudit.store import RUN_SUFFIX


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    for age, name in enumerate(["demo-facts-1.audit", "demo-facts-2.audit", "qwen-math.audit", ".x.audit.1f", "x.txt"]):
        (folder / name).touch()
        os.utime(folder / name, (1000 - age, 1000 - age))
    return folder


def test_the_suffix_is_that_of_the_store():
    assert SUFFIX == RUN_SUFFIX


def test_runs_are_listed_the_newest_first_and_nothing_else_is(folder: Path):
    assert [path.name for path in list_runs(folder)] == ["demo-facts-1.audit", "demo-facts-2.audit", "qwen-math.audit"]
    assert list_runs(folder / "absent") == []


def test_none_means_the_run_written_last(folder: Path):
    assert find_run(None, folder).name == "demo-facts-1.audit"
    # A run that is being written changes only its log.
    (folder / "qwen-math.audit-wal").touch()
    assert find_run(None, folder).name == "qwen-math.audit"


@pytest.mark.parametrize("text", ["qwen-math.audit", "qwen-math", "qwen", "q"])
def test_a_name_in_the_folder_or_its_beginning_is_enough(folder: Path, text: str):
    assert find_run(text, folder) == folder / "qwen-math.audit"


def test_a_whole_name_stands_before_those_that_begin_with_it(folder: Path):
    (folder / "demo.audit").touch()
    assert find_run("demo", folder) == folder / "demo.audit"


def test_a_path_stands_before_a_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qwen-math").touch()
    assert find_run("qwen-math", folder) == Path("qwen-math")
    assert find_run(str(folder / "qwen-math.audit"), folder) == folder / "qwen-math.audit"


def test_a_beginning_of_several_names_them(folder: Path):
    with pytest.raises(RunFileError, match="`demo` may mean `demo-facts-1`, `demo-facts-2`"):
        find_run("demo", folder)


def test_an_unknown_name_gets_the_nearest(folder: Path):
    with pytest.raises(RunFileError) as error:
        find_run("qwen_math", folder)
    assert error.value.message == "no run `qwen_math`"
    assert "`qwen-math`" in (error.value.hint or "")
    with pytest.raises(RunFileError) as error:
        find_run("zzzzzzzz", folder)
    assert "homogaudit runs" in (error.value.hint or "")


@pytest.mark.parametrize("text", ["", "../runs/qwen", "/absent/qwen-math.audit"])
def test_what_is_neither_path_nor_name_is_refused(folder: Path, text: str):
    with pytest.raises(RunFileError):
        find_run(text, folder)


def test_no_runs_at_all_is_said(tmp_path: Path):
    with pytest.raises(RunFileError, match="no runs in"):
        find_run(None, tmp_path)


def test_a_new_run_is_named_after_model_questions_and_time(tmp_path: Path):
    path = new_run_path(tmp_path, "/models/Qwen 2.5 [0.5B].gguf", "facts.jsonl")
    assert path.name.startswith("Qwen-2.5-0.5B-facts-20")
    assert path.suffix == SUFFIX
    path.touch()
    assert new_run_path(tmp_path, "/models/Qwen 2.5 [0.5B].gguf", "facts.jsonl") != path


@pytest.mark.parametrize("model", ["", "../..", "日本", "a" * 500, "http://localhost:8080/v1/"])
def test_any_name_gives_a_file_in_the_folder(tmp_path: Path, model: str):
    path = new_run_path(tmp_path, model, model)
    path.touch()
    assert list_runs(tmp_path) == [path]


def test_the_folder_is_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "mine"))
    assert runs_folder() == tmp_path / "mine"
