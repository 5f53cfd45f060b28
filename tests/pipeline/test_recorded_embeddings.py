"""Answers that came with their vectors are clustered by them, and no embedder is loaded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from homogaudit.clustering.embedders import Embedder
from homogaudit.events import Job, JobEmbedder, Scoring
from homogaudit.launch.requests import ScoreRequest
from homogaudit.launch.score import plan_score
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import Generation, GenerationState, Question
from homogaudit.store import RunFile
from homogaudit.store.facts import EmbedderUsed

KEY = "e#1"
VECTORS = {"A": [1.0, 0.0], "also A": [0.99, 0.1], "B": [0.0, 1.0]}


def load(_: JobEmbedder) -> Embedder:
    raise AssertionError("an embedder was loaded")


def recorded(make_run: Callable[..., RunFile]) -> RunFile:
    """A run of two questions; of the second one an answer has no vector."""
    questions = [Question("whole", "Who?"), Question("part", "What?")]
    run = make_run(questions, recorded=True, samples=3, decoding={})
    for question, answers in (("whole", ["A", "also A", "B"]), ("part", ["A", "B", "unknown"])):
        for index, answer in enumerate(answers):
            run.add_generation(Generation(question, index, answer, answer, GenerationState.VALID))
    run.add_embeddings(KEY, {text: np.array(vector, np.float32) for text, vector in VECTORS.items()})
    run.embedders = {KEY: EmbedderUsed("e", 0.75)}
    return run


def test_answers_are_clustered_by_the_vectors_that_came_with_them(make_run: Callable[..., RunFile]):
    with recorded(make_run) as run:
        source = JobEmbedder("e", KEY, "", calibrated_threshold=0.75)
        scorer = Scorer(run, Job(str(run.path), scoring=Scoring(embedder_source=source)), run.questions(), load)
        assert list(scorer.ensure_embedder()) == []
        assert scorer.is_ready
        scorer.store()
        scored = {x.question.id: scorer.score(x) for x in run.sample_sets()}
        # A and "also A" have the cosine 0.995, B is at right angles to A.
        assert scored["whole"].clusters["embedding"] == 2
        # Where a vector is missing, it is not guessed.
        assert "embedding" not in scored["part"].clusters
        assert "jaccard" in scored["part"].clusters


def test_a_first_scoring_takes_the_recorded_vectors_and_their_calibrated_threshold(
    make_run: Callable[..., RunFile], tmp_path: Path
):
    recorded(make_run).close()
    request = ScoreRequest(tmp_path / "test.audit")
    scoring = plan_score(request, lambda _: None).job.scoring
    assert scoring.embedder_source == JobEmbedder("e", KEY, "", calibrated_threshold=0.75)
