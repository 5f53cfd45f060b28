"""Writing a file that somebody may have already: whole or not at all, never over a run, over others only when asked.

It knows nothing of what is written.
"""

import contextlib
from collections.abc import Generator, Iterable
from pathlib import Path

from homogaudit.errors import StorageError, UsageError, storage_error
from homogaudit.store.drafts import draft_of
from homogaudit.store.run_schema import schema_version


def check_output(path: Path, *, replace: bool, hint: str = "choose another file, or give `--force`") -> None:
    """Check that a file may be written, before the work that it is to hold.

    Not for a process that has a run at `path` open: its locks would be lost.

    A device or a pipe is written itself.

    Raises:
        UsageError: It is a run file, a folder, or a file that is not to be replaced.
        StorageError: Its folder is not there.
    """
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", "name a file in it")
    if not path.parent.is_dir():
        raise StorageError(f"cannot write `{path}`: there is no folder `{path.parent}`", "make it, or choose another")
    if not path.is_file():
        return
    if schema_version(path) is not None:
        raise UsageError(f"`{path}` is a run file and would be overwritten", "choose another file")
    if not replace:
        raise UsageError(f"`{path}` exists", hint)


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give the name of a draft to write, which takes the place of `path` at the end; a failure leaves the old file.

    Raises:
        StorageError: It cannot be written.
    """
    is_special = path.exists() and not path.is_file()
    draft = path if is_special else draft_of(path)
    try:
        yield draft
        if draft != path:
            draft.replace(path)
    except OSError as error:
        raise storage_error(f"cannot write `{path}`", error, "choose another file") from error
    finally:
        if draft != path:
            with contextlib.suppress(OSError):
                draft.unlink()


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write a text or its parts as UTF-8, whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    with replacing(path) as draft:
        with draft.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
