"""The job that takes up a run file where it was left, read from the run file itself."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from homogaudit.config import Consent, ModelsFile, Trust, load_models, load_settings, refuse
from homogaudit.config.trust import is_url
from homogaudit.errors import HomogauditError, ModelError, RunFileError
from homogaudit.events import Job, JobEmbedder, JobNli
from homogaudit.generation.fingerprint import model_fingerprint
from homogaudit.launch.embedder_choice import is_large, is_there, resolve_job_embedder, resolve_job_nli
from homogaudit.launch.judge_choice import JudgeChoice, choose_judge, stored_judge
from homogaudit.records import ClusteringMethod
from homogaudit.store import RunFile, Scoring
from homogaudit.store.run_lock import lock_owner

__all__ = ["resume_job", "stored_job"]


def resume_job(path: Path, *, draws: bool = True, consent: Consent = refuse) -> Job:
    """Return the job that finishes a run: the same model, and the scoring that it was begun with.

    Args:
        path: The run file.
        draws: Whether the job draws what is missing; for one that only scores the model need not be there.
        consent: Asks before the servers that the run file names are contacted.

    Raises:
        UsageError: The user does not agree.
        HomogauditError: As `stored_job`.
    """
    job = stored_job(path, draws=draws)
    trust = Trust(load_models().named_sources, consent)
    if job.model is not None and (job.model_kind == "server" or is_url(job.model)):
        trust.admit_server("the model", job.model, path)
    if job.embedder is not None and is_url(job.embedder.location):
        trust.admit_server("the embedder", job.embedder.location, path)
    judge = JudgeChoice(job.judge, job.judge_reason, job.judge_model)
    if draws and job.judge_model is not None and judge.is_on_server:
        trust.admit_server("the judge", job.judge_model.location, path)
    else:
        with RunFile.open(path) as run:
            judge.admit_stored(trust, run)
    return replace(job, key_origins=trust.key_origins)


def stored_job(path: Path, *, draws: bool = True) -> Job:
    """Return the job that a run file describes; the servers that it names are no more than read, and told no key.

    Args:
        path: The run file.
        draws: As `resume_job` takes it.

    Raises:
        RunFileError: Another process is at work on it.
        ModelError: Draws are missing, and the model's file is gone or is another one.
        HomogauditError: The run file cannot be read, or its embedder cannot be found.
    """
    if (pid := lock_owner(path)) is not None:
        raise RunFileError(f"`{path}` is in use by process {pid}", "wait for it, or end it")
    models = load_models()
    with RunFile.open(path) as run:
        scoring, model = run.scoring, run.model_source
        planned = len(run) * (run.expected_samples() + 1)
        is_missing = not run.is_recorded and len(run.generation_keys()) < planned
        questions = run.questions() if scoring is None else []
        recorded = "recorded" in run.judges()
    settings = load_settings(models)
    is_server = model.kind == "server"
    location = model.location if draws else None
    if not is_server and location is not None and (fault := _fault(Path(location), model.fingerprint)):
        if is_missing:
            raise ModelError(f"the model file `{location}` {fault}", "put the file back, or run it under a new name")
        location = None
    if scoring is None:
        chosen = choose_judge(None, questions, recorded=recorded)
        embedder, reason = resolve_job_embedder(settings.embedder, models, wanted=True)
        scoring = Scoring(embedder_reason=reason)
    else:
        chosen = stored_judge(scoring)
        embedder = scoring.embedder_source and _found_embedder(scoring.embedder_source, settings.embedder, models)
    return Job(
        str(path),
        model=location,
        embedder=embedder,
        judge=chosen.judge,
        judge_reason=chosen.reason,
        embedder_reason=scoring.embedder_reason,
        clusterings=tuple(map(_specification, scoring.methods)),
        signals=scoring.signals,
        density_pool=scoring.density_pool,
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        defer_embedding=is_large(embedder),
        nli=scoring.nli_source and _found_nli(scoring.nli_source, models),
        model_kind=model.kind or "gguf",
        server_model=model.server_model if is_server else None,
        judge_model=chosen.model,
    )


def _found_embedder(stored: JobEmbedder, default: str | None, models: ModelsFile) -> JobEmbedder:
    """Return the run's embedder where it lies on this machine; as stored where the same one is not found."""
    if is_there(stored.location):
        return stored
    for name in (stored.name, default):
        with contextlib.suppress(HomogauditError):
            found, _ = resolve_job_embedder(name, models, wanted=True)
            if found is not None and found.key == stored.key:
                return replace(stored, location=found.location)
    return stored


def _found_nli(stored: JobNli, models: ModelsFile) -> JobNli:
    """Return the run's NLI model where it lies on this machine; as stored where the same one is not found."""
    if is_there(stored.location):
        return stored
    with contextlib.suppress(HomogauditError):
        found = resolve_job_nli(stored.name, models)
        if found is not None and found.key == stored.key:
            return replace(stored, location=found.location)
    return stored


def _fault(model: Path, stored: Any) -> str | None:
    """Return what is wrong with a model file, `None` where it is the one that the run was begun with."""
    try:
        found = model_fingerprint(model)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "is not the one that the run was begun with" if stored is not None and found != stored else None


def _specification(method: ClusteringMethod) -> str:
    """Return a stored method as `--clustering` takes it."""
    threshold = "" if method.threshold is None else f"={method.threshold!r}"
    return f"{method.similarity}{threshold}/{method.linkage}"
