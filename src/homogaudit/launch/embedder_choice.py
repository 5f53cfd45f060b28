"""Which embedder a job takes, and why there is none where there is none. Loads none."""

from dataclasses import replace
from pathlib import Path

from homogaudit.config import ModelsFile, ResolvedEmbedder, resolve_embedder
from homogaudit.config.thresholds import calibrated_thresholds
from homogaudit.errors import EmbedderError, UsageError
from homogaudit.events import JobEmbedder

__all__ = ["SWITCHED_OFF", "is_large", "resolve_job_embedder", "with_calibrated_threshold"]

SWITCHED_OFF = "switched off by `--no-embedder`"


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
        return None, SWITCHED_OFF
    try:
        found = resolve_embedder(name, models)
    except UsageError as error:
        if name is not None:
            raise
        return None, error.message + (f" ({error.hint})" if error.hint else "")
    job = JobEmbedder(found.name, _key(found), found.location, found.revision, found.prompt)
    return with_calibrated_threshold(job), ""


def with_calibrated_threshold(embedder: JobEmbedder) -> JobEmbedder:
    """Return an embedder with the threshold that `homogaudit calibrate` has found for it by now.

    Raises:
        ConfigError: The stored thresholds cannot be read.
    """
    found = calibrated_thresholds().get(embedder.key)
    return replace(embedder, calibrated_threshold=found.threshold if found else None)


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


def is_large(embedder: JobEmbedder | None) -> bool:
    """Whether an embedder takes over 1 GB, so that it waits until the model's memory is free."""
    if embedder is None or not Path(embedder.location).is_dir():
        return False
    return sum(file.stat().st_size for file in Path(embedder.location).rglob("*.safetensors")) > 1 << 30
