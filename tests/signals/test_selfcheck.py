import numpy as np
import pytest

from homogaudit.records import GREEDY, Generation, GenerationState, Question, SampleSet
from homogaudit.signals.registry import SignalInputs, compute_signals


def inputs(count: int, sample_embeddings: np.ndarray | None, greedy_embedding: np.ndarray | None) -> SignalInputs:
    def draw(index: int) -> Generation:
        return Generation("q", index, "text", "text", GenerationState.VALID)

    drawn = SampleSet(Question("q", "?"), draw(GREEDY), [draw(i) for i in range(count)])
    return SignalInputs(drawn, count, {}, sample_embeddings, greedy_embedding)


def selfcheck(given: SignalInputs) -> tuple[float | None, str]:
    value = compute_signals(given, ["selfcheck_embedding"])[0]
    return value.value, value.reason


def test_only_the_first_five_samples_are_compared() -> None:
    # cosines with (1, 0): 1, 1, 0, 0.6, -1, and then what must not count; mean 1.6 / 5
    samples = np.array([[1, 0], [2, 0], [0, 1], [0.6, 0.8], [-1, 0], [1, 0], [1, 0]])
    assert selfcheck(inputs(7, samples, np.array([1.0, 0.0])))[0] == pytest.approx(1 - 1.6 / 5)


def test_all_samples_are_compared_where_there_are_fewer() -> None:
    assert selfcheck(inputs(2, np.array([[1.0, 0], [0, 1]]), np.array([1.0, 0.0])))[0] == pytest.approx(0.5)


def test_samples_that_repeat_the_greedy_answer_give_exactly_zero() -> None:
    row = np.random.default_rng(0).normal(size=384).astype(np.float32)
    assert selfcheck(inputs(5, np.stack([row] * 5), row))[0] == 0.0


def test_what_was_not_embedded_is_named() -> None:
    assert selfcheck(inputs(2, None, np.ones(2))) == (None, "the samples were not embedded")
    assert selfcheck(inputs(2, np.ones((2, 2)), None)) == (None, "the greedy answer was not embedded")
