"""Where a command writes: one thing at most to standard output, files whole, and over others only with `--force`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.errors import UsageError

STDOUT = "-"
"""In place of a file."""

writing = partial(typer.Option, rich_help_panel="Files")
"""Makes a flag under the heading of what is written."""

ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]


def check_targets(targets: Mapping[str, str | None], prints: Sequence[str] = (), *, force: bool) -> dict[str, Path]:
    """Check where everything goes before any work is done, and return the files by flag.

    Args:
        targets: What each flag that takes a file was given, `None` where it was left out.
        prints: The given flags that print to standard output.
        force: Whether files that are there may be overwritten.

    Raises:
        UsageError: Two things would be printed or go to one file, or a file may not be written.
        StorageError: A folder is not there.
    """
    from homogaudit.store.output_file import check_output

    printed = [*prints, *(f"{flag} -" for flag, given in targets.items() if given == STDOUT)]
    if len(printed) > 1:
        raise UsageError(
            f"`{printed[0]}` and `{printed[1]}` both print to standard output", "keep one, or give a flag a file"
        )
    files = {flag: Path(given).expanduser() for flag, given in targets.items() if given not in (None, STDOUT)}
    flags: dict[Path, str] = {}
    for flag, file in files.items():
        other = flags.setdefault(file.absolute(), flag)
        if other != flag:
            raise UsageError(f"`{other}` and `{flag}` would both write `{file}`", "give each a file of its own")
        check_output(file, replace=force)
    return files


def told(what: str, file: Path) -> None:
    """Say on stderr what was written where."""
    from homogaudit.report.text import plain

    typer.echo(plain(f"wrote {what} to `{file}`"), err=True)
