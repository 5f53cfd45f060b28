"""How much of a session's work is done and how long the rest takes, over all its phases, from the engine's events."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from homogaudit.events import (
    Asking,
    EngineReady,
    Event,
    GenerationFinished,
    Loading,
    Paused,
    Planned,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
)
from homogaudit.phases import BEFORE_WORK, Phase
from homogaudit.statistics.answer_lengths import AnswerLengths

Step = Literal[
    "loading",
    "loading again",
    "answers",
    "tokens",
    "prompts",
    "asking",
    "beside",
    "calls",
    "scorings",
    "comparisons",
    "judgements",
    "ending",
]
"""What takes time: `loading again` with the files in memory, `ending` what comes behind the last step, with the report.

What `answers` consist of is measured by itself, for answers of another length: their `tokens`; by question, `prompts`
and `asking` about the greedy answer; and by answer what is done `beside` them, such as scoring.
"""

STEPS: tuple[Step, ...] = ("answers", "calls", "scorings", "comparisons", "judgements")
"""In the order in which a session works, once its models are loaded. Answers are scored as they come, so the pace of
answers holds that; `scorings` are of those that were drawn before."""

_ASKING: dict[str, Step] = {"model": "calls", "model of meaning": "comparisons", "judge": "judgements"}
"""The phase in which each one is asked."""


_LEAST = 0.1
"""Of the pace of earlier answers, what an answer still takes when all of them should be done already."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where a session stands.

    Attributes:
        share: Of its work that is done, from 0 to 1; `None` while nothing is planned.
        seconds_left: For the rest of it; `None` while no speed is known.
        is_most: Whether it may end before all of that is done.
    """

    share: float | None = None
    seconds_left: float | None = None
    is_most: bool = False


class Forecast:
    """Takes events, and estimates in seconds: what a phase measured itself, else what an earlier run did.

    A phase that was never measured is taken to need as long for each step as for an answer: it reads a prompt of the
    same kind and writes no more.

    Args:
        earlier: Seconds a step that earlier runs measured, by phase.
        clock: Seconds from any moment.

    Attributes:
        lengths: Of the answers that were drawn.
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
        self._is_most = False
        self.lengths = AnswerLengths()
        self._questions_before: int | None = None
        self._started = self._tokens = self._drawn = self._called = 0
        self._drawing_seconds = 0.0
        self._is_cut_short = self._scores_beside = False
        self._rest = 0.0

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
                self._is_most = event.is_most
                self._rest = 0.0
                self._begin()
            case Loading("embedder"):
                self._scores_beside = True
            case EngineReady():
                self._loading = None
                self._cpu_seconds = event.cpu_seconds
                self._stored = event.draws_done
                self._done["answers"], self._left["answers"] = event.draws_done, event.draws - event.draws_done
                self._begin()
            case Progress():
                self._draw(event)
            case QuestionStarted():
                self._started += 1
            case GenerationFinished():
                if event.tokens is not None:
                    self.lengths.add(event.tokens, is_ended=event.finish_reason == "stop")
            case Asking():
                self._loading = None
                self._step(_ASKING[event.who], event.done, event.calls - event.done)
                if event.who == "model":
                    self._called = event.done
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
                self._divide(event.phases)
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
        left += self._rest + self._earlier.get("ending", 0.0)
        is_left_known = is_known and bool(done + left)
        return Ahead(done / (done + left) if done + left else None, left if is_left_known else None, self._is_most)

    def _pace(self, phase: Step) -> float | None:
        return self._measured.get(phase) or self._earlier.get(phase)

    def _draw(self, event: Progress) -> None:
        """Note how far the drawing is, and what an answer of the rest takes."""
        left = event.draws - event.draws_done
        self._done["answers"], self._left["answers"] = event.draws_done, left
        self._drawn, self._tokens = event.draws_done - self._stored, event.tokens
        self._drawing_seconds = self._clock() - self._begun
        self._is_cut_short = left > 0
        if self._questions_before is None:
            self._questions_before = event.questions_done
        # Before the first question is scored only earlier runs know how long that takes.
        is_none_scored = self._scores_beside and event.questions_done == self._questions_before
        beside = self._earlier.get("beside") if is_none_scored else 0.0
        # When all answers are there some may still be asked about.
        self._rest = 0.0 if left else event.seconds_left or 0.0
        if left and event.seconds_left is not None and beside is not None:
            self._measured["answers"] = event.seconds_left / left + beside
        elif left and (pace := self._earlier.get("answers")):
            # Of answers that are being written it is known how long they are at work.
            seconds_left = self._seconds_of_all(pace * (left + self._drawn)) - self._drawing_seconds
            self._measured["answers"] = max(seconds_left / left, _LEAST * pace)
        elif not left and self._drawn > 0:
            self._measured["answers"] = self._drawing_seconds / self._drawn

    def _seconds_of_all(self, expected: float) -> float:
        """Correct what all answers were expected to take by what the tokens so far took.

        When half of them are drawn, this session alone tells.
        """
        drawn = self._tokens * self._earlier.get("tokens", 0.0) / expected
        if not drawn:
            return expected
        weight = min(1.0, 2 * drawn)
        return (1 - weight) * expected + weight * self._drawing_seconds / min(1.0, drawn)

    def _divide(self, phases: Mapping[str, float]) -> None:
        """Measure what the answers that were drawn consist of, when the time of each phase is known."""
        if self._is_cut_short:
            # How long the rest takes was never seen.
            self._measured.pop("answers", None)
        if not (self._tokens and self._started and self._drawn > 0):
            return
        prompts = phases.get(Phase.PREFILL, 0.0)
        tokens = phases.get(Phase.DECODE, 0.0) + phases.get(Phase.HOST, 0.0)
        called = self._called * self._measured.get("calls", 0.0)
        asking = max(0.0, phases.get(Phase.ASKING, 0.0) - called)
        self._measured["tokens"] = tokens / self._tokens
        self._measured["prompts"] = prompts / self._started
        self._measured["asking"] = asking / self._started
        self._measured["beside"] = max(0.0, self._drawing_seconds - tokens - prompts - asking) / self._drawn

    def _begin(self) -> None:
        self._begun = self._clock()
        self._begun_at = dict(self._done)

    def _step(self, phase: Step, done: int, left: int) -> None:
        """Note how many steps of a phase are done since it began, and how many are left."""
        self._done[phase], self._left[phase] = self._begun_at[phase] + done, left
        if done:
            self._measured[phase] = (self._clock() - self._begun) / done
