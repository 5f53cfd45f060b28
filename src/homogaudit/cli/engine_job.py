"""Runs an engine for a command: passes its events to a display, and a Ctrl+C to the engine."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from homogaudit.cli.error_line import warn
from homogaudit.config import ModelsFile, Trust
from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import EngineError, InterruptedRunError, UsageError, from_kind
from homogaudit.events import EngineFailed, Event, Job, RunFinished
from homogaudit.launch.run_paths import log_path

if TYPE_CHECKING:
    from homogaudit.launch.judge_choice import JudgeChoice
    from homogaudit.launch.server_choice import ServerEstimate

__all__ = ["Display", "agree_to_cost", "agree_to_judging", "run_engine", "score_run"]


class Display(Protocol):
    """Shows events; never decides anything."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def run_engine(job: Job, display: Display) -> RunFinished:
    """Run `job` to its end.

    Raises:
        InterruptedRunError: The user stopped it; what was finished is in the run file.
        HomogauditError: What the engine failed with.
    """
    try:
        return asyncio.run(_run(job, display))
    finally:
        display.close()


async def _run(job: Job, display: Display) -> RunFinished:
    log = log_path(Path(job.run))
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
    last: Event | None = None
    async with EngineSupervisor(job, log) as engine:
        # `stop` asks first, then terminates, then kills, so a second Ctrl+C has nothing left to add.
        stopper = asyncio.create_task(_stop_when(interrupted, engine))
        async for event in engine.events():
            if not (interrupted.is_set() and isinstance(event, EngineFailed)):
                display.show(event)
            last = event
        stopper.cancel()
    if interrupted.is_set():
        raise InterruptedRunError("interrupted; what was finished is stored", "run the same command again to go on")
    if isinstance(last, EngineFailed):
        raise from_kind(last.kind, last.message, last.hint)
    if not isinstance(last, RunFinished):
        raise EngineError("the engine ended without a word", f"its log: {log}")
    log.unlink(missing_ok=True)
    return last


async def _stop_when(interrupted: asyncio.Event, engine: EngineSupervisor) -> None:
    await interrupted.wait()
    await engine.stop()


def score_run(
    path: Path,
    *,
    judge: str | None,
    embedder: str | None,
    use_embedder: bool,
    quiet: bool,
    judge_prompt: Path | None = None,
    clusterings: Sequence[str] = (),
    signals: Sequence[str] = (),
    density_pool: Path | None = None,
    nli: str | None = None,
    nli_question: bool = False,
    models: ModelsFile | None = None,
    max_cost: float | None = None,
    is_agreed: bool = False,
    trust: Trust | None = None,
) -> None:
    """Cluster, label and compute the signals of stored generations in an engine without a generator.

    Args:
        path: The run file.
        judge: Who labels; `None` keeps the run's judge, or chooses by the kind of the questions.
        embedder: Name of the embedder; `None` for the run's own, or that of the settings, or the default.
        use_embedder: Whether to embed at all.
        quiet: Whether to show no progress.
        judge_prompt: The template of what a model that judges is asked; `None` for the packaged one.
        clusterings: In place of the defaults, as `--clustering` takes them; empty for those of the run's last scoring.
        signals: To compute, or cost classes of them, or `all`; empty for those of the run's last scoring.
        density_pool: The question file that `density` measures against; `None` for that of the run's last scoring.
        nli: Name of an NLI model; `None` for that of the run's last scoring, `none` for no clustering by entailment.
        nli_question: Whether it reads the question before each answer.
        models: The names; read from the default places where left out.
        max_cost: Refuse to ask a judge on a server that may cost more; `None` for no limit.
        is_agreed: Whether the user has agreed to any cost, and to any server that only a file names.
        trust: Of this command, where something was asked already.

    Raises:
        HomogauditError: What the engine failed with.
    """
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.progress import make_display
    from homogaudit.clustering.methods import choose_methods
    from homogaudit.config import load_models, load_settings
    from homogaudit.config.trust import is_url
    from homogaudit.launch.embedder_choice import (
        SWITCHED_OFF,
        is_there,
        resolve_job_embedder,
        resolve_job_nli,
        with_calibrated_threshold,
    )
    from homogaudit.launch.judge_choice import choose_judge, stored_judge
    from homogaudit.launch.prepare import resolve_density_pool
    from homogaudit.launch.resume import stored_job
    from homogaudit.signals.registry import choose_signals
    from homogaudit.store import RunFile

    models = load_models() if models is None else models
    trust = trust or Trust(models.named_sources, make_consent(is_agreed=is_agreed))
    settings = load_settings(models, embedder=embedder)
    with RunFile.open(path) as run:
        scoring = run.scoring
        questions = run.questions()
        judges = run.judges()
    if judge is None and scoring is not None and judge_prompt is None:
        chosen = stored_judge(scoring, models)
        with RunFile.open(path) as run:
            chosen.admit_stored(trust, run)
    else:
        chosen = choose_judge(
            judge, questions, recorded="recorded" in judges, prompt=judge_prompt, models=models, warn=warn, trust=trust
        )
    if max_cost is not None:
        chosen.require_server()
    agree_to_judging(path, chosen, max_cost=max_cost, is_agreed=is_agreed, quiet=quiet)
    source = scoring and scoring.embedder_source
    if embedder is None and use_embedder and source and is_there(source.location):
        job_embedder, reason = with_calibrated_threshold(source), ""
        if is_url(job_embedder.location):
            trust.admit_server("the embedder", job_embedder.location, path)
    else:
        was_off = embedder is None and scoring is not None and scoring.embedder_reason == SWITCHED_OFF
        job_embedder, reason = resolve_job_embedder(
            settings.embedder,
            models,
            wanted=use_embedder and not was_off,
            trust=trust,
            found_in=settings.embedder_found_in,
        )
    own = None if scoring is None else stored_job(path, draws=False)
    job_nli = resolve_job_nli(nli, models, question_first=nli_question, trust=trust)
    if nli is None and own is not None and own.nli is not None:
        if is_there(own.nli.location):
            job_nli = replace(own.nli, question_first=own.nli.question_first or nli_question)
        else:
            warn(f"no clusters by entailment: the NLI model `{own.nli.name}` is not at `{own.nli.location}` any more")
    if own is not None and not clusterings:
        clusterings = _clusterings_of(own, embedder=job_embedder is not None, nli=job_nli is not None)
    # Read here too, so that a slip of the pen is told before anything is changed.
    choose_methods(
        embedder=job_embedder.key if job_embedder else None,
        numeric=chosen.judge == "numeric",
        specifications=clusterings,
        nli=job_nli.clustering_key if job_nli else None,
    )
    pool = resolve_density_pool(density_pool)
    if density_pool is None and scoring and scoring.density_pool and Path(scoring.density_pool).exists():
        pool = scoring.density_pool
    job = Job(
        str(path),
        embedder=job_embedder,
        judge=chosen.judge,
        judge_reason=chosen.reason,
        embedder_reason=reason,
        clusterings=tuple(clusterings),
        signals=choose_signals(signals) if signals else scoring.signals if scoring else (),
        density_pool=pool,
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        nli=job_nli,
        judge_model=chosen.model,
        key_origins=trust.key_origins,
    )
    run_engine(job, make_display(quiet=quiet))


def _clusterings_of(job: Job, *, embedder: bool, nli: bool) -> tuple[str, ...]:
    """Return the clusterings of a stored scoring that can be made again; the judge decides on that of numbers."""
    left_out = {"embedding": not embedder, "entailment": not nli, "answer": job.judge == "numeric"}
    return tuple(x for x in job.clusterings if not left_out.get(re.split("[=/]", x)[0], False))


def agree_to_judging(
    path: Path, chosen: "JudgeChoice", *, max_cost: float | None, is_agreed: bool, quiet: bool
) -> None:
    """Say what a judge on a server is asked about stored answers, and ask back where that costs money.

    Raises:
        UsageError: It may cost more than `max_cost`, or the user does not agree.
    """
    from homogaudit.store import RunFile

    with RunFile.open(path) as run:
        estimate = chosen.estimate_stored(run)
    if estimate is not None:
        estimate.token_budget(max_cost)
        agree_to_cost(estimate, is_agreed=is_agreed or max_cost is not None, quiet=quiet)


def agree_to_cost(estimate: "ServerEstimate", *, is_agreed: bool, quiet: bool) -> None:
    """Say what a run asks of a server, and ask back where it costs money and nobody has agreed yet.

    Raises:
        UsageError: The user says no, or there is no terminal to ask at.
    """
    if not quiet:
        typer.echo(f"server: {estimate.text}", err=True)
    if is_agreed or not estimate.known_cost:
        return
    hint = "agree with `--yes`, or set a limit with `--max-cost`"
    if not sys.stdin.isatty() or not typer.confirm("Go on?", err=True):
        raise UsageError(f"the run may cost {estimate.cost_text}", hint)
