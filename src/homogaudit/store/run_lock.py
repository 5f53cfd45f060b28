"""An exclusive lock on a run file that dies with its owner.

The lock is a BSD `flock` on a file beside the run, never on the run itself: closing any descriptor of a SQLite
file drops the POSIX locks that SQLite holds on it.
"""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from homogaudit.errors import RunFileError, StorageError, storage_error

try:
    import fcntl
except ImportError:  # Windows has no flock; SQLite's own locks still keep the file whole there.
    fcntl = None

_FLAGS = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A lock is a regular file: behind a link lies a file of somebody else, and opening a pipe would wait for a writer."""


def is_gone(pid: int) -> bool:
    """Whether no process of this machine has this pid; on Windows, where asking would end it, never."""
    if fcntl is None:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return False


def lock_owner(run_path: Path) -> int | None:
    """Return the pid of the process that holds the lock on `run_path`, `None` where nobody does."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(_lock_path(run_path), os.O_RDONLY | _FLAGS)
    except OSError:
        return None
    pid = None
    try:
        pid = int(os.read(descriptor, 32))
        # A dead owner is told apart first: trying the lock could be in the way of a process that takes it just now.
        if is_gone(pid):
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except ValueError:
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
        StorageError: The folder is not writable, the disk is full, or the lock is no regular file.
    """

    def __init__(self, run_path: Path) -> None:
        self._run_path = run_path
        self.path = _lock_path(run_path)
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        while self._descriptor is None:
            self._descriptor = self._try_once()
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode("ascii"), 0)
        except OSError as error:
            self._release()
            raise self._refused(error) from error
        return self

    def _refused(self, error: OSError) -> StorageError:
        return storage_error(
            f"cannot lock `{self._run_path}`", error, "choose a folder that you can write to with `-o`"
        )

    def _try_once(self) -> int | None:
        """Open and lock the file; `None` where its last owner removed it in between."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
        except OSError as error:
            if self.path.is_symlink():
                raise self._foreign("a link") from error
            raise self._refused(error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._foreign("no regular file")
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

    def _foreign(self, what: str) -> StorageError:
        message = f"cannot lock `{self._run_path}`: `{self.path}` is {what}"
        return StorageError(message, f"it is none of this tool's: move `{self.path.name}` away")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
