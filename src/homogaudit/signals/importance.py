"""MARS: a likelihood of the greedy answer in which the words that carry its meaning weigh more.

The weights come from an importance model; the one here leaves each word out and asks an embedder what was lost. It
knows words as white space parts them, so it weighs nothing in scripts that write none.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import ImportanceModel, SignalInputs, answer_logprobs


def leave_one_out_importance(embed: Callable[[Sequence[str]], NDArray[np.floating]]) -> ImportanceModel:
    """Return the importance model that weighs a word by what the answer's embedding loses without it.

    The weight is 1 - cosine of the answer with and without the word. It embeds one text a word and one more, in one
    call: a cost linear in the words of the answer.

    Args:
        embed: n texts to (n, d) rows.

    Source: after the token relevance of Duan et al., arXiv 2307.01379, by words and with a sentence embedder.
    """

    def importance(question: str, words: Sequence[str]) -> NDArray[np.floating]:
        if len(words) == 1:
            return np.ones(1)
        texts = [" ".join(words), *(" ".join([*words[:i], *words[i + 1 :]]) for i in range(len(words)))]
        rows = np.asarray(embed(texts), dtype=np.float64)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        lost = np.maximum(1.0 - rows[1:] @ rows[0], 0.0)
        return lost if lost.any() else np.ones(len(words))

    return importance


def words_of_tokens(token_texts: Sequence[str]) -> tuple[int, ...]:
    """Return the number of the word that each token belongs to, counted from 0.

    A word begins at a token that starts with white space, and after one that ends with it. What holds nothing but
    white space belongs to the word before.

    Args:
        token_texts: The texts of an answer's tokens as they stand in it.
    """
    numbers: list[int] = []
    word, begun, open_space = 0, False, False
    for text in token_texts:
        bare = bool(text.strip())
        if bare and begun and (open_space or text[0].isspace()):
            word += 1
        begun = begun or bare
        open_space = text[-1].isspace() if bare else open_space or bool(text)
        numbers.append(word)
    return tuple(numbers)


def mars(inputs: SignalInputs) -> float:
    """Return -sum w_t ln p_t with w_t = 1/(2L) + u_t/2 over the L tokens of the greedy answer.

    u_t is the share of its word in the answer's importance, split equally over the word's tokens; it sums to 1.

    Raises:
        UndefinedStatisticError: The token texts do not fit the tokens, or the importance model gives no usable weights.

    Source: Bakman et al., arXiv 2402.11756.
    """
    logprobs = answer_logprobs(inputs.greedy)
    texts, importance = inputs.token_texts, inputs.importance
    if logprobs is None or texts is None or importance is None:
        raise UndefinedStatisticError("the tokens of the answer were not recorded")
    if len(texts) != len(logprobs):
        raise UndefinedStatisticError(f"{len(texts)} token texts for {len(logprobs)} tokens")
    numbers = words_of_tokens(texts)
    words = ["" for _ in range(numbers[-1] + 1)]
    for number, text in zip(numbers, texts, strict=True):
        words[number] += text
    words = [word.strip() for word in words]
    weights = np.asarray(importance(inputs.sample_set.question.text, words), dtype=np.float64)
    if weights.shape != (len(words),) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise UndefinedStatisticError("the importance model gave no usable weights")
    of_words = weights / weights.sum() / np.bincount(numbers)
    meaning = of_words[list(numbers)]
    return 0.0 - float(((0.5 / len(logprobs) + meaning / 2.0) * logprobs).sum())
