"""Pairs to train on: one correct and one incorrect sample, as unlike as the question has them, and nothing invented."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, Label, LabelValue, Question
from homogaudit.report.preference_pairs import preference_pairs
from homogaudit.report.run_data import RunData, read_run

EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")
ANGLES = {"right": 0.0, "right too": 40.0, "wrong": 50.0, "quite wrong": 130.0, "no idea": 90.0}
"""Of the vectors of the answers, in degrees."""

TOLD: Sequence[tuple[Question, dict[str, str]]] = (
    (
        Question("q0", "Who?", context="A text.", choices=("He", "She")),
        {"right": "correct", "right too": "correct", "wrong": "incorrect", "quite wrong": "incorrect"},
    ),
    (Question("q1", "When?"), {"right": "correct", "right too": "correct", "no idea": "no_match", "": ""}),
    (Question("q2", "Where?"), {"wrong": "incorrect", "quite wrong": "incorrect", "no idea": "no_match", "": ""}),
    (Question("q3", "Why?"), {"no idea": "no_match", "": ""}),
    (Question("q4", "How?"), {"wrong": "incorrect", "right": "correct", "": ""}),
)


@pytest.fixture
def make(build_run: Callable[..., Any]) -> Callable[..., RunData]:
    """Return a maker of the run whose labels of samples are those of `TOLD`."""

    def made(*, labelled: bool = True, embedded: bool = True, finish_reason: str = "stop") -> RunData:
        builder = build_run([question for question, _ in TOLD], samples=4)
        for position, (question, answers) in enumerate(TOLD):
            texts = [*answers, *[""] * (4 - len(answers))]
            builder.draw(position, texts, finish_reason=finish_reason)
            if labelled:
                builder.run.add_labels(
                    Label(question.id, "overlap", LabelValue(answers[text]), "", index)
                    for index, text in enumerate(texts)
                    if text
                )
        radians = {text: np.deg2rad(angle) for text, angle in ANGLES.items()}
        if embedded:
            vectors = {text: np.array([np.cos(x), np.sin(x)], dtype=np.float32) for text, x in radians.items()}
            builder.run.add_embeddings("tiny#1a2b3c4d", vectors)
        builder.cluster({0: (0, 1, 1, 2)}, EMBEDDING)
        return read_run(builder.score(EMBEDDING, judge="overlap"))

    return made


def test_the_least_similar_correct_and_incorrect_samples_are_taken(make: Callable[..., RunData]) -> None:
    found = preference_pairs(make(), "overlap")
    assert (found.judge, found.clustering) == ("overlap", "embedding")
    # 0 and 130 degrees are the furthest apart; of q4 two of four samples hold an answer, which is enough.
    prompt = "A text.\n\nWho?\nA. He\nB. She"
    assert [json.loads(x.line()) for x in found.pairs] == [
        {"prompt": prompt, "chosen": "right", "rejected": "quite wrong"},
        {"prompt": "How?", "chosen": "right", "rejected": "wrong"},
    ]
    assert found.left_out == {
        "no whole sample is labelled incorrect": 1,
        "no whole sample is labelled correct": 1,
        "no whole sample is labelled correct or incorrect": 1,
    }


def test_an_answer_that_was_cut_is_not_taken(make: Callable[..., RunData]) -> None:
    found = preference_pairs(make(finish_reason="length"), "overlap")
    assert found.pairs == ()
    assert found.left_out == {"no whole sample is labelled correct or incorrect": 5}


def test_without_labels_of_samples_nothing_is_made_up(make: Callable[..., RunData]) -> None:
    with pytest.raises(UsageError, match="no labels of samples by judge `overlap`"):
        preference_pairs(make(labelled=False), "overlap")
    with pytest.raises(UsageError, match="has no judge"):
        preference_pairs(make(), None)


def test_without_similarities_no_pair_is_the_most_dissimilar(make: Callable[..., RunData]) -> None:
    with pytest.raises(UsageError, match="no similarities"):
        preference_pairs(make(embedded=False), "overlap")
