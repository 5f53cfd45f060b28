"""`homogaudit sweep` with the packaged model: drawn, killed, gone on with, reported."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.store import RunFile

from ..patience import PATIENCE

SHORT = ["-n", "2", "--max-tokens", "3", "--no-embedder", "--slots", "1", "--threads", "1", "--limit", "2"]


class Result:
    """What one command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture
def sweep(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs `homogaudit sweep` in this process; the engine is one of its own anyway."""

    def sweep(*arguments: object) -> Result:
        capsys.readouterr()
        code = run_app(["sweep", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Result(code, captured.out, captured.err)

    return sweep


Sweep = Callable[..., Result]


def texts(folder: Path) -> dict[tuple[str, str, int], str]:
    found: dict[tuple[str, str, int], str] = {}
    for path in sorted(folder.glob("*.audit")):
        with RunFile.open(path) as run:
            for s in run.sample_sets():
                draws = [*([s.greedy] if s.greedy else []), *s.samples]
                found |= {(path.name, s.question.id, x.sample_index): x.text for x in draws}
    return found


def test_a_sweep_draws_a_run_a_setting_and_the_same_command_only_reports(sweep: Sweep, runs: Path, demo_model: Path):
    command = [demo_model, "factual", "--over", "temperature=0.2,2.0", *SHORT]
    first = sweep(*command)
    assert first.code == 0
    assert "2 runs, 12 answers" in first.err
    assert "run 2 of 2: temperature 2" in first.err
    (folder,) = (x for x in runs.iterdir() if x.is_dir())
    assert {x.name for x in folder.iterdir()} == {"sweep.json", "temperature-0.2.audit", "temperature-2.audit"}
    drawn = texts(folder)
    assert len(drawn) == 12
    # The greedy answers are those of one model; the samples are not.
    for question in ("fact-001", "fact-002"):
        assert drawn["temperature-0.2.audit", question, -1] == drawn["temperature-2.audit", question, -1]
    for name, temperature in (("temperature-0.2.audit", 0.2), ("temperature-2.audit", 2.0)):
        with RunFile.open(folder / name) as run:
            assert run.status == "complete"
            assert run.parameters["decoding"]["temperature"] == temperature
            # Nothing asks the model about its answers unless it is asked for.
            assert run.calls() == {}
    again = sweep(*command)
    assert again.code == 0
    assert "nothing is left to draw" in again.err
    assert "loading" not in again.err
    assert again.out == first.out
    by_folder = sweep(folder)
    assert (by_folder.out, by_folder.err) == (first.out, "")
    as_json = json.loads(sweep(folder, "--json").out)
    assert as_json["schema"] == "homogaudit.sweep/1"
    assert [x["setting"] for x in as_json["settings"]] == [{"temperature": 0.2}, {"temperature": 2.0}]
    assert sweep(folder, "--markdown").out.startswith("# homogaudit sweep\n\n## Settings\n")


def test_a_killed_sweep_goes_on_and_ends_as_one_that_was_not(
    sweep: Sweep, runs: Path, tmp_path: Path, demo_model: Path
):
    # Answers long enough that the second setting is still being drawn when it is seen to have begun.
    longer = [*SHORT, "--max-tokens", "24"]
    command = [str(demo_model), "factual", "--over", "temperature=0.2,2.0", *longer]
    whole = tmp_path / "whole"
    assert sweep(*command, "-o", whole).code == 0
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "homogaudit", "sweep", *command, "-o", str(killed), "--debug"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    second = killed / "temperature-2.audit"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if second.exists():
            with RunFile.open(second) as run:
                if run.generation_keys():
                    break
        time.sleep(0.005)
    process.kill()
    process.wait(PATIENCE)
    assert process.returncode == -signal.SIGKILL
    left = sweep(killed)
    assert left.code == 4
    assert "is not complete" in left.err
    # The engine ends when its parent is gone; until then it holds the run.
    while sweep(*command, "-o", killed, "-q").code != 0:
        assert time.monotonic() < deadline
    assert texts(killed) == texts(whole)
    assert not list(killed.glob("*.log"))


def test_a_setting_that_cannot_be_leaves_nothing(sweep: Sweep, runs: Path, demo_model: Path):
    result = sweep(demo_model, "factual", "--over", "temperature=0.5,99", *SHORT)
    assert result.code == 2
    assert "`--temperature` must lie between 0 and 10" in result.err
    assert not runs.exists()
    result = sweep(demo_model, "factual", "--over", "model=nothing-of-this-name.gguf", *SHORT)
    assert result.code in (2, 3)
    assert not runs.exists() or not any(x.is_dir() for x in runs.iterdir())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["demo"], "nothing to sweep over"),
        (["demo", "--over", "temperature=1,2", "--temperature", "1"], "`--temperature` is swept"),
        (["demo", "--over", "n=2,3", "-n", "4"], "`--samples` is swept"),
        (["demo", "-", "--over", "temperature=1,2"], "several times"),
        (["demo", "--over", "heat=1,2"], "`heat`"),
    ],
)
def test_what_is_no_sweep_is_a_usage_error(sweep: Sweep, runs: Path, arguments: list[str], named: str):
    result = sweep(*arguments)
    assert result.code == 2
    assert named in result.err
    assert not runs.exists()


def test_a_folder_that_holds_something_else_is_left_alone(sweep: Sweep, tmp_path: Path, demo_model: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    result = sweep(demo_model, "--over", "temperature=1,2", "-o", tmp_path / "mine", *SHORT)
    assert result.code == 2
    assert "holds no sweep" in result.err
    assert [x.name for x in (tmp_path / "mine").iterdir()] == ["letter.txt"]
