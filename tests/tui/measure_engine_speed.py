"""Measures what watching costs: tokens a second of the demo model under `homogaudit run` and under `homogaudit tui`.

Run by hand: `python tests/tui/measure_engine_speed.py [PAIRS [QUESTIONS]]`. Each pair runs both, in turn first, on a
terminal of 120x36 of its own; the ratio of each pair and the mean of all, with its t interval, are printed. What the
parent process computes meanwhile is told too: unlike the speeds it hardly depends on what else the machine does.
"""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import numpy as np
from scipy import stats

from homogaudit.store import RunFile

ROWS, COLUMNS = 36, 120
MAX_TOKENS = 40


def drain(terminal: int) -> None:
    """Read what the process writes, as a terminal does."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 1 << 16):
            pass


def cpu_seconds(pid: int) -> float:
    """Return what a process has computed so far, its children left out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_complete(path: Path) -> bool:
    """Return whether a run is finished; the file may not be there yet."""
    try:
        with RunFile.open(path) as run:
            return run.status == "complete"
    except Exception:
        return False


def audit(command: str, path: Path, questions: int) -> tuple[float, float]:
    """Run the demo audit on a terminal; return its tokens a second, and the share of a core that the parent took."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    arguments = ["demo", "-o", str(path), "--limit", str(questions), "--max-tokens", str(MAX_TOKENS)]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "homogaudit", command, *arguments],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        start_new_session=True,
    )
    os.close(inside)
    threading.Thread(target=drain, args=(terminal,), daemon=True).start()
    computed = 0.0
    while not is_complete(path) and process.poll() is None:
        with contextlib.suppress(OSError):
            computed = cpu_seconds(process.pid)
        time.sleep(1.0)
    seconds = time.monotonic() - begun
    while process.poll() is None:
        with contextlib.suppress(OSError):
            os.write(terminal, b"q")
        time.sleep(1.0)
    os.close(terminal)
    with RunFile.open(path) as run:
        (session,) = run.sessions()
    provenance = session.provenance
    return provenance["tokens"] / provenance["drawing_seconds"], computed / seconds


def main() -> None:
    """Measure and print."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    questions = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(pairs):
            order = ("run", "tui") if pair % 2 == 0 else ("tui", "run")
            found = {name: audit(name, Path(folder) / f"{name}-{pair}.audit", questions) for name in order}
            ratios.append(found["tui"][0] / found["run"][0])
            print(
                f"{pair + 1:>3}  run {found['run'][0]:6.1f} tokens/s (parent {found['run'][1]:5.1%} of a core)  "
                f"tui {found['tui'][0]:6.1f} ({found['tui'][1]:5.1%})  ratio {ratios[-1]:.3f}",
                flush=True,
            )
    if len(ratios) > 1:
        half = stats.sem(ratios) * stats.t.ppf(0.975, len(ratios) - 1)
        print(f"mean ratio {np.mean(ratios):.3f} [{np.mean(ratios) - half:.3f}, {np.mean(ratios) + half:.3f}]")
        print(f"median {np.median(ratios):.3f}")


if __name__ == "__main__":
    main()
