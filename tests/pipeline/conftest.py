"""A run whose answers are drawn and nothing else is done with."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile


@pytest.fixture
def answered_run(make_run: Callable[..., RunFile]) -> Callable[..., RunFile]:
    """Return a function that makes a run of questions, each with its greedy answer and three samples, by its id."""

    def make(questions: Sequence[Question], answers: Mapping[str, Sequence[str]]) -> RunFile:
        run = make_run(questions, decoding={"samples": 3})
        for question_id, texts in answers.items():
            for index, text in zip((GREEDY, 0, 1, 2), texts, strict=True):
                state = GenerationState.VALID if text else GenerationState.EMPTY
                run.add_generation(Generation(question_id, index, text, text, state))
        return run

    return make
