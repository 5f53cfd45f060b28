"""The real command on a real terminal: whatever it does when one quits, nothing of it is left behind."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homogaudit.store import RunFile

from ..patience import PATIENCE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")


ALTERNATE_SCREEN_OFF, CURSOR_ON = b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """One `homogaudit tui` on a terminal of 100x30."""

    def __init__(self, runs: Path, *arguments: str) -> None:
        self.runs = runs
        self.output = b""
        self._terminal, self._inside = pty.openpty()
        fcntl.ioctl(self._inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.settings = self._settings()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "homogaudit", "tui", *arguments],
            stdin=self._inside,
            stdout=self._inside,
            stderr=self._inside,
            env=os.environ | {"HOMOGAUDIT_RUNS": str(runs), "TERM": "xterm-256color"},
            start_new_session=True,
        )

    def _settings(self) -> list[Any]:
        """Return how the terminal treats keys: echo, lines, signals."""
        return termios.tcgetattr(self._inside)

    def read(self, seconds: float) -> None:
        """Take what was written, waiting for it so long."""
        if select.select([self._terminal], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.output += os.read(self._terminal, 1 << 16)

    def wait_for(self, text: str) -> None:
        """Wait until a text stands in what was written since the last key."""
        end = time.monotonic() + PATIENCE
        while text not in self._words():
            assert self.process.poll() is None, f"it ended before it said {text!r}"
            assert time.monotonic() < end, f"it never said {text!r}"
            self.read(1.0)

    def _words(self) -> str:
        return re.sub(r"\x1b\[[0-9;?<>=]*[A-Za-z~]", "", self.output.decode(errors="replace"))

    def press(self, keys: bytes) -> None:
        """Type."""
        self.output = b""
        os.write(self._terminal, keys)

    def wait_for_end(self) -> int:
        """Read until the process is gone; return its exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it did not end"
            self.read(0.5)
        self.read(0.0)
        return self.process.returncode

    def processes(self) -> list[int]:
        """Return the processes that were started from this terminal, whoever their parent is now."""
        mark = f"HOMOGAUDIT_RUNS={self.runs}".encode()
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                is_ours = folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0")
                if is_ours and b"pytest" not in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def check_sane(self) -> None:
        """Look whether keys, screen and cursor are as they were, and nothing runs on."""
        assert self._settings() == self.settings
        assert ALTERNATE_SCREEN_OFF in self.output and CURSOR_ON in self.output
        assert self.processes() == []

    def close(self) -> None:
        """End what is left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.wait()
        os.close(self._terminal)
        os.close(self._inside)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


DEMO = ("demo", "--limit", "3", "-n", "4", "--judge", "overlap")


def open_demo(terminals: list[Terminal], tmp_path: Path, *more: str) -> Terminal:
    terminals.append(Terminal(tmp_path, *DEMO, *more))
    return terminals[-1]


def test_quitting_the_start_screen_ends_it(terminals: list[Terminal], tmp_path: Path):
    terminals.append(Terminal(tmp_path))
    terminal = terminals[-1]
    terminal.wait_for("What to audit")
    terminal.press(b"\x03")
    assert terminal.wait_for_end() == 0
    terminal.check_sane()


def test_two_ctrl_c_while_the_model_loads_leave_nothing(terminals: list[Terminal], tmp_path: Path, demo_model: Path):
    terminal = open_demo(terminals, tmp_path)
    terminal.wait_for("loading")
    terminal.press(b"\x03")
    terminal.wait_for("Stop the engine and quit?")
    terminal.press(b"\x03")
    assert terminal.wait_for_end() == 0
    terminal.check_sane()


@pytest.mark.parametrize("state", ["drawing", "paused", "cancelling"])
def test_quitting_while_an_engine_works_leaves_nothing_but_the_run(
    terminals: list[Terminal], tmp_path: Path, demo_model: Path, state: str
):
    terminal = open_demo(terminals, tmp_path, "--max-tokens", "300")
    terminal.wait_for("drawing answers")
    assert len(terminal.processes()) > 1
    if state == "paused":
        terminal.press(b" ")
        terminal.wait_for("paused")
    if state == "cancelling":
        terminal.press(b"x")
        terminal.wait_for("Cancel this run?")
        terminal.press(b"y")
    terminal.press(b"q")
    if state != "cancelling":
        terminal.wait_for("Stop the engine and quit?")
    terminal.press(b"y")
    assert terminal.wait_for_end() == 0
    terminal.check_sane()
    assert "the run is not complete" in terminal._words()
    assert len(list(tmp_path.glob("*.audit"))) == 1


def test_quitting_the_report_leaves_the_verdict_in_the_scrollback(
    terminals: list[Terminal], tmp_path: Path, demo_model: Path
):
    terminal = open_demo(terminals, tmp_path, "--max-tokens", "5")
    terminal.wait_for("Validity")
    terminal.press(b"q")
    assert terminal.wait_for_end() == 0
    terminal.check_sane()
    assert "verdict: not judged" in terminal._words()
    (run,) = tmp_path.glob("*.audit")
    assert str(run) in terminal._words().replace("\r\n", "")


@pytest.mark.parametrize("flag", ["--until-decided", "--rate-only"])
def test_a_flag_says_how_far_the_run_is_to_be_drawn(
    terminals: list[Terminal], tmp_path: Path, demo_model: Path, flag: str
):
    terminal = open_demo(terminals, tmp_path, "--max-tokens", "300", flag)
    terminal.wait_for("drawing answers")
    terminal.press(b"qy")
    assert terminal.wait_for_end() == 0
    (path,) = tmp_path.glob("*.audit")
    with RunFile.open(path) as run:
        rules = {"--until-decided": run.stopping_rule, "--rate-only": run.rate_rule}
    assert [name for name, rule in rules.items() if rule is not None] == [flag]


def test_a_hangup_of_the_terminal_ends_the_engine(terminals: list[Terminal], tmp_path: Path, demo_model: Path):
    terminal = open_demo(terminals, tmp_path, "--max-tokens", "300")
    terminal.wait_for("drawing answers")
    os.kill(terminal.process.pid, 1)
    terminal.wait_for_end()
    assert terminal.processes() == []
