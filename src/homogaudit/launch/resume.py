"""The job that takes up a run file where it was left, read from the run file itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from homogaudit.config import Consent, Trust, load_models, load_settings, refuse
from homogaudit.config.trust import is_url
from homogaudit.errors import ModelError, RunFileError
from homogaudit.events import Job, JobMachine, JobModel, Scoring
from homogaudit.generation.fingerprint import model_fingerprint
from homogaudit.launch.comparisons import stored_comparisons, with_comparisons
from homogaudit.launch.embedder_choice import is_large, resolve_job_embedder
from homogaudit.launch.judge_choice import JudgeChoice, choose_judge
from homogaudit.launch.plan import Plan
from homogaudit.launch.scoring import stored_scoring
from homogaudit.store import RunFile
from homogaudit.store.run_lock import lock_owner


def plan_resume(
    path: Path,
    *,
    draws: bool = True,
    max_cost: float | None = None,
    models_file: Path | None = None,
    consent: Consent = refuse,
) -> Plan:
    """Return what finishes a run: the same model, and the scoring that it was begun with.

    Where it only scores, and so draws nothing, the model need not be there, and `max_cost` limits what a judge costs.

    Raises:
        UsageError: The user does not agree.
        HomogauditError: As `stored_job`.
    """
    job = stored_job(path, draws=draws, models_file=models_file)
    trust = Trust(load_models(models_file).named_sources, consent)
    if job.model is not None and (job.model.kind == "server" or is_url(job.model.location)):
        trust.admit_server("the model", job.model.location, path)
    embedder = job.scoring.embedder_source
    if embedder is not None and is_url(embedder.location):
        trust.admit_server("the embedder", embedder.location, path)
    meaning = job.scoring.meaning_source
    judge, estimate = JudgeChoice.of(job.scoring), None
    if draws and judge.model is not None and judge.is_on_server:
        trust.admit_server("the judge", judge.model.location, path)
    else:
        with RunFile.open(path) as run:
            judge.admit_stored(trust, run)
            estimate = None if draws else judge.estimate_stored(run)
    if meaning is not None and meaning.kind == "server":
        with RunFile.open(path) as run:
            comparisons = stored_comparisons(job.scoring, run)
            if draws or (comparisons is not None and comparisons.most):
                trust.admit_server("the model of `meaning`", meaning.location, path)
            estimate = estimate if draws else with_comparisons(estimate, comparisons)
    if estimate is not None:
        estimate.token_budget(max_cost)
    return Plan(replace(job, machine=replace(job.machine, key_origins=trust.key_origins)), estimate)


def stored_job(path: Path, *, draws: bool = True, models_file: Path | None = None) -> Job:
    """Return the job that a run file describes; the servers that it names are no more than read, and told no key.

    Raises:
        RunFileError: Another process is at work on it.
        ModelError: Draws are missing, and the model's file is gone or is another one.
        HomogauditError: The run file cannot be read, or its embedder cannot be found.
    """
    require_idle(path)
    models = load_models(models_file)
    settings = load_settings(models)
    with RunFile.open(path) as run:
        stored, source, progress = run.scoring, run.model_source, run.progress()
        is_missing = progress.drawn < progress.questions
        questions = run.questions() if stored is None else []
        recorded = "recorded" in run.judges()
    kind = source.kind or "gguf"
    location = source.location if draws else None
    if kind != "server" and location is not None and (fault := _fault(Path(location), source.fingerprint)):
        if is_missing:
            raise ModelError(f"the model file `{location}` {fault}", "put the file back, or run it under a new name")
        location = None
    if stored is None:
        chosen = choose_judge(None, questions, recorded=recorded)
        embedder, reason = resolve_job_embedder(settings.embedder, models, wanted=True)
        scoring = Scoring(chosen.judge, chosen.reason, chosen.model, embedder, reason)
    else:
        scoring = stored_scoring(stored, settings.embedder, models)
    machine = JobMachine(
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        defer_embedding=is_large(scoring.embedder_source),
    )
    model = None if location is None else JobModel(location, kind, source.server_model if kind == "server" else None)
    return Job(str(path), model, machine, scoring)


def require_idle(path: Path) -> None:
    """Check that nobody is at work on a run file.

    Raises:
        RunFileError: Another process is.
    """
    if (pid := lock_owner(path)) is not None:
        raise RunFileError(f"`{path}` is in use by process {pid}", "wait for it, or stop it first")


def _fault(model: Path, stored: Any) -> str | None:
    """Return what is wrong with a model file, `None` where it is the one that the run was begun with."""
    try:
        found = model_fingerprint(model)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "is not the one that the run was started with" if stored is not None and found != stored else None
