"""The command line: which commands there are, and how an error is shown."""

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import DEFAULT_MARKUP_MODE

from homogaudit import __version__
from homogaudit.cli import cascade, protocol, runs
from homogaudit.cli.bench import bench
from homogaudit.cli.calibrate import calibrate
from homogaudit.cli.compare import compare
from homogaudit.cli.doctor import doctor
from homogaudit.cli.error_line import show_error
from homogaudit.cli.explain import explain
from homogaudit.cli.guide import guide
from homogaudit.cli.merge import merge
from homogaudit.cli.models import models
from homogaudit.cli.recorded import export, import_
from homogaudit.cli.report import report
from homogaudit.cli.run import run
from homogaudit.cli.score import score
from homogaudit.cli.sweep import sweep
from homogaudit.cli.tui import tui
from homogaudit.errors import (
    HomogauditError,
    InterruptedRunError,
    StorageError,
    UsageError,
    machine_error,
    storage_error,
)

app = typer.Typer(
    name="homogaudit",
    context_settings={"help_option_names": ["-h", "--help"]},
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
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Audit a language model for response homogenization: how often all its answers to a question agree.

    Try `homogaudit run demo`, which audits a small packaged model on packaged
    questions. `homogaudit guide` explains the rest, topic by topic.
    """


app.command()(run)
app.command()(tui)
app.command()(report)
app.command()(compare)
app.command()(score)
app.command()(sweep)
app.command()(merge)
app.add_typer(runs.app, name="runs")
app.add_typer(cascade.app, name="cascade")
app.add_typer(protocol.app, name="protocol")
app.command("import")(import_)
app.command()(export)
app.command()(models)
app.command()(calibrate)
app.command()(bench)
app.command()(doctor)
app.command()(explain)
app.command()(guide)

_ClickError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Base of the parser's errors; typer brings its own copy of click and does not export this class."""


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line; return the exit code, with every error shown as one line and a hint."""
    as_json = "--json" in arguments
    is_debugging = "--debug" in arguments
    # The flag stands before the command or after it: one looks for it when something has failed already.
    arguments = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    # Panels suit the flags of `run`; for the list of commands they would cost half of the start-up time.
    app.rich_markup_mode = None if arguments in (["--help"], ["-h"]) else DEFAULT_MARKUP_MODE
    code = _run(arguments, as_json=as_json, is_debugging=is_debugging)
    # What is still in the buffer would fail at the interpreter's end, with a traceback and a code of its own.
    lost = _lost_output()
    if lost is None or isinstance(lost, BrokenPipeError) or code:
        return code
    return show_error(_not_printed(lost))


def _lost_output() -> OSError | None:
    """Return why standard output takes nothing more, and keep the interpreter's last flush quiet."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _not_printed(error: OSError) -> StorageError:
    return storage_error("cannot write the output", error, "send it to a file or a terminal")


def _run(arguments: Sequence[str], *, as_json: bool, is_debugging: bool) -> int:
    try:
        code = app(arguments, prog_name="homogaudit", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except _ClickError as error:
        if not (message := _one_line(error.format_message())):
            # A group without a command: the parser has printed its help.
            return 0
        hint = _where_help_is(error)
        if "valid number" in message and any(argument.endswith("%") for argument in arguments):
            hint = "a share is written as a number, 0.05 for 5%"
        return show_error(UsageError(message, hint), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return show_error(InterruptedRunError("interrupted"), as_json=as_json)
    except typer.Exit as exit_:
        return exit_.exit_code
    except (BrokenPipeError, SystemExit) as error:
        # The reader of a pipe had enough, for example `head`; rich makes an exit with 1 of it, which is a gate's code.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        return 0
    except HomogauditError as error:
        if is_debugging:
            raise
        return show_error(error, as_json=as_json)
    except Exception as error:
        if is_debugging:
            raise
        if isinstance(error, OSError) and not error.filename:
            # Nothing but what is printed is written without a name; stdout takes no JSON object then.
            return show_error(machine_error(error) or _not_printed(error))
        return show_error(machine_error(error) or _unexpected(error), as_json=as_json)


def _unexpected(error: Exception) -> HomogauditError:
    if isinstance(error, OSError):
        return storage_error(f"cannot use `{error.filename}`", error, "check the path and its permissions")
    message = " ".join(f"internal error: {type(error).__name__}: {error}".split())
    return HomogauditError(message, "run the same command with `--debug` to see where")


def _where_help_is(error: Any) -> str:
    """Name the help of the command that the parser was reading."""
    names: list[str] = []
    context = getattr(error, "ctx", None)
    while context and context.parent:
        names.insert(0, context.command.name)
        context = context.parent
    what = "its arguments and flags" if names else "the commands"
    return f"`{' '.join(['homogaudit', *names, '--help'])}` lists {what}"


def _one_line(text: str) -> str:
    """Return one of the parser's sentences as an error line of ours: lower case, values in backticks."""
    text = re.sub(r"'([^']*)'", r"`\1`", " ".join(text.split()).removesuffix("."))
    text = re.sub(r"(?<![`\w-])(--?[a-z][\w-]*)(?![`\w-])", r"`\1`", text)
    text = re.sub(r": [A-Z](?=[a-z])", lambda match: match[0].lower(), text)
    return text[:1].lower() + text[1:]
