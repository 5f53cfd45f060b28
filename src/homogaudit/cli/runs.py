"""`homogaudit runs`: which runs there are, what one of them is, and deleting some.

Knows run files from the outside and what they say of themselves; computes no figure.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homogaudit.cli.options import JsonOption, RunArgument
from homogaudit.cli.run_argument import SUFFIX, find_run, list_runs, runs_folder
from homogaudit.errors import HomogauditError, RunFileError, StorageError, UsageError

if TYPE_CHECKING:
    from homogaudit.store.run_file import RunFile

__all__ = ["RunSummary", "app", "delete", "list_", "show", "summarize"]

app = typer.Typer(help="List, show and delete runs.", invoke_without_command=True, no_args_is_help=False)

_SIDE_FILES = ("-wal", "-shm", "-journal", ".log", ".lock")
"""What may stand beside a run file, as endings of its whole name."""

_STATUS_WORDS = {
    "complete": "complete",
    "unfinished": "unfinished",
    "newer_schema": "newer schema",
    "not_readable": "not readable",
}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the list says of one run; `None` where it cannot be read.

    Attributes:
        questions_done: Questions all of whose draws are stored.
        samples: N, the samples a question.
        status: `complete`, `unfinished`, `in_use`, `newer_schema` or `not_readable`.
        pid: The process that is writing it.
        created: ISO 8601, UTC.
        bytes: On the disk, with the log of what is being written.
    """

    name: str
    path: str
    model: str | None
    questions: int | None
    questions_done: int | None
    samples: int | None
    status: str
    pid: int | None
    created: str | None
    bytes: int

    @property
    def status_words(self) -> str:
        """The status as people read it."""
        return f"in use by {self.pid}" if self.status == "in_use" else _STATUS_WORDS[self.status]


@app.callback()
def runs(context: typer.Context, as_json: JsonOption = False) -> None:
    """List, show and delete runs; without a command, list them."""
    if context.invoked_subcommand is None:
        list_(as_json)
    elif as_json:
        raise UsageError(
            f"`--json` stands before `{context.invoked_subcommand}`",
            f"`homogaudit runs {context.invoked_subcommand} --json`",
        )


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the runs of the runs folder, the newest first."""
    folder = runs_folder()
    summaries = [summarize(path) for path in list_runs(folder)]
    if as_json:
        listing = {
            "schema": "homogaudit.runs/1",
            "folder": str(folder),
            "runs": [asdict(summary) for summary in summaries],
        }
        typer.echo(json.dumps(listing, indent=2))
    elif summaries:
        _print_list(summaries)
    else:
        typer.echo(f"no runs in `{folder}`; `homogaudit run demo` makes one", err=True)


@app.command()
def show(
    run: RunArgument = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run is: questions, parameters, what is stored, and the processes that worked on it."""
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
        ("questions", f"{facts['question_source']}: {_done(summary)} done"),
        ("samples", f"{summary.samples} a question"),
        ("status", summary.status_words),
        ("created", _time(summary.created)),
        ("finished", _time(facts["finished"])),
        ("size", _size(summary.bytes)),
        *(("parameter", f"{name}: {json.dumps(value)}") for name, value in facts["parameters"].items()),
        *(("labels", f"{judge}: {_listed(counts)}") for judge, counts in facts["labels"].items()),
        ("signals", ", ".join(facts["signals"]) or "none"),
        ("clusterings", ", ".join(facts["clusterings"]) or "none"),
        *(("session", _session(session)) for session in facts["sessions"]),
    ]
    for name, value in lines:
        typer.echo(f"{name:<12}{plain(str(value))}")


@app.command()
def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Run files, or names of runs.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs and what stands beside them."""
    from homogaudit.report.text import plain

    folder = runs_folder()
    # Everything is checked before anything is deleted.
    paths = list(dict.fromkeys(find_run(run, folder) for run in runs))
    for path in paths:
        _check_deletable(path)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("deleting needs a yes, and there is no terminal to ask on", "give `--yes`")
        for path in paths:
            typer.echo(f"{plain(path.name)}  {_size(_bytes(path))}", err=True)
        what = "this run" if len(paths) == 1 else f"these {len(paths)} runs"
        if not typer.confirm(f"delete {what}?", err=True):
            typer.echo("nothing deleted", err=True)
            return
    for path in paths:
        _delete(path)
        typer.echo(f"deleted {plain(path.name)}", err=True)


def summarize(path: Path) -> RunSummary:
    """Return what the list says of one run file, whatever state it is in."""
    from homogaudit.store.run_file import SCHEMA_VERSION, RunFile, schema_version
    from homogaudit.store.run_lock import lock_owner

    pid = lock_owner(path)
    version = schema_version(path)
    model = created = questions = done = samples = None
    status = "not_readable"
    if version is not None and version > SCHEMA_VERSION:
        status = "newer_schema"
    elif version is not None:
        # A file of another writer can hold anything, also values that are no JSON.
        with suppress(HomogauditError, ValueError, TypeError), RunFile.open(path) as run:
            model, created = str(run.meta("model")), str(run.meta("created"))
            is_complete = run.status == "complete"
            counts = run.draw_counts()
            drawn = max((count.samples for count in counts.values()), default=0)
            decoding = run.parameters.get("decoding")
            planned = decoding.get("samples") if isinstance(decoding, dict) else None
            samples = planned if isinstance(planned, int) else drawn
            greedy = any(count.greedy for count in counts.values())
            questions = len(counts)
            done = sum(is_complete or (x.samples >= samples and (x.greedy or not greedy)) for x in counts.values())
            if not drawn and not greedy:
                done = 0
            status = "complete" if is_complete else "unfinished"
    return RunSummary(
        name=path.name.removesuffix(SUFFIX),
        path=str(path),
        model=model,
        questions=questions,
        questions_done=done,
        samples=samples,
        status="in_use" if pid is not None else status,
        pid=pid,
        created=created,
        bytes=_bytes(path),
    )


def _facts(run: "RunFile") -> dict[str, Any]:
    """Return what only the run file itself can say, as JSON values."""
    return {
        "id": run.meta("id"),
        "question_source": run.meta("question_source"),
        "finished": run.meta("finished"),
        "parameters": run.parameters,
        "labels": {
            judge: dict(Counter(label.value.value for label in run.labels(judge).values())) for judge in run.judges()
        },
        "signals": list(run.signals()),
        "clusterings": [method.key for method in run.clustering_methods()],
        "sessions": [asdict(session) for session in run.sessions()],
    }


def _print_list(summaries: Sequence[RunSummary]) -> None:
    """Print two lines a run: the name, never cut because it is there to be copied, and the facts."""
    from rich.console import Console
    from rich.text import Text

    from homogaudit.report.text import plain, shorten

    console = Console(highlight=False)
    for summary in summaries:
        samples = "" if not summary.samples else f" x {summary.samples}"
        console.print(Text(plain(summary.name), style="bold"), soft_wrap=True)
        facts = (
            f"  {shorten(summary.model or '-', 18):<18}  {_done(summary) + samples:<12}  {summary.status_words:<14}"
            f"  {_time(summary.created)}  {_size(summary.bytes):>7}"
        )
        console.print(Text(facts), soft_wrap=True)


def _done(summary: RunSummary) -> str:
    return "-" if summary.questions is None else f"{summary.questions_done}/{summary.questions}"


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


def _bytes(path: Path) -> int:
    total = 0
    for part in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):
            total += part.stat().st_size
    return total


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {value}" for value, count in counts.items())


def _session(session: dict[str, Any]) -> str:
    seconds = "" if session["seconds"] is None else f", {session['seconds']:.0f} s"
    ended = "" if session["ended"] else ", not ended"
    return f"{session['kind']} {_time(session['started'])}{seconds}, {session['generations']} draws{ended}"


def _check_deletable(path: Path) -> None:
    """Refuse a run that is being written, and a file that is none."""
    from homogaudit.store.run_file import schema_version
    from homogaudit.store.run_lock import lock_owner

    # A run that is damaged beyond its header is still known by its name.
    if path.suffix != SUFFIX and schema_version(path) is None:
        raise RunFileError(f"`{path}` is not a run file", "`homogaudit runs` lists the runs")
    if (pid := lock_owner(path)) is not None:
        raise RunFileError(f"`{path}` is in use by process {pid}", "wait for it, or stop it first")


def _delete(path: Path) -> None:
    from homogaudit.store.run_lock import RunLock

    with RunLock(path):
        try:
            # The run itself goes first: a kill in between leaves a log without a run, never a run without its log.
            path.unlink(missing_ok=True)
            for ending in _SIDE_FILES:
                if ending != ".lock":
                    path.with_name(path.name + ending).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot delete `{path}`: {error.strerror}", "check the folder's permissions") from error
