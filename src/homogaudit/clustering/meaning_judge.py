"""What a model is asked to tell whether two answers say the same, and how its reply's first token is read.

It makes no call. Both orders are asked, because models favour one; each probability counts the words Yes and No alone.
"""

import math
from collections.abc import Sequence

import numpy as np

WORDS = ("yes", "no")
"""The words whose tokens are read."""

_EXAMPLES = """Two students answered the same question. A teacher checks whether they gave the same answer, whatever \
their words.

Question: How many legs does an insect have?
Student 1: Insects have six legs.
Student 2: It has 6, three on each side.
Same answer: Yes

Question: Who painted the Mona Lisa?
Student 1: It was painted by Raphael.
Student 2: It was painted by Leonardo da Vinci.
Same answer: No

Question: Is glass a liquid?
Student 1: Glass is a liquid that flows very slowly.
Student 2: Glass is not a liquid that flows very slowly.
Same answer: No

Question: Why do leaves turn yellow in autumn?
Student 1: The green chlorophyll breaks down.
Student 2: Because they lose their chlorophyll, other pigments show.
Same answer: Yes

"""
"""The beginning that all prompts share, so that it is computed once."""


def meaning_prompts(question: str, first: str, second: str) -> tuple[str, str]:
    """Return what a model is asked about two answers, in both orders; its reply begins with Yes or No.

    Source: asking a language model, as semantic entropy's authors do (Farquhar et al., Nature 630, 2024), with
    examples and the probabilities of the words in place of a sampled reply.
    """
    return _prompt(question, first, second), _prompt(question, second, first)


def _prompt(question: str, first: str, second: str) -> str:
    one, other = (" ".join(text.split()) for text in (first, second))
    return f"{_EXAMPLES}Question: {question.strip()}\nStudent 1: {one}\nStudent 2: {other}\nSame answer:"


def same_log_odds(token_texts: Sequence[str], logprobs: Sequence[float]) -> float | None:
    """Return ln P(yes) - ln P(no) of the next token, over all spellings; `None` where either has no probability.

    Args:
        token_texts: The text of each token.
        logprobs: ln p of each, nats.
    """
    masses = dict.fromkeys(WORDS, -math.inf)
    for text, logprob in zip(token_texts, logprobs, strict=True):
        word = text.strip().casefold()
        if word in masses:
            masses[word] = float(np.logaddexp(masses[word], logprob))
    odds = masses["yes"] - masses["no"]
    return odds if math.isfinite(odds) else None
