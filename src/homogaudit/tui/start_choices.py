"""What the start screen offers: models, questions, runs, path completion, and what a run would take.

Everything here may read files, so the screen calls it in a thread.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from textual.suggester import Suggester

from homogaudit.config import (
    ModelsFile,
    how_to_get,
    is_present,
    load_models,
    load_settings,
    resolve_generator,
    resource,
)
from homogaudit.config.machine import machine_memory
from homogaudit.errors import HomogauditError
from homogaudit.events import Job, JobModel, Planned, Scoring
from homogaudit.launch.arguments import packaged_questions, question_source
from homogaudit.launch.embedder_choice import resolve_job_embedder
from homogaudit.launch.forecast import Forecast
from homogaudit.launch.requests import RunRequest, decoding_of, preset_of
from homogaudit.launch.run_paths import list_runs
from homogaudit.launch.run_summary import RunSummary, summarize
from homogaudit.launch.speeds import Drawn, find_paces, find_speeds
from homogaudit.questions import load_questions
from homogaudit.signals.registry import calls_for, choose_signals

_RUNS_SHOWN = 200
"""Each is opened to be described; those before are found with `homogaudit runs`."""

_MODEL_SUFFIXES = (".gguf",)
_QUESTION_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that can be chosen.

    Attributes:
        state: `recent`, `present` or `absent`.
        note: What it is, or how an absent one is had.
    """

    text: str
    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run would take.

    Attributes:
        tokens: At most, every answer at its full length.
        seconds: At most, at the speed that a bench measured; `None` where none was stored.
        model_bytes: Size of the model's weights, which it takes in memory at least; 0 where they are not here.
        available_bytes: Free main memory; `None` where the system does not say.
        expected_seconds: Of all phases, at the paces of earlier runs; `None` where none was like it.
    """

    questions: int
    draws: int
    tokens: int
    seconds: float | None
    model_bytes: int
    available_bytes: int | None
    expected_seconds: float | None = None


def list_models(models: ModelsFile, runs: Sequence[RunSummary], folder: Path) -> list[ModelChoice]:
    """Return the models of models.toml that are here, those of earlier runs and of `folder`, and those to be had."""
    choices: dict[str, ModelChoice] = {}
    for location in _recent_files(runs, models):
        choices[location] = ModelChoice(location, "recent", "used in an earlier run")
    for path in sorted(folder.glob("*.gguf")):
        choices.setdefault(str(path), ModelChoice(path.name, "present", "in this folder"))
    here: list[ModelChoice] = []
    absent: list[ModelChoice] = []
    for entry in models.generators.values():
        # A server is not asked before it is chosen.
        if is_present(entry) is not False:
            here.append(ModelChoice(entry.name, "present", entry.description))
        else:
            absent.append(ModelChoice(entry.name, "absent", how_to_get(entry)))
    return [*here, *choices.values(), *absent]


def _recent_files(runs: Sequence[RunSummary], models: ModelsFile) -> list[str]:
    """Return the model files of earlier runs that are still there and have no name."""
    found: dict[str, None] = {}
    for run in runs:
        location = run.location
        if location and run.model not in models.generators and Path(location).is_file():
            found.setdefault(location)
    return list(found)


def list_recent_runs() -> list[RunSummary]:
    """Return the newest runs of the runs folder."""
    folder = load_settings(load_models()).runs
    return [summarize(path) for path in list_runs(folder)[:_RUNS_SHOWN]]


def workload_of(request: RunRequest) -> Workload:
    """Return what a run would take.

    Raises:
        HomogauditError: The model or the questions cannot be found, or a parameter is out of its range.
    """
    decoding = decoding_of(request)
    models = load_models(request.models_file)
    generator = resolve_generator(request.model, models)
    source = question_source(request.questions) or str(resource("samples") / "misconceptions.jsonl")
    path = Path(source)
    questions = _question_count(source, path.stat().st_mtime_ns if path.exists() else 0)
    limit = preset_of(request.preset).limit if request.limit is None else request.limit
    questions = questions if limit is None else min(questions, limit)
    tokens = questions * (decoding.samples * decoding.max_tokens + decoding.greedy_max_tokens)
    model = Path(generator.location)
    settings = load_settings(models, embedder=request.embedder)
    speeds = find_speeds(settings.runs, model) if model.is_file() else None
    job = Job("", JobModel(generator.location, generator.kind), scoring=_scoring(request, settings.embedder, models))
    return Workload(
        questions,
        questions * (decoding.samples + 1),
        tokens,
        tokens / speeds.engine if speeds else None,
        _model_bytes(model),
        machine_memory().available,
        _expected_seconds(job, Drawn(decoding, questions, bool(request.rate_only))),
    )


def _scoring(request: RunRequest, embedder: str | None, models: ModelsFile) -> Scoring:
    """Return by what a run would be scored, as far as its pace depends on it."""
    judge = request.judge if request.judge and request.judge.startswith("model:") else None
    signals = choose_signals(request.signals or preset_of(request.preset).signals)
    # What is wrong with an embedder is told when the run is planned.
    with contextlib.suppress(HomogauditError):
        source = resolve_job_embedder(embedder, models, wanted=request.use_embedder)[0]
        return Scoring(judge, embedder_source=source, signals=signals)
    return Scoring(judge, signals=signals)


def _expected_seconds(job: Job, drawn: Drawn) -> float | None:
    """Return what a run would take by the paces of earlier ones, as the run itself tells it before it begins."""
    paces = find_paces(job, drawn)
    if "answers" not in paces:
        return None
    questions, scoring = drawn.questions, job.scoring
    calls = len(calls_for(scoring.signals)) if job.model and job.model.kind == "server" else 0
    forecast = Forecast(paces)
    forecast.apply(
        Planned(
            questions * (drawn.decoding.samples + 1), calls * questions, judgements=questions if scoring.judge else 0
        )
    )
    return forecast.ahead().seconds_left


def _model_bytes(model: Path) -> int:
    """Return the size of a model's file, or of the weights in its folder; 0 where it does not lie here."""
    weights = model.rglob("*.safetensors") if model.is_dir() else [model] if model.is_file() else []
    return sum(path.stat().st_size for path in weights)


@lru_cache(maxsize=16)
def _question_count(source: str, _modified: int) -> int:
    return len(load_questions(source).questions)


def path_completion(text: str, suffixes: Sequence[str], names: Sequence[str] = ()) -> str | None:
    """Return `text` completed to a name, else to a folder or a file of these suffixes, `None` where nothing fits."""
    if not text:
        return None
    for name in names:
        if name.startswith(text) and name != text:
            return name
    folder_text, slash, start = text.rpartition("/")
    try:
        folder = Path(folder_text + slash).expanduser() if slash else Path()
        found = sorted(folder.iterdir(), key=lambda path: (not path.is_dir(), path.name))
    except (OSError, RuntimeError):
        return None
    for path in found:
        if not path.name.startswith(start) or path.name == start or (path.name.startswith(".") and not start):
            continue
        if path.is_dir():
            return f"{folder_text}{slash}{path.name}/"
        if path.suffix.lower() in suffixes:
            return f"{folder_text}{slash}{path.name}"
    return None


class PathSuggester(Suggester):
    """Completes names and paths of a kind, `model` or `questions`, while one types."""

    def __init__(self, kind: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = _MODEL_SUFFIXES if kind == "model" else _QUESTION_SUFFIXES
        self._kind = kind

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed value."""
        return await asyncio.to_thread(self._complete, value)

    def _complete(self, value: str) -> str | None:
        try:
            names = list(load_models().generators) if self._kind == "model" else packaged_questions()
        except HomogauditError:
            names = []
        return path_completion(value, self._suffixes, names)
