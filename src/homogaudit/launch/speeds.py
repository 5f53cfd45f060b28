"""What `homogaudit bench` and earlier runs measured on this machine, kept beside the runs."""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homogaudit.config import load_models, load_settings
from homogaudit.config.measurements import read_measurements, write_measurements
from homogaudit.errors import HomogauditError
from homogaudit.events import Job, Scoring
from homogaudit.generation.fingerprint import file_key
from homogaudit.launch.forecast import Step
from homogaudit.records import Decoding
from homogaudit.store import RunFile

_PACES = "paces"
"""Key of what runs measured: seconds a step, by phase and by the model that does it."""

_RUN_AT = "run at"
"""Key of the time at which a run ended last, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens a second of the engine and of a serial loop over the same prompts."""

    engine: float
    serial: float


def store_speeds(folder: Path, model: Path, speeds: Speeds) -> None:
    """Keep the speeds of a model; those measured before go. A folder that cannot be written is no error."""
    with contextlib.suppress(OSError):
        write_measurements(
            folder, {**read_measurements(folder), file_key(model): {"engine": speeds.engine, "serial": speeds.serial}}
        )


def find_speeds(folder: Path, model: Path) -> Speeds | None:
    """Return what was measured of a model file, `None` where nothing was."""
    try:
        found = read_measurements(folder).get(file_key(model))
        return Speeds(float(found["engine"]), float(found["serial"])) if found else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def find_serial_speed(model: str) -> float | None:
    """Return the tokens a second of a serial loop on a model file, `None` where they were not measured."""
    try:
        speeds = find_speeds(load_settings(load_models()).runs, Path(model))
    except HomogauditError:
        return None
    return speeds.serial if speeds else None


def find_paces(job: Job, decoding: Decoding | None = None, questions: int = 0) -> dict[Step, float]:
    """Return the seconds a step that earlier runs with the same models took, by phase; none where nothing is kept.

    `decoding` and `questions` are those of the job's run, which is read where they are not given.
    """
    try:
        stored = read_measurements(load_settings(load_models()).runs)
        kept: Any = stored.get(_PACES, {})
        found: dict[Step, float] = {
            phase: float(kept[phase][name])
            for who in (_who(job), _who(job, *_drawn_as(job, decoding, questions)))
            for phase, name in who.items()
            if name in kept.get(phase, {})
        }
    except (HomogauditError, AttributeError, TypeError, ValueError):
        return {}
    again = found.pop("loading again", None)
    if again is not None and not ("loading" in found and _is_first(stored)):
        found["loading"] = again
    return found


def find_comparison_pace(scoring: Scoring) -> float | None:
    """Return the seconds a pair of answers that the model of meaning took in an earlier run, `None` where none did."""
    return find_paces(Job("", scoring=scoring)).get("comparisons")


def store_paces(job: Job, measured: Mapping[Step, float]) -> None:
    """Keep the seconds a step of a run that has ended. A folder that cannot be written is no error."""
    with contextlib.suppress(HomogauditError, OSError, AttributeError, TypeError, ValueError):
        folder = load_settings(load_models()).runs
        stored = read_measurements(folder)
        kept: Any = stored.setdefault(_PACES, {})
        taken = dict(measured)
        if not _is_first(stored) and "loading" in taken:
            # What the first run after a start of the machine takes stays known.
            taken["loading again"] = taken.pop("loading")
        for who in (_who(job), _who(job, *_drawn_as(job))):
            for phase, name in who.items():
                if phase in taken:
                    kept.setdefault(phase, {})[name] = taken[phase]
        stored[_RUN_AT] = time.time()
        write_measurements(folder, stored)


def _is_first(stored: Mapping[str, Any]) -> bool:
    """Whether no run has ended since the machine was started: what a run loads is to be read from a disk."""
    return float(stored.get(_RUN_AT, 0.0)) < time.time() - time.monotonic()


def _who(job: Job, drawn_as: str = "", asked: str = "") -> dict[Step, str]:
    """Return the model that works in each phase, how the one that draws does it, and of how many questions."""
    scoring = job.scoring
    model = job.model.location if job.model else ""
    embedder = scoring.embedder_source.key if scoring.embedder_source else ""
    nli = scoring.nli_source.key if scoring.nli_source else ""
    return {
        "loading": f"{model} {embedder} {nli}",
        "loading again": f"{model} {embedder} {nli}",
        "answers": model + drawn_as,
        "calls": model,
        "scorings": f"{embedder} {nli}",
        "comparisons": scoring.meaning_source.key if scoring.meaning_source else "",
        "judgements": scoring.judge or "",
        "ending": f"{embedder} {nli}{asked}",
    }


def _drawn_as(job: Job, decoding: Decoding | None = None, questions: int = 0) -> tuple[str, str]:
    """Return what the pace of a model's answers, and what the ending, depends on beside the models.

    Nothing where the run cannot be read.
    """
    if job.model is None:
        return "", ""
    with contextlib.suppress(HomogauditError, KeyError, TypeError):
        if decoding is None:
            # No more is read than this: the engine may be about to close the file.
            with RunFile.open(Path(job.run)) as run:
                parameters = run.parameters
            decoding = Decoding(**parameters["decoding"])
            questions = parameters.get("questions", {}).get("count", 0)
        drawn = f" {decoding.samples} samples, {decoding.max_tokens} and {decoding.greedy_max_tokens} tokens"
        return drawn, f" {questions} questions"
    return "", ""
