"""What a command says, and with which code it ends, where its output cannot be written or is closed."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..tui.small_run import make_small_run

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full, the disk without space")

NO_SPACE = (
    "error: cannot write the output: no space left on device\nhint: free some space and run the same command again\n"
)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_run(tmp_path_factory.mktemp("small"))


def shell(redirections: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with the redirections that a shell would make of this text."""
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-P", "-m", "homogaudit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("flags", [[], ["--full"], ["--json"], ["--markdown"], ["--questions", "-"]])
def test_a_report_on_a_full_disk_is_one_line_and_no_gate(run_file: Path, flags: list[str]):
    done = shell("> /dev/full", "report", str(run_file), *flags)
    assert done.returncode == 3
    # A report that takes long tells on stderr what it is at.
    progress = done.stderr.removesuffix(NO_SPACE)
    assert progress + NO_SPACE == done.stderr
    assert "error" not in progress


@pytest.mark.parametrize("command", [["--help"], ["explain", "scr"], ["guide"], ["export", "RUN"], ["models"]])
def test_every_command_says_that_its_output_is_lost(run_file: Path, command: list[str]):
    done = shell("> /dev/full", *(str(run_file) if word == "RUN" else word for word in command))
    assert (done.returncode, done.stderr) == (3, NO_SPACE)


def test_an_error_that_cannot_be_printed_as_json_goes_to_stderr(tmp_path: Path):
    done = shell("> /dev/full", "report", str(tmp_path / "none.audit"), "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no run `")


def test_an_error_that_nobody_can_read_keeps_its_code(tmp_path: Path):
    assert shell("2> /dev/full", "report", str(tmp_path / "none.audit")).returncode == 2


@pytest.mark.parametrize("closed", [c for n in range(1, 4) for c in itertools.combinations("012", n)])
def test_closed_streams_are_no_place_for_a_run_and_end_in_a_clear_code(run_file: Path, closed: tuple[str, ...]):
    before = run_file.read_bytes()
    done = shell(" ".join(f"{number}>&-" for number in closed), "report", str(run_file), "--json")
    assert done.returncode == (3 if "1" in closed else 0)
    if "1" not in closed:
        assert json.loads(done.stdout)["schema"].startswith("homogaudit.report/")
    elif "2" not in closed:
        assert done.stderr.startswith("error: cannot write the output: bad file descriptor\n")
    assert run_file.read_bytes() == before


@pytest.mark.parametrize("name", ["report", "export"])
def test_a_reader_that_had_enough_is_no_error(run_file: Path, name: str):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-P", "-m", "homogaudit", name, str(run_file)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
