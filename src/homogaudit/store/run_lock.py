"""An exclusive lock on a run file that dies with its owner.

The lock is a BSD `flock` on a file beside the run, never on the run itself: closing any descriptor of a SQLite
file drops the POSIX locks that SQLite holds on it.
"""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from homogaudit.errors import RunFileError, StorageError

try:
    import fcntl
except ImportError:  # Windows has no flock; SQLite's own locks still keep the file whole there.
    fcntl = None

__all__ = ["RunLock", "beside", "lock_owner"]


def lock_owner(run_path: Path) -> int | None:
    """Return the pid of the process that holds the lock on `run_path`, `None` where nobody does."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(_lock_path(run_path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    pid = None
    try:
        pid = int(os.read(descriptor, 32))
        # A dead owner is told apart first: trying the lock could be in the way of a process that takes it just now.
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (ValueError, ProcessLookupError, OverflowError):
        return None
    except OSError:
        return pid
    finally:
        os.close(descriptor)
    return None


def beside(run_path: Path, suffix: str) -> Path:
    """Return the file of this suffix that belongs to a run: as SQLite's own, beside the file and not beside a link."""
    file = run_path.resolve() if run_path.is_symlink() else run_path
    return file.with_name(file.name + suffix)


def _lock_path(run_path: Path) -> Path:
    return beside(run_path, ".lock")


class RunLock:
    """Held while a process writes a run file.

    Raises:
        RunFileError: Another process holds the lock; the message names its pid.
        StorageError: The folder is not writable.
    """

    def __init__(self, run_path: Path) -> None:
        self._run_path = run_path
        self.path = _lock_path(run_path)
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        while self._descriptor is None:
            self._descriptor = self._try_once()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode("ascii"), 0)
        return self

    def _try_once(self) -> int | None:
        """Open and lock the file; `None` where its last owner removed it in between."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            message = f"cannot lock `{self._run_path}`: {error.strerror}"
            raise StorageError(message, "choose a folder that you can write to with `-o`") from error
        if fcntl is None:
            return descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = f"`{self._run_path}` is in use by process {owner}"
            raise RunFileError(message, "wait for it, or stop it first") from error
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
