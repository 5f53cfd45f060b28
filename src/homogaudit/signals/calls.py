"""Signals that cost another call to the model: the prompts, and how its replies are read. They make no call.

Both ask about the greedy answer: what the model says of its answer, with its own words and its own probabilities.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs, Unavailable

_DIGITS = r"[0-9]+(?:\.[0-9]+|,[0-9]{1,2}(?![0-9]))?"
_NUMBER = rf"(?<![\w.,/+-])-?{_DIGITS}"
_TO = r"\s*(?:-|\u2013|\u2014|to|and)\s*"
_PERCENT = r"\s*(?:%|\uff05|per\s?cent\b)"
_RANGE = re.compile(rf"({_NUMBER})(?:{_PERCENT})?{_TO}({_DIGITS}){_PERCENT}", re.IGNORECASE)
_IN_PERCENT = re.compile(rf"({_NUMBER}){_PERCENT}", re.IGNORECASE)
_RATIO = re.compile(rf"({_NUMBER})\s*(?:/|out\s+of)\s*(100|10|5)\b", re.IGNORECASE)
_PLAIN = re.compile(rf"({_NUMBER})(?![\w%/]|[.,][0-9])")
_LABEL = re.compile(r"\b(?:confidence|probability|certainty|sure|certain|likelihood)\b[^0-9\n]{0,40}$", re.IGNORECASE)


_TRUTH_REPLY = "Reply with one word, True or False."
_CONFIDENCE_REPLY = "Reply with one number from 0% (certainly wrong) to 100% (certainly correct), and nothing else."

P_TRUE_FOLLOW_UP = f"Is your answer true? {_TRUTH_REPLY}"
"""In place of `p_true_prompt` where question and answer are the conversation so far."""

VERBALIZED_FOLLOW_UP = f"How likely is it that your answer is correct? {_CONFIDENCE_REPLY}"
"""In place of `verbalized_prompt` where question and answer are the conversation so far."""


def p_true_prompt(question: str, answer: str) -> str:
    """Return the prompt that asks whether an answer is true; the next token is to be True or False.

    Args:
        question: The question.
        answer: The greedy answer.

    Source: Kadavath et al., arXiv 2207.05221, with the words themselves in place of lettered choices.
    """
    return f"Question: {question}\nProposed answer: {answer}\nIs the proposed answer true? {_TRUTH_REPLY}\nReply:"


def p_true_from_logprobs(token_texts: Sequence[str], logprobs: Sequence[float]) -> float:
    """Return P(True) / (P(True) + P(False)) of the next token, over all spellings of both words.

    Case and white space around a word make no difference. Tokens that are neither do not count.

    Args:
        token_texts: The text of each token, of the vocabulary or of its likeliest part.
        logprobs: ln p of each, nats.

    Returns:
        In [0, 1]; the signal is 1 minus it.

    Raises:
        UndefinedStatisticError: Neither word has any probability, or one of theirs is not a number.
    """
    masses = {"true": -math.inf, "false": -math.inf}
    for text, logprob in zip(token_texts, logprobs, strict=True):
        word = text.strip().casefold()
        if word in masses:
            if math.isnan(logprob):
                raise UndefinedStatisticError("the probability of True or False is not a number")
            masses[word] = float(np.logaddexp(masses[word], logprob))
    true, false = masses["true"], masses["false"]
    if true == false == -math.inf:
        raise UndefinedStatisticError("the model gives neither True nor False any probability")
    # Only the difference counts: two small masses do not vanish. Beyond e^700 a float cannot hold the ratio.
    return 1.0 / (1.0 + math.exp(min(false - true, 700.0)))


def verbalized_prompt(question: str, answer: str) -> str:
    """Return the prompt that asks how sure the model is of an answer, in percent.

    Args:
        question: The question.
        answer: The greedy answer.

    Source: Tian et al., arXiv 2305.14975 (verbalized, second stage).
    """
    return (
        f"Question: {question}\nProposed answer: {answer}\n"
        f"How likely is it that the proposed answer is correct? {_CONFIDENCE_REPLY}\nReply:"
    )


def parse_confidence(text: str) -> float | None:
    """Return the confidence in [0, 1] that a reply states, `None` where it states none.

    Read in this order: a range in percent (its middle), a percentage, a number of 5, 10 or 100 (`8/10`), a number by
    itself, on a line of its own or after a word such as "confidence": with a decimal point and at most 1 it is a
    probability, else a percentage. Of several of one kind the first counts. A number out of range states nothing.

    Args:
        text: The reply, without its thinking.
    """
    text = text.replace("\u2212", "-")
    found = _RANGE.search(text)
    if found is not None:
        return _share((_value(found[1]) + _value(found[2])) / 2.0, 100.0)
    found = _IN_PERCENT.search(text)
    if found is not None:
        return _share(_value(found[1]), 100.0)
    found = _RATIO.search(text)
    if found is not None:
        return _share(_value(found[1]), float(found[2]))
    for found in _PLAIN.finditer(text):
        line_before = text[: found.start()].rpartition("\n")[2]
        alone = not line_before.strip(" *\"'`") and not text[found.end() :].partition("\n")[0].strip(" .*\"'`")
        if alone or _LABEL.search(line_before):
            decimal = "." in found[1] or "," in found[1]
            value = _value(found[1])
            return _share(value, 1.0 if decimal and value <= 1.0 else 100.0)
    return None


def p_true(inputs: SignalInputs) -> float:
    """Return 1 - P(True)."""
    return _doubt(inputs.call_p_true)


def verbalized_confidence(inputs: SignalInputs) -> float:
    """Return 1 - the confidence that the model put into words."""
    return _doubt(inputs.call_verbalized)


def _doubt(confidence: float | Unavailable | None) -> float:
    if not isinstance(confidence, int | float):
        raise UndefinedStatisticError("the model was not asked")
    return 1.0 - confidence


def _value(number: str) -> float:
    return float(number.replace(",", "."))


def _share(value: float, whole: float) -> float | None:
    return value / whole if 0.0 <= value <= whole else None
