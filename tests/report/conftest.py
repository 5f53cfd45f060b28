"""Run files made by hand, and of the reference recordings, as far as a report reads them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.clustering.methods import cluster_question
from homogaudit.events import JobEmbedder
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Decoding,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
    TokenStatistics,
)
from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.records import Auroc, Cost, SignalScore
from homogaudit.report.signal_scores import LabelledScores
from homogaudit.report.undefined import Undefined
from homogaudit.signals.registry import SIGNALS, SignalInputs, compute_signals
from homogaudit.statistics import auroc
from homogaudit.store import RunFile, Scoring

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")


class RunBuilder:
    """Writes a run file question by question; an answer of `""` is stored as empty."""

    def __init__(self, path: Path, questions: int | Sequence[Question], **parameters: Any) -> None:
        if isinstance(questions, int):
            questions = [Question(f"q{number}", f"Question {number}?") for number in range(questions)]
        self.questions = list(questions)
        self.run = RunFile.create(
            path,
            model=parameters.pop("name", "tiny-model"),
            question_source=parameters.pop("source", "questions.jsonl"),
            questions=self.questions,
            directions=parameters.pop("directions", None),
            parameters={
                **({"recorded": True} if parameters.pop("recorded", False) else {}),
                **{name: parameters.pop(name) for name in ("until_decided", "rate_only") if name in parameters},
                "decoding": asdict(Decoding(samples=parameters.pop("samples", 3), **parameters)),
                "prompting": {"mode": "chat"},
                "model": {"name": "tiny-model", "kind": "gguf"},
            },
        )

    def draw(
        self,
        position: int,
        samples: Sequence[str],
        greedy: str | None = "a greedy answer",
        *,
        finish_reason: str | None = "stop",
        state: GenerationState = GenerationState.EMPTY,
        logprob: float | None = None,
    ) -> None:
        """Store the draws of one question; `state` is that of samples without text, `logprob` the sum of each."""
        texts = {GREEDY: greedy, **dict(enumerate(samples))}
        for index, text in texts.items():
            if text is None:
                continue
            logprobs = None if logprob is None else np.full(4, logprob / 4, dtype=np.float32)
            self.run.add_generation(
                Generation(
                    self.questions[position].id,
                    index,
                    text or "<think>no end",
                    text,
                    GenerationState.VALID if text else state,
                    finish_reason,
                    4,
                    TokenStatistics(logprobs=logprobs),
                )
            )

    def cluster(self, assignments: Mapping[int, Sequence[int]], method: ClusteringMethod = JACCARD) -> None:
        """Store one clustering of some questions."""
        self.run.add_clusterings(
            Clustering(self.questions[position].id, method, tuple(assignment))
            for position, assignment in assignments.items()
        )

    def label(self, values: Mapping[int, str], judge: str = "exact") -> None:
        """Store labels by position."""
        self.run.add_labels(
            Label(self.questions[position].id, judge, LabelValue(value)) for position, value in values.items()
        )

    def signal(self, name: str, values: Mapping[int, float | None], reason: str = "", seconds: float = 0.0) -> None:
        """Store one signal by position."""
        self.run.add_signals(
            SignalValue(self.questions[position].id, name, value, reason, seconds) for position, value in values.items()
        )

    def score(self, *methods: ClusteringMethod, judge: str | None = "exact", finish: bool = True) -> RunFile:
        """Note what the run was scored with, and return it."""
        self.run.scoring = Scoring(
            judge=judge,
            judge_reason="named by `--judge`" if judge else "the questions have no reference answers",
            embedder_source=JobEmbedder("tiny", str(EMBEDDING.embedder), "nowhere") if EMBEDDING in methods else None,
            embedder_reason="named by `--embedder`" if EMBEDDING in methods else "no embedder is installed",
            methods=methods,
        )
        if finish:
            self.run.finish()
        return self.run


@pytest.fixture
def build_run(tmp_path: Path) -> Iterator[Callable[..., RunBuilder]]:
    """Return a maker of run files; each is closed at the end."""
    built: list[RunBuilder] = []

    def make(questions: int | Sequence[Question], **parameters: Any) -> RunBuilder:
        built.append(RunBuilder(tmp_path / f"run{len(built)}.audit", questions, **parameters))
        return built[-1]

    yield make
    for builder in built:
        builder.run.close()


@pytest.fixture
def small_run(build_run: Callable[..., RunBuilder]) -> RunFile:
    """Twelve questions of three samples, two clusterings, both classes, signals that work and that do not."""
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, [f"answer {position} {number}" for number in range(3)])
    # D = 1 for questions 0 to 2, 2 for 3 to 6, 3 for the rest.
    shapes = [(0, 0, 0)] * 3 + [(0, 0, 1)] * 4 + [(0, 1, 2)] * 5
    builder.cluster(dict(enumerate(shapes)))
    builder.cluster(dict.fromkeys(range(12), (0, 1, 2)), EMBEDDING)
    builder.label({position: "incorrect" if position < 6 else "correct" for position in range(12)})
    builder.signal("token_entropy_mean", {position: float(12 - position) for position in range(12)}, seconds=0.5)
    builder.signal("response_length", dict.fromkeys(range(12), 7.0))
    builder.signal("perplexity", dict.fromkeys(range(12)), reason="log-probabilities were not recorded")
    builder.run.add_embeddings(
        "tiny#1a2b3c4d",
        {f"answer {p} {n}": np.eye(36, dtype=np.float32)[3 * p + n] for p in range(12) for n in range(3)},
    )
    return builder.score(JACCARD, EMBEDDING)


@pytest.fixture
def make_inputs() -> Callable[..., AnalysisInputs]:
    """Return a maker of labelled scores without a run: one array a signal, NaN where it has no value."""

    def make(
        incorrect: Any,
        *,
        categories: Sequence[str | None] | None = None,
        recommended: str | None = None,
        directions: Mapping[str, int] | None = None,
        **signals: Any,
    ) -> AnalysisInputs:
        positive = np.asarray(incorrect, dtype=np.bool_)
        ids = tuple(f"q{number}" for number in range(positive.size))
        matrix = np.array([np.asarray(values, dtype=np.float64) for values in signals.values()])
        scores = LabelledScores(tuple(signals), matrix, positive, ids, tuple(categories or [None] * positive.size))
        return AnalysisInputs(
            scores,
            {
                name: _scored(name, row, positive, (directions or {}).get(name, 1))
                for name, row in zip(signals, matrix, strict=True)
            },
            recommended,
            200,
            1,
        )

    return make


def _scored(name: str, values: Any, incorrect: Any, direction: int) -> SignalScore:
    """Return as much of a signal's score as the analyses read."""
    defined = ~np.isnan(values)
    area = auroc(values[defined], incorrect[defined])
    constant = bool(np.ptp(values[defined]) == 0)
    counts = (int(defined.sum()), int(incorrect[defined].sum()))
    found = Auroc(area, None, None, None, None, *counts, None, None, None, False, constant, None, "not shown to work")
    boundary = SIGNALS[name].boundary if name in SIGNALS else "recorded"
    none = Undefined("not made here")
    return SignalScore(
        boundary, direction, "", "", Cost("free", 0.0, none, none, none, none), 0, "", found, none, none, none
    )


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of the reference data."""
    folder = os.environ.get("HOMOGAUDIT_REFERENCE", str(Path(__file__).parents[3] / "shared" / "reference"))
    if not Path(folder, "expected.json").is_file():
        pytest.skip(f"no reference data at {folder}; set HOMOGAUDIT_REFERENCE")
    return Path(folder)


@pytest.fixture(scope="session")
def expected(reference: Path) -> Any:
    """Return the figures computed from the reference data with scikit-learn and SciPy."""
    return json.loads((reference / "expected.json").read_text(encoding="utf-8"))


def recorded_lines(path: Path) -> list[dict[str, Any]]:
    """Return the question lines of a recorded file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][1:]


@pytest.fixture(scope="session")
def qwen_run(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFile]:
    """The recorded greedy answers of Qwen3-14B with labels, token signals and recorded signals."""
    lines = recorded_lines(reference / "qwen3-14b.greedy.jsonl")
    path = tmp_path_factory.mktemp("qwen") / "qwen.audit"
    names = ("token_entropy_mean", "token_entropy_max", "token_entropy_std", "high_entropy_ratio", "response_length")
    run = RunFile.create(
        path,
        model="Qwen3-14B-4bit",
        question_source="qwen3-14b.greedy.jsonl",
        questions=[Question(line["id"], line["question"], line["category"]) for line in lines],
        parameters={"recorded": True, "decoding": {"greedy": {"max_tokens": 200}}},
        directions={"recorded:density": -1, "density_full_pool": -1},
    )
    with run.transaction():
        for line in lines:
            entropies = np.asarray(line["greedy"]["token_entropies"], dtype=np.float32)
            text = line["greedy"]["text"]
            statistics = TokenStatistics(entropies=entropies)
            greedy = Generation(line["id"], GREEDY, text, text, GenerationState.VALID, None, len(entropies), statistics)
            run.add_generation(greedy)
            run.add_labels([Label(line["id"], "recorded", LabelValue(line["label"]))])
            # As an import names those that the project computes itself.
            stored = {"density": "recorded:density", "association": "recorded:association"}
            recorded = line.get("signals", {}).items()
            run.add_signals(SignalValue(line["id"], stored.get(name, name), value) for name, value in recorded)
        for sample_set in run.sample_sets():
            run.add_signals(compute_signals(SignalInputs(sample_set, 0), names))
    run.finish()
    yield run
    run.close()


def minimax_run(reference: Path, path: Path, *, keep_thinking: bool, threshold: float = 0.4) -> RunFile:
    """Store the recorded samples of MiniMax-M2.7, clustered by word bigrams."""
    lines = recorded_lines(reference / "minimax-m2.7.samples.jsonl")
    run = RunFile.create(
        path,
        model="MiniMax-M2.7",
        question_source="minimax-m2.7.samples.jsonl",
        questions=[Question(line["id"], line["question"]) for line in lines],
        parameters={"recorded": True, "decoding": {"samples": {"n": 10, "temperature": 1.0, "max_tokens": 100}}},
    )
    method = ClusteringMethod("jaccard", "single", threshold)
    with run.transaction():
        for line in lines:
            for index, sample in enumerate(line["samples"]):
                text = sample["text"]
                answer = text.strip() if keep_thinking else text.rpartition("</think>")[2].strip()
                state = GenerationState.VALID if answer else GenerationState.EMPTY
                run.add_generation(Generation(line["id"], index, text, answer, state))
        clusterings = (cluster_question(sample_set, method) for sample_set in run.sample_sets())
        run.add_clusterings(clustering for clustering in clusterings if clustering is not None)
        run.scoring = Scoring(methods=(method,))
    run.finish()
    return run


@pytest.fixture
def minimax(reference: Path, tmp_path: Path) -> Iterator[Callable[..., RunFile]]:
    """Return a maker of MiniMax runs; each is closed at the end."""
    built: list[RunFile] = []

    def make(**options: Any) -> RunFile:
        built.append(minimax_run(reference, tmp_path / f"minimax{len(built)}.audit", **options))
        return built[-1]

    yield make
    for run in built:
        run.close()
