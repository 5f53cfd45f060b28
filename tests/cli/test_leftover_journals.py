"""Every command beside the log of a run that was killed and whose file is gone, or is another one."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.errors import RunFileError
from homogaudit.launch.resume import plan_resume
from homogaudit.records import Question
from homogaudit.store import RunFile
from homogaudit.tui.session import read_session

from ..patience import PATIENCE

_WRITER = """
import os, signal, sys
from pathlib import Path
from homogaudit.records import Generation, GenerationState
from homogaudit.store import RunFile, RunLock

path = Path(sys.argv[1])
with RunLock(path):
    run = RunFile.open(path, writable=True)
    session = run.begin_session("generate", os.getpid(), {})
    for question in run.questions():
        for index in range(-1, 3):
            text = "an old answer"
            drawn = Generation(question.id, index, text, text, GenerationState.VALID, "stop", 3)
            run.add_generation(drawn, session, 1.0)
    run.finish()
    os.kill(os.getpid(), signal.SIGKILL)
"""

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    lines = [{"question": "Where is Rome?", "samples": [{"text": "Italy."}, {"text": "In Italy."}]}]
    Path("recorded.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    Path("questions.txt").write_text("Where is Rome?\nWhere is Bern?\n")
    return tmp_path


def leave_log(name: str) -> Path:
    """Make a run, kill its writer in the middle, and remove the run file; return its path."""
    path = Path(name).absolute()
    questions = [Question("old", "Where is Oslo?")]
    RunFile.create(path, model="m", question_source="q.txt", questions=questions, parameters={}).close()
    done = subprocess.run([sys.executable, "-c", _WRITER, str(path)], timeout=PATIENCE, check=False)
    assert done.returncode == -signal.SIGKILL
    path.unlink()
    return path


def assert_is_new(path: Path, err: str) -> None:
    with RunFile.open(path) as run:
        assert "Where is Oslo?" not in [question.text for question in run.questions()]
        assert all(draw.text != "an old answer" for found in run.sample_sets() for draw in found.samples)
        assert run.status == "complete"
    kept = path.with_name(path.name + "-wal.left-behind")
    assert kept.stat().st_size > 32
    assert f"warning: `{path.name}-wal` was left by a run" in err.replace(f"{path.parent}/", "")
    assert kept.name in err


def test_a_run_takes_nothing_over(demo_model: Path, capsys: Captured):
    path = leave_log("a.audit")
    arguments = ["-n", "2", "--max-tokens", "2", "--no-embedder", "--signals", "free", "-o", "a.audit"]
    assert run_app(["run", str(demo_model), "questions.txt", *arguments]) == 0
    assert_is_new(path, capsys.readouterr().err)


def test_an_import_takes_nothing_over_and_is_scored_without_it(capsys: Captured):
    path = leave_log("a.audit")
    assert run_app(["import", "recorded.jsonl", "-o", "a.audit", "--no-embedder"]) == 0
    assert_is_new(path, capsys.readouterr().err)
    assert run_app(["score", "a.audit", "--no-embedder", "-q"]) == 0
    with RunFile.open(path) as run:
        assert len(run.generation_keys()) == 2


def test_a_merge_takes_nothing_over(demo_model: Path, capsys: Captured):
    common = ["-n", "2", "--max-tokens", "2", "--no-embedder", "--signals", "free", "-q"]
    for shard in (1, 2):
        flags = ["--shard", f"{shard}/2", "-o", f"{shard}.audit"]
        assert run_app(["run", str(demo_model), "questions.txt", *common, *flags]) == 0
    path = leave_log("a.audit")
    assert run_app(["merge", "1.audit", "2.audit", "-o", "a.audit"]) == 0
    assert_is_new(path, capsys.readouterr().err)


@pytest.fixture
def foreign() -> Path:
    """A run that was copied to where the log of another one lies."""
    path = leave_log("a.audit")
    assert run_app(["import", "recorded.jsonl", "-o", "b.audit", "--no-embedder", "-q"]) == 0
    shutil.copy("b.audit", path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["score", "a.audit", "--no-embedder"],
        ["report", "a.audit"],
        ["merge", "a.audit", "b.audit", "-o", "c.audit"],
        ["export", "a.audit"],
        ["run", "tiny.gguf", "questions.txt", "-o", "a.audit"],
    ],
    ids=lambda command: command[0],
)
def test_the_log_of_another_run_is_one_error_for_every_command(foreign: Path, command: list[str], capsys: Captured):
    Path("tiny.gguf").write_bytes(b"GGUF\3\0\0\0")
    before = foreign.read_bytes()
    capsys.readouterr()
    assert run_app(command) == 2
    captured = capsys.readouterr()
    assert "an old answer" not in captured.out
    assert "a.audit-wal` is the journal of another run" in captured.err
    assert "hint: move `" in captured.err
    assert foreign.read_bytes() == before


@pytest.mark.parametrize("read", [plan_resume, read_session])
def test_the_log_of_another_run_is_refused_by_a_resume_and_by_the_live_screen(
    foreign: Path, read: Callable[[Path], object]
):
    with pytest.raises(RunFileError, match="journal of another run"):
        read(foreign)
