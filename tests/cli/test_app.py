"""The command line as a whole: how errors are shown, what pipes do, and what help says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from homogaudit import __version__
from homogaudit.cli import app as cli
from homogaudit.cli.app import run_app
from homogaudit.cli.error_line import after_report, show_error
from homogaudit.errors import GateFailedError, HomogauditError, UsageError
from homogaudit.records import GREEDY, Generation, GenerationState
from homogaudit.store import RunFile

from ..patience import PATIENCE

COMMANDS = [
    "run",
    "tui",
    "report",
    "compare",
    "score",
    "merge",
    "import",
    "export",
    "models",
    "calibrate",
    "bench",
    "doctor",
]
COMMANDS += ["explain", "guide", "runs", "runs list", "runs show", "runs delete"]
COMMANDS += ["cascade", "cascade fit", "cascade apply"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def homogaudit(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "homogaudit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, **options)  # type: ignore[call-overload]


def assert_is_error(text: str, starts: str) -> None:
    """One lower-case line and one hint, and nothing else."""
    error, hint = text.splitlines()
    assert error.startswith(f"error: {starts}"), error
    assert hint.startswith("hint: ")
    assert error[7].islower() or error[7] == "`"
    assert not error.endswith(".")


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "no such command `frobnicate`"),
        (["--frobnicate"], "no such option: `--frobnicate`"),
        (["run"], "missing argument `MODEL`"),
        (["run", "demo", "--frobnicate"], "no such option: `--frobnicate`"),
        (["run", "demo", "-n", "many"], "invalid value for `-n` / `--samples`"),
        (["run", "demo", "--temperature", "hot"], "invalid value for `--temperature`"),
        (["run", "demo", "--limit"], "option `--limit` requires"),
        (["run", "demo", "a.txt", "b.txt"], "got unexpected extra argument"),
        (["runs", "frobnicate"], "no such command `frobnicate`"),
        (["runs", "delete"], "missing argument `RUN"),
        (["report", "--json", "--markdown"], "`--json` and `--markdown` both print to standard output"),
        (["report", "--max-scr", "2"], "`--max-scr` must lie between 0 and 1, not `2`"),
        (["report", "absent"], "no run `absent`"),
        (["explain", "the meaning of life"], "unknown term `the meaning of life`"),
        (["bench", "demo", "--repeats", "0"], "`--repeats` must lie between 1 and 1000, not `0`"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_hint(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert run_app(arguments) == 2
    captured = capsys.readouterr()
    if "--json" in arguments:
        error = json.loads(captured.out)["error"]
        assert error["message"].startswith(message)
        assert captured.err == ""
    else:
        assert captured.out == ""
        assert_is_error(captured.err, message)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["frobnicate"], "`homogaudit --help` lists the commands"),
        (["run"], "`homogaudit run --help` lists its arguments and flags"),
        (["runs", "delete"], "`homogaudit runs delete --help` lists its arguments and flags"),
    ],
)
def test_the_hint_names_the_help_of_the_command(arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]):
    run_app(arguments)
    assert capsys.readouterr().err.splitlines()[1] == f"hint: {hint}"


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(["frobnicate", "--json"], "usage"), (["report", "absent", "--json"], "run_file"), (["run", "--json"], "usage")],
)
def test_under_json_an_error_is_one_object(arguments: list[str], kind: str, capsys: pytest.CaptureFixture[str]):
    assert run_app(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    error = json.loads(line)["error"]
    assert set(error) == {"kind", "message", "hint"}
    assert error["kind"] == kind
    assert captured.err == ""


@pytest.mark.parametrize("arguments", [["run", "demo", "--max-scr", "10%"], ["report", "--max-missed=10%"]])
def test_a_share_in_percent_is_told_how_to_be_written(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert run_app(arguments) == 2
    assert "hint: a share is written as a number, 0.05 for 5%" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--debug", "report", "absent"], ["report", "absent", "--debug"]])
def test_debug_raises_wherever_it_stands(arguments: list[str]):
    with pytest.raises(HomogauditError, match="no run `absent`"):
        run_app(arguments)


def test_a_bug_is_one_line_too_unless_debugging(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(cli, "app", fail)
    assert run_app(["doctor"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "error: internal error: ZeroDivisionError: division by zero",
        "hint: run the same command with `--debug` to see where",
    ]
    assert run_app(["doctor", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "error"
    with pytest.raises(ZeroDivisionError):
        run_app(["doctor", "--debug"])


def test_a_path_that_the_system_refuses_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "/locked/runs")

    monkeypatch.setattr(cli, "app", refuse)
    assert run_app(["runs"]) == 3
    assert_is_error(capsys.readouterr().err, "cannot use `/locked/runs`: permission denied")


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_130(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupt(*arguments: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr(cli, "app", interrupt)
    assert run_app(["models"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]):
    assert show_error(UsageError("no `\x1b[31mred\n\x9b2J`", "try [bold]\x07")) == 2
    assert capsys.readouterr().err == "error: no `red `\nhint: try [bold]\n"


@pytest.mark.parametrize("arguments", [["run", "demo", "--judge", "x" * 100_000], ["run", "demo", "-n", "9" * 4000]])
def test_a_value_of_any_length_is_an_error_line_that_can_be_read(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    for flags in ([], ["--json"]):
        assert run_app([*arguments, *flags]) == 2
        captured = capsys.readouterr()
        assert 0 < len(captured.out + captured.err) < 2500


@pytest.mark.parametrize("error", [MemoryError(), ImportError("a.so: failed to map segment from shared object")])
def test_memory_that_has_run_out_is_no_internal_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert run_app(["report"]) == 3
    assert capsys.readouterr().err.splitlines()[0] == "error: memory has run out"


def test_after_a_json_report_an_error_goes_to_stderr(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as exit_, after_report(as_json=True):
        raise GateFailedError("SCR 0.5 is above the gate of 0.1")
    assert exit_.value.exit_code == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: SCR 0.5 is above the gate of 0.1\n")
    with pytest.raises(GateFailedError), after_report(as_json=False):
        raise GateFailedError("x")


def test_a_wrong_command_line_shows_no_traceback():
    result = homogaudit("run", "demo", "--samples", "1")
    assert (result.returncode, result.stdout) == (2, "")
    assert_is_error(result.stderr, "`--samples` must lie between 2 and 1000, not `1`")


# Help


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]):
    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"homogaudit {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--debug"]])
def test_without_a_command_it_prints_the_same_help(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert run_app(["--help"]) == 0
    asked = capsys.readouterr()
    assert run_app(arguments) == 0
    assert capsys.readouterr() == asked
    assert asked.out.startswith("Usage: homogaudit ")


def test_a_group_without_a_command_prints_its_help(capsys: pytest.CaptureFixture[str]):
    assert run_app(["cascade", "--help"]) == 0
    asked = capsys.readouterr().out
    assert run_app(["cascade"]) == 0
    captured = capsys.readouterr()
    assert (captured.out.split(), captured.err) == (asked.split(), "")


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert run_app(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command.split()[0] in shown for command in COMMANDS)
    # A line that does not fit at 80 columns would be cut with dots.
    assert "..." not in shown.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits(command: str, capsys: pytest.CaptureFixture[str]):
    assert run_app([*command.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "--help" in captured.out
    assert max(map(len, captured.out.splitlines())) <= 80
    assert run_app([*command.split(), "-h"]) == 0
    assert capsys.readouterr().out == captured.out


# Pipes


@pytest.fixture
def run_path(make_run: Callable[..., RunFile]) -> Path:
    with make_run(decoding={"samples": 1}) as run:
        for question in ("q0", "q1"):
            for index in (GREEDY, 0):
                run.add_generation(Generation(question, index, "A", "A", GenerationState.VALID))
        run.finish()
        return run.path


@pytest.mark.parametrize("arguments", [["report", "RUN"], ["report", "RUN", "--json"], ["explain"], ["models"]])
def test_a_reader_that_has_enough_ends_it_quietly(arguments: list[str], run_path: Path):
    arguments = [str(run_path) if argument == "RUN" else argument for argument in arguments]
    reader, writer = os.pipe()
    # Nobody will read: what `| head -1` does a line later.
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "homogaudit", *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_report_reads_without_colour_where_nobody_looks(run_path: Path):
    result = homogaudit("report", str(run_path))
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
