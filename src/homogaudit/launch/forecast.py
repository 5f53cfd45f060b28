"""How much of a session's work is done and how long the rest takes, over all its phases, from the engine's events."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from homogaudit.events import (
    Asking,
    EngineReady,
    Event,
    Paused,
    Planned,
    Progress,
    QuestionScored,
    Resumed,
    RunFinished,
)
from homogaudit.phases import BEFORE_WORK

Step = Literal["loading", "loading again", "answers", "calls", "scorings", "comparisons", "judgements", "ending"]
"""What takes time: `loading again` with the files in memory, `ending` what comes behind the last step, with the report.
"""

STEPS: tuple[Step, ...] = ("answers", "calls", "scorings", "comparisons", "judgements")
"""In the order in which a session works, once its models are loaded. Answers are scored as they come, so the pace of
answers holds that; `scorings` are of those that were drawn before."""

_ASKING: dict[str, Step] = {"model": "calls", "model of meaning": "comparisons", "judge": "judgements"}
"""The phase in which each one is asked."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where a session stands.

    Attributes:
        share: Of its work that is done, from 0 to 1; `None` while nothing is planned.
        seconds_left: For the rest of it; `None` while no speed is known.
    """

    share: float | None = None
    seconds_left: float | None = None


class Forecast:
    """Takes events, and estimates in seconds: what a phase measured itself, else what an earlier run did.

    A phase that was never measured is taken to need as long for each step as for an answer: it reads a prompt of the
    same kind and writes no more.

    Args:
        earlier: Seconds a step that earlier runs measured, by phase.
        clock: Seconds from any moment.
    """

    def __init__(
        self, earlier: Mapping[Step, float] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._earlier = earlier or {}
        self._clock = clock
        self._left = dict.fromkeys(STEPS, 0)
        self._done = dict.fromkeys(STEPS, 0)
        self._measured: dict[Step, float] = {}
        self._stored = 0
        self._begun = clock()
        self._begun_at = dict.fromkeys(STEPS, 0)
        self._stood_since: float | None = None
        self._loading: float | None = self._earlier.get("loading", 0.0)
        self._cpu_seconds: float | None = None
        self._last_step = self._begun

    @property
    def measured(self) -> Mapping[Step, float]:
        """Seconds a step that this session took, by phase; of loading and of the ending, all of it."""
        return self._measured

    def end(self) -> None:
        """Take what comes behind the last step as done now."""
        self._measured["ending"] = self._clock() - self._last_step

    def apply(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Progress | Asking | QuestionScored):
            self._last_step = self._clock()
        match event:
            case Planned():
                self._left = {phase: getattr(event, phase) for phase in STEPS}
                self._begin()
            case EngineReady():
                self._loading = None
                self._cpu_seconds = event.cpu_seconds
                self._stored = event.draws_done
                self._done["answers"], self._left["answers"] = event.draws_done, event.draws - event.draws_done
                self._begin()
            case Progress():
                self._done["answers"], self._left["answers"] = event.draws_done, event.draws - event.draws_done
                drawn = event.draws_done - self._stored
                if event.seconds_left is not None and self._left["answers"]:
                    self._measured["answers"] = event.seconds_left / self._left["answers"]
                elif drawn > 0:
                    self._measured["answers"] = (self._clock() - self._begun) / drawn
            case Asking():
                self._loading = None
                self._step(_ASKING[event.who], event.done, event.calls - event.done)
            case QuestionScored() if self._left["scorings"] and not self._left["answers"] and not self._left["calls"]:
                self._loading = None
                done = self._done["scorings"] - self._begun_at["scorings"] + 1
                self._step("scorings", done, self._left["scorings"] - 1)
            case Paused():
                self._stood_since = self._clock()
            case Resumed() if self._stood_since is not None:
                self._begun += self._clock() - self._stood_since
                self._stood_since = None
            case RunFinished():
                self._loading = None
                if loading := sum(event.phases.get(phase, 0.0) for phase in BEFORE_WORK):
                    self._measured["loading"] = loading
                    self._measured["loading again"] = min(loading, self._cpu_seconds or loading)
            case _:
                pass

    def ahead(self) -> Ahead:
        """Return where the session stands now."""
        answer = self._pace("answers")
        paces = {phase: self._pace(phase) or answer for phase in STEPS}
        # Without any speed every step counts the same.
        done = sum(self._done[phase] * (paces[phase] or 1.0) for phase in STEPS)
        left = sum(self._left[phase] * (paces[phase] or 1.0) for phase in STEPS)
        is_known = all(paces[phase] for phase in STEPS if self._left[phase])
        if self._loading is not None:
            left += self._loading
        left += self._earlier.get("ending", 0.0)
        return Ahead(done / (done + left) if done + left else None, left if is_known and done + left else None)

    def _pace(self, phase: Step) -> float | None:
        return self._measured.get(phase) or self._earlier.get(phase)

    def _begin(self) -> None:
        self._begun = self._clock()
        self._begun_at = dict(self._done)

    def _step(self, phase: Step, done: int, left: int) -> None:
        """Note how many steps of a phase are done since it began, and how many are left."""
        self._done[phase], self._left[phase] = self._begun_at[phase] + done, left
        if done:
            self._measured[phase] = (self._clock() - self._begun) / done
