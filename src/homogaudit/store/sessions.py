"""The processes that worked on a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homogaudit.store.database import Database, now


@dataclass(frozen=True, slots=True)
class Session:
    """One process that worked on the run: what it ran on, for how long, and how many answers it drew."""

    number: int
    kind: str
    started: str
    ended: str | None
    pid: int
    provenance: Mapping[str, Any]
    seconds: float | None
    generations: int


class Sessions(Database):
    """What worked on the run, on what machine, and for how long."""

    def begin_session(self, kind: str, pid: int, provenance: Mapping[str, Any]) -> int:
        """Note that a process starts to work on the run; return its number."""
        with self.transaction():
            cursor = self._connection.execute(
                "INSERT INTO sessions (kind, started, pid, provenance) VALUES (?, ?, ?, ?)",
                (kind, now(), pid, json.dumps(provenance)),
            )
        return int(cursor.lastrowid or 0)

    def end_session(self, number: int, *, provenance: Mapping[str, Any], seconds: float) -> None:
        """Note that a process has ended its work in good order."""
        with self.transaction():
            self._connection.execute(
                "UPDATE sessions SET provenance = ?, seconds = ?, ended = ? WHERE number = ?",
                (json.dumps(provenance), seconds, now(), number),
            )

    def note_session_details(self, number: int, details: Mapping[str, Any]) -> None:
        """Keep what an engine says of itself so far, so that a killed session is not without."""
        with self.transaction():
            self._connection.execute(
                "UPDATE sessions SET provenance = json_set(provenance, '$.details', json(?)) WHERE number = ?",
                (json.dumps(details), number),
            )

    def sessions(self) -> list[Session]:
        """Return the processes that worked on the run, oldest first."""
        rows = self.rows(
            "SELECT number, kind, started, ended, pid, provenance, seconds, generations FROM sessions ORDER BY number"
        )
        return [
            Session(number, kind, started, ended, pid, json.loads(provenance), seconds, generations)
            for number, kind, started, ended, pid, provenance, seconds, generations in rows
        ]
