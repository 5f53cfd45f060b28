"""How an error is shown: one line and a hint, or one JSON object. Knows no command."""

import contextlib
import json
from collections.abc import Generator

import typer

from homogaudit.errors import HomogauditError
from homogaudit.report.text import plain


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
    if as_json:
        try:
            typer.echo(json.dumps({"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}))
        except OSError:
            as_json = False
    if not as_json:
        # Where not even stderr takes a line, the exit code is left.
        with contextlib.suppress(OSError):
            typer.echo(f"error: {plain(error.message)}", err=True)
            if error.hint:
                typer.echo(f"hint: {plain(error.hint)}", err=True)
    return error.exit_code


@contextlib.contextmanager
def after_report(*, as_json: bool) -> Generator[None]:
    """Show an error on stderr even under `--json`: stdout holds its one object, the report, already."""
    try:
        yield
    except HomogauditError as error:
        if not as_json:
            raise
        raise typer.Exit(show_error(error)) from error
