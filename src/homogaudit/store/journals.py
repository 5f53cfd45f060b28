"""The write-ahead log beside a run file: whether it is the run's own, and what to do with one that was left behind.

SQLite replays any log of the right name whose checksums hold, whichever database it was written for. So every commit
of a run carries the run's id and what the file held when the log was begun (`JOURNAL`, `next_mark`), and a log is read
only beside the run of that id, and beside no older copy of it.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from homogaudit.errors import RunFileError
from homogaudit.store.run_lock import beside, lock_owner
from homogaudit.store.run_schema import refuse_programs, sqlite_header

JOURNAL = "journal"
"""The fact in `meta` that every commit writes anew, see `next_mark`."""

_NO_MARK = "-"
"""In the place of an earlier commit's own part, where there is none."""

_WAL_HEADER = 32
"""Bytes before the first frame: a log that is no longer holds nothing."""

_LEFT_BEHIND = ".left-behind"


@dataclass(frozen=True, slots=True)
class _Identity:
    """What tells one run from another.

    Attributes:
        journal: The id that the last commit carried; `None` in files that only version 0.1.0 has written.
        begun: The commit that the file held when the log was begun which the last commit went to; `None` where the
            last commit does not say.
        commit: What tells the last commit from any other.
        sessions: (number, start, pid) of each process that has worked on it; only ever added to.
    """

    run: str | None
    journal: str | None
    begun: str | None
    commit: str
    sessions: frozenset[tuple[int, str, int]]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def check_journal(path: Path, *, writable: bool) -> None:
    """Check that the write-ahead log beside a run file, if there is one, was written for this run.

    A reader beside a living writer need not look, and must not: the file may change under it.

    Raises:
        RunFileError: The log is another run's.
    """
    log = beside(path, "-wal")
    if _size(log) <= _WAL_HEADER or (not writable and lock_owner(path) is not None):
        return
    own = _identity(path, "immutable=1")
    if own is None or own.run is None:
        # Killed in the middle of a checkpoint: without its log the file is not whole, so they belong together.
        return
    together = _identity(path, "mode=ro")
    if (
        together is not None
        and together.run == own.run
        and together.journal in (own.run, own.journal)
        and own.sessions <= together.sessions
        and (together.begun is None or together.begun in (own.commit, own.begun))
    ):
        return
    if together is not None and together.run == own.run and together.journal == own.run:
        message = f"`{path}` is an older copy of the run that `{log}` is the journal of"
        hint = f"put the newer file back, or move `{log}` away to continue from the copy; it holds the last answers"
        raise RunFileError(message, hint)
    hint = f"move `{log}` away; it holds answers of a run that was stopped hard and renamed or removed since"
    raise RunFileError(f"`{log}` is the journal of another run than `{path}`", hint)


def _identity(path: Path, mode: str) -> _Identity | None:
    """Return what a run file says of itself with its log (`mode=ro`) or without it (`immutable=1`).

    A reader writes nothing, and does not fold the log into the file when it closes.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)) as connection:
            refuse_programs(connection, path)
            facts = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('id', ?)", (JOURNAL,)))
            sessions = connection.execute("SELECT number, started, pid FROM sessions").fetchall()
            run, journal = (json.loads(facts[key]) if key in facts else None for key in ("id", JOURNAL))
    except (sqlite3.Error, ValueError):
        return None
    if journal is None:
        return _Identity(run, None, None, _NO_MARK, frozenset(sessions))
    name, *begun, commit = str(journal).split(" ")
    return _Identity(run, name, begun[0] if begun else None, commit, frozenset(sessions))


def next_mark(path: Path, run: str | None, last: str | None) -> str:
    """Return what the next commit of a run carries: its id, the commit that the log was begun on, and one of its own.

    The caller holds the lock of SQLite that keeps others from committing.
    """
    _, *begun, commit = (last or f"{run} {_NO_MARK}").split(" ")
    # An empty log: the file itself holds all that was committed. A log that goes on keeps what it was begun on, be it
    # written over from its beginning, for then the file holds a commit that names the same.
    if not _size(beside(path, "-wal")):
        begun = [commit]
    return " ".join([str(run), *begun, uuid4().hex[:8]])


def missing_journal(path: Path) -> str | None:
    """Return what the user should know of a run that was stopped hard and whose log is not beside it any more.

    A writer that ends in good order leaves the file in another mode. Not for a process that has the run open.
    """
    log = beside(path, "-wal")
    # Byte 18 of the SQLite file format: the version that a writer needs, 2 for the write-ahead log.
    if _size(log) or lock_owner(path) is not None or sqlite_header(path)[18:19] != b"\2":
        return None
    return (
        f"the run `{path}` was stopped hard and has no journal beside it: if it was renamed or copied since, its last "
        f"answers may be in a `-wal` file that was left behind, and belong beside it as `{log}`"
    )


def set_aside_leftovers(path: Path) -> list[str]:
    """Clear the place of a new run file of what an earlier one of the same name has left there.

    What may hold answers is kept under another name. The caller holds the lock on `path`, where no file is.

    Returns:
        What the user should know, a line each.

    Raises:
        OSError: Something cannot be moved.
    """
    told: list[str] = []
    for suffix, least in (("-wal", _WAL_HEADER), ("-journal", 0)):
        log = beside(path, suffix)
        if _size(log) <= least:
            log.unlink(missing_ok=True)
            continue
        kept = next(
            name
            for number in range(1, 1 << 20)
            if not (name := beside(log, f"{_LEFT_BEHIND}{'' if number == 1 else f'-{number}'}")).exists()
        )
        log.rename(kept)
        told.append(
            f"`{log}` was left by a run that was stopped hard and removed or renamed since; it may hold answers of it "
            f"and is kept as `{kept}`"
        )
    # Only an index into the log.
    beside(path, "-shm").unlink(missing_ok=True)
    return told
