"""Progress of a run on stderr: a bar on a terminal, a line every five seconds elsewhere, nothing when quiet."""

import sys
import time
from typing import Protocol

from homogaudit.events import (
    Asking,
    Cancelling,
    EngineReady,
    Event,
    Loading,
    Paused,
    Progress,
    QuestionScored,
    Resumed,
    Warning,
)
from homogaudit.report.text import plain

__all__ = ["Display", "LineDisplay", "QuietDisplay", "RunningRate"]

_LINE_SECONDS = 5.0
_MEGABYTE = 1e6


class Display(Protocol):
    """Shows events; never decides anything."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class RunningRate:
    """The running SCR of one clustering, over questions in the order they were started.

    What is finished first has short answers, so a question counts only once all before it are scored.
    """

    def __init__(self) -> None:
        self._scored: dict[int, QuestionScored] = {}
        self._next = 0
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, event: QuestionScored) -> None:
        """Take one scored question."""
        self._scored[event.position] = event
        while (ready := self._scored.pop(self._next, None)) is not None:
            self._next += 1
            if ready.valid_samples < ready.samples:
                continue
            for method, clusters in ready.clusters.items():
                single, scored = self._counts.get(method, (0, 0))
                self._counts[method] = (single + (clusters == 1), scored + 1)

    def __str__(self) -> str:
        for method in ("embedding", "jaccard", "answer"):
            if method in self._counts:
                single, scored = self._counts[method]
                return f"SCR {method} {single}/{scored}"
        return "SCR -"


def seconds_text(seconds: float | None) -> str:
    """Return a duration for people, for example `1:05`, or `-` where it is unknown."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ready_text(event: EngineReady) -> str:
    """Return the plan of a run in one or two lines."""
    at_most = "" if event.seconds_at_most is None else f", at most {seconds_text(event.seconds_at_most)}"
    resumed = f" ({event.draws_done} already stored)" if event.draws_done else ""
    # A server does not tell its memory.
    memory = f", about {event.memory_bytes / _MEGABYTE:,.0f} MB" if event.memory_bytes else ""
    return (
        f"{plain(event.device)}, {event.slots} slots, {event.mode} prompts{memory}\n"
        f"{event.questions} questions, {event.draws} answers{resumed}: "
        f"at most {event.passes_at_most:,} passes{at_most}"
    )


class QuietDisplay:
    """Shows nothing but what the user should know anyway: warnings are in the report."""

    def show(self, event: Event) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to leave."""


class LineDisplay:
    """A line every five seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._rate = RunningRate()
        self._scored = 0
        self._last = time.monotonic()

    def show(self, event: Event) -> None:
        """Print a line where the event deserves one."""
        match event:
            case Loading(part, name):
                self._print(f"loading {part} {plain(name)}")
            case EngineReady():
                self._print(ready_text(event))
            case Warning(message):
                self._print(f"warning: {plain(message)}")
            case Paused() | Resumed() | Cancelling():
                self._print(type(event).__name__.lower())
            case QuestionScored():
                self._rate.add(event)
                self._scored += 1
                self._every(f"scored {self._scored} questions  {self._rate}")
            case Asking(done, calls, who):
                self._every(f"asked the {who} about the answers: {done}/{calls}")
            case Progress():
                self._every(
                    f"{event.questions_done}/{event.questions} questions  {event.draws_done}/{event.draws} answers  "
                    f"{event.tokens_per_second:.0f} tokens/s  {self._rate}  {seconds_text(event.seconds_left)} left"
                )
            case _:
                pass

    def close(self) -> None:
        """Nothing to leave."""

    def _every(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_SECONDS:
            self._last = now
            self._print(text)

    @staticmethod
    def _print(text: str) -> None:
        print(text, file=sys.stderr, flush=True)
