"""What a model that judges is shown, and how its reply is read."""

import pytest

from homogaudit.errors import ConfigError
from homogaudit.labels.model_judge import (
    JudgePrompt,
    default_prompt,
    read_verdict,
    shuffled_references,
    unparsed_reason,
)
from homogaudit.records import GREEDY, Generation, GenerationState, Question

QUESTION = Question("q7", "What do bees make?", answers=("honey", "wax"), incorrect_answers=("jam", "milk", "silk"))


def reply(text: str, state: GenerationState = GenerationState.VALID) -> Generation:
    return Generation("q7", GREEDY, text, text, state)


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("correct", "correct", "the judge gives no reason"),
        ("Correct. It names honey.", "correct", "It names honey."),
        ("**Incorrect** - bees make no jam", "incorrect", "bees make no jam"),
        ("incorrect because jam is made by people", "incorrect", "because jam is made by people"),
        ("Verdict: incorrect\nBees make honey.", "incorrect", "Bees make honey."),
        ("Final verdict: **correct**.", "correct", "the judge gives no reason"),
        ("The answer is correct, because it names wax.", "correct", "because it names wax."),
        ("Correct. Incorrect answers would name jam.", "correct", "Incorrect answers would name jam."),
        ("Unsure: the answer is vague.", "ambiguous", "the answer is vague."),
        ("It names jam, which people make.\nVerdict: incorrect", "incorrect", "It names jam, which people make."),
        ('"Correct"', "correct", "the judge gives no reason"),
    ],
)
def test_the_verdict_is_the_word_that_the_reply_begins_with_or_its_verdict_line(
    text: str, value: str, reason: str
) -> None:
    found = read_verdict(reply(text))
    assert found is not None
    assert (found.value.value, found.reason) == (value, reason)


@pytest.mark.parametrize(
    "text",
    [
        "Bees make honey.",
        "Yes.",
        "correct, incorrect or unsure",
        "correct/incorrect",
        "Correct or incorrect? Hard to say.",
        "Correct reference answer: honey",
        "The correct answer is honey.",
        "The answer is correct if it means the same as a reference answer.",
        "The answer is not correct.",
        "correctly said",
        "Verdict: correct\nVerdict: incorrect",
        "Let me think.\nVerdict: correct\nNo.\nVerdict: incorrect",
    ],
)
def test_a_reply_that_says_nothing_or_two_things_has_no_verdict(text: str) -> None:
    assert read_verdict(reply(text)) is None
    assert unparsed_reason(reply(text)).startswith("the judge's reply holds no verdict: ")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (GenerationState.EMPTY, "is empty"),
        (GenerationState.THINKING_UNCLOSED, "never came out of its thinking"),
        (GenerationState.ERROR, "failed: the server refused"),
    ],
)
def test_a_reply_that_is_no_answer_has_no_verdict_and_says_why(state: GenerationState, words: str) -> None:
    failed = Generation("q7", GREEDY, "the server refused", "", state)
    assert read_verdict(failed) is None
    assert words in unparsed_reason(failed)


def test_references_are_shuffled_by_seed_and_question_and_none_is_lost() -> None:
    orders = {tuple(x.text for x in shuffled_references(QUESTION, seed)) for seed in range(50)}
    assert len(orders) > 20
    assert all(sorted(order) == ["honey", "jam", "milk", "silk", "wax"] for order in orders)
    assert shuffled_references(QUESTION, 3) == shuffled_references(QUESTION, 3)
    assert {x.text for x in shuffled_references(QUESTION, 3) if x.is_correct} == {"honey", "wax"}
    first_is_correct = sum(shuffled_references(QUESTION, seed)[0].is_correct for seed in range(200))
    # 2 of 5 references are correct: 80 expected, and 5 standard deviations of a binomial are 35.
    assert 45 < first_is_correct < 115


def test_the_packaged_prompt_shows_question_answer_and_each_reference_with_its_side() -> None:
    text = JudgePrompt(default_prompt(), 0).text(QUESTION, "They make wax.")
    for line in (
        "Question: What do bees make?",
        "Answer to check: They make wax.",
        "Correct reference answer: honey",
        "Correct reference answer: wax",
        "Incorrect reference answer: jam",
    ):
        assert line in text.splitlines()
    assert read_verdict(reply(text)) is None


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ question }} {{", "cannot be used"),
        ("Is {{ answer }} right?", "leaves the question or the answer out"),
        ("Can you answer {{ question }}?", "leaves the question or the answer out"),
        ("{{ question }}{{ answer }}{{ nothing.at.all }}", "cannot be used"),
    ],
)
def test_a_template_that_shows_too_little_or_is_broken_is_refused(template: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        JudgePrompt(template, 0)
