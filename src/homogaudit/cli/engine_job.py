"""Runs an engine for a command: passes its events to a display, and a Ctrl+C to the engine."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from homogaudit.config import ModelsFile, ResolvedEmbedder, resolve_embedder
from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import EmbedderError, EngineError, InterruptedRunError, UsageError, from_kind
from homogaudit.events import EngineFailed, Event, Job, JobEmbedder, RunFinished

__all__ = ["Display", "log_path", "resolve_job_embedder", "run_engine", "score_run"]


class Display(Protocol):
    """Shows events; never decides anything."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def log_path(run: Path) -> Path:
    """Return where the engine logs for a run: beside it."""
    return run.with_name(run.name + ".log")


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


_SWITCHED_OFF = "switched off by `--no-embedder`"


def resolve_job_embedder(name: str | None, models: ModelsFile, *, wanted: bool) -> tuple[JobEmbedder | None, str]:
    """Return the embedder of a job, or `None` with the reason why there is none.

    Args:
        name: What the user asked for; `None` for the default, which may be absent.
        models: The names.
        wanted: Whether an embedder is wanted at all.

    Raises:
        UsageError: The embedder that was asked for cannot be found.
        EmbedderError: Its files cannot be read.
    """
    if not wanted:
        return None, _SWITCHED_OFF
    try:
        found = resolve_embedder(name, models)
    except UsageError as error:
        if name is not None:
            raise
        return None, error.message + (f" ({error.hint})" if error.hint else "")
    return JobEmbedder(found.name, _key(found), found.location, found.revision, found.prompt), ""


def _key(embedder: ResolvedEmbedder) -> str:
    """Name everything that an embedding depends on: the model's files, its revision and its prompt."""
    from homogaudit.generation.fingerprint import folder_fingerprint

    folder = Path(embedder.location)
    try:
        parts = [embedder.name, f"#{folder_fingerprint(folder)}" if folder.is_dir() else f"#{embedder.location}"]
    except OSError as error:
        raise EmbedderError(f"cannot read `{embedder.location}`: {error.strerror}") from error
    parts += [f"@{embedder.revision}"] if embedder.revision else []
    parts += [f"+{embedder.prompt.strip()}"] if embedder.prompt else []
    return "".join(parts)


def score_run(
    path: Path,
    *,
    judge: str | None,
    embedder: str | None,
    use_embedder: bool,
    quiet: bool,
    clusterings: Sequence[str] = (),
    models: ModelsFile | None = None,
) -> None:
    """Cluster, label and compute the signals of stored generations in an engine without a generator.

    Args:
        path: The run file.
        judge: Who labels; `None` keeps the run's judge, or chooses by the kind of the questions.
        embedder: Name of the embedder; `None` for the run's own, or that of the settings, or the default.
        use_embedder: Whether to embed at all.
        quiet: Whether to show no progress.
        clusterings: In place of the defaults, as `--clustering` takes them.
        models: The names; read from the default places where left out.

    Raises:
        HomogauditError: What the engine failed with.
    """
    from homogaudit.cli.judge_choice import JudgeChoice, choose_judge
    from homogaudit.cli.progress import make_display
    from homogaudit.clustering.methods import choose_methods
    from homogaudit.config import load_models, load_settings
    from homogaudit.store import RunFile

    models = load_models() if models is None else models
    with RunFile.open(path) as run:
        scoring = run.meta("scoring")
        questions = run.questions()
        judges = run.judges()
    if judge is None and scoring is not None:
        chosen = JudgeChoice(scoring["judge"], scoring["judge_reason"])
    else:
        chosen = choose_judge(judge, questions, recorded="recorded" in judges)
    source = (scoring or {}).get("embedder_source")
    if embedder is None and use_embedder and source and Path(source["location"]).exists():
        job_embedder, reason = JobEmbedder(**source), ""
    else:
        was_off = embedder is None and (scoring or {}).get("embedder_reason") == _SWITCHED_OFF
        name = load_settings(models, embedder=embedder).embedder
        job_embedder, reason = resolve_job_embedder(name, models, wanted=use_embedder and not was_off)
    # Read here too, so that a slip of the pen is told before anything is changed.
    choose_methods(
        embedder=job_embedder.key if job_embedder else None,
        numeric=chosen.judge == "numeric",
        specifications=clusterings,
    )
    job = Job(
        str(path),
        embedder=job_embedder,
        judge=chosen.judge,
        judge_reason=chosen.reason,
        embedder_reason=reason,
        clusterings=tuple(clusterings),
    )
    run_engine(job, make_display(quiet=quiet))
