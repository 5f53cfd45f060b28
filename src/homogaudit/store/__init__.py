"""The run file: one run is one SQLite file; recorded generations go in and out as JSON Lines."""

from homogaudit.events import Scoring
from homogaudit.store.facts import ModelSource
from homogaudit.store.progress import RunProgress, RunState
from homogaudit.store.run_file import RunFile
from homogaudit.store.run_lock import RunLock
from homogaudit.store.run_schema import RUN_SUFFIX
from homogaudit.store.sessions import Session

__all__ = ["RUN_SUFFIX", "ModelSource", "RunFile", "RunLock", "RunProgress", "RunState", "Scoring", "Session"]
