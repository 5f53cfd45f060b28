"""What a model is asked about its own answers, where only its answers show that it thinks first."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homogaudit.generation import Generator
from homogaudit.pipeline.calls import ask_p_true, ask_verbalized
from homogaudit.questions.prompts import Prompt
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting, Question, SampleSet

ANSWERED = [SampleSet(Question("a", "?"), Generation("a", GREEDY, "Aral", "Aral", GenerationState.VALID), ())]


class Thinker:
    """Writes thoughts with a number in them, which the limit may cut, and then a confidence."""

    facts = SimpleNamespace(mode="chat")

    def prompt(self, text: str, system: str | None = None) -> Prompt:
        return Prompt(text, (), "chat", (), False)

    def draw(self, requests: Sequence[Any], decoding: Decoding) -> Any:
        text, reason = "90 at first, hm</think>20", "stop"
        if decoding.greedy_max_tokens < 100:
            text, reason = "90 at first, h", "length"
        (request,) = requests
        parsed = split_thinking(text, Prompting(), request.prompt.starts_in_thinking)
        reply = Generation("a", GREEDY, text, parsed.answer, parsed.state, reason, tokens=9)
        drawing = SimpleNamespace(is_done=False, counts=SimpleNamespace(prompt_tokens=5, seconds=1.0))

        def step() -> list[Generation]:
            drawing.is_done = True
            return [reply]

        drawing.step = step
        return drawing


@pytest.mark.parametrize(("begins", "confidence"), [(False, None), (True, pytest.approx(0.2))])
def test_a_model_that_shows_thinking_by_its_answers_may_finish_it_before_its_confidence(
    begins: bool, confidence: Any
) -> None:
    decoding = Decoding(greedy_max_tokens=500)
    calls = ask_verbalized(cast(Generator, Thinker()), ANSWERED, decoding, begins_in_thinking=begins)
    assert [call.value for call in calls if call is not None] == [confidence]


def test_the_next_token_of_a_model_whose_answers_show_that_it_thinks_is_not_asked_for() -> None:
    (call,) = ask_p_true(cast(Generator, Thinker()), ANSWERED, begins_in_thinking=True)
    assert call is not None
    assert (call.value, call.reason) == (None, "the model thinks before it answers, so its next token is no answer")
