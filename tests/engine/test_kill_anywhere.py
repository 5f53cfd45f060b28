"""Kills commands at random moments of drawing, asking, embedding, scoring and merging, and begins each again."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from homogaudit.store import RunFile

from ..patience import PATIENCE

_SAMPLES = 2
_TEXTS = ["What do bees make?", "Where is Rome?", "Who wrote Hamlet?", "What is ice made of?"]
_ANSWERS = ["honey", "Italy", "Shakespeare", "water"]
_DRAWS = len(_TEXTS) * (_SAMPLES + 1)
_AT_WORK = ("generations", "calls", "embeddings", "scorings")
"""Tables in the order in which they are filled."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are looked up in /proc")


class Killing:
    """Commands that are killed.

    Attributes:
        kills: How many, by command and by the last table that had been begun.
        seconds: What a whole work of each command takes, at most.
    """

    def __init__(self, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._chance = random.Random(seed)
        self._stored: dict[Path, dict[tuple[str, int], str]] = {}

    def do(self, run: Path, times: int, *arguments: object) -> None:
        """Do a command to its end, and before that kill it at most so many times."""
        name = str(arguments[0])
        for _ in range(times):
            with _started(*arguments) as process:
                try:
                    assert process.wait(self._chance.uniform(0.3, self.seconds.get(name, 4.0))) == 0
                    return
                except subprocess.TimeoutExpired:
                    _kill_with_children(process)
            self.kills[f"{name}, {_reached(run)}"] += 1
            stored = _draws(run)
            assert self._stored.get(run, {}).items() <= stored.items(), "a stored draw was lost, or drawn again"
            self._stored[run] = stored
            if name == "merge" and run.exists():
                # It is merged, and only not scored.
                arguments = ("score", run, "-q")
        begun = time.monotonic()
        with _started(*arguments) as process:
            assert process.wait(PATIENCE) == 0
        self.seconds[name] = time.monotonic() - begun


def _started(*arguments: object) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    command = [sys.executable, "-m", "homogaudit", *map(str, arguments)]
    return subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def _kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and its engine, whichever dies first, and wait until both are gone."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, listed)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + PATIENCE
    while any(_is_alive(pid) for pid in listed):
        assert time.monotonic() < end, "an engine goes on"
        time.sleep(0.005)


def _is_alive(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def _reached(run: Path) -> str:
    """Return the last table that was begun."""
    if not run.exists():
        return "no file"
    with contextlib.closing(sqlite3.connect(f"{run.as_uri()}?mode=ro", uri=True)) as file:
        begun = [name for name in _AT_WORK if file.execute(f"SELECT EXISTS (SELECT 1 FROM {name})").fetchone()[0]]
    return begun[-1] if begun else "no draw"


def _draws(run: Path) -> dict[tuple[str, int], str]:
    if not run.exists():
        return {}
    with RunFile.open(run) as file:
        sets = file.sample_sets()
        return {(x.question_id, x.sample_index): x.text for s in sets for x in (s.greedy, *s.samples) if x}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_every_draw_is_there_once_however_often_the_work_was_killed(
    demo_model: Path, tmp_path: Path, kills: int
) -> None:
    killing = Killing(20261129)
    questions = tmp_path / "questions.jsonl"
    lines = [json.dumps({"question": q, "answers": [a]}) for q, a in zip(_TEXTS, _ANSWERS, strict=True)]
    questions.write_text("\n".join(lines))
    shape = ["-n", _SAMPLES, "--max-tokens", 12, "--threads", 1, "--slots", 1, "--defer-embedding", "-q"]
    # The libraries of an embedder take longer to load than all the rest.
    is_small = kills < 10
    times, embedder = (1, ["--no-embedder"]) if is_small else (6, [])
    work = 0
    while killing.kills.total() < kills:
        folder = tmp_path / str(work)
        folder.mkdir()
        work += 1
        shards = [folder / "1.audit", folder / "2.audit"]
        merged = folder / "merged.audit"
        for number, run in enumerate(shards, start=1):
            killing.do(run, times, "run", demo_model, questions, "--shard", f"{number}/2", "-o", run, *shape, *embedder)
        killing.do(merged, times, "merge", *shards, "-o", merged, "-q")
        # Other labels and clusters, by other signals.
        killing.do(merged, times, "score", merged, "--judge", "overlap", "--clustering", "jaccard=0.3", "-q", *embedder)
        with RunFile.open(merged) as run:
            assert run.status == "complete"
            assert len(run.generation_keys()) == _DRAWS
            assert sum(session.generations for session in run.sessions()) == _DRAWS
            assert {len(run.labels(judge)) for judge in ("auto", "overlap") if run.labels(judge)} == {len(_TEXTS)}
        assert _draws(merged) == {**_draws(shards[0]), **_draws(shards[1])}
        assert sorted(x.name for x in folder.iterdir()) == ["1.audit", "2.audit", "merged.audit"]
    print(dict(killing.kills), f"{killing.kills.total()} kills of {work} works")
