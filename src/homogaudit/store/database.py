"""The SQLite file of a run, open: its rows, its transactions, and what stands beside its tables.

Knows no table but `meta`.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from homogaudit.store.damage import damage_behind, told_as_damage
from homogaudit.store.journals import JOURNAL, next_mark
from homogaudit.store.run_schema import SCHEMA_VERSION, storage_errors

_Item = TypeVar("_Item")

_ROWS_AT_ONCE = 1024
"""Fetched by one call where there are too many for all."""


def chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield `items` in their order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def text_hash(text: str) -> bytes:
    """Return the 16-byte key of a text in the embedding table."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def to_blob(array: NDArray[Any] | None, dtype: str) -> bytes | None:
    """Return the little-endian bytes of `array`."""
    return None if array is None else np.ascontiguousarray(array, dtype=dtype).tobytes()


def now() -> str:
    """Return the time now in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Database:
    """The file of a run, open for reading or for writing.

    One process writes (it holds a `RunLock`); any number read at the same time.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, writable: bool, version: int = SCHEMA_VERSION
    ) -> None:
        self.path = path
        self._connection = connection
        self._writable = writable
        self._version = version
        self._mark = ""
        rows = connection.execute("SELECT position, id FROM questions ORDER BY position").fetchall()
        self._positions: dict[str, int] = {question_id: position for position, question_id in rows}
        self._id = self.meta("id")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if found := damage_behind(error, self.path, self._connection):
                raise found from error
        finally:
            self.close()

    def telling_damage(self) -> contextlib.AbstractContextManager[None]:
        """Return what tells of an error as one of the file, where that is damaged: what leaving the file does."""
        return told_as_damage(self.path, self._connection)

    def close(self) -> None:
        """Close the file; a writer folds the write-ahead log back so that the run is one file."""
        if self._writable:
            with contextlib.suppress(sqlite3.Error):
                # Fails where a reader is attached; the log then stays beside the file and nothing is lost.
                self._connection.execute("PRAGMA busy_timeout = 200")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Make all writes inside one transaction; nested uses join the outer one."""
        if self._connection.in_transaction:
            yield
            return
        with storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                # Before anything is written: a large transaction reaches the log before it is committed.
                self._mark = next_mark(self.path, self._id, self.mark)
                yield
                # Different every time: what does not change is not written to the log, which it is to mark.
                self._put_meta(JOURNAL, self._mark)
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite may leave open what a commit failed on, and later writes would join it unseen.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return all rows of a query; a damaged file is one clear error."""
        with storage_errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def stream(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows of a query that are too many to be held at once, as `rows` returns them."""
        with storage_errors(self.path):
            cursor = self._connection.execute(query, parameters)
        while True:
            with storage_errors(self.path):
                rows = cursor.fetchmany(_ROWS_AT_ONCE)
            if not rows:
                return
            yield from rows

    @cached_property
    def _ids(self) -> dict[int, str]:
        return {position: question_id for question_id, position in self._positions.items()}

    def named(self, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
        """Yield rows that begin with a position with the id of the question in its place, the same object for all.

        A row of no question is left out.
        """
        for position, *others in rows:
            if (question_id := self._ids.get(position)) is not None:
                yield question_id, *others

    def meta(self, key: str) -> Any:
        """Return one fact about the run (`id`, `created`, `status`, `model`, `parameters`, ...), `None` without it."""
        rows = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else None

    def set_meta(self, key: str, value: Any) -> None:
        """Store one fact about the run as JSON."""
        with self.transaction():
            self._put_meta(key, value)

    def _put_meta(self, key: str, value: Any) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    @property
    def mark(self) -> str | None:
        """Of the last commit, another one each time; `None` where only version 0.1.0 has written."""
        return self.meta(JOURNAL)

    def note(self, key: str, value: Any) -> None:
        """Store as JSON what follows from everything else in the file: it holds until something else is written."""
        with self.transaction():
            self._put_meta(key, {"mark": self._mark, "value": value})

    def noted(self, key: str) -> Any:
        """Return what `note` stored, `None` where something else was written since."""
        found = self.meta(key)
        return found.get("value") if isinstance(found, dict) and found.get("mark") == self.mark is not None else None

    @property
    def _is_greedy(self) -> str:
        """The condition that a label is of the greedy answer; before version 4 all labels were."""
        return "sample_index = -1" if self._version >= 4 else "TRUE"

    def __len__(self) -> int:
        return len(self._positions)
