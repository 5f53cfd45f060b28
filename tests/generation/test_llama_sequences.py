from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax

from homogaudit.generation.batched_sampler import NoRoomError
from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import LlamaSequences


@pytest.fixture(scope="module")
def model_f16(smollm_f16: Path) -> Iterator[LlamaModel]:
    model = LlamaModel(smollm_f16)
    yield model
    model.close()


@pytest.fixture(params=[True, False], ids=["unified", "streams"])
def sequences(model_f16: LlamaModel, request: pytest.FixtureRequest) -> Iterator[LlamaSequences]:
    cells = 256 if request.param else 4 * 256
    sequences = LlamaSequences(model_f16, sequences=4, cells=cells, threads=1, is_unified=request.param)
    yield sequences
    sequences.close()


TOLERANCE = 0.5
"""Nats. The order of cells and the width of a batch moved a log-probability by up to 0.18; other text by over
10."""


def distance(logits: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Return the largest difference of the log-probabilities of likely tokens."""
    one, other = (log_softmax(row.astype(np.float64)) for row in (logits, others))
    likely = np.maximum(one, other) > np.log(1e-3)
    return float(np.abs(one - other)[likely].max())


def assert_alike(logits: NDArray[np.float32], others: NDArray[np.float32]) -> None:
    assert distance(logits, others) < TOLERANCE


def i32(*numbers: int) -> NDArray[np.int32]:
    return np.array(numbers, np.int32)


def test_a_fork_goes_on_as_its_source_and_leaves_it_alone(sequences: LlamaSequences, model_f16: LlamaModel) -> None:
    prompt = model_f16.tokenize("The capital of France is")
    sequences.prefill(0, prompt, 0)
    alone = sequences.step(i32(0), i32(prompt[0]), i32(len(prompt))).copy()
    sequences.free(0)
    sequences.prefill(0, prompt, 0)
    sequences.fork(0, 1)
    sequences.fork(0, 2)
    sequences.step(i32(1), i32(prompt[1]), i32(len(prompt)))
    sequences.free(1)
    again = sequences.step(i32(2), i32(prompt[0]), i32(len(prompt))).copy()
    assert_alike(again[0], alone[0])
    again = sequences.step(i32(0), i32(prompt[0]), i32(len(prompt))).copy()
    assert_alike(again[0], alone[0])


def test_rows_of_a_step_belong_to_their_sequences(sequences: LlamaSequences, model_f16: LlamaModel) -> None:
    prompts = [model_f16.tokenize(text) for text in ("The sky is", "One plus one makes", "Paris")]
    apart: list[NDArray[np.float32]] = []
    for prompt in prompts:
        sequences.prefill(0, prompt[:-1], 0) if len(prompt) > 1 else None
        apart.append(sequences.step(i32(0), i32(prompt[-1]), i32(len(prompt) - 1))[0].copy())
        sequences.free(0)
    for number, prompt in enumerate(prompts):
        if len(prompt) > 1:
            sequences.prefill(number, prompt[:-1], 0)
    order = [2, 0, 1]
    rows = sequences.step(
        i32(*order), i32(*[prompts[n][-1] for n in order]), i32(*[len(prompts[n]) - 1 for n in order])
    )
    for number, row in zip(order, rows, strict=True):
        for other, one in enumerate(apart):
            assert (distance(row, one) < TOLERANCE) == (other == number)


def test_a_step_without_room_changes_nothing(model_f16: LlamaModel) -> None:
    sequences = LlamaSequences(model_f16, sequences=4, cells=256, threads=1)
    prompt = model_f16.tokenize("one two " * 100)[:120]
    sequences.prefill(0, prompt, 0)
    expected = sequences.step(i32(0), i32(5), i32(120)).copy()
    sequences.free(0)
    sequences.prefill(0, prompt, 0)
    # 120 cells are taken of 256: another 120 fit, a third do not.
    sequences.prefill(1, prompt, 0)
    with pytest.raises(NoRoomError):
        sequences.prefill(2, prompt, 0)
    sequences.free(2)
    for position in range(120, 136):
        sequences.step(i32(1), i32(5), i32(position))
    with pytest.raises(NoRoomError):
        sequences.step(i32(0, 1), i32(5, 5), i32(120, 136))
    sequences.free(1)
    assert_alike(sequences.step(i32(0), i32(5), i32(120))[0], expected[0])
    sequences.close()


def test_a_prompt_longer_than_a_batch_is_computed_in_parts(model_f16: LlamaModel) -> None:
    prompt = model_f16.tokenize("one two three four five six seven eight nine ten " * 60)[:513]
    assert len(prompt) == 513
    sequences = LlamaSequences(model_f16, sequences=2, cells=1280, threads=1)
    at_once = sequences.prefill(0, prompt, 0).copy()
    sequences.free(0)
    sequences.prefill(1, prompt[:300], 0)
    in_two = sequences.prefill(1, prompt[300:], 300)
    assert_alike(at_once, in_two)
    sequences.close()


# Streams


class Streams:
    """Sequences with a stream each, and the tokens that they should hold; every row is checked against a fresh one."""

    def __init__(self, model: LlamaModel, sequences: int) -> None:
        self.real = LlamaSequences(model, sequences=sequences, cells=256 * sequences, threads=1, is_unified=False)
        self.fresh = LlamaSequences(model, sequences=1, cells=256, threads=1)
        self.rows: dict[int, list[int]] = {}

    def prefill(self, sequence: int, tokens: list[int]) -> None:
        row = self.rows.setdefault(sequence, [])
        logits = self.real.prefill(sequence, tokens, len(row)).copy()
        row += tokens
        assert_alike(logits, self.expected(row))

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        self.real.fork(source, target, length)
        self.rows[target] = self.rows[source][:length]

    def free(self, sequence: int) -> None:
        self.real.free(sequence)
        del self.rows[sequence]

    def expected(self, row: list[int]) -> NDArray[np.float32]:
        logits = self.fresh.prefill(0, row, 0).copy()
        self.fresh.free(0)
        return logits

    def step(self, sequences: list[int], tokens: list[int]) -> None:
        """Append a token to each, in the order that the model wants, and check every row."""
        order = self.real.arrange(i32(*sequences))
        assert sorted(order.tolist()) == list(range(len(sequences)))
        positions = [len(self.rows[sequence]) for sequence in sequences]
        logits = self.real.step(i32(*sequences)[order], i32(*tokens)[order], i32(*positions)[order]).copy()
        for sequence, token in zip(sequences, tokens, strict=True):
            self.rows[sequence].append(token)
        for place, row in zip(order, logits, strict=True):
            assert_alike(row, self.expected(self.rows[sequences[place]]))


@pytest.fixture
def streams(model_f16: LlamaModel) -> Iterator[Streams]:
    streams = Streams(model_f16, 6)
    yield streams
    streams.real.close()
    streams.fresh.close()


def test_a_copy_may_end_earlier_than_its_source(streams: Streams, model_f16: LlamaModel) -> None:
    prompt = model_f16.tokenize("The capital of France is Paris, and that of Spain")
    streams.prefill(0, prompt)
    streams.fork(0, 1, 4)
    streams.prefill(1, model_f16.tokenize(" Italy is"))
    streams.step([0, 1], [prompt[3], prompt[4]])


def test_a_source_may_be_freed_and_used_again_before_its_copy_goes_on(streams: Streams, model_f16: LlamaModel) -> None:
    streams.prefill(0, model_f16.tokenize("The capital of France is"))
    streams.fork(0, 1)
    streams.fork(1, 2)
    streams.free(0)
    streams.prefill(0, model_f16.tokenize("One plus one makes"))
    streams.step([2, 0, 1], model_f16.tokenize(" red green blue"))


def test_gaps_between_streams_are_closed(streams: Streams, model_f16: LlamaModel) -> None:
    (a, b, c) = model_f16.tokenize(" red green blue")
    for number, text in enumerate(("The sky is", "One plus one", "Paris has", "The end", "A river", "My name is")):
        streams.prefill(number, model_f16.tokenize(text))
    # All streams are taken, and one that only waits lies among those of a step: computed all the same.
    streams.step([5, 0, 3], [a, b, c])
    # Room for it to go to.
    streams.free(1)
    streams.step([5, 0, 3], [c, a, b])
    assert held(streams, [5, 0, 3]) == [0, 1, 2]
    # Freed ones at the beginning and in the middle.
    streams.free(0)
    streams.step([3, 5, 4], [a, b, c])
    streams.free(3)
    streams.step([2, 4, 5], [b, b, c])
    assert held(streams, [2, 4, 5]) == [0, 1, 2]
    # New ones fill what is free, and those that waited are as they were.
    streams.fork(5, 0)
    streams.prefill(1, model_f16.tokenize("Two plus two"))
    streams.step([1, 0, 5, 4, 2], [a, b, c, a, b])
    assert held(streams, [0, 1, 2, 4, 5]) == [0, 1, 2, 3, 4]


def held(streams: Streams, sequences: list[int]) -> list[int]:
    """Return the streams that a step of these sequences would use, in ascending order."""
    order = streams.real.arrange(i32(*sequences))
    used: list[int] = []

    def note(count: int) -> None:
        used.extend(streams.real._sequences[:count].tolist())  # pyright: ignore[reportPrivateUsage]
        raise NoRoomError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(NoRoomError):
        patch.setattr(streams.real, "_decode", note)
        streams.real.step(i32(*sequences)[order], i32(*sequences), i32(*sequences))
    return used


def test_a_full_stream_leaves_the_others_room(model_f16: LlamaModel) -> None:
    streams = Streams(model_f16, 2)
    prompt = model_f16.tokenize("one two " * 200)[:256]
    streams.prefill(0, prompt)
    streams.prefill(1, prompt[:9])
    with pytest.raises(NoRoomError):
        streams.real.step(i32(0, 1), i32(5, 5), i32(256, 9))
    streams.step([1], [5])
    streams.real.close()
    streams.fresh.close()
