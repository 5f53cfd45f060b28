"""`homogaudit report [RUN]`: the report of a run file, and the gates on it."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli.options import ExampleOption, JsonOption, MaxScrOption, ModelsOption, RunArgument
from homogaudit.errors import GateFailedError, IncompleteRunError, ModelError, UsageError

if TYPE_CHECKING:
    from homogaudit.report.records import Report
    from homogaudit.store import RunFile

__all__ = ["check_complete", "check_drawn", "check_gate", "check_max_scr", "print_report", "report"]


def report(
    run: RunArgument = None,
    example: ExampleOption = False,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the whole report as Markdown.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print the whole report.")] = False,
    judge: Annotated[
        str | None, typer.Option(metavar="JUDGE", help="Use the labels of this judge; default: the run's own.")
    ] = None,
    max_scr: MaxScrOption = None,
    models_file: ModelsOption = None,
) -> None:
    """Print the report of a run.

    An unfinished run is reported as far as it got, with exit code 4.
    """
    from homogaudit.cli.error_line import after_report, warn
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.example import example_run
    from homogaudit.launch.run_paths import find_run
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    if as_json and markdown:
        raise UsageError("`--json` and `--markdown` exclude each other", "give one of them")
    check_max_scr(max_scr)
    path = example_run(run) if example else find_run(run, load_settings(load_models(models_file)).runs)
    if line := missing_journal(path):
        warn(line)
    with RunFile.open(path) as stored:
        built = print_report(stored, as_json=as_json, markdown=markdown, full=full, judge=judge)
        with after_report(as_json=as_json):
            check_drawn(stored)
            check_complete(stored)
            check_gate(built, max_scr)


def print_report(
    run: "RunFile", *, as_json: bool = False, markdown: bool = False, full: bool = False, judge: str | None = None
) -> "Report":
    """Build the report of a run, print it to stdout, and return it."""
    from homogaudit.report.build import build

    # Markdown holds everything.
    built = build(run, judge=judge, full=full or markdown)
    if as_json:
        from homogaudit.report.json import dumps

        typer.echo(dumps(built))
    elif markdown:
        from homogaudit.report.markdown import to_markdown

        typer.echo(to_markdown(built), nl=False)
    else:
        from rich.console import Console

        from homogaudit.report.console import render_console

        render_console(built, Console(highlight=False), full=full)
    return built


def check_drawn(run: "RunFile") -> None:
    """Check that not every draw failed.

    Raises:
        ModelError: All of them did; the message names the commonest reason.
    """
    from homogaudit.questions.wording import quoted

    found = run.failed_draws()
    if found.draws and found.failed == found.draws:
        # A server's words are stored in backticks.
        reason = quoted(found.reason.strip("`"), 200)
        message = f"all {found.draws:,} draws of `{run.path}` failed, most of them because of {reason}"
        raise ModelError(message, "fix that, then start again with `--new` or under another name")


def check_complete(run: "RunFile") -> None:
    """Check that everything is drawn and scored.

    Raises:
        IncompleteRunError: It is not.
    """
    if run.status != "complete":
        if missing := run.missing_shards:
            from homogaudit.store.shards import Shards

            absent = Shards(missing, Shards.of_parameters(run.parameters).of)
            message = f"`{run.path}` is not complete: {absent} {'is' if len(missing) == 1 else 'are'} missing"
            raise IncompleteRunError(message, "`homogaudit merge` it with the missing runs into another file")
        hint = "run its command again to continue"
        if run.is_recorded:
            hint = f"continue with `homogaudit score {shlex.quote(str(run.path))}`"
        raise IncompleteRunError(f"`{run.path}` is not complete: {run.progress().text}", hint)


def check_max_scr(max_scr: float | None) -> None:
    """Check that a gate can be one, before hours are spent on what it is to judge.

    Raises:
        UsageError: It is no rate.
    """
    if max_scr is not None and not 0 <= max_scr <= 1:
        raise UsageError(
            f"`--max-scr` must lie between 0 and 1, not `{max_scr:g}`", "it is a share of the questions, such as 0.05"
        )


def check_gate(built: "Report", max_scr: float | None) -> None:
    """Check the primary SCR against a gate; `None` is no gate.

    Raises:
        GateFailedError: It is above `max_scr`, cannot be computed, or the audit is invalid.
    """
    from homogaudit.report.records import Undefined

    if max_scr is None:
        return
    homogenization = built.homogenization
    if built.verdict.level == "invalid":
        raise GateFailedError("the audit is invalid, so no gate can pass", "the report says why")
    primary = homogenization.methods.get(homogenization.primary) if homogenization.primary else None
    scr = primary.scr if primary else Undefined("nothing was clustered")
    if isinstance(scr, Undefined):
        raise GateFailedError(f"there is no SCR to check: {scr.reason}")
    if scr.value > max_scr:
        message = f"SCR {scr.value:.3f} ({scr.k} of {scr.n}) is above the gate of {max_scr:g}"
        raise GateFailedError(message, f"its 95% interval is {scr.low:.3f} to {scr.high:.3f}")
