"""What is scored over all questions of a run."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.events import Job, JobEmbedder, Scoring
from homogaudit.pipeline import scoring
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import Question
from homogaudit.store import RunFile


class LengthEmbedder:
    """The length of a text as a direction; it keeps what it was asked for."""

    name = "lengths"

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls.append(tuple(texts))
        angles = np.array([len(text) for text in texts], np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_the_questions_of_a_large_run_are_embedded_in_parts_and_each_has_its_share_of_the_time(
    answered_run: Callable[..., RunFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_QUESTIONS_AT_ONCE", 2)
    texts = ["Who?", "Who is it?", "Who was it then?", "Who was it then?", "Where?"]
    questions = [Question(f"q{number}", text) for number, text in enumerate(texts)]
    run = answered_run(questions, {question.id: ("yes", "no", "yes", "no") for question in questions})
    embedder = LengthEmbedder()
    source = JobEmbedder("lengths", "lengths#1", "somewhere")
    scorer = Scorer(run, Job(str(run.path), scoring=Scoring(embedder_source=source)), questions, lambda _: embedder)
    list(scorer.ensure_embedder())
    scorer.score_run()
    assert embedder.calls[:2] == [("Who?", "Who is it?"), ("Who was it then?",)]
    assert run.embeddings("lengths#1", texts).keys() == set(texts)
    costs = {x.question_id: x.seconds for x in run.costs() if x.resource == "question_embedding"}
    assert costs.keys() == {question.id for question in questions}
    assert len(set(costs.values())) == 1 and min(costs.values()) > 0
