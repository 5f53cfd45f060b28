import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.records import SampleSet, SignalValue
from homogaudit.signals.importance import leave_one_out_importance, words_of_tokens
from homogaudit.signals.inputs import ImportanceModel
from homogaudit.signals.registry import SignalInputs, compute_signals

Draws = Callable[..., SampleSet]
LOGPROBS = [-1.0, -2.0, -4.0]
TOKENS = ["The", " red", "dish"]


def mars(draws: Draws, importance: ImportanceModel | None, tokens: Sequence[str] | None = TOKENS) -> SignalValue:
    inputs = SignalInputs(draws(greedy_logprobs=LOGPROBS), 0, token_texts=tokens, importance=importance)
    return compute_signals(inputs, ["mars"])[0]


def weights(*values: float) -> ImportanceModel:
    def importance(question: str, words: Sequence[str]) -> NDArray[np.float64]:
        return np.array(values)

    return importance


def test_mars_by_hand(draws: Draws) -> None:
    # words "The" and "reddish" (two tokens), importance 1 : 3. u = 1/4, 3/8, 3/8; w = 1/6 + u/2
    w = [1 / 6 + 1 / 8, 1 / 6 + 3 / 16, 1 / 6 + 3 / 16]
    assert mars(draws, weights(1, 3)).value == pytest.approx(1 * w[0] + 2 * w[1] + 4 * w[2])


def test_mars_of_equal_importance_a_token_is_the_negative_log_likelihood(draws: Draws) -> None:
    assert mars(draws, weights(1, 2)).value == pytest.approx(7 / 3)


def test_the_importance_model_sees_the_question_and_the_words(draws: Draws) -> None:
    seen: list[tuple[str, list[str]]] = []

    def importance(question: str, words: Sequence[str]) -> NDArray[np.float64]:
        seen.append((question, list(words)))
        return np.ones(len(words))

    mars(draws, importance)
    assert seen == [("Why?", ["The", "reddish"])]


@pytest.mark.parametrize("bad", [(1.0,), (0.0, 0.0), (-1.0, 2.0), (math.nan, 1.0)])
def test_weights_that_cannot_be_used_give_no_value(draws: Draws, bad: tuple[float, ...]) -> None:
    found = mars(draws, weights(*bad))
    assert (found.value, found.reason) == (None, "the importance model gave no usable weights")


def test_what_mars_needs_is_named(draws: Draws) -> None:
    assert mars(draws, weights(1, 1), None).reason == "the texts of the answer's tokens are not known"
    assert mars(draws, None).reason == "there is nothing to weigh the answer's words with"
    assert mars(draws, weights(1, 1), ["The", " red"]).reason == "2 token texts for 3 tokens"


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["Paris"], (0,)),
        (["Par", "is", " is", " big", "."], (0, 0, 1, 2, 2)),
        ([" A", " b"], (0, 1)),
        (["\n", "A", "\n\n", "B"], (0, 0, 0, 1)),
        (["a ", "b", " ", "c"], (0, 1, 1, 2)),
        (["", "a", "", " b"], (0, 0, 0, 1)),
    ],
)
def test_tokens_are_grouped_to_words_at_white_space(tokens: list[str], words: tuple[int, ...]) -> None:
    assert words_of_tokens(tokens) == words


def bag_of_letters(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float64)


def test_leave_one_out_weighs_a_word_by_the_cosine_that_is_lost() -> None:
    # "aa b": (2, 1). Without "aa": (0, 1), cosine 1/sqrt 5; without "b": (2, 0), cosine 2/sqrt 5
    found = leave_one_out_importance(bag_of_letters)("Why?", ["aa", "b"])
    assert found == pytest.approx([1 - 1 / math.sqrt(5), 1 - 2 / math.sqrt(5)])


def test_leave_one_out_embeds_one_text_a_word_and_the_answer() -> None:
    texts: list[str] = []

    def embed(given: Sequence[str]) -> NDArray[np.float64]:
        texts.extend(given)
        return bag_of_letters(given)

    leave_one_out_importance(embed)("Why?", ["a", "b", "a"])
    assert texts == ["a b a", "b a", "a a", "a b"]


def test_words_that_change_nothing_weigh_the_same() -> None:
    assert leave_one_out_importance(bag_of_letters)("Why?", ["a", "a", "a"]).tolist() == [1.0, 1.0, 1.0]
    assert leave_one_out_importance(bag_of_letters)("Why?", ["b"]).tolist() == [1.0]
