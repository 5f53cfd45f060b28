"""`homogaudit runs`: list, show, delete."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from homogaudit.cli.runs import app
from homogaudit.errors import HomogauditError, RunFileError, UsageError
from homogaudit.launch.run_summary import summarize
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
)
from homogaudit.store import RunFile, RunLock

from ..tui.small_run import make_small_run

runner = CliRunner()
MODEL = "Tiny [bold]\x1b[31m"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(folder))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return folder


def make(path: Path, *, drawn: int = 2, complete: bool = True) -> Path:
    """Write a run of two questions with a greedy answer and two samples, `drawn` questions of it drawn."""
    questions = [Question("a", "Who?"), Question("b", "What?")]
    parameters = {"decoding": {"samples": 2, "seed": 7}}
    with RunFile.create(
        path, model=MODEL, question_source="facts.jsonl", questions=questions, parameters=parameters
    ) as run:
        for question in questions[:drawn]:
            for index in (GREEDY, 0, 1):
                run.add_generation(Generation(question.id, index, "A", "A", GenerationState.VALID))
        if complete:
            run.finish()
    return path


def invoke(*arguments: object, text: str | None = None) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments], input=text)


def refused(*arguments: object, kind: type[HomogauditError]) -> HomogauditError:
    result = invoke(*arguments)
    assert isinstance(result.exception, kind), result.output
    return result.exception


# List


def test_a_run_is_summed_up_as_it_stands(folder: Path):
    summary = summarize(make(folder / "done.audit"))
    assert (summary.name, summary.model, summary.status, summary.pid) == ("done", MODEL, "complete", None)
    assert (summary.questions, summary.questions_done, summary.samples) == (2, 2, 2)
    assert summary.bytes == (folder / "done.audit").stat().st_size


@pytest.mark.parametrize("drawn", [0, 1])
def test_an_unfinished_run_counts_the_questions_that_are_done(folder: Path, drawn: int):
    path = make(folder / "half.audit", drawn=drawn, complete=False)
    with RunFile.open(path, writable=True) as run:
        # Half of a question is not a question.
        run.add_generation(Generation("b", 0, "A", "A", GenerationState.VALID))
    summary = summarize(path)
    assert (summary.status, summary.questions_done, summary.questions) == ("unfinished", drawn, 2)


def test_a_run_that_is_written_names_the_process(folder: Path):
    path = make(folder / "busy.audit", complete=False)
    with RunLock(path), RunFile.open(path, writable=True):
        summary = summarize(path)
    assert (summary.status, summary.pid, summary.questions) == ("in_use", os.getpid(), 2)
    assert summary.status_words == f"in use by {os.getpid()}"


def test_files_that_cannot_be_read_are_listed_as_such(folder: Path):
    connection = sqlite3.connect(make(folder / "newer.audit"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    (folder / "foreign.audit").write_text("text")
    damaged = make(folder / "damaged.audit")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    assert summarize(folder / "newer.audit").status == "newer_schema"
    assert summarize(folder / "foreign.audit").status == "not_readable"
    assert summarize(damaged).status == "not_readable"
    result = invoke()
    assert result.exit_code == 0
    assert "newer schema" in result.stdout
    assert result.stdout.count("not readable") == 2


def test_the_list_fits_80_columns_and_shows_text_as_text(folder: Path):
    name = "a-rather-long-model-name-instruct-q4-truthfulqa-20260101-101010"
    make(folder / f"{name}.audit")
    path = make(folder / "busy.audit", complete=False)
    with RunLock(path):
        result = invoke("list")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert name in result.stdout
    assert "Tiny [bold]" in result.stdout
    assert "2/2 x 2" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("arguments", [("--json",), ("list", "--json")])
def test_the_list_as_json(folder: Path, arguments: tuple[str, ...]):
    make(folder / "done.audit")
    listing = json.loads(invoke(*arguments).stdout)
    assert listing["schema"] == "homogaudit.runs/1"
    assert listing["folder"] == str(folder)
    (run,) = listing["runs"]
    assert (run["name"], run["status"], run["questions_done"], run["model"]) == ("done", "complete", 2, MODEL)


def test_the_list_has_rate_and_level_of_each_run(folder: Path):
    # Of twelve questions five have one cluster.
    shutil.copy(make_small_run(folder.parent), folder / "small.audit")
    make(folder / "none.audit")
    listed = invoke().stdout.splitlines()
    lines = dict(zip(listed[::2], listed[1::2], strict=True))
    assert lines["small"].endswith("  severe, 41.7%")
    assert lines["none"].endswith("  no rate yet")
    assert all(len(line) <= 80 for line in listed)
    found = {run["name"]: run for run in json.loads(invoke("--json").stdout)["runs"]}
    assert (found["small"]["level"], found["small"]["scr"]["value"]) == ("severe", pytest.approx(5 / 12))
    assert (found["none"]["level"], found["none"]["scr"]["value"]) == ("not judged", None)


def test_json_before_another_command_says_where_it_stands(folder: Path):
    make(folder / "done.audit")
    error = refused("--json", "show", kind=UsageError)
    assert "runs show --json" in (error.hint or "")


def test_an_empty_folder_says_so(folder: Path):
    result = invoke()
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs" in result.stderr
    assert json.loads(invoke("--json").stdout)["runs"] == []


# Show


def test_show_tells_what_a_run_holds(folder: Path):
    path = make(folder / "done.audit")
    with RunFile.open(path, writable=True) as run:
        run.add_labels([Label("a", "exact", LabelValue.CORRECT), Label("b", "exact", LabelValue.NO_MATCH)])
        run.add_signals([SignalValue("a", "perplexity", 1.0)])
        run.add_clusterings([Clustering("a", ClusteringMethod("jaccard", "single", 0.4), (0, 0))])
        run.begin_session("generate", 42, {})
        # As every version before has left them.
        run.wanted_calls = ["p_true"]
        run.phases = {"decode": 30.0, "embedding": 10.0}
    result = invoke("show", "done")
    assert result.exit_code == 0
    for part in (
        "facts.jsonl: 2/2 drawn, 2 scored",
        'decoding: {"samples": 2, "seed": 7}',
        "exact: 1 correct, 1 no_match",
        "perplexity",
        "jaccard|single|0.4|-",
        "generate",
        "not ended",
        "phase       decode: 30.0 s, 75.0%",
        "phase       embedding: 10.0 s, 25.0%",
        "asked in    a separate prompt",
    ):
        assert part in result.stdout
    assert "\x1b" not in result.stdout
    facts = json.loads(invoke("show", "done", "--json").stdout)
    assert facts["schema"] == "homogaudit.run_summary/1"
    assert facts["labels"] == {"exact": {"correct": 1, "no_match": 1}}
    assert facts["parameters"]["decoding"]["seed"] == 7
    assert facts["sessions"][0]["pid"] == 42
    assert facts["asked_in"] == "a separate prompt"
    assert facts["phases"]["embedding"] == {"seconds": 10.0, "share": 0.25}
    assert facts["path"] == str(path)


def test_show_without_a_name_takes_the_newest(folder: Path):
    for age, name in enumerate(["new", "old"]):
        os.utime(make(folder / f"{name}.audit"), (1000 - age, 1000 - age))
    assert json.loads(invoke("show", "--json").stdout)["name"] == "new"


def test_show_refuses_what_it_cannot_read(folder: Path):
    (folder / "foreign.audit").write_text("text")
    refused("show", "foreign", kind=RunFileError)
    refused("show", "absent", kind=RunFileError)


# Delete


def test_delete_removes_a_run_and_what_stands_beside_it_only(folder: Path):
    make(folder / "one.audit")
    make(folder / "two.audit")
    for ending in ("-wal", "-shm", ".log", ".lock"):
        (folder / f"one.audit{ending}").touch()
    result = invoke("delete", "one", "--yes")
    assert result.exit_code == 0
    assert "deleted one.audit" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["two.audit"]


def test_delete_takes_several_and_checks_all_of_them_first(folder: Path):
    for name in ("one", "two"):
        make(folder / f"{name}.audit")
    refused("delete", "one", "absent", "--yes", kind=RunFileError)
    assert len(list(folder.iterdir())) == 2
    assert invoke("delete", "one", "two", "one.audit", "-y").exit_code == 0
    assert not list(folder.iterdir())


def test_delete_refuses_a_run_that_another_process_writes(folder: Path):
    path = make(folder / "busy.audit")
    make(folder / "idle.audit")
    source = (
        "import sys; from pathlib import Path; from homogaudit.store import RunLock\n"
        "with RunLock(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        error = refused("delete", "idle", "busy", "--yes", kind=RunFileError)
        assert f"in use by process {writer.pid}" in error.message
        assert len(list(folder.glob("*.audit"))) == 2
        writer.communicate()
    assert invoke("delete", "busy", "--yes").exit_code == 0


def test_delete_without_a_terminal_needs_a_yes(folder: Path):
    path = make(folder / "one.audit")
    error = refused("delete", "one", kind=UsageError)
    assert "--yes" in (error.hint or "")
    assert path.exists()


@pytest.mark.parametrize(("answer", "kept"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_delete_asks_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, kept: bool):
    path = make(folder / "one.audit")
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("homogaudit.cli.runs.sys", terminal)
    result = invoke("delete", "one", text=answer)
    assert result.exit_code == 0
    assert "delete this run?" in result.stderr
    assert path.exists() is kept


def test_delete_leaves_files_that_are_no_runs(folder: Path, tmp_path: Path):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    refused("delete", thesis, "--yes", kind=RunFileError)
    assert thesis.exists()


def test_delete_leaves_a_file_elsewhere_that_only_has_the_name_of_a_run(folder: Path, tmp_path: Path):
    log = tmp_path / "security.audit"
    log.write_text("years of records")
    refused("delete", log, "--yes", kind=RunFileError)
    assert log.exists()


def test_delete_removes_a_run_that_is_damaged(folder: Path):
    (folder / "damaged.audit").write_bytes(b"\xa5" * 100)
    assert invoke("delete", "damaged", "--yes").exit_code == 0
    assert not list(folder.iterdir())
