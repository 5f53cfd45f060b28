"""Where the time of an audit goes: its phases, and a clock that says which one each moment belongs to."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Self


class Phase(StrEnum):
    """What an audit spends time on; every moment belongs to one phase.

    Attributes:
        means: What is done in it.
    """

    means: str

    def __new__(cls, name: str, means: str) -> Self:
        """Make the phase `name`."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.means = means
        return member

    START = "start", "starting Python and planning the run; not part of a run file's time"
    LOADING = "loading", "loading models and preparing their caches"
    EMBEDDER = "embedder", "loading the embedder and the NLI model"
    PREFILL = "prefill", "reading prompts"
    DECODE = "decode", "computing answers token by token, or waiting for a server"
    HOST = "host", "choosing tokens and computing their statistics beside the model"
    STORING = "storing", "reading and writing the run file"
    EMBEDDING = "embedding", "turning answers and questions into vectors"
    ASKING = "asking", "asking the model about its own answers"
    JUDGING = "judging", "asking other models about the answers"
    CLUSTERING = "clustering", "comparing answers and joining them into clusters"
    SIGNALS = "signals", "computing signals and labels"
    REPORT = "report", "building the report; not part of a run file's time"
    OTHER = "other", "everything else"


DRAWING = frozenset({Phase.PREFILL, Phase.DECODE, Phase.HOST})
"""What drawing the answers consists of."""

BEFORE_WORK = frozenset({Phase.START, Phase.LOADING, Phase.EMBEDDER})
"""What takes as long for one question as for a thousand."""


class PhaseClock:
    """Gives every second to one phase, the innermost that is open; a pause belongs to none.

    Args:
        clock: Seconds from any moment; `None` for `time.perf_counter`.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or time.perf_counter
        self._seconds: dict[Phase | None, float] = {}
        self._open: Phase | None = Phase.OTHER
        self._since = self._clock()

    @contextmanager
    def __call__(self, phase: Phase | None) -> Generator[None]:
        """Give what is done inside to a phase, to none with `None`."""
        before = self._switch(phase)
        try:
            yield
        finally:
            self._switch(before)

    def move(self, seconds: float, to: Phase) -> None:
        """Give seconds of the open phase to another, where one call does the work of several."""
        for phase, moved in ((self._open, -seconds), (to, seconds)):
            self._seconds[phase] = self._seconds.get(phase, 0.0) + moved

    def seconds(self) -> dict[str, float]:
        """Return the seconds of every phase so far, by name; they add up to the time that has passed but for pauses."""
        self._switch(self._open)
        return {phase.value: max(0.0, self._seconds[phase]) for phase in Phase if phase in self._seconds}

    def _switch(self, phase: Phase | None) -> Phase | None:
        now, before = self._clock(), self._open
        self._seconds[before] = self._seconds.get(before, 0.0) + now - self._since
        self._open, self._since = phase, now
        return before


def added(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of two sessions together."""
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in (*one, *(x for x in other if x not in one))}
