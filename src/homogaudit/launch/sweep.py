"""From what the user asks to the folder of a sweep and its jobs: a run file for each setting that needs draws.

The same request finds the same folder. It prints nothing.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from homogaudit.config import Consent, load_models, load_settings, refuse
from homogaudit.errors import HomogauditError, UsageError
from homogaudit.events import Job
from homogaudit.launch.arguments import question_source
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import NO_CALLS, RunRequest, ScoringRequest, decoding_of
from homogaudit.launch.run import plan_run
from homogaudit.launch.run_choice import remove_if_empty
from homogaudit.launch.run_paths import SUFFIX, log_path, new_run_path, slug
from homogaudit.launch.server_choice import ServerEstimate
from homogaudit.launch.speeds import find_paces
from homogaudit.store import RunFile
from homogaudit.sweep.axes import Axis, Setting, drawn_settings, parse_axes, setting_text, value_text
from homogaudit.sweep.folder import FILE, Manifest, SweptRun, check_same, is_sweep, read_manifest, write_manifest

_FIELDS = {"n": "samples"}
"""Fields of a request that have another name than their key."""

_UNTOLD = {x.name for x in fields(ScoringRequest)} | set(
    "output new defer_embedding token_arrays slots threads gpu_layers hash_model concurrency".split()
)
"""What a sweep may go on with otherwise: no draw depends on it, but for the last bits."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run of the sweep that is not finished.

    Attributes:
        setting: In words.
        draws: Answers still to draw.
    """

    plan: Plan
    setting: str
    draws: int


def drawing_seconds(waiting: Sequence[WaitingRun]) -> float | None:
    """Return what some runs take to draw at the speed of earlier ones, `None` where one of their models has none."""
    paces = [find_paces(x.plan.job).get("answers") for x in waiting]
    known = [pace for pace in paces if pace is not None]
    if len(known) < len(paces):
        return None
    return sum(pace * x.draws for pace, x in zip(known, waiting, strict=True))


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The folder of a sweep, and what is left to do in it.

    Attributes:
        waiting: In the order of drawing.
        estimate: What all of them ask of servers; `None` where none is asked.
        goes_on: Whether the folder was there.
    """

    folder: Path
    manifest: Manifest
    waiting: tuple[WaitingRun, ...]
    estimate: ServerEstimate | None
    goes_on: bool

    @property
    def job(self) -> Job:
        """All that is left as one job, so that a model which several runs draw from is loaded once."""
        first, *others = (x.plan.job for x in self.waiting)
        return replace(first, then=tuple(others))


def plan_sweep(
    request: RunRequest,
    over: Sequence[str],
    warn: Callable[[str], None],
    consent: Consent = refuse,
    note: Callable[[str], None] | None = None,
) -> SweepPlan:
    """Make everything ready for an engine that draws every setting, one after the other.

    Args:
        request: What the user asks for beside the settings; `output` is the folder.
        over: The axes, as `parse_axes` takes them.
        warn: Told at once what the user should know and what stops nothing; each line once.
        consent: Asks before what only a file names is contacted or called.
        note: Told how the question file is read; `warn` where left out.

    Raises:
        HomogauditError: As `plan_run` of any setting; a folder in which nothing is drawn is removed.
    """
    axes = parse_axes(over, request.model)
    _check(request, axes)
    manifest = plan_folder(_command(request, axes), axes)
    requests = [_request_of(request, x.setting, axes) for x in manifest.runs]
    for each in requests:
        decoding_of(each)
    folder = _folder(request, manifest)
    goes_on = is_sweep(folder)
    if goes_on:
        check_same(folder, manifest)
    write_manifest(folder, manifest)
    told: set[str] = set()

    def once(tell: Callable[[str], None]) -> Callable[[str], None]:
        def tell_once(line: str) -> None:
            if line not in told:
                told.add(line)
                tell(line)

        return tell_once

    try:
        plans = [
            plan_run(
                replace(each, output=folder / run.file, until_decided=False), once(warn), consent, once(note or warn)
            )
            for each, run in zip(requests, manifest.runs, strict=True)
        ]
        estimate = join_estimates([x.estimate for x in plans if x.estimate is not None])
        if estimate is not None:
            estimate.token_budget(request.max_cost)
            plans = [with_share(x, estimate, request.max_cost) for x in plans]
    except HomogauditError:
        remove_undrawn(folder)
        raise
    waiting = [
        _waiting(plan, setting_text(run.setting))
        for plan, run in zip(plans, manifest.runs, strict=True)
        if not _is_done(plan)
    ]
    return SweepPlan(folder, manifest, tuple(waiting), estimate if waiting else None, goes_on)


def plan_folder(command: Mapping[str, Any], axes: Sequence[Axis]) -> Manifest:
    """Return what the folder of a sweep is to hold, each run file named after its setting."""
    runs: list[SweptRun] = []
    for setting in drawn_settings(axes):
        parts = [f"{key}-{slug(value_text(value))}" for key, value in setting.items()]
        name = stem = "_".join(parts) or "run"
        number = 2
        while any(x.file == name + SUFFIX for x in runs):
            name, number = f"{stem}-{number}", number + 1
        runs.append(SweptRun(name + SUFFIX, setting))
    return Manifest(command, tuple(axes), tuple(runs))


def _check(request: RunRequest, axes: Sequence[Axis]) -> None:
    """Check that no flag says what is swept, and that the questions can be read for every setting.

    Raises:
        UsageError: They cannot.
    """
    defaults = RunRequest(model=request.model)
    for axis in axes:
        name = _FIELDS.get(axis.key, axis.key)
        if hasattr(request, name) and getattr(request, name) != getattr(defaults, name):
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"`{flag}` is swept with `--over {axis.key}` already", f"leave `{flag}` out")
    if question_source(request.questions) == "-":
        raise UsageError("a sweep asks its questions several times", "name a question file, not `-`")


def _request_of(request: RunRequest, setting: Setting, axes: Sequence[Axis]) -> RunRequest:
    """Return what one setting asks for; a run holds as many samples as the largest number that is read from it."""
    sizes = [value for axis in axes if axis.key == "n" for value in axis.values]
    values: dict[str, Any] = {**setting, **({"samples": max(sizes)} if sizes else {})}
    return replace(request, signals=request.signals or NO_CALLS, **values)


def _command(request: RunRequest, axes: Sequence[Axis]) -> dict[str, Any]:
    """Return what the draws depend on beside the axes, as it is stored."""
    swept = {_FIELDS.get(axis.key, axis.key) for axis in axes}
    values = {name: value for name, value in asdict(request).items() if name not in _UNTOLD | swept}
    return json.loads(json.dumps(values, default=str))


def _folder(request: RunRequest, manifest: Manifest) -> Path:
    """Return the folder: the one named, that which the same command made last, or a new one.

    Raises:
        UsageError: The one named holds something else.
    """
    if (named := request.output) is not None:
        if named.is_file() or (named.is_dir() and not is_sweep(named) and any(named.iterdir())):
            raise UsageError(f"`{named}` is there and holds no sweep", "name another folder with `-o`")
        return named
    runs = load_settings(load_models(request.models_file)).runs
    found = [] if request.new or not runs.is_dir() else [x for x in runs.iterdir() if _is_of(x, manifest)]
    if found:
        return max(found, key=lambda folder: (folder / FILE).stat().st_mtime)
    keys = "-".join(axis.key for axis in manifest.axes)
    return new_run_path(runs, request.model, request.questions or "misconceptions", f"over-{keys}", suffix="")


def _is_of(folder: Path, manifest: Manifest) -> bool:
    """Whether a folder holds the sweep of a manifest."""
    with contextlib.suppress(HomogauditError):
        return is_sweep(folder) and read_manifest(folder) == manifest
    return False


def _is_done(plan: Plan) -> bool:
    """Whether nothing is left of a run under the scoring that is asked for."""
    with RunFile.open(plan.path) as run:
        stored = run.scoring
        return run.status == "complete" and stored is not None and stored.key == plan.job.scoring.key


def _waiting(plan: Plan, setting: str) -> WaitingRun:
    with RunFile.open(plan.path) as run:
        counts = run.draw_counts()
        stored = sum(x.samples + x.greedy for x in counts.values())
        draws = len(run.questions()) * (run.expected_samples() + 1) - stored
    return WaitingRun(plan, setting, draws)


def join_estimates(estimates: Sequence[ServerEstimate]) -> ServerEstimate | None:
    """Return what several runs ask of servers together, at the price that their tokens cost on average."""
    if not estimates:
        return None
    costs = [replace(x, judging=None).cost for x in estimates]
    prompt, answer = sum(x.prompt_tokens for x in estimates), sum(x.answer_tokens for x in estimates)
    known = [cost for cost in costs if cost is not None]
    price = sum(known) / max(1, prompt + answer) * 1e6 if len(known) == len(costs) else None
    return ServerEstimate(
        sum(x.requests for x in estimates),
        prompt,
        answer,
        price,
        join_estimates([x.judging for x in estimates if x.judging is not None]),
    )


def with_share(plan: Plan, whole: ServerEstimate, max_cost: float | None) -> Plan:
    """Return the plan of a run with its share of what the sweep may cost."""
    model, own = plan.job.model, plan.estimate
    if max_cost is None or model is None or own is None or not own.cost or not whole.cost:
        return plan
    budget = own.token_budget(max_cost * own.cost / whole.cost)
    return replace(plan, job=replace(plan.job, model=replace(model, token_budget=budget)))


def remove_undrawn(folder: Path) -> None:
    """Remove the runs of a sweep in which nothing was ever drawn, and its folder where nothing is left."""
    paths = [folder / run.file for run in read_manifest(folder).runs]
    for path in paths:
        if path.exists():
            remove_if_empty(path)
    if not any(path.exists() for path in paths):
        for path in (folder / FILE, *(log_path(path) for path in paths)):
            path.unlink(missing_ok=True)
        # Another file may lie in it.
        with contextlib.suppress(OSError):
            folder.rmdir()
