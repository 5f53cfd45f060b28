"""`homogaudit sweep MODEL [QUESTIONS] --over KEY=VALUES`: the same questions under several settings, in one table."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from homogaudit.cli.run import request_of, run
from homogaudit.errors import HomogauditError, IncompleteRunError, UsageError

if TYPE_CHECKING:
    from homogaudit.events import Event
    from homogaudit.launch.sweep import SweepPlan, WaitingRun
    from homogaudit.sweep.records import Sweep

_PANELS = ("Drawing", "Questions", "Prompt", "Scoring", "Machine", "Server")
"""Of the flags of `run`, those under these headings say how answers are drawn and scored."""

_SHARED = ("model", "questions", "max_cost", "yes", "models_file", "as_json", "quiet")


def _over(
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="What to vary and its values, such as temperature=0.3,0.7,1.0: temperature, top_p, min_p, max_tokens, "
            "n, threshold, mode, system or model. May be given several times.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Its folder; default: a new one in the runs folder."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start a new sweep even if the same command has begun or done one.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None: ...


def _parameters() -> Iterator[inspect.Parameter]:
    """Yield the parameters of the command: its own, and those of `run` that its runs take."""
    of_run = inspect.signature(run).parameters.values()
    shared = [
        x for x in of_run if x.name in _SHARED or getattr(get_args(x.annotation)[1], "rich_help_panel", None) in _PANELS
    ]
    own = list(inspect.signature(_over).parameters.values())
    yield from shared[:2] + own + shared[2:]


def sweep(**flags: Any) -> None:
    """Run MODEL under several settings, and print their table.

    Each setting gets a run file of its own.

    The same command goes on where it was interrupted, and prints the table of
    a finished sweep. In place of MODEL, the folder of a sweep prints its table.
    """
    from homogaudit.cli.output import check_targets
    from homogaudit.sweep.folder import is_sweep

    prints = [flag for flag, name in (("--json", "as_json"), ("--markdown", "markdown")) if flags[name]]
    check_targets({}, prints, force=False)
    folder = Path(flags["model"]).expanduser()
    if not is_sweep(folder):
        if not flags["over"]:
            raise UsageError("nothing to sweep over", "give `--over` a key and values, such as temperature=0.3,0.7,1.0")
        folder = _draw(flags)
    elif flags["over"]:
        raise UsageError(f"`{folder}` is a sweep, with its own settings", "leave `--over` out to print its table")
    _report(folder, as_json=flags["as_json"], markdown=flags["markdown"])


sweep.__dict__["__signature__"] = inspect.Signature(list(_parameters()))


def _draw(flags: dict[str, Any]) -> Path:
    """Do what is left of a sweep, and return its folder."""
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import agree_to_cost
    from homogaudit.cli.error_line import ignore, warn
    from homogaudit.launch.run_paths import log_path
    from homogaudit.launch.sweep import plan_sweep, remove_undrawn
    from homogaudit.launch.work import work

    quiet: bool = flags["quiet"]
    consent = make_consent(is_agreed=flags["yes"])
    plan = plan_sweep(request_of(flags), flags["over"], warn, consent, note=ignore if quiet else warn)
    if not quiet:
        typer.echo(_plan_text(plan), err=True)
    if not plan.waiting:
        return plan.folder
    try:
        if plan.estimate is not None:
            agree_to_cost(plan.estimate, is_agreed=flags["yes"] or flags["max_cost"] is not None, quiet=quiet)
        progress = _Progress(plan.waiting, quiet=quiet)
        try:
            work(plan.job, progress.show)
        finally:
            progress.close()
    except HomogauditError:
        remove_undrawn(plan.folder)
        raise
    # Also that of a run which an earlier engine was killed after.
    for swept in plan.manifest.runs:
        log_path(plan.folder / swept.file).unlink(missing_ok=True)
    return plan.folder


def _plan_text(plan: "SweepPlan") -> str:
    """Return the folder, and what is left to do with how long that takes where earlier runs tell."""
    from homogaudit.report.text import plain

    going_on = "; continuing where it stopped, `--new` starts another" if plan.goes_on and plan.waiting else ""
    where = plain(f"sweep: {plan.folder}{going_on}")
    runs, draws = len(plan.waiting), sum(x.draws for x in plan.waiting)
    if not runs:
        return f"{where}\nnothing is left to draw"
    return f"{where}\n{runs} run{'s' if runs > 1 else ''}, {draws:,} answers{_about(plan.waiting)}"


def _about(waiting: "Sequence[WaitingRun]") -> str:
    """Return how long some runs take to draw, behind a comma; nothing where that is not known."""
    from homogaudit.launch.sweep import drawing_seconds
    from homogaudit.report.numbers import clock

    seconds = drawing_seconds(waiting)
    return "" if seconds is None else f", about {clock(seconds)} to draw"


class _Progress:
    """Shows the runs of a sweep, one after the other."""

    def __init__(self, waiting: "Sequence[WaitingRun]", *, quiet: bool) -> None:
        from homogaudit.launch.speeds import Drawn

        self._waiting = waiting
        self._quiet = quiet
        # Read before the engine begins: it cannot fold the log of a run into its file while somebody reads there.
        self._drawn = [Drawn.of_run(x.plan.job.run) for x in waiting]
        self._begin(0)

    def _begin(self, place: int) -> None:
        from homogaudit.cli.engine_job import make_display
        from homogaudit.launch.forecast import Forecast
        from homogaudit.launch.speeds import find_paces
        from homogaudit.report.text import plain

        self._place = place
        own = self._waiting[place]
        if not self._quiet:
            # What the runs before have measured counts too.
            left = _about(self._waiting[place:]) if place else ""
            typer.echo(plain(f"run {place + 1} of {len(self._waiting)}: {own.setting}{left}"), err=True)
        self._display = make_display(quiet=self._quiet)
        self._forecast = Forecast(find_paces(own.plan.job, self._drawn[place]))

    def show(self, event: "Event") -> None:
        """Show one event; after the last one of a run the next run begins."""
        from homogaudit.events import RunFinished
        from homogaudit.launch.speeds import store_paces

        self._forecast.apply(event)
        self._display.show(event, self._forecast.ahead())
        if isinstance(event, RunFinished):
            job, drawn = self._waiting[self._place].plan.job, self._drawn[self._place]
            store_paces(job, self._forecast.measured, self._forecast.lengths, drawn)
            if event.status == "complete" and self._place + 1 < len(self._waiting):
                self._display.close()
                self._begin(self._place + 1)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._display.close()


def _report(folder: Path, *, as_json: bool, markdown: bool) -> None:
    """Print the table of a sweep.

    Raises:
        IncompleteRunError: It is not complete; what there is was printed.
    """
    from homogaudit.cli.error_line import after_report
    from homogaudit.sweep.build import build_sweep

    found = build_sweep(folder)
    _print(found, as_json=as_json, markdown=markdown)
    with after_report(as_json=as_json):
        if found.status != "complete":
            unfinished = sum(x.status != "complete" for x in found.settings)
            message = f"`{folder}` is not complete: {unfinished} of {len(found.settings)} settings are not"
            raise IncompleteRunError(message, "run its command again to continue")


def _print(found: "Sweep", *, as_json: bool, markdown: bool) -> None:
    from homogaudit.sweep.layout import sweep_sections

    if as_json:
        from homogaudit.report.json import dumps

        typer.echo(dumps(found))
    elif markdown:
        from homogaudit.report.markdown import sections_to_markdown

        typer.echo(sections_to_markdown("homogaudit sweep", sweep_sections(found)), nl=False)
    else:
        from rich.console import Console

        from homogaudit.report.console import render_sections

        render_sections(sweep_sections(found), Console(highlight=False))
