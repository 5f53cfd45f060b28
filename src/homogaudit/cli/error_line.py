"""How an error is shown: one line and a hint, or one JSON object. Knows no command."""

import contextlib
import json
from collections.abc import Generator

import typer

from homogaudit.errors import HomogauditError
from homogaudit.report.text import plain

_LONGEST = 1000
"""Characters of an error line; a value that somebody else wrote may have millions."""


def warn(message: str) -> None:
    """Print one warning on stderr."""
    typer.echo(f"warning: {plain(message)}", err=True)


def ignore(_message: str) -> None:
    """Print nothing: what `--quiet` makes of a note."""


def show_error(error: HomogauditError, *, as_json: bool = False) -> int:
    """Print one error: a JSON object on stdout under `--json`, else one line and its hint on stderr.

    Returns:
        The exit code of the error.
    """
    message, hint = _cut(error.message), error.hint and _cut(error.hint)
    if as_json:
        try:
            typer.echo(json.dumps({"error": {"kind": error.kind, "message": message, "hint": hint}}))
        except OSError:
            as_json = False
    if not as_json:
        # Where not even stderr takes a line, the exit code is left.
        with contextlib.suppress(OSError):
            typer.echo(f"error: {plain(message)}", err=True)
            if hint:
                typer.echo(f"hint: {plain(hint)}", err=True)
    return error.exit_code


def _cut(text: str) -> str:
    """Return a text without its middle where it is too long for a line: its end says what is wrong."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


@contextlib.contextmanager
def after_report(*, as_json: bool) -> Generator[None]:
    """Show an error on stderr even under `--json`: stdout holds its one object, the report, already."""
    try:
        yield
    except HomogauditError as error:
        if not as_json:
            raise
        raise typer.Exit(show_error(error)) from error
