"""Drafts: what is written under a passing name beside the file that it becomes, so that none exists half made."""

import contextlib
import os
import re
from pathlib import Path
from uuid import uuid4

from homogaudit.store.run_lock import is_gone

_JOURNALS = ("", "-journal", "-wal", "-shm")
"""What SQLite keeps beside a file, and the file itself."""


def draft_of(path: Path) -> Path:
    """Return a name for the draft of `path`; drafts of it that killed processes have left go."""
    with contextlib.suppress(OSError):
        for file in path.parent.iterdir():
            if (owner := _owner(file.name, path.name)) is not None and is_gone(owner):
                with contextlib.suppress(OSError):
                    file.unlink()
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:8]}")


def remove_run(path: Path) -> None:
    """Remove a run file that is not to stay, with what SQLite has left beside it."""
    for suffix in _JOURNALS:
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def _owner(name: str, of: str) -> int | None:
    """Return the pid of the process that has written a draft of a file, `None` where a file is none."""
    found = re.fullmatch(rf"\.{re.escape(of)}\.(\d{{1,9}})-[0-9a-f]{{8}}({'|'.join(_JOURNALS)})", name)
    return int(found[1]) if found else None
