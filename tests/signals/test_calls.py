import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import GREEDY, Generation, GenerationState, Question, SampleSet
from homogaudit.signals.calls import p_true_from_logprobs, p_true_prompt, parse_confidence, verbalized_prompt
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.registry import SignalInputs, compute_signals

ANSWERED = SampleSet(Question("q", "?"), Generation("q", GREEDY, "text", "text", GenerationState.VALID), [])


def test_prompts_hold_the_question_and_the_answer() -> None:
    for prompt in (p_true_prompt("Who?", "He did."), verbalized_prompt("Who?", "He did.")):
        assert "Question: Who?\nProposed answer: He did.\n" in prompt
    assert "True or False" in p_true_prompt("Who?", "He did.")
    assert "0%" in verbalized_prompt("Who?", "He did.")


def test_all_spellings_of_true_and_false_count_and_nothing_else() -> None:
    # True: 0.2 + 0.1 + 0.1, False: 0.1 + 0.1; Truth, Yes and "True." do not count: 0.4 / 0.6
    texts = ["True", " true", "TRUE\n", " False", "false", "Truth", "Yes", "True."]
    probabilities = [0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.1]
    assert p_true_from_logprobs(texts, np.log(probabilities).tolist()) == pytest.approx(0.4 / 0.6)


def test_only_one_of_the_words_among_the_likeliest_is_certainty() -> None:
    assert p_true_from_logprobs([" True", "x"], [-1.0, -1.0]) == 1.0
    assert p_true_from_logprobs(["x", " False"], [-1.0, -9.0]) == pytest.approx(0.0, abs=1e-300)


def test_small_masses_do_not_vanish() -> None:
    assert p_true_from_logprobs(["True", "False"], [-2000.0, -2000.0]) == 0.5
    assert p_true_from_logprobs(["True", "False"], [-2000.0, -math.inf]) == 1.0


@given(st.floats(-700, 0), st.floats(-700, 0))
def test_p_true_and_p_false_sum_to_one(true: float, false: float) -> None:
    there = p_true_from_logprobs(["True", "False"], [true, false])
    assert there + p_true_from_logprobs(["True", "False"], [false, true]) == pytest.approx(1.0)
    assert 0.0 <= there <= 1.0


def test_neither_word_is_no_probability() -> None:
    with pytest.raises(UndefinedStatisticError, match="neither True nor False"):
        p_true_from_logprobs(["Yes", "No"], [-0.1, -3.0])
    with pytest.raises(UndefinedStatisticError, match="neither True nor False"):
        p_true_from_logprobs(["True"], [-math.inf])
    with pytest.raises(UndefinedStatisticError, match="not a number"):
        p_true_from_logprobs(["True", "False"], [math.nan, -1.0])


@pytest.mark.parametrize(
    ("reply", "confidence"),
    [
        ("85%", 0.85),
        ("85", 0.85),
        ("85 %.", 0.85),
        ("**85**", 0.85),
        ("100%", 1.0),
        ("0%", 0.0),
        ("1%", 0.01),
        ("1", 0.01),
        ("0.85", 0.85),
        ("1.0", 1.0),
        ("0,9", 0.9),
        ("72.5%", 0.725),
        ("72,5 %", 0.725),
        ("8/10", 0.8),
        ("4 out of 5", 0.8),
        ("Confidence: 90", 0.9),
        ("My confidence is about 0.7.", 0.7),
        ("I am 60 percent sure.", 0.6),
        ("I am 60 per cent sure that 2 of the 3 agree.", 0.6),
        ("70-80%", 0.75),
        ("between 70% and 80%", 0.75),
        ("I'd say 70 to 80 percent", 0.75),
        ("The answer is likely right.\n\n95\n", 0.95),
        ("In 1969 men landed there, so 99%.", 0.99),
    ],
)
def test_a_stated_confidence_is_read(reply: str, confidence: float) -> None:
    assert parse_confidence(reply) == pytest.approx(confidence)


@pytest.mark.parametrize(
    "reply",
    ["", "I do not know.", "150%", "-5%", "The answer is 42 apples.", "In 1969.", "1,000%", "11/10", "nan", "%"],
)
def test_a_reply_without_a_confidence_states_none(reply: str) -> None:
    assert parse_confidence(reply) is None


@given(st.text(max_size=60))
def test_no_reply_reads_outside_zero_and_one(reply: str) -> None:
    confidence = parse_confidence(reply)
    assert confidence is None or 0.0 <= confidence <= 1.0


def test_the_signals_are_the_doubt() -> None:
    inputs = SignalInputs(ANSWERED, 0, call_p_true=0.75, call_verbalized=1)
    values = compute_signals(inputs, ["p_true", "verbalized_confidence"])
    assert [value.value for value in values] == [0.25, 0.0]


def test_a_call_that_was_not_made_or_came_to_nothing_is_told_apart() -> None:
    inputs = SignalInputs(ANSWERED, 0, call_verbalized=Unavailable("the reply states no confidence"))
    values = compute_signals(inputs, ["p_true", "verbalized_confidence"])
    assert [value.value for value in values] == [None, None]
    assert [value.reason for value in values] == ["the model was not asked", "the reply states no confidence"]
