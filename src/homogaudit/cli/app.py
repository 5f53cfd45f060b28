"""The command line: which commands there are, and how an error is shown."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from homogaudit import __version__
from homogaudit.cli import runs
from homogaudit.cli.bench import bench
from homogaudit.cli.doctor import doctor
from homogaudit.cli.explain import explain
from homogaudit.cli.models import models
from homogaudit.cli.recorded import export, import_
from homogaudit.cli.report import report
from homogaudit.cli.run import run
from homogaudit.cli.score import score
from homogaudit.errors import HomogauditError, InterruptedRunError, UsageError

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="homogaudit",
    help="Audit a local language model for response homogenization.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"homogaudit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Draw N answers to each question, cluster them by meaning, and report what sampling can still tell.

    `homogaudit run demo` audits the packaged model with the packaged questions.
    """


app.command()(run)
app.command()(report)
app.command()(score)
app.add_typer(runs.app, name="runs")
app.command("import")(import_)
app.command()(export)
app.command()(models)
app.command()(bench)
app.command()(doctor)
app.command()(explain)

_ClickError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Base of the parser's errors; typer brings its own copy of click and does not export this class."""


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line; return the exit code, with every error shown as one line and a hint."""
    as_json = "--json" in arguments
    try:
        code = app(list(arguments), standalone_mode=False)
        return code if isinstance(code, int) else 0
    except HomogauditError as error:
        if "--debug" in arguments:
            raise
        return _show(error, as_json)
    except _ClickError as error:
        return _show(
            UsageError(_one_line(error.format_message()), "`homogaudit --help` lists commands and flags"), as_json
        )
    except (KeyboardInterrupt, typer.Abort):
        return _show(InterruptedRunError("interrupted"), as_json)
    except typer.Exit as exit_:
        return exit_.exit_code
    except BrokenPipeError:
        # The reader of a pipe had enough, for example `head`; the devnull keeps the interpreter's last flush quiet.
        sys.stdout = open("/dev/null", "w")
        return 0


def _show(error: HomogauditError, as_json: bool) -> int:
    """Print one error: a JSON object on stdout under `--json`, else one line and its hint on stderr."""
    if as_json:
        typer.echo(json.dumps({"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}))
    else:
        typer.echo(f"error: {_plain(error.message)}", err=True)
        if error.hint:
            typer.echo(f"hint: {_plain(error.hint)}", err=True)
    return error.exit_code


def _plain(text: str) -> str:
    """Return the text on one line without control characters: file names and models' words are somebody else's."""
    return "".join(character if character.isprintable() else " " for character in text)


def _one_line(text: str) -> str:
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]
