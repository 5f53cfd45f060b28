"""Which embedder and which NLI model a job takes, and why there is none where there is none. Loads none."""

from dataclasses import replace
from pathlib import Path

from homogaudit.config import ModelsFile, ResolvedScorer, Trust, resolve_embedder, resolve_nli
from homogaudit.config.thresholds import calibrated_thresholds
from homogaudit.errors import EmbedderError, ModelError, UsageError
from homogaudit.events import JobEmbedder, JobJudge, JobNli

SWITCHED_OFF = "switched off by `--no-embedder`"


def resolve_job_embedder(
    name: str | None,
    models: ModelsFile,
    *,
    wanted: bool,
    trust: Trust | None = None,
    found_in: Path | None = None,
) -> tuple[JobEmbedder | None, str]:
    """Return the embedder of a job, or `None` with the reason why there is none.

    Without a `name` it is the default, which may be absent; `found_in` is the file that gave one, where the user has
    named neither. Without `trust` what only a file names is refused.

    Raises:
        UsageError: The embedder that was asked for cannot be found.
        UsageError: The user does not agree to what a file says.
        EmbedderError: Its files cannot be read.
    """
    if not wanted:
        return None, SWITCHED_OFF
    trust = trust or Trust(models.named_sources)
    try:
        found = resolve_embedder(name, models, trust, found_in=found_in)
    except UsageError as error:
        if name is not None or trust.is_refused:
            raise
        return None, error.message + (f" ({error.hint})" if error.hint else "")
    job = JobEmbedder(found.name, _key(found), found.location, found.revision, found.prompt)
    return with_calibrated_threshold(job), ""


def with_calibrated_threshold(embedder: JobEmbedder) -> JobEmbedder:
    """Return an embedder with the threshold that `homogaudit calibrate` has found for it by now.

    Raises:
        ConfigError: The stored thresholds cannot be read.
    """
    if not embedder.location:
        # Its vectors came with recorded answers, and with them what was calibrated.
        return embedder
    found = calibrated_thresholds().get(embedder.key)
    return replace(embedder, calibrated_threshold=found.threshold if found else None)


def with_own_threshold(model: JobJudge, key: str) -> JobJudge:
    """Return a model of meaning with the threshold that `homogaudit calibrate --meaning` has found for it by now.

    Args:
        model: As it was chosen.
        key: Of the clustering by it at an even chance.

    Raises:
        ConfigError: The stored thresholds cannot be read.
    """
    found = calibrated_thresholds().get(key)
    return replace(model, threshold=found.threshold if found else 0.5)


def resolve_job_nli(
    name: str | None, models: ModelsFile, *, question_first: bool = False, trust: Trust | None = None
) -> JobNli | None:
    """Return the NLI model of a job, `None` where none is asked for, be it by the name `none`.

    Raises:
        UsageError: The model that was asked for cannot be found.
        UsageError: The user does not agree to what a file says of it.
        ModelError: Its files cannot be read.
    """
    if name is None or name == "none":
        return None
    found = resolve_nli(name, models, trust)
    try:
        return JobNli(found.name, _files_key(found), found.location, found.revision, question_first)
    except OSError as error:
        raise ModelError(f"cannot read `{found.location}`: {error.strerror}") from error


def _key(embedder: ResolvedScorer) -> str:
    """Name everything that an embedding depends on: the model's files, its revision and its prompt."""
    try:
        return _files_key(embedder) + (f"+{embedder.prompt.strip()}" if embedder.prompt else "")
    except OSError as error:
        raise EmbedderError(f"cannot read `{embedder.location}`: {error.strerror}") from error


def _files_key(model: ResolvedScorer) -> str:
    """Name a model with its files and its revision."""
    from homogaudit.generation.fingerprint import fingerprint, folder_fingerprint

    path = Path(model.location)
    if path.is_dir():
        files = folder_fingerprint(path)
    elif path.is_file():
        found = fingerprint(path)
        files = f"{found.head_sha256[:4]}{found.tail_sha256[:4]}"
    else:
        files = model.location
    return f"{model.name}#{files}" + (f"@{model.revision}" if model.revision else "")


def is_there(location: str) -> bool:
    """Whether an embedder or an NLI model can still be where it was; a server and the Hub are not asked."""
    # Of those on this machine the whole path is stored.
    return not Path(location).is_absolute() or Path(location).exists()


def is_large(embedder: JobEmbedder | None) -> bool:
    """Whether an embedder takes over 1 GB, so that it waits until the model's memory is free."""
    if embedder is None or not embedder.location or not Path(embedder.location).is_dir():
        return False
    return sum(file.stat().st_size for file in Path(embedder.location).rglob("*.safetensors")) > 1 << 30
