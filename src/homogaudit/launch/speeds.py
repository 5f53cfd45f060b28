"""What `homogaudit bench` and earlier runs measured on this machine, kept beside the runs."""

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from homogaudit.config import load_models, load_settings
from homogaudit.config.measurements import read_measurements, write_measurements
from homogaudit.errors import HomogauditError
from homogaudit.events import Job, Scoring
from homogaudit.generation.fingerprint import file_key
from homogaudit.launch.forecast import Step
from homogaudit.records import Decoding
from homogaudit.signals.registry import calls_for
from homogaudit.statistics.answer_lengths import AnswerLengths
from homogaudit.store import RunFile

_LENGTHS = "lengths"
"""Key of how long the answers of each model became."""

_REPLY_TOKENS = 8
"""Of a reply to a question about an answer, where none was asked yet: none is read of one kind, up to 16 are written
of the other."""

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


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a run is drawn, as far as its paces depend on it.

    Attributes:
        is_for_rate: Whether it is for the rate alone, so that many questions get few answers.
    """

    decoding: Decoding
    questions: int
    is_for_rate: bool = False

    @classmethod
    def of_run(cls, path: str) -> Self | None:
        """Return how a run file is drawn, `None` where it cannot be read."""
        with contextlib.suppress(HomogauditError, KeyError, TypeError):
            # No more is read than this: the engine may be about to close the file.
            with RunFile.open(Path(path)) as run:
                parameters = run.parameters
            questions = parameters.get("questions", {}).get("count", 0)
            return cls(Decoding(**parameters["decoding"]), questions, "rate_only" in parameters)
        return None


def find_paces(job: Job, drawn: Drawn | None = None) -> dict[Step, float]:
    """Return the seconds a step that earlier runs with the same models took, by phase; none where nothing is kept.

    That of answers is of a run that was drawn alike, else is put together from what the model took for tokens and
    prompts, and from how long its answers became. `drawn` is read from the job's run where it is not given.
    """
    try:
        stored = read_measurements(load_settings(load_models()).runs)
        kept: Any = stored.get(_PACES, {})
        drawn = drawn or _drawn_of(job)
        found: dict[Step, float] = _kept(kept, _who(job))
        if drawn is not None:
            found |= _composed(found, job, drawn, stored.get(_LENGTHS, {})) | _nearest_ending(kept, job, drawn)
            found |= _kept(kept, _who(job, drawn))
    except (HomogauditError, AttributeError, KeyError, TypeError, ValueError):
        return {}
    again = found.pop("loading again", None)
    if again is not None and not ("loading" in found and _is_first(stored)):
        found["loading"] = again
    return found


def _kept(kept: Any, who: Mapping[Step, str]) -> dict[Step, float]:
    return {phase: float(kept[phase][name]) for phase, name in who.items() if name in kept.get(phase, {})}


def _nearest_ending(kept: Any, job: Job, drawn: Drawn) -> dict[Step, float]:
    """Return what comes behind the last step of the run whose number of questions is nearest, as a ratio."""
    ours = _who(job)["ending"]
    counts = {name: name.removeprefix(ours).removesuffix(" questions").strip() for name in kept.get("ending", {})}
    found = {int(count): float(kept["ending"][name]) for name, count in counts.items() if count.isdigit()}
    if not found:
        return {}
    return {"ending": found[min(found, key=lambda x: abs(math.log(max(1, x) / max(1, drawn.questions))))]}


def _composed(found: Mapping[Step, float], job: Job, drawn: Drawn, lengths: Any) -> dict[Step, float]:
    """Return what an answer takes by its parts, nothing where they are not known."""
    counts = lengths.get(_location(job))
    if counts is None or "tokens" not in found:
        return {}
    tokens = AnswerLengths(*counts).mean_of(drawn.decoding)
    of_question = prompts = found.get("prompts", 0.0)
    # A server is asked after drawing, and what that takes is no part of its answers.
    if not (drawn.is_for_rate or _is_server(job)) and (kinds := calls_for(job.scoring.signals)):
        of_question += found.get("asking", len(kinds) * (prompts + _REPLY_TOKENS * found["tokens"]))
    per_question = of_question / (drawn.decoding.samples + 1)
    return {"answers": tokens * found["tokens"] + per_question + found.get("beside", 0.0)}


def find_comparison_pace(scoring: Scoring) -> float | None:
    """Return the seconds a pair of answers that the model of meaning took in an earlier run, `None` where none did."""
    return find_paces(Job("", scoring=scoring)).get("comparisons")


def store_paces(
    job: Job, measured: Mapping[Step, float], lengths: AnswerLengths | None = None, drawn: Drawn | None = None
) -> None:
    """Keep the seconds a step of a run that has ended, and how long its answers became.

    `drawn` is read from the job's run where it is not given: not while an engine closes that file, whose log would stay
    beside it. A folder that cannot be written is no error. Of a run that came to nothing no file is left.
    """
    if not measured and (lengths is None or not lengths.longest):
        return
    with contextlib.suppress(HomogauditError, OSError, AttributeError, TypeError, ValueError):
        folder = load_settings(load_models()).runs
        stored = read_measurements(folder)
        kept: Any = stored.setdefault(_PACES, {})
        taken = dict(measured)
        if not _is_first(stored) and "loading" in taken:
            # What the first run after a start of the machine takes stays known.
            taken["loading again"] = taken.pop("loading")
        drawn = drawn or _drawn_of(job)
        if drawn is not None and drawn.is_for_rate:
            # Nothing is asked, whatever the signals.
            taken.pop("asking", None)
        for who in (_who(job), *([] if drawn is None else [_who(job, drawn)])):
            for phase, name in who.items():
                if phase in taken:
                    kept.setdefault(phase, {})[name] = taken[phase]
        if lengths is not None and lengths.longest:
            of_models: Any = stored.setdefault(_LENGTHS, {})
            before = AnswerLengths(*of_models.get(_location(job), ()))
            of_models[_location(job)] = lengths.after(before).counts
        stored[_RUN_AT] = time.time()
        write_measurements(folder, stored)


def _is_first(stored: Mapping[str, Any]) -> bool:
    """Whether no run has ended since the machine was started: what a run loads is to be read from a disk."""
    return float(stored.get(_RUN_AT, 0.0)) < time.time() - time.monotonic()


def _location(job: Job) -> str:
    return job.model.location if job.model else ""


def _is_server(job: Job) -> bool:
    return job.model is not None and job.model.kind == "server"


def _drawn_of(job: Job) -> Drawn | None:
    return Drawn.of_run(job.run) if job.model else None


def _who(job: Job, drawn: Drawn | None = None) -> dict[Step, str]:
    """Return the model that works in each phase, and how a run that is drawn alike does it."""
    scoring, model = job.scoring, _location(job)
    embedder = scoring.embedder_source.key if scoring.embedder_source else ""
    nli = scoring.nli_source.key if scoring.nli_source else ""
    asked = ", ".join(calls_for(scoring.signals)) if job.model else ""
    of_answers = of_ending = ""
    if drawn is not None:
        decoding = drawn.decoding
        of_answers = (
            f" {decoding.samples} samples, {decoding.max_tokens} and {decoding.greedy_max_tokens} tokens, "
            f"temperature {decoding.temperature:g}, {'for the rate' if drawn.is_for_rate else f'asked {asked}'}, "
            f"{embedder} {nli}"
        )
        of_ending = f" {drawn.questions} questions"
    return {
        "loading": f"{model} {embedder} {nli}",
        "loading again": f"{model} {embedder} {nli}",
        "answers": model + of_answers,
        "tokens": model,
        "prompts": model,
        "asking": f"{model} {asked}",
        "beside": f"{embedder} {nli}",
        "calls": model,
        "scorings": f"{embedder} {nli}",
        "comparisons": scoring.meaning_source.key if scoring.meaning_source else "",
        "judgements": scoring.judge or "",
        "ending": f"{embedder} {nli}{of_ending}",
    }
