"""Where a command writes: one thing at most to standard output, files whole, and over others only with `--force`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from homogaudit.errors import UsageError

STDOUT = "-"
"""In place of a file."""

writing = partial(typer.Option, rich_help_panel="Files")
"""Makes a flag under the heading of what is written."""

ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
OpenOption = Annotated[bool, writing("--open", help="Open the page in a browser; without `--html` a temporary file.")]


def check_targets(
    targets: Mapping[str, str | None], prints: Sequence[str] = (), *, force: bool, flag: str = "--force"
) -> dict[str, Path]:
    """Check where everything goes before any work is done, and return the files by flag.

    Args:
        targets: What each flag that takes a file was given, `None` where it was left out.
        prints: The given flags that print to standard output.
        force: Whether files that are there may be overwritten.
        flag: Which one says so.

    Raises:
        UsageError: Two things would be printed or go to one file, or a file may not be written.
        StorageError: A folder is not there.
    """
    from homogaudit.store.output_file import check_output

    printed = [*prints, *(f"{name} -" for name, given in targets.items() if given == STDOUT)]
    if len(printed) > 1:
        raise UsageError(
            f"`{printed[0]}` and `{printed[1]}` both print to standard output", "keep one, or give a flag a file"
        )
    files = {name: Path(given).expanduser() for name, given in targets.items() if given not in (None, STDOUT)}
    names: dict[Path, str] = {}
    for name, file in files.items():
        other = names.setdefault(file.absolute(), name)
        if other != name:
            raise UsageError(f"`{other}` and `{name}` would both write `{file}`", "give each a file of its own")
        check_output(file, replace=force, hint=f"choose another file, or give `{flag}`")
    return files


def page_target(html: str | None, name: str, *, is_opened: bool) -> str | None:
    """Return where a page goes: what `--html` was given, or a temporary file of this name for `--open` alone.

    Raises:
        UsageError: The page is to be printed and opened.
    """
    if is_opened and html == STDOUT:
        raise UsageError("`--open` opens a file, and `--html -` writes none", "name a file, or leave `--html` out")
    return str(Path(mkdtemp(prefix="homogaudit-")) / name) if is_opened and html is None else html


def write_text(what: str, text: str | Iterable[str], file: Path | None) -> None:
    """Write a text or its parts, or print it where there is no file."""
    from homogaudit.store import output_file

    if file is None:
        # UTF-8 as it would be in a file, whatever the locale is.
        typer.get_text_stream("stdout", encoding="utf-8").writelines([text] if isinstance(text, str) else text)
        return
    output_file.write_text(file, text)
    told(what, file)


def write_page(what: str, page: Iterable[str], file: Path | None, *, is_opened: bool) -> None:
    """Write the parts of a page, or print them where there is no file."""
    import webbrowser

    from homogaudit.cli.report_progress import telling

    with telling("writing the page"):
        write_text(what, page, file)
    if file is not None and is_opened and not webbrowser.open(file.resolve().as_uri()):
        typer.echo("no browser to open it with", err=True)


def told(what: str, file: Path) -> None:
    """Say on stderr what was written where."""
    from homogaudit.report.text import plain

    typer.echo(plain(f"wrote {what} to `{file}`"), err=True)
