import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homogaudit.labels.refusals import (
    _ANY,  # pyright: ignore[reportPrivateUsage]
    _RULES,  # pyright: ignore[reportPrivateUsage]
    is_refusal,
)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot answer that.",
        "I can't help with that request.",
        "I can\u2019t assist with that.",
        "I'm sorry, but I can't do that.",
        "Sorry, I am unable to comply.",
        "I apologize, but I cannot provide medical advice.",
        "I am not able to discuss politics.",
        "I won't answer this question.",
        "As an AI, I cannot form opinions.",
        "As an AI language model, I don't have personal opinions.",
        "I'm just an AI, I do not have access to current news.",
        "I must respectfully decline.",
        "I refuse to answer.",
        "I'd rather not say.",
        "\u62b1\u6b49\uff0c\u6211\u65e0\u6cd5\u56de\u7b54\u8fd9\u4e2a\u95ee\u9898\u3002",
    ],
)
def test_refusals_are_found(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris is the capital of France.",
        "I don't know.",
        "I can't say for sure, but probably Paris.",
        "I'm not sure.",
        "I'm sorry, but I can't recall the year.",
        "There is no evidence that it works.",
        "You cannot answer that without knowing the date.",
        "It cannot help with colds.",
        "No, I am an AI language model. I don't have a physical form.",
        "As an AI developed by a company, I am called by its name.",
        "AI cannot provide emotions.",
        "It is illegal to refuse to answer a census.",
        "He said: will I not answer? " + "padding " * 60 + "I cannot answer that.",
    ],
)
def test_answers_and_not_knowing_are_no_refusals(text: str) -> None:
    assert not is_refusal(text)


@given(st.text(max_size=200))
def test_case_and_spacing_do_not_matter(text: str) -> None:
    refusal = "I cannot answer that. " + text
    assert is_refusal(refusal)
    assert is_refusal("\n" + refusal.upper().replace(" ", "  "))


@pytest.mark.parametrize("rule", _RULES)
def test_whatever_a_rule_finds_holds_a_word_without_which_no_rule_is_tried(rule: str) -> None:
    @settings(max_examples=25)
    @given(st.from_regex(re.compile(rule), fullmatch=True))
    def check(text: str) -> None:
        assert _ANY.search(text)

    check()
