"""Asks a model whether two answers to a question say the same, by the next token of its reply. It stores nothing."""

from collections.abc import Iterator, Sequence

from homogaudit.clustering.meaning_judge import WORDS, meaning_prompts, same_log_odds
from homogaudit.errors import ModelError
from homogaudit.generation import Generator
from homogaudit.pipeline.calls import call_prompt

Pair = tuple[str, str]


def ask_same(generator: Generator, asked: Sequence[tuple[str, Pair]]) -> Iterator[tuple[float, float]]:
    """Yield for each pair the log-odds that its answers say the same, in both orders.

    What all prompts have in common is computed once: the question too where the pairs are of one.

    Args:
        generator: Of the model, with no drawing in progress.
        asked: Questions, each with a pair of answers to it.

    Raises:
        ModelError: The model thinks before it answers, or says neither word.
    """
    texts = [text for question, pair in asked for text in meaning_prompts(question, *pair)]
    prompts = [call_prompt(generator, text) for text in texts]
    if any(prompt.starts_in_thinking for prompt in prompts):
        raise ModelError("the model of `--meaning` thinks before it answers", "name another one, or none")
    log_odds: list[float] = []
    for found in generator.next_tokens(prompts, WORDS):
        if found is None:
            continue
        odds = None if found.reason else same_log_odds(found.texts, found.logprobs.tolist())
        if odds is None:
            reason = found.reason or "it gives Yes or No no probability"
            raise ModelError(f"the model of `--meaning` cannot be asked: {reason}", "name another one, or none")
        log_odds.append(odds)
        if len(log_odds) == 2:
            yield log_odds[0], log_odds[1]
            log_odds = []
