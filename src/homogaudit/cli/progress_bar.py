"""The progress bar of a run on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from homogaudit import events
from homogaudit.cli.progress import Display, left_text, questions_text, rate_text, ready_text
from homogaudit.events import Event
from homogaudit.launch.forecast import Ahead
from homogaudit.report.deciding import deciding_text, is_hopeless, left_words
from homogaudit.report.numbers import percent_interval
from homogaudit.report.text import plain
from homogaudit.statistics.running_rate import RateCounter

_WIDE = 180
"""From this width on there is room beside the bar for what is to be expected of a run that stops once it is decided."""


class BarDisplay(Display):
    """One bar over all phases, with speed, running rate and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._rates = RateCounter()
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._scored = 0
        self._is_drawing = False
        self._deciding: events.Deciding | None = None
        self._bar.start()

    def show(self, event: Event, ahead: Ahead) -> None:
        """Update the bar, or print a line above it."""
        match event:
            case events.Loading(part, name):
                self._update(f"loading {part} {plain(name)}", ahead)
            case events.EngineReady():
                self._console.print(Text(ready_text(event, ahead)))
            case events.Warning(message):
                self._console.print(Text(f"warning: {plain(message)}"))
            case events.QuestionScored():
                self._rates.add(event)
                self._scored += 1
                if not self._is_drawing:
                    self._update(f"questions scored: {self._scored}  {self._rate_text()}", ahead)
            case events.Deciding():
                was_hopeless = self._deciding is not None and is_hopeless(self._deciding)
                self._deciding = event
                if event.is_decided or is_hopeless(event) != was_hopeless:
                    self._console.print(Text(deciding_text(event)))
            case events.Paused():
                self._update("paused", ahead)
            case events.Cancelling():
                self._update("cancelling", ahead)
            case events.Asking(done, calls, who):
                self._update(f"asking the {who} about the answers: {done}/{calls}", ahead)
            case events.Progress():
                self._is_drawing = event.draws_done < event.draws
                self._update(
                    f"{questions_text(event)}  {event.tokens_per_second:.0f} tokens/s  {self._rate_text()}",
                    ahead,
                )
            case _:
                pass

    def _rate_text(self) -> str:
        if self._deciding is not None and self._console.width < _WIDE:
            return f"{percent_interval(self._deciding.low, self._deciding.high)}, {left_words(self._deciding)}"
        return rate_text(self._rates.shown(), self._deciding)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _update(self, text: str, ahead: Ahead) -> None:
        total = None if ahead.share is None else 1.0
        self._bar.update(self._task, description=text + left_text(ahead), completed=ahead.share or 0.0, total=total)
