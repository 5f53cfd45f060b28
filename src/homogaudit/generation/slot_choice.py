"""How many answers in a unified cache are drawn at the same time: measured on a few steps, and kept for runs like it.

It knows sequences through `LlamaSequences` and nothing of questions. Memory is somebody else's limit.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from homogaudit.config.measurements import read_measurements, write_measurements
from homogaudit.generation.fingerprint import file_key

if TYPE_CHECKING:
    from homogaudit.generation.llama_sequences import LlamaSequences

CPU_SLOTS = (8, 16, 32, 48)
GPU_SLOTS = (16, 32, 64, 128)
"""What is measured: a core is busy with the products of a few rows, a GPU is idle below about a hundred. Every row also
attends over the cells of all."""

_STEPS_UP, _STEPS_DOWN = 2, 1
STEPS = _STEPS_UP + _STEPS_DOWN
"""Steps of each number of slots, from the fewest to the most and back. The quickest counts: the first ones also build
their graph, and a machine that is busy for a moment is so at one of two moments only."""

_NEAR_BEST = 0.98
"""Fewer slots that are as fast as this take less memory, and stand idle less at the end."""

_MOST_SHARE = 0.02
"""Of the tokens to draw, what measuring may forward at most."""

_KEY = "slots"


class KeptSlots:
    """The slots of one model that were measured before, in the file of measurements of a folder of runs.

    Without a folder they are kept as long as this object. With `anew` what others have kept does not count, and it is
    measured however little there is to draw.
    """

    def __init__(self, model: Path, folder: Path | None = None, *, anew: bool = False) -> None:
        self._model = model
        self._folder = folder
        self._anew = anew
        self._known: dict[str, int] = {}

    def find(self, key: str) -> int | None:
        """Return the slots kept for this model and a key; `None` where there are none."""
        if key not in self._known and self._folder and not self._anew:
            kept: Any = read_measurements(self._folder).get(_KEY)
            found = kept.get(self._whole(key)) if isinstance(kept, dict) else None
            if isinstance(found, int) and found > 0:
                self._known[key] = found
        return self._known.get(key)

    def is_worth_measuring(self, candidates: Sequence[int], tokens: int) -> bool:
        """Whether there is a choice, and so much to draw that measuring it costs next to nothing."""
        return len(candidates) > 1 and (self._anew or STEPS * sum(candidates) <= _MOST_SHARE * tokens)

    def keep(self, key: str, slots: int) -> None:
        """Keep the slots of this model and a key. A folder that cannot be written is no error."""
        self._known[key] = slots
        if self._folder:
            stored = read_measurements(self._folder)
            kept: Any = stored.get(_KEY)
            row = {**(kept if isinstance(kept, dict) else {}), self._whole(key): slots}
            with contextlib.suppress(OSError):
                write_measurements(self._folder, {**stored, _KEY: row})

    def _whole(self, key: str) -> str:
        return f"{file_key(self._model)} {key}"


def measure_speeds(
    sequences: "LlamaSequences", prompt: Sequence[int], written: int, candidates: Sequence[int]
) -> dict[int, float]:
    """Return tokens a second by number of slots, ascending; the cells, of a unified cache, are free before and after.

    Every slot continues an answer of `written` tokens of its own behind a shared prompt: a live answer is half
    written on average, and attention reads all of it.

    Raises:
        NoRoomError: The cache does not hold so many.
    """
    order = sorted(candidates)
    most, length = order[-1], len(prompt) + written
    source, filler = most, most + 1
    seconds: dict[int, list[float]] = {slots: [] for slots in order}
    positions = np.full(most, length, np.int32)
    live = 0
    try:
        sequences.prefill(source, prompt, 0)
        if written:
            # Forks would share the cells of the answer too.
            sequences.prefill(filler, [prompt[-1]] * written, len(prompt))
        for slots, steps in [(slots, _STEPS_UP) for slots in order] + [(slots, _STEPS_DOWN) for slots in order[::-1]]:
            added = range(live, slots)
            if written and added:
                sequences.duplicate(filler, added)
            for sequence in added:
                sequences.fork(source, sequence)
            for sequence in range(slots, live):
                sequences.free(sequence)
            live = slots
            for _ in range(steps):
                begun = time.perf_counter()
                sequences.step(
                    np.arange(slots, dtype=np.int32), np.full(slots, prompt[-1], np.int32), positions[:slots]
                )
                seconds[slots].append(time.perf_counter() - begun)
                positions[:slots] += 1
    finally:
        for sequence in range(most + 2):
            sequences.free(sequence)
    return {slots: slots / min(taken) for slots, taken in seconds.items()}


def best_slots(speeds: Mapping[int, float]) -> int:
    """Return the fewest slots that are about as fast as the fastest."""
    enough = _NEAR_BEST * max(speeds.values())
    return min(slots for slots, speed in speeds.items() if speed >= enough)
