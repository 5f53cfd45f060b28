"""The log of a run that was really killed, and what becomes of it where its file is gone, renamed or another one."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from homogaudit.errors import RunFileError
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile
from homogaudit.store.journals import check_journal, missing_journal
from homogaudit.store.run_lock import RunLock

from ..patience import PATIENCE

_WRITER = """
import os, signal, sys
from pathlib import Path
from homogaudit.records import GREEDY, Generation, GenerationState
from homogaudit.store import RunFile, RunLock

path, many = Path(sys.argv[1]), int(sys.argv[2])
with RunLock(path):
    run = RunFile.open(path, writable=True)
    session = run.begin_session("generate", os.getpid(), {"host": "here"})
    ids = [question.id for question in run.questions()]
    for index in range(-1, many - 1):
        for question in ids:
            text = "old answer " * 40
            run.add_generation(
                Generation(question, index, text, text, GenerationState.VALID, "stop", 3, seconds=0.1), session, 1.0
            )
    os.kill(os.getpid(), signal.SIGKILL)
"""

_MORE = _WRITER.replace("range(-1, many - 1)", "range(many, many + 40)")
"""Draws 40 answers from the index `many` on."""

Make = Callable[..., Path]


@pytest.fixture
def killed(tmp_path: Path) -> Make:
    """Return a function that makes a run whose writer was killed with its answers in the log."""

    def make(name: str, text: str = "Where is Oslo?", many: int = 3) -> Path:
        path = tmp_path / name
        question = Question(f"id of {name}", text)
        RunFile.create(path, model="m", question_source="q.txt", questions=[question], parameters={}).close()
        done = subprocess.run([sys.executable, "-c", _WRITER, str(path), str(many)], timeout=PATIENCE, check=False)
        assert done.returncode == -signal.SIGKILL
        assert wal(path).stat().st_size > 32
        return path

    return make


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def drawn(path: Path) -> int:
    with RunFile.open(path) as run:
        return len(run.generation_keys())


def create(path: Path, **options: object) -> RunFile:
    return RunFile.create(
        path,
        model="m",
        question_source="q.txt",
        questions=[Question("new", "Where is Rome?")],
        parameters={},
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("writable", [False, True])
def test_a_killed_run_is_opened_with_what_its_log_holds(killed: Make, writable: bool):
    path = killed("a.audit")
    with RunFile.open(path, writable=writable) as run:
        assert len(run.generation_keys()) == 3
    assert drawn(path) == 3


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.rename(path.with_name("b.audit"))])
def test_a_new_run_takes_nothing_from_the_log_of_one_that_is_gone(killed: Make, lose: Callable[[Path], object]):
    path = killed("a.audit")
    lost = wal(path).read_bytes()
    lose(path)
    warnings: list[str] = []
    with create(path, warn=warnings.append) as run:
        assert [question.id for question in run.questions()] == ["new"]
        assert run.generation_keys() == set()
    kept = path.with_name("a.audit-wal.left-behind")
    assert kept.read_bytes() == lost
    (line,) = warnings
    assert f"kept as `{kept}`" in line
    assert not path.with_name("a.audit-shm").exists()


def test_the_log_that_was_kept_brings_the_answers_back_beside_its_own_run(killed: Make):
    path = killed("a.audit")
    renamed = path.rename(path.with_name("b.audit"))
    assert drawn(renamed) == 0
    create(path).close()
    for leftover in (wal(renamed), renamed.with_name("b.audit-shm")):
        leftover.unlink(missing_ok=True)
    path.with_name("a.audit-wal.left-behind").rename(wal(renamed))
    assert drawn(renamed) == 3


def test_a_second_log_that_is_left_behind_replaces_no_earlier_one(killed: Make):
    for _ in range(2):
        killed("a.audit").unlink()
    create(wal(killed("other.audit")).with_name("a.audit")).close()
    names = sorted(path.name for path in killed("third.audit").parent.glob("a.audit-wal*"))
    assert names == ["a.audit-wal.left-behind", "a.audit-wal.left-behind-2"]


def test_a_run_file_is_not_made_where_a_process_still_writes_one_that_was_removed(killed: Make):
    path = killed("a.audit")
    path.unlink()
    with RunLock(path), pytest.raises(RunFileError, match="in use by process"):
        create(path)
    assert wal(path).exists()


@pytest.mark.parametrize("many", [1, 3, 400])
@pytest.mark.parametrize("writable", [False, True])
def test_the_log_of_another_run_is_refused_and_changes_nothing(killed: Make, many: int, writable: bool):
    # With 400 answers SQLite has folded the log into the file in between and begun it anew.
    path = killed("a.audit", many=many)
    path.rename(path.with_name("b.audit"))
    with create(path.with_name("c.audit")):
        pass
    shutil.copy(path.with_name("c.audit"), path)
    before = path.read_bytes()
    with pytest.raises(RunFileError, match=r"a\.audit-wal` is the journal of another run") as caught:
        RunFile.open(path, writable=writable)
    assert "move" in str(caught.value.hint)
    assert path.read_bytes() == before
    wal(path).unlink()
    path.with_name("a.audit-shm").unlink(missing_ok=True)
    with RunFile.open(path) as run:
        assert [question.id for question in run.questions()] == ["new"]


def test_the_log_of_another_run_is_refused_beside_a_run_with_answers_of_its_own(killed: Make):
    first, second = killed("a.audit"), killed("c.audit", "Where is Bern?", many=5)
    assert drawn(second) == 5
    shutil.copy(second, first)
    with pytest.raises(RunFileError, match="journal of another run"):
        drawn(first)
    assert drawn(second) == 5


def test_the_log_of_a_run_of_version_0_1_0_is_refused_beside_another_run(killed: Make):
    path, other = killed("a.audit"), killed("c.audit")
    with RunFile.open(other, writable=True):
        pass
    # That version marked no commit.
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'journal'")
        connection.execute("UPDATE meta SET value = value || ' ' WHERE key = 'status'")
        os.link(wal(path), path.with_name("copy-wal"))
    shutil.copy(path.with_name("copy-wal"), wal(other))
    with pytest.raises(RunFileError):
        drawn(other)


def test_a_reader_beside_a_living_writer_looks_at_no_log(make_run: Callable[..., RunFile]):
    run = make_run()
    with RunLock(run.path), run:
        run.add_generation(Generation("q0", GREEDY, "a", "a", GenerationState.VALID, "stop", 1))
        check_journal(run.path, writable=False)
        assert drawn(run.path) == 1


def test_a_run_that_lost_its_log_says_where_the_answers_may_be(killed: Make):
    path = killed("a.audit")
    assert missing_journal(path) is None
    renamed = path.rename(path.with_name("b.audit"))
    line = missing_journal(renamed)
    assert line is not None and "b.audit-wal" in line
    # Reading it leaves an empty log, which is none.
    assert drawn(renamed) == 0
    assert missing_journal(renamed) == line
    with RunFile.open(renamed, writable=True):
        pass
    assert missing_journal(renamed) is None


def test_a_run_that_ended_in_good_order_lacks_no_log(make_run: Callable[..., RunFile], tmp_path: Path):
    make_run().close()
    assert missing_journal(tmp_path / "test.audit") is None
    assert missing_journal(tmp_path / "absent.audit") is None


def test_a_log_is_refused_beside_the_file_that_a_link_leads_to(killed: Make, tmp_path: Path):
    path = killed("run.audit")
    path.rename(tmp_path / "kept.audit")
    create(tmp_path / "new.audit").close()
    (tmp_path / "new.audit").rename(path)
    link = tmp_path / "elsewhere" / "link.audit"
    link.parent.mkdir()
    link.symlink_to(path)
    with pytest.raises(RunFileError, match="journal of another run"):
        RunFile.open(link)
    with RunLock(path), pytest.raises(RunFileError, match="in use"), RunLock(link):
        pass


@pytest.mark.parametrize("many", [1, 60])
def test_the_log_of_a_run_is_refused_beside_an_older_copy_of_it(killed: Make, tmp_path: Path, many: int):
    path = killed("run.audit", many=many)
    copy = tmp_path / "copy.audit"
    # The answers of the first process are in the file before the second one begins.
    RunFile.open(path, writable=True).close()
    assert drawn(path) == many
    shutil.copy(path, copy)
    for first in (100, 200):
        subprocess.run([sys.executable, "-c", _MORE, str(path), str(first)], timeout=PATIENCE, check=False)
        assert drawn(path) == many + first // 100 * 40
        if first == 100:
            RunFile.open(path, writable=True).close()
    newer = path.read_bytes()
    shutil.copy(copy, path)
    for writable in (False, True):
        with pytest.raises(RunFileError, match="older copy of the run") as caught:
            RunFile.open(path, writable=writable)
        assert str(wal(path)) in str(caught.value.hint)
    path.write_bytes(newer)
    assert drawn(path) == many + 80
    # Without the log the copy goes on by itself.
    shutil.copy(copy, path)
    wal(path).unlink()
    assert drawn(path) == many


def test_a_log_that_a_reader_kept_from_being_folded_in_still_belongs_to_its_run(killed: Make):
    path = killed("run.audit", many=3)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM generations").fetchone() == (3,)
        for first in (100, 200):
            subprocess.run([sys.executable, "-c", _MORE, str(path), str(first)], timeout=PATIENCE, check=False)
    assert drawn(path) == 83
    with RunFile.open(path, writable=True) as run:
        assert len(run.generation_keys()) == 83


@pytest.mark.parametrize("checkpoint", ["PASSIVE", "RESTART", "TRUNCATE"])
def test_two_writers_and_checkpoints_between_their_commits_part_no_run_from_its_log(tmp_path: Path, checkpoint: str):
    path = tmp_path / "run.audit"
    create(path).close()
    with RunFile.open(path, writable=True) as one, RunFile.open(path, writable=True) as two:
        for number in range(12):
            for run in (one, two) if number % 3 else (two, one):
                run.set_meta("count", number)
                check_journal(path, writable=True)
            if number % 2:
                with closing(sqlite3.connect(path)) as other:
                    other.execute(f"PRAGMA wal_checkpoint({checkpoint})")
            check_journal(path, writable=True)
