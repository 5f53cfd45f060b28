"""What killed processes leave beside run files: drafts, and journals that are to be taken back."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from homogaudit.records import Question
from homogaudit.store import RunFile
from homogaudit.store.drafts import draft_of
from homogaudit.store.salvage import salvage


def test_drafts_of_processes_that_are_gone_go_and_others_stay(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = process.pid
    stays = [
        f".a.audit.{os.getpid()}-01234567",
        f".b.audit.{gone}-01234567",
        f".a.audit.{gone}-0123",
        f"a.audit.{gone}-01234567",
        "a.audit",
        "a.audit-wal",
    ]
    for name in (*stays, f".a.audit.{gone}-01234567", f".a.audit.{gone}-01234567-wal", f".a.audit.{gone}-89abcdef"):
        (tmp_path / name).touch()
    draft = draft_of(tmp_path / "a.audit")
    assert draft.parent == tmp_path and not draft.exists()
    assert sorted(x.name for x in tmp_path.iterdir()) == sorted(stays)
    draft.touch()
    assert draft_of(tmp_path / "a.audit") != draft
    assert draft.exists()


def test_a_run_that_was_killed_while_it_closed_is_read(make_run: Callable[..., RunFile], tmp_path: Path):
    with make_run([Question("q0", "What do bees make?")]) as run:
        path = run.path
    killed = tmp_path / "killed" / path.name
    killed.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        # A page cache of nothing: what a transaction writes reaches the file before it is committed.
        writer.execute("PRAGMA cache_size = 0")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE questions SET text = 'half written'")
        writer.execute("CREATE TABLE more AS SELECT zeroblob(200000)")
        for suffix in ("", "-journal"):
            shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
        writer.execute("ROLLBACK")
    copy = tmp_path / "copy.audit"
    for suffix in ("", "-journal"):
        shutil.copy(f"{killed}{suffix}", f"{copy}{suffix}")
    with RunFile.open(killed) as run:
        assert [x.text for x in run.questions()] == ["What do bees make?"]
    assert not killed.with_name(killed.name + "-journal").exists()
    assert salvage(copy, tmp_path / "out.audit").questions == 1
