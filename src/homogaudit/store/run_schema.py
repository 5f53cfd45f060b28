"""What a run file looks like on disk: its tables, their version, how one is told from other files, and its errors."""

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Generator
from pathlib import Path

from homogaudit.errors import RunFileError, StorageError
from homogaudit.store.run_lock import beside

RUN_SUFFIX = ".audit"
SCHEMA_VERSION = 6
APPLICATION_ID = 0x484F4D41
"""`HOMA`: tells a run file from any other SQLite file."""

_TABLES_OF_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE questions (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, category TEXT,
    answers TEXT NOT NULL, incorrect_answers TEXT NOT NULL, passages TEXT NOT NULL, extra TEXT NOT NULL
);
CREATE TABLE generations (
    position INTEGER NOT NULL REFERENCES questions, sample_index INTEGER NOT NULL,
    text TEXT NOT NULL, answer TEXT NOT NULL, state TEXT NOT NULL, finish_reason TEXT, tokens INTEGER,
    seconds REAL, token_ids BLOB, entropies BLOB, logprobs BLOB, logits BLOB, answer_mask BLOB,
    PRIMARY KEY (position, sample_index)
);
CREATE TABLE embeddings (
    embedder TEXT NOT NULL, text_hash BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (embedder, text_hash)
) WITHOUT ROWID;
CREATE TABLE clusterings (
    position INTEGER NOT NULL REFERENCES questions, key TEXT NOT NULL, similarity TEXT NOT NULL,
    linkage TEXT NOT NULL, threshold REAL, embedder TEXT, assignment TEXT NOT NULL, PRIMARY KEY (position, key)
) WITHOUT ROWID;
CREATE TABLE labels (
    position INTEGER NOT NULL REFERENCES questions, judge TEXT NOT NULL, value TEXT NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (position, judge)
) WITHOUT ROWID;
CREATE TABLE signals (
    position INTEGER NOT NULL REFERENCES questions, signal TEXT NOT NULL, value REAL, reason TEXT NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (position, signal)
) WITHOUT ROWID;
CREATE TABLE scorings (
    position INTEGER NOT NULL REFERENCES questions, scoring TEXT NOT NULL, PRIMARY KEY (position, scoring)
) WITHOUT ROWID;
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, pid INTEGER NOT NULL,
    provenance TEXT NOT NULL, seconds REAL, generations INTEGER NOT NULL DEFAULT 0
);
"""

_ADDED_BY_2 = """
CREATE TABLE calls (
    position INTEGER NOT NULL REFERENCES questions, kind TEXT NOT NULL, value REAL, reason TEXT NOT NULL,
    text TEXT NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (position, kind)
) WITHOUT ROWID;
CREATE TABLE costs (
    position INTEGER NOT NULL REFERENCES questions, resource TEXT NOT NULL, seconds REAL NOT NULL,
    tokens INTEGER NOT NULL, PRIMARY KEY (position, resource)
) WITHOUT ROWID;
CREATE TABLE token_pieces (id INTEGER PRIMARY KEY, piece BLOB NOT NULL);
CREATE TABLE pair_scores (
    model TEXT NOT NULL, premise_hash BLOB NOT NULL, hypothesis_hash BLOB NOT NULL, scores BLOB NOT NULL,
    PRIMARY KEY (model, premise_hash, hypothesis_hash)
) WITHOUT ROWID;
"""

_ADDED_BY_3 = """
ALTER TABLE questions ADD COLUMN context TEXT;
ALTER TABLE questions ADD COLUMN system TEXT;
ALTER TABLE questions ADD COLUMN choices TEXT NOT NULL DEFAULT '[]';
"""

_ADDED_BY_4 = """
ALTER TABLE labels RENAME TO labels_of_3;
CREATE TABLE labels (
    position INTEGER NOT NULL REFERENCES questions, sample_index INTEGER NOT NULL, judge TEXT NOT NULL,
    value TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (position, judge, sample_index)
) WITHOUT ROWID;
INSERT INTO labels SELECT position, -1, judge, value, reason FROM labels_of_3;
DROP TABLE labels_of_3;
"""
"""Labels of samples too: until then every label was that of the greedy answer."""

_ADDED_BY_5 = """
CREATE TABLE diversity (
    position INTEGER NOT NULL REFERENCES questions, measure TEXT NOT NULL, clustering TEXT NOT NULL,
    value REAL NOT NULL, PRIMARY KEY (position, measure, clustering)
) WITHOUT ROWID;
"""

_ADDED_BY_6 = """
CREATE TABLE first_looks (
    position INTEGER PRIMARY KEY REFERENCES questions, is_apart INTEGER NOT NULL, stops INTEGER NOT NULL
);
"""
"""Of runs for the rate alone."""

SCHEMA = _TABLES_OF_1 + _ADDED_BY_2 + _ADDED_BY_3 + _ADDED_BY_4 + _ADDED_BY_5 + _ADDED_BY_6

_MIGRATIONS = {2: _ADDED_BY_2, 3: _ADDED_BY_3, 4: _ADDED_BY_4, 5: _ADDED_BY_5, 6: _ADDED_BY_6}
"""What each version added; a file of an earlier one gains it when it is opened for writing."""


def damaged(path: Path, what: str) -> RunFileError:
    """Return the error of a run file that is damaged."""
    command = f"homogaudit runs salvage {shlex.quote(str(path))} -o OUT"
    return RunFileError(f"`{path}` is damaged: {what}", f"`{command}` takes out what can be read")


_FOLDER = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
"""Errors of the place rather than of the file."""


@contextlib.contextmanager
def storage_errors(path: Path) -> Generator[None]:
    """Turn SQLite's errors into one line that names the file."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        # Python's own, such as a text that is not UTF-8, have none.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        kind = code & 0xFF
        if kind == sqlite3.SQLITE_FULL:
            hint = "free some space and run the same command again: what was generated is kept"
            raise StorageError(f"no space left for `{path}`", hint) from error
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise RunFileError(f"`{path}` is in use by another process", "wait for it") from error
        if kind == sqlite3.SQLITE_IOERR and code != sqlite3.SQLITE_IOERR_SHORT_READ:
            hint = "the disk may be broken or full, or `ulimit -f` allows no larger file"
            raise StorageError(f"cannot use `{path}`: {error}", hint) from error
        if kind in _FOLDER:
            raise StorageError(f"cannot use `{path}`: {error}", "check that its folder is writable") from error
        if kind == sqlite3.SQLITE_NOTADB:
            raise RunFileError(
                f"`{path}` is not a run file, or is damaged ({error})",
                "`homogaudit import` makes a run file of answers; `homogaudit runs` lists the runs",
            ) from error
        raise damaged(path, str(error)) from error


def refuse_programs(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file in which reading a table, or writing it, runs what the file says: it need not come to an end.

    Raises:
        RunFileError: It holds a view, a trigger or a virtual table.
    """
    query = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
    if found := connection.execute(query).fetchone():
        kind = "virtual table" if found[0] == "table" else found[0]
        raise RunFileError(f"`{path}` holds the {kind} `{found[1]}`", "no run file has any: do not trust it")


def reading_mode(path: Path) -> str:
    """Return the SQLite URI parameter for reading `path`.

    A run that was killed stays in the mode of the write-ahead log, where even a reader writes a file beside it. In a
    folder that cannot be written, and without a log to read, nothing changes under a reader that does not. One that
    was killed while it closed has a journal, which only who may write takes back.
    """
    effective = os.access in os.supports_effective_ids
    writable_folder = os.access(path.resolve().parent, os.W_OK, effective_ids=effective)
    if writable_folder and beside(path, "-journal").exists() and os.access(path, os.W_OK, effective_ids=effective):
        return "mode=rw"
    has_log = beside(path, "-wal").exists()
    return "mode=ro" if writable_folder or has_log else "immutable=1"


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables of a run file of an earlier version up to this one, in one transaction."""
    added = "".join(tables for number, tables in _MIGRATIONS.items() if number > version)
    connection.executescript(f"BEGIN IMMEDIATE; {added} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def schema_version(path: Path) -> int | None:
    """Return the schema version in the header of a run file, `None` where the file is no run file.

    Not for a process that has the run open, see `sqlite_header`.
    """
    header = sqlite_header(path)
    # Offsets of the SQLite file format: 60 user version, 68 application id, both big-endian.
    return int.from_bytes(header[60:64], "big") if int.from_bytes(header[68:72], "big") == APPLICATION_ID else None


def sqlite_header(path: Path) -> bytes:
    """Return the first 100 bytes of a SQLite file, nothing of any other, so that it is safe on any file.

    Not for a process that has the file open: closing a descriptor of it drops the locks that SQLite holds on it.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError:
        return b""
    return header if header.startswith(b"SQLite format 3\0") else b""
