"""The run file: one run is one SQLite file; recorded generations go in and out as JSON Lines."""

from homogaudit.store.run_file import RUN_SUFFIX, RunFile, Session
from homogaudit.store.run_lock import RunLock

__all__ = ["RUN_SUFFIX", "RunFile", "RunLock", "Session"]
