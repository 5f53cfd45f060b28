"""Kills a real audit of the real model again and again, and looks at what is in the run file."""

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
from homogaudit.store.run_lock import lock_owner

from ..patience import PATIENCE

_QUESTIONS = 4
_SAMPLES = 4
_DRAWS = _QUESTIONS * (_SAMPLES + 1)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    texts = ["What do bees make?", "Where is Rome?", "Who wrote Hamlet?", "What is ice made of?"]
    answers = [["honey"], ["Italy"], ["Shakespeare"], ["water"]]
    lines = [json.dumps({"question": q, "answers": a}) for q, a in zip(texts, answers, strict=True)]
    path.write_text("\n".join(lines))
    return path


def command(model: Path, questions: Path, run: Path) -> list[str]:
    arguments = ["run", str(model), str(questions), "-o", str(run), "-n", str(_SAMPLES), "--max-tokens", "12"]
    # One slot: the same schedule every time, so that texts can be compared. Embedding is put off so that it and the
    # scoring have a time of their own.
    return [sys.executable, "-m", "homogaudit", *arguments, "--slots", "1", "--defer-embedding", "--json"]


def start(model: Path, questions: Path, run: Path, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start the command; a pipe must be read at once, because a report is larger than what a pipe holds."""
    return subprocess.Popen(
        command(model, questions, run),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def count(run: Path, table: str) -> int:
    try:
        connection = sqlite3.connect(f"{run.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def stored(run: Path) -> dict[tuple[str, int], str]:
    with RunFile.open(run) as file:
        return {
            (s.question.id, g.sample_index): g.text
            for s in file.sample_sets()
            for g in [*([s.greedy] if s.greedy else []), *s.samples]
        }


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            # A zombie whose parent is dead is reaped by init; one of ours by wait.
            if Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.005)
    pytest.fail(f"process {pid} is an orphan that goes on")


def kill(kind: str, parent: subprocess.Popen[bytes], engine: int) -> None:
    if kind in ("parent", "both"):
        parent.kill()
    if kind in ("engine", "both"):
        os.kill(engine, signal.SIGKILL)
    parent.communicate()
    wait_until_gone(engine)


def kill_at(run: Path, process: subprocess.Popen[bytes], kind: str, table: str, rows: int) -> bool:
    """Kill as soon as `table` holds `rows` rows; return whether the process was still at work then."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            process.communicate()
            return False
        engine = lock_owner(run)
        if engine is not None and count(run, table) >= rows:
            kill(kind, process, engine)
            return True
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"{table} never held {rows} rows")


def test_a_run_killed_at_ten_moments_loses_and_repeats_nothing(
    demo_model: Path, questions: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole.audit", tmp_path / "killed.audit"
    uninterrupted = start(demo_model, questions, whole, subprocess.PIPE)
    output, _ = uninterrupted.communicate(timeout=PATIENCE)
    assert uninterrupted.returncode == 0
    assert json.loads(output)["run"]["status"] == "complete"

    chance = random.Random(20261123)
    generation = sorted(chance.sample(range(1, _DRAWS), 6))
    moments = [("generations", rows) for rows in generation]
    moments += [("generations", _DRAWS), ("embeddings", 1), ("scorings", 1), ("scorings", chance.randint(2, 3))]
    kinds = ["engine", "parent", "both"] * 4
    before: dict[tuple[str, int], str] = {}
    hits = 0
    for (table, rows), kind in zip(moments, kinds, strict=False):
        process = start(demo_model, questions, killed)
        hits += kill_at(killed, process, kind, table, rows)
        after = stored(killed)
        assert before.items() <= after.items(), "a committed draw was lost or drawn again"
        before = after
    # A machine that scores faster than a poll may slip past the last moments, never past those of generation.
    assert hits >= 7

    last = start(demo_model, questions, killed)
    assert last.wait(PATIENCE) == 0
    last.communicate()
    assert stored(killed) == stored(whole)
    assert len(stored(killed)) == _DRAWS
    with RunFile.open(killed) as run:
        assert run.status == "complete"
        # Every draw was committed by exactly one session, and each kill cost at most the one slot's draw.
        assert sum(session.generations for session in run.sessions()) == _DRAWS
        assert {len(x) for x in (run.signals()["response_length"], run.labels("exact"))} == {_QUESTIONS}
        keys = Counter(run.generation_keys())
    assert set(keys.values()) == {1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.audit", "whole.audit"]


def test_ctrl_c_stops_the_engine_and_the_same_command_goes_on(
    demo_model: Path, questions: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.audit"
    process = start(demo_model, questions, run, subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while count(run, "generations") < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    engine = lock_owner(run)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(output)["error"]["kind"] == "interrupted"
    assert engine is not None
    wait_until_gone(engine)
    assert 2 <= len(stored(run)) < _DRAWS
    again = start(demo_model, questions, run)
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert len(stored(run)) == _DRAWS
