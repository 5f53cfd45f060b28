"""`homogaudit bench --audit MODEL`: one whole audit in a temporary folder, and where its time goes, phase by phase."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from homogaudit.cli.engine_job import carry_out
from homogaudit.cli.error_line import warn
from homogaudit.errors import UsageError
from homogaudit.launch.requests import RunRequest
from homogaudit.phases import BEFORE_WORK, DRAWING, Phase, PhaseClock

if TYPE_CHECKING:
    from homogaudit.report.records import Report

_FLAGS = frozenset(
    {"model", "preset", "samples", "max_tokens", "temperature", "slots", "threads", "gpu_layers", "models_file"}
)
"""Options of `bench` that mean the same to an audit."""


def bench_audit(flags: Mapping[str, Any], *, as_json: bool) -> None:
    """Audit the packaged sample as `run` does, to its report, and print where the time went.

    Args:
        flags: Options that were given to `bench`; without a preset those of `quick` stand behind them.
        as_json: Whether to print JSON.

    Raises:
        UsageError: An option is none of an audit.
        HomogauditError: As `run`.
    """
    for name in flags.keys() - _FLAGS - {"audit", "as_json", "questions"}:
        raise UsageError(f"`--{name.replace('_', '-')}` is not for `--audit`", "leave one of them out")
    asked: dict[str, Any] = {"preset": "quick"} | {name: value for name, value in flags.items() if name in _FLAGS}
    with TemporaryDirectory(prefix="homogaudit-") as folder:
        request = RunRequest.of(asked, limit=flags.get("questions"), output=Path(folder) / "bench.audit")
        report, seconds = _audit(request, quiet=as_json)
    figures = _figures(report, seconds)
    typer.echo(json.dumps(figures, indent=2) if as_json else _text(report, figures))


def _audit(request: RunRequest, *, quiet: bool) -> tuple["Report", dict[str, float]]:
    """Do one audit; return its report, and the seconds of every phase from the plan to the printed report."""
    clock = PhaseClock()
    with clock(Phase.START):
        from homogaudit.launch.run import plan_run
        from homogaudit.store import RunFile

        plan = plan_run(request, warn)
        carry_out(plan, is_agreed=False, quiet=quiet)
        with RunFile.open(plan.path) as run:
            for name, spent in run.phases.items():
                clock.move(spent, Phase(name))
    with clock(Phase.REPORT):
        from rich.console import Console

        from homogaudit.report.build import build
        from homogaudit.report.console import render_console
        from homogaudit.report.run_data import read_run

        with RunFile.open(plan.path) as run:
            report = build(read_run(run))
        render_console(report, Console(file=io.StringIO()))
    return report, clock.seconds()


def _figures(report: "Report", seconds: Mapping[str, float]) -> dict[str, Any]:
    from homogaudit.codec import to_values
    from homogaudit.report.phase_times import phase_times

    drawing = sum(spent for name, spent in seconds.items() if name in DRAWING)
    work = sum(spent for name, spent in seconds.items() if name not in BEFORE_WORK)
    return {
        "work_by_drawing": work / drawing,
        "seconds": sum(seconds.values()),
        "drawing_seconds": drawing,
        "phases": to_values(phase_times(seconds)),
        "model": report.run.model,
        "device": report.run.device,
        "questions": report.run.questions,
        "samples": report.run.samples,
        "decoding": report.run.decoding,
    }


def _text(report: "Report", figures: Mapping[str, Any]) -> str:
    from homogaudit.report.numbers import duration, percent
    from homogaudit.report.text import plain

    run = report.run
    head = [
        f"model       {plain(run.model)} on {plain(str(run.device))}",
        f"audit       {run.questions} questions, {run.samples} samples each, in {duration(figures['seconds'])}",
    ]
    phases = [
        f"{name:<12}{duration(found['seconds']):>10}{percent(found['share']):>8}"
        for name, found in figures["phases"].items()
    ]
    ratio = f"all work    {figures['work_by_drawing']:.2f} times the drawing, loading left out"
    return "\n".join((*head, "", *phases, "", ratio))
