"""One run is one SQLite file: questions, parameters, generations, and everything derived from them.

It knows rows and blobs; it does not know how an answer is drawn, clustered or judged. Every generation is one
transaction, so a kill at any moment loses only what was still being drawn.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from homogaudit.errors import RunFileError, storage_error
from homogaudit.records import Question
from homogaudit.store.damage import told_as_damage
from homogaudit.store.database import now
from homogaudit.store.derived import Derived
from homogaudit.store.drafts import draft_of, remove_run
from homogaudit.store.draws import COLUMNS_SINCE_3, QUESTION_COLUMNS
from homogaudit.store.file_system import refuse_network_file_system
from homogaudit.store.journals import check_journal, set_aside_leftovers
from homogaudit.store.overviews import Overviews
from homogaudit.store.run_lock import RunLock
from homogaudit.store.run_schema import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    damaged,
    migrate,
    reading_mode,
    refuse_programs,
    storage_errors,
)
from homogaudit.store.sessions import Sessions


def put_in_place(draft: Path, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
    """Give the finished `draft` its name; what another process put there is never replaced.

    `warn` is told what an earlier run of this name has left beside it, which is set aside.

    Raises:
        RunFileError: `path` exists, or was removed while a process still writes it.
        StorageError: Its folder cannot be written.
    """
    try:
        # Nobody writes a log beside a file that is not there, and under the lock nobody else puts one there.
        with RunLock(path):
            if path.exists():
                raise FileExistsError
            for line in set_aside_leftovers(path):
                warn(line)
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                raise
            except OSError:
                # Some file systems (exFAT, some FUSE) have no links.
                draft.rename(path)
    except FileExistsError:
        raise RunFileError(f"`{path}` exists", "choose another file with `-o`") from None
    except OSError as error:
        raise storage_error(f"cannot write `{path}`", error, "choose another file with `-o`") from error


class RunFile(Overviews, Derived, Sessions):
    """A run file: its facts, its draws, what is derived from them, and the processes that worked on it."""

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        model: str,
        question_source: str,
        questions: Sequence[Question],
        parameters: Mapping[str, Any],
        directions: Mapping[str, int] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Create a run file that holds its questions and parameters and no generation yet.

        `parameters` are all that the draws depend on; a resumed run must have the same. `directions` are -1 for
        recorded signals where lower is more uncertain. `warn` is told of what an earlier run of this name has left
        beside it.

        Raises:
            RunFileError: `path` exists, or is on a network file system.
            StorageError: It cannot be written.
        """
        if path.exists():
            raise RunFileError(f"`{path}` exists", "choose another file with `-o`")
        refuse_network_file_system(path)
        # Written under a passing name and linked into place, so that a run file never exists half made.
        draft = draft_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage_errors(path):
                connection = sqlite3.connect(draft, isolation_level=None)
                try:
                    connection.executescript(
                        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
                        f"BEGIN; {SCHEMA} COMMIT;"
                    )
                    meta = {
                        "id": uuid4().hex,
                        "created": now(),
                        "status": "started",
                        "model": model,
                        "question_source": question_source,
                        "parameters": parameters,
                        "directions": directions or {},
                    }
                    connection.execute("BEGIN")
                    connection.executemany(
                        "INSERT INTO meta VALUES (?, ?)",
                        [(key, json.dumps(value)) for key, value in meta.items()],
                    )
                    connection.executemany(
                        f"INSERT INTO questions (position, {QUESTION_COLUMNS}{COLUMNS_SINCE_3}) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            (
                                position,
                                question.id,
                                question.text,
                                question.category,
                                json.dumps(question.answers),
                                json.dumps(question.incorrect_answers),
                                json.dumps(question.passages),
                                json.dumps(question.extra),
                                question.context,
                                question.system,
                                json.dumps(question.choices),
                            )
                            for position, question in enumerate(questions)
                        ),
                    )
                    connection.execute("COMMIT")
                finally:
                    connection.close()
            put_in_place(draft, path, warn)
        except OSError as error:
            raise storage_error(f"cannot write `{path}`", error, "choose another file with `-o`") from error
        finally:
            remove_run(draft)
        return cls.open(path, writable=True)

    @classmethod
    def open(cls, path: Path, *, writable: bool = False) -> Self:
        """Open an existing run file.

        Raises:
            RunFileError: It is missing, is no run file, has a newer schema, is to be written on a network file
                system, or has the journal of another run beside it.
        """
        if not path.is_file():
            raise RunFileError(f"no run file at `{path}`", "`homogaudit runs` lists the runs")
        if writable:
            refuse_network_file_system(path)
        check_journal(path, writable=writable)
        with storage_errors(path):
            mode = "mode=rw" if writable else reading_mode(path)
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
            try:
                connection.execute("PRAGMA busy_timeout = 5000")
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if application != APPLICATION_ID:
                    raise RunFileError(f"`{path}` is not a run file", "`homogaudit runs` lists the runs")
                if version < 1:
                    raise damaged(path, f"schema {version} is none that a run file has")
                if version > SCHEMA_VERSION:
                    message = f"`{path}` has schema {version}, and this homogaudit reads up to {SCHEMA_VERSION}"
                    raise RunFileError(message, "upgrade homogaudit")
                with told_as_damage(path, connection):
                    refuse_programs(connection, path)
                if writable:
                    connection.execute("PRAGMA journal_mode = WAL")
                    if version < SCHEMA_VERSION:
                        migrate(connection, version)
                        version = SCHEMA_VERSION
                    # What a killed writer left goes into the file, so that the next log begins on all of it; where a
                    # reader is in the way it stays.
                    connection.execute("PRAGMA busy_timeout = 200")
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                    connection.execute("PRAGMA busy_timeout = 5000")
                    # A commit need not reach the disk before the next draw: a killed process loses nothing.
                    connection.execute("PRAGMA synchronous = NORMAL")
                with told_as_damage(path, connection):
                    return cls(path, connection, writable=writable, version=version)
            except BaseException:
                connection.close()
                raise

    def finish(self) -> None:
        """Mark the run complete."""
        with self.transaction():
            self.finished = now()
            self.status = "complete"
