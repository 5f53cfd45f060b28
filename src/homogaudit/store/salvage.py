"""What can still be read of a damaged run file, as a run file of its own.

Derived tables stay behind: scoring makes them again.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homogaudit.errors import RunFileError
from homogaudit.store.damage import conditions, missing_fact
from homogaudit.store.drafts import draft_of, remove_run
from homogaudit.store.journals import JOURNAL
from homogaudit.store.run_file import put_in_place
from homogaudit.store.run_schema import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    reading_mode,
    refuse_programs,
    storage_errors,
)

_KEPT = (
    "meta",
    "questions",
    "generations",
    "embeddings",
    "calls",
    "token_pieces",
    "pair_scores",
    "labels",
    "signals",
    "first_looks",
)
"""What cannot be made again from the rest, and what takes long to."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was taken out of a damaged run file.

    Attributes:
        answers: Samples and greedy answers.
        lost: Rows that could not be read, or held what cannot be; at least so many, as pages that are gone tell no
            number.
    """

    questions: int
    answers: int
    lost: int


def salvage(path: Path, out: Path) -> Salvaged:
    """Write what can still be read of a run file into a new one, which is to be scored again.

    Raises:
        RunFileError: `out` exists, or too little can be read: no question, or not what the answers were drawn with.
        StorageError: `out` cannot be written.
    """
    if not path.is_file():
        raise RunFileError(f"no run file at `{path}`", "`homogaudit runs` lists the runs")
    draft = draft_of(out)
    try:
        with contextlib.closing(_opened(path)) as old, storage_errors(out):
            # A damaged list of tables may name none.
            with contextlib.suppress(sqlite3.DatabaseError):
                refuse_programs(old, path)
            with contextlib.closing(sqlite3.connect(draft)) as new:
                found, missing = _fill(new, old)
        if missing or not found.questions:
            what = f"its {missing} cannot" if missing and found.questions else "no question of it can"
            raise RunFileError(f"`{path}` cannot be salvaged: {what} be read")
        put_in_place(draft, out)
    finally:
        remove_run(draft)
    return found


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{reading_mode(path)}", uri=True)
    connection.text_factory = _text
    # Otherwise SQLite reads nothing at all of a file that is shorter than its first page says, as one cut off is.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _text(raw: bytes) -> str | None:
    """Return a text, `None` where the bytes are none: a column that needs one lets its row go."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _fill(new: sqlite3.Connection, old: sqlite3.Connection) -> tuple[Salvaged, str]:
    """Copy what can be read; return what that is, and the first fact that is needed and missing."""
    new.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; {SCHEMA}")
    lost = sum(_copy(old, new, table) for table in _KEPT)
    new.execute("DELETE FROM meta WHERE key IN ('finished', ?)", (JOURNAL,))
    new.execute("INSERT OR REPLACE INTO meta VALUES ('status', ?)", (json.dumps("started"),))
    questions, answers = (
        new.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("questions", "generations")
    )
    new.commit()
    return Salvaged(questions, answers, lost), missing_fact(new)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table that can be read and can be right, and return how many are known to be lost."""
    try:
        layout = old.execute(f"PRAGMA table_info({table})").fetchall()
    except sqlite3.DatabaseError:
        return 1
    present = [str(row[1]) for row in layout]
    if not present:
        return 0
    # Before version 4 every label was that of the greedy answer.
    values = {row[1]: row[1] if row[1] in present else "-1" for row in new.execute(f"PRAGMA table_info({table})")}
    values = {name: value for name, value in values.items() if name in present or name == "sample_index"}
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
    key = [name for _, name in sorted((row[5], row[1]) for row in layout if row[5])]
    lost = 0
    for row in _rows(old, f"SELECT {', '.join(values.values())} FROM {table}", key):
        lost += 1 if row is None else 1 - new.execute(insert, row).rowcount
    rules = " AND ".join(f"coalesce({rule}, 0)" for rule in conditions(new, table))
    lost += new.execute(f"DELETE FROM {table} WHERE NOT ({rules})").rowcount
    if "position" in values and table != "questions":
        lost += new.execute(f"DELETE FROM {table} WHERE position NOT IN (SELECT position FROM questions)").rowcount
    return lost


def _rows(old: sqlite3.Connection, query: str, key: Sequence[str]) -> Iterator[Sequence[Any] | None]:
    """Yield rows, from both ends where some between cannot be read, and `None` for those."""
    try:
        yield from old.execute(query)
    except sqlite3.DatabaseError:
        yield None
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from old.execute(f"{query} ORDER BY {', '.join(f'{name} DESC' for name in key)}")
