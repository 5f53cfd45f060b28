"""Progress of a run on stderr: a bar on a terminal, a line every five seconds elsewhere, nothing when quiet."""

import sys
import time

from homogaudit.events import (
    Asking,
    Cancelling,
    Deciding,
    EngineReady,
    Event,
    Loading,
    Paused,
    Progress,
    QuestionScored,
    Resumed,
    Warning,
)
from homogaudit.launch.forecast import Ahead
from homogaudit.report.deciding import deciding_text
from homogaudit.report.numbers import clock, percent
from homogaudit.report.text import plain
from homogaudit.statistics.running_rate import RateCounter, RunningRates

_LINE_SECONDS = 5.0
_MEGABYTE = 1e6


class Display:
    """Shows events and decides nothing; this one shows none: what the user should know anyway is in the report."""

    def show(self, event: Event, ahead: Ahead) -> None:
        """Show one event, and where the session stands with it."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def rate_text(running: RunningRates, deciding: Deciding | None = None) -> str:
    """Return the running rate in a few words, and why it is provisional where it is; or what is still to be decided."""
    if deciding is not None:
        return deciding_text(deciding)
    rate = running.primary
    if rate is None:
        return "no question scored yet"
    if (value := rate.value()) is None:
        return f"{rate.n} scored, none audited yet"
    text = f"{percent(value)} of {rate.n} with one cluster ({rate.method})"
    if rate.is_two_phase:
        text = f"about {text}, {rate.audited[-1]} audited"
    return f"{text}, provisional: {running.note}" if running.note else text


def questions_text(event: Progress) -> str:
    """Return how many questions are done, and how many of a run for the rate alone have stopped."""
    stopped = f", {event.questions_stopped} stopped early" if event.questions_stopped else ""
    return f"{event.questions_done}/{event.questions} questions{stopped}"


def left_text(ahead: Ahead) -> str:
    """Return the time left in all phases behind two spaces; nothing where it is not known."""
    if ahead.seconds_left is None:
        return ""
    return f"  {'at most ' if ahead.is_most else ''}{clock(ahead.seconds_left)} left"


def ready_text(event: EngineReady, ahead: Ahead) -> str:
    """Return the plan of a run in two lines, with when the time left is told where it is not known yet."""
    at_most = "" if event.seconds_at_most is None else f", at most {clock(event.seconds_at_most)}"
    resumed = f" ({event.draws_done} already stored)" if event.draws_done else ""
    # A server does not tell its memory.
    memory = f", about {event.memory_bytes / _MEGABYTE:,.0f} MB" if event.memory_bytes else ""
    later = "; no earlier run tells the time left, it comes with the first answers"
    return (
        f"{plain(event.device)}, {event.slots} slots, {event.mode} prompts{memory}\n"
        f"{event.questions} questions, {event.draws} answers{resumed}: "
        f"at most {event.passes_at_most:,} passes{at_most}{later if ahead.seconds_left is None else ''}"
    )


class LineDisplay(Display):
    """A line every five seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._rates = RateCounter()
        self._scored = 0
        self._last = time.monotonic()
        self._deciding: Deciding | None = None

    def show(self, event: Event, ahead: Ahead) -> None:
        """Print a line where the event deserves one."""
        match event:
            case Loading(part, name):
                self._print(f"loading {part} {plain(name)}{left_text(ahead)}")
            case EngineReady():
                self._print(ready_text(event, ahead))
            case Warning(message):
                self._print(f"warning: {plain(message)}")
            case Paused() | Resumed() | Cancelling():
                self._print(type(event).__name__.lower())
            case QuestionScored():
                self._rates.add(event)
                self._scored += 1
                self._every(f"questions scored: {self._scored}  {self._rate_text()}{left_text(ahead)}")
            case Deciding():
                self._deciding = event
                if event.is_decided:
                    self._print(deciding_text(event))
            case Asking(done, calls, who):
                self._every(f"asked the {who} about the answers: {done}/{calls}{left_text(ahead)}")
            case Progress():
                self._every(
                    f"{questions_text(event)}  {event.draws_done}/{event.draws} answers  "
                    f"{event.tokens_per_second:.0f} tokens/s  {self._rate_text()}{left_text(ahead)}"
                )
            case _:
                pass

    def _rate_text(self) -> str:
        return rate_text(self._rates.shown(), self._deciding)

    def _every(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_SECONDS:
            self._last = now
            self._print(text)

    @staticmethod
    def _print(text: str) -> None:
        print(text, file=sys.stderr, flush=True)
