"""Run files made by hand, as far as a comparison reads them."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.clustering.methods import cluster_question
from homogaudit.events import JobEmbedder
from homogaudit.records import (
    GREEDY,
    ClusteringMethod,
    Decoding,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
)
from homogaudit.report.run_data import RunData, read_run
from homogaudit.store import ModelSource, RunFile, Scoring

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")


@dataclass(frozen=True)
class Told:
    """What a made run holds of one question; a sample of `""` holds no answer."""

    samples: Sequence[str]
    label: str | None = None
    signals: Mapping[str, float | None] = field(default_factory=dict)
    question: Question | None = None
    unfinished: bool = False


def vector(text: str) -> np.ndarray:
    """The same unit vector for every answer with the same first word; those of other words are nearly orthogonal."""
    random = np.random.default_rng(zlib.crc32(text.split()[0].encode()))
    found = random.normal(size=64).astype(np.float32)
    return found / np.linalg.norm(found)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RunData]]:
    """Return a maker of runs, each read whole; question `q3` is the fourth that is told."""
    opened: list[RunFile] = []

    def made(
        name: str,
        told: Sequence[Told],
        *,
        method: ClusteringMethod = JACCARD,
        model: str = "tiny",
        source: ModelSource | None = None,
        embedder: str | None = None,
        prompting: Mapping[str, Any] | None = None,
        **decoding: Any,
    ) -> RunData:
        questions = [x.question or Question(f"q{at}", f"Question {at}?") for at, x in enumerate(told)]
        n = max(len(x.samples) for x in told)
        parameters = {
            "decoding": asdict(Decoding(**{"samples": n, **decoding})),
            "prompting": {"mode": "chat", **(prompting or {})},
            "model": {"kind": "gguf", "fingerprint": source and source.fingerprint},
        }
        path = tmp_path / f"{name}.audit"
        run = RunFile.create(path, model=model, question_source="q.jsonl", questions=questions, parameters=parameters)
        opened.append(run)
        if source is not None:
            run.note_model_entry(source)
        for question, own in zip(questions, told, strict=True):
            texts = {GREEDY: "greedy", **dict(enumerate(own.samples[:-1] if own.unfinished else own.samples))}
            for index, text in texts.items():
                state = GenerationState.VALID if text else GenerationState.EMPTY
                run.add_generation(Generation(question.id, index, text, text, state, "stop", 4))
            if own.label is not None:
                run.add_labels([Label(question.id, "exact", LabelValue(own.label))])
            run.add_signals(SignalValue(question.id, signal, value) for signal, value in own.signals.items())
            if embedder is not None:
                run.add_embeddings(embedder, {x: vector(x) for x in own.samples if x})
        for sample_set in run.sample_sets():
            answers = [x.answer for x in sample_set.valid_samples]
            embeddings = np.stack([vector(x) for x in answers]) if method.similarity == "embedding" else None
            found = cluster_question(sample_set, method, embeddings)
            if found is not None:
                run.add_clusterings([found])
            run.mark_scored(sample_set.question.id, "test")
        key = method.embedder or embedder
        run.scoring = Scoring(
            judge="exact",
            judge_reason="named",
            embedder_source=JobEmbedder("tiny", key, "nowhere") if key else None,
            embedder_reason="",
            methods=(method,),
        )
        run.finish()
        return read_run(run)

    yield made
    for run in opened:
        run.close()


def one(word: str = "same", n: int = 4) -> list[str]:
    """Samples of one cluster."""
    return [f"{word} answer"] * n


def many(n: int = 4) -> list[str]:
    """Samples of as many clusters."""
    return [f"word{at} other{at}" for at in range(n)]
