"""Deleting a run with all that stands beside it, and refusing to where another process writes it."""

from pathlib import Path

from homogaudit.errors import RunFileError, storage_error
from homogaudit.launch.run_paths import SUFFIX, runs_folder

_SIDE_FILES = ("-wal", "-shm", "-journal", ".log")
"""What may stand beside a run file, as endings of its whole name; the lock goes with the process that holds it."""


def check_deletable(path: Path) -> None:
    """Refuse a run that is being written, and a file that is none.

    Raises:
        RunFileError: It is one of these.
    """
    from homogaudit.store.run_lock import lock_owner
    from homogaudit.store.run_schema import schema_version

    # A run that is damaged beyond its header is still known by its name, where runs alone are.
    is_listed = path.suffix == SUFFIX and path.absolute().parent == runs_folder().absolute()
    if not is_listed and schema_version(path) is None:
        raise RunFileError(f"`{path}` is not a run file", "`homogaudit runs` lists the runs")
    if (pid := lock_owner(path)) is not None:
        raise RunFileError(f"`{path}` is in use by process {pid}", "wait for it, or stop it first")


def delete_run(path: Path) -> None:
    """Delete a run that may be deleted, with its logs.

    Raises:
        RunFileError: It is in use, or is none.
        StorageError: The system does not let it be deleted.
    """
    from homogaudit.store.run_lock import RunLock

    check_deletable(path)
    with RunLock(path):
        try:
            for ending in _SIDE_FILES:
                path.with_name(path.name + ending).unlink(missing_ok=True)
            # The run last: a log is never left without its file.
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(f"cannot delete `{path}`", error, "check the folder's permissions") from error
