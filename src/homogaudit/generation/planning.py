"""What every local engine plans before it draws: shared prompts, lengths that fit, and the time of a step.

Pure functions and a warm-up through the `SequenceModel` protocol; nothing of any one engine.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.batched_sampler import SequenceModel
from homogaudit.generation.generator import DrawRequest
from homogaudit.records import Decoding

__all__ = ["WARM_UP_STEPS", "StepSeconds", "check_lengths", "common_prefix", "warm_up"]

WARM_UP_STEPS = 3
"""Steps timed before drawing; the context has room for them even where answers are shorter."""


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all prompts share, leaving each at least one of its own.

    With a single prompt there is nothing to share: 0.
    """
    if len(prompts) < 2:
        return 0
    first, last = min(map(list, prompts)), max(map(list, prompts))
    limit = min(len(prompt) for prompt in prompts) - 1
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), limit)
    return max(0, min(shared, limit))


def check_lengths(
    requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding, room: int
) -> None:
    """Check that every prompt and its answer fit the context that the model was trained for.

    Args:
        requests: For the questions' ids.
        prompts: Token ids of each request's prompt.
        decoding: For the longest answer.
        room: Tokens that a prompt and its answer may have together.

    Raises:
        ContextTooShortError: A prompt and its answer exceed `room`.
        ModelError: A prompt has no tokens.
    """
    longest = max(decoding.max_tokens, decoding.greedy_max_tokens)
    too_long = tuple(x.question_id for x, y in zip(requests, prompts, strict=True) if len(y) + longest > room)
    for request, tokens in zip(requests, prompts, strict=True):
        if not tokens:
            raise ModelError(f"the prompt of question `{request.question_id}` has no tokens")
        if len(tokens) + longest > room:
            raise ContextTooShortError(
                f"the prompt of question `{request.question_id}` has {len(tokens)} tokens; with {longest} for "
                f"the answer it exceeds the model's context of {room}",
                "lower `--max-tokens`, or leave the question out",
                too_long,
            )


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """Seconds of one step with every slot in use, and with one."""

    full: float
    single: float


def warm_up(sequences: SequenceModel, prompt: Sequence[int], slots: int) -> StepSeconds:
    """Return what a step takes; the caches are warm and the cells free afterwards.

    Raises:
        NoRoomError: The cache does not hold so many.
    """

    def measure(live: int, position: int) -> float:
        numbers = np.arange(live, dtype=np.int32)
        seconds: list[float] = []
        for step in range(position, position + WARM_UP_STEPS):
            begun = time.perf_counter()
            sequences.step(numbers, np.full(live, prompt[-1], np.int32), np.full(live, step, np.int32))
            seconds.append(time.perf_counter() - begun)
        return min(seconds)

    live = slots
    try:
        sequences.prefill(0, prompt, 0)
        for sequence in range(1, slots):
            sequences.fork(0, sequence)
        full = measure(slots, len(prompt))
        if slots == 1:
            return StepSeconds(full, full)
        # The cells of the others have room for what one writes on.
        while live > 1:
            live -= 1
            sequences.free(live)
        return StepSeconds(full, measure(1, len(prompt) + WARM_UP_STEPS))
    finally:
        for sequence in range(live):
            sequences.free(sequence)
