"""Every protocol on recorded runs that hold what it needs, with the real commands."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from homogaudit.clustering.methods import cluster_question
from homogaudit.events import JobEmbedder
from homogaudit.protocols import Protocol, Runner, list_protocols
from homogaudit.protocols.records import Measured
from homogaudit.protocols.running import Request
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
    TokenStatistics,
)
from homogaudit.store import RunFile, Scoring

from .conftest import Commands

QUESTIONS, N = 60, 10
JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1")
ENTAILMENT = ClusteringMethod("entailment", "single", 0.5, "nli#3")
MEANING = ClusteringMethod("meaning", "average", 0.5, "tiny#1+meaning:4")
SIGNALS = (
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_std",
    "high_entropy_ratio",
    "response_length",
    "semantic_entropy_jaccard",
    "semantic_entropy_embedding",
    "semantic_entropy_entailment",
    "sindex",
    "selfcheck_embedding",
    "p_true",
    "density",
    "freshness",
    "association",
    "grounding",
)


def made(path: Path, seed: int, alike: float) -> Path:
    """Make a run whose samples are all one text for a share of the questions."""
    rng = np.random.default_rng(seed)
    questions = [Question(f"q{x}", f"Is number {x} even?", "abc"[x % 3], (f"answer {x}",)) for x in range(QUESTIONS)]
    parameters = {"decoding": {"samples": N, "temperature": 1.0}, "prompting": {"mode": "chat"}}
    wrong = {x.id: bool(rng.random() < 0.5) for x in questions}
    with RunFile.create(path, model=path.stem, question_source="q", questions=questions, parameters=parameters) as run:
        for number, question in enumerate(questions):
            of = range(N) if number >= alike * QUESTIONS else [0] * N
            texts = {GREEDY: f"answer {number}", **{x: f"{value} says {value} more" for x, value in enumerate(of)}}
            for index, text in texts.items():
                statistics = TokenStatistics(
                    entropies=rng.gamma(2, 0.3 + 0.3 * wrong[question.id], 6).astype(np.float32)
                )
                state = GenerationState.VALID
                run.add_generation(Generation(question.id, index, text, text, state, "stop", 6, statistics))
            labels = {"nearest": wrong[question.id], "overlap": wrong[question.id] ^ bool(rng.random() < 0.2)}
            run.add_labels(
                Label(question.id, judge, LabelValue.INCORRECT if found else LabelValue.CORRECT)
                for judge, found in labels.items()
            )
            noise = rng.normal(size=len(SIGNALS)) + wrong[question.id] * (1 if number % 3 else -1)
            values = dict(zip(SIGNALS, noise.tolist(), strict=True)) | {"freshness": 0.4 * (number % 2)}
            run.add_signals(SignalValue(question.id, name, value) for name, value in values.items())
            shape = (0,) * N if len(set(of)) == 1 else tuple(range(N))
            loose = (*shape[:-1], 1) if number % 4 == 0 else shape
            run.add_clusterings(
                Clustering(question.id, method, found)
                for method, found in ((EMBEDDING, shape), (MEANING, loose), (ENTAILMENT, loose))
            )
        for sample_set in run.sample_sets():
            found = cluster_question(sample_set, JACCARD, None)
            assert found is not None
            run.add_clusterings([found])
            run.mark_scored(sample_set.question.id, "test")
        run.scoring = Scoring(
            judge="nearest",
            judge_reason="",
            embedder_source=JobEmbedder("tiny", "tiny#1", "nowhere"),
            embedder_reason="",
            methods=(JACCARD, EMBEDDING, MEANING, ENTAILMENT),
        )
        run.finish()
    return path


@pytest.fixture(scope="module")
def run_protocol(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Protocol], dict[str, Measured | str]]]:
    """Return what runs a protocol on three made runs; a command that several need is carried out once."""
    folder = tmp_path_factory.mktemp("protocols")
    files = {name: made(folder / f"{name}.audit", at, at / 4) for at, name in enumerate(("base", "sft", "aligned"))}
    commands = Commands()
    kept: dict[tuple[str, ...], object] = {}

    def carried_out(protocol: Protocol) -> dict[str, Measured | str]:
        steps = [name for name, command in protocol.steps.items() if command[0] in ("run", "score")]
        runs = tuple((name, files.get(name, files["aligned"])) for name in steps if name not in ("alone", "others"))
        runs += tuple((name, files["sft"]) for name in steps if name in ("alone", "others"))
        runner = Runner(Request(folder=folder, runs=runs, quiet=True), commands)
        runner.printed = kept
        found = runner.run(protocol)
        return {x.name: x.measured if isinstance(x.measured, Measured) else x.measured.reason for x in found.figures}

    yield carried_out


MISSING = {
    # Drawn anew for each setting.
    "decoding": ("needs `--model MODEL`",),
    "length": ("needs `--model MODEL`",),
    # One embedder has clustered.
    "embedders": ("the run is scored with one embedder",),
    "pointer": ("no question embeddings are stored",),
}


@pytest.mark.parametrize("protocol", list_protocols(), ids=lambda x: x.name)
def test_a_protocol_measures_every_figure_on_runs_that_have_what_it_needs(
    protocol: Protocol, run_protocol: Callable[[Protocol], dict[str, Measured | str]]
):
    found = run_protocol(protocol)
    reasons = {reason for reason in found.values() if isinstance(reason, str)}
    assert reasons <= set(MISSING.get(protocol.name, ())), found
    if protocol.name != "length":
        assert any(isinstance(x, Measured) for x in found.values())
