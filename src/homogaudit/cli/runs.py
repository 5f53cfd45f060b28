"""`homogaudit runs`: which runs there are, what one of them is, and deleting some.

Knows run files from the outside and what they say of themselves; rate and level are the report's.
"""

import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, RunArgument
from homogaudit.errors import UsageError
from homogaudit.launch.run_deletion import check_deletable, delete_run
from homogaudit.launch.run_paths import find_run, list_runs, runs_folder
from homogaudit.launch.run_summary import RunSummary, bytes_on_disk, summarize

if TYPE_CHECKING:
    from homogaudit.report.headline import Headline
    from homogaudit.store.run_file import RunFile

app = typer.Typer(help="List, show and delete runs.", invoke_without_command=True, no_args_is_help=False)


@app.callback()
def runs(context: typer.Context, as_json: JsonOption = False) -> None:
    """List, show and delete runs; without a command, list them."""
    if context.invoked_subcommand is None:
        list_(as_json)
    elif as_json:
        raise UsageError(
            f"`--json` belongs after `{context.invoked_subcommand}`",
            f"`homogaudit runs {context.invoked_subcommand} --json`",
        )


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all runs, the newest first."""
    folder = runs_folder()
    paths = list_runs(folder)
    if as_json:
        listing = {"schema": "homogaudit.runs/1", "folder": str(folder), "runs": [_listed_run(path) for path in paths]}
        typer.echo(json.dumps(listing, indent=2))
    elif paths:
        _print_list(paths)
    else:
        typer.echo(f"no runs in `{folder}`; `homogaudit run demo` makes one", err=True)


@app.command()
def show(
    run: RunArgument = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run was made with, and what is stored in it."""
    from homogaudit.report.text import plain
    from homogaudit.store.run_file import RunFile

    path = find_run(run, runs_folder())
    summary = summarize(path)
    with RunFile.open(path) as opened:
        facts = _facts(opened)
    if as_json:
        typer.echo(json.dumps({"schema": "homogaudit.run_summary/1", **asdict(summary), **facts}, indent=2))
        return
    lines = [
        ("run", summary.path),
        ("id", facts["id"]),
        ("model", summary.model),
        ("questions", f"{facts['question_source']}: {_done(summary)} drawn, {_count(summary.questions_scored)} scored"),
        ("samples", f"{summary.samples} per question"),
        ("status", summary.status_words),
        ("created", _time(summary.created)),
        ("finished", _time(facts["finished"])),
        ("size", _size(summary.bytes)),
        *(("parameter", f"{name}: {json.dumps(value)}") for name, value in facts["parameters"].items()),
        *(("labels", f"{judge}: {_listed(counts)}") for judge, counts in facts["labels"].items()),
        ("signals", ", ".join(facts["signals"]) or "none"),
        ("clusterings", ", ".join(facts["clusterings"]) or "none"),
        ("asked in", facts["asked_in"] or "not asked"),
        *(("session", _session(session)) for session in facts["sessions"]),
        *(("phase", _phase(*phase)) for phase in facts["phases"].items()),
    ]
    for name, value in lines:
        typer.echo(f"{name:<12}{plain(str(value))}")


@app.command()
def delete(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Run files, or names of runs.", show_default=False, autocompletion=completion.runs
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs, with their logs."""
    from homogaudit.report.text import plain

    folder = runs_folder()
    # Everything is checked before anything is deleted.
    paths = list(dict.fromkeys(find_run(run, folder) for run in runs))
    for path in paths:
        check_deletable(path)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("deleting asks for confirmation, and there is no terminal to ask on", "give `--yes`")
        for path in paths:
            typer.echo(f"{plain(path.name)}  {_size(bytes_on_disk(path))}", err=True)
        what = "this run" if len(paths) == 1 else f"these {len(paths)} runs"
        if not typer.confirm(f"delete {what}?", err=True):
            typer.echo("nothing deleted", err=True)
            return
    for path in paths:
        delete_run(path)
        typer.echo(f"deleted {plain(path.name)}", err=True)


@app.command()
def salvage(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A damaged run file.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The run file to write.")],
) -> None:
    """Take what can still be read of a damaged run file into a new one."""
    from homogaudit.report.text import plain
    from homogaudit.store.salvage import salvage as take_out

    found = take_out(file, output)
    lost = f"{found.lost:,} row{'' if found.lost == 1 else 's'} lost" if found.lost else "nothing lost"
    typer.echo(f"{found.questions:,} questions, {found.answers:,} answers; {lost}", err=True)
    command = plain(f"homogaudit score {shlex.quote(str(output))}")
    typer.echo(f"next: `{command}`, or the command that drew it, with `-o`, to draw what is missing", err=True)


def _facts(run: "RunFile") -> dict[str, Any]:
    """Return what only the run file itself can say, as JSON values."""
    from homogaudit.codec import to_values
    from homogaudit.report.phase_times import phase_times
    from homogaudit.report.undefined import Undefined

    phases = phase_times(run.phases)
    return {
        "id": run.id,
        "question_source": run.question_source,
        "finished": run.finished,
        "parameters": run.parameters,
        "labels": {
            judge: dict(Counter(label.value.value for label in run.labels(judge).values())) for judge in run.judges()
        },
        "signals": run.signal_names(),
        "clusterings": [method.key for method in run.clustering_methods()],
        "asked_in": run.asked_in,
        "sessions": [asdict(session) for session in run.sessions()],
        "phases": {} if isinstance(phases, Undefined) else to_values(phases),
    }


def _headline(summary: RunSummary) -> "Headline | None":
    """Return rate and level of a run that can be read."""
    from homogaudit.report.headline import read_headline

    return read_headline(Path(summary.path)) if summary.status in ("complete", "unfinished") else None


def _listed_run(path: Path) -> dict[str, Any]:
    """Return what the list says of a run as JSON values."""
    from homogaudit.codec import to_values

    summary = summarize(path)
    found = _headline(summary)
    return {**asdict(summary), **(dict.fromkeys(("level", "scr")) if found is None else to_values(found))}


def _print_list(paths: Sequence[Path]) -> None:
    """Print two lines a run: the name, never cut because it is there to be copied, and the facts.

    Each as soon as it is read: a large run takes a second.
    """
    from rich.console import Console
    from rich.text import Text

    from homogaudit.report.text import plain, shorten

    console = Console(highlight=False)
    for path in paths:
        summary = summarize(path)
        found = _headline(summary)
        level = "" if found is None else found.words
        samples = "" if not summary.samples else f" x {summary.samples}"
        console.print(Text(plain(summary.name), style="bold"), soft_wrap=True)
        # What is complete needs no other word than its level.
        state = level if summary.state == "complete" and level else summary.status_words
        if summary.state in ("decided early", "rate only") and level:
            state = f"{summary.status_words}: {level}"
        facts = (
            f"  {shorten(summary.model or '-', 16):<16}  {_done(summary) + samples:<12}"
            f"  {_time(summary.created)} {_size(summary.bytes):>7}  {state}"
        )
        console.print(Text(facts), soft_wrap=True)


def _done(summary: RunSummary) -> str:
    return "-" if summary.questions is None else f"{summary.questions_done}/{summary.questions}"


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def _time(text: str | None) -> str:
    """Return a stored time in the local zone, to the minute, 16 characters wide."""
    try:
        return datetime.fromisoformat(text or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return f"{'-':<16}"


def _size(size: int) -> str:
    for limit, unit, places in ((1e3, "B", 0), (1e6, "kB", 0), (1e9, "MB", 1)):
        if size < limit:
            return f"{size / (limit / 1e3):.{places}f} {unit}"
    return f"{size / 1e9:.1f} GB"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {value}" for value, count in counts.items())


def _phase(name: str, found: Mapping[str, float]) -> str:
    from homogaudit.report.numbers import duration, percent

    return f"{name}: {duration(found['seconds'])}, {percent(found['share'])}"


def _session(session: dict[str, Any]) -> str:
    seconds = "" if session["seconds"] is None else f", {session['seconds']:.0f} s"
    ended = "" if session["ended"] else ", not ended"
    return f"{session['kind']} {_time(session['started'])}{seconds}, {session['generations']} draws{ended}"
