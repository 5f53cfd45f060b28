"""The progress bar of a run on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from homogaudit import events
from homogaudit.cli.progress import RunningRate, ready_text, seconds_text
from homogaudit.events import Event
from homogaudit.report.text import plain

__all__ = ["BarDisplay"]


class BarDisplay:
    """One bar over all answers, with speed, running SCR and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._rate = RunningRate()
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._scored = 0
        self._bar.start()

    def show(self, event: Event) -> None:
        """Update the bar, or print a line above it."""
        match event:
            case events.Loading(part, name):
                self._update(f"loading {part} {plain(name)}", None, None)
            case events.EngineReady():
                self._console.print(Text(ready_text(event)))
            case events.Warning(message):
                self._console.print(Text(f"warning: {plain(message)}"))
            case events.QuestionScored():
                self._rate.add(event)
                self._scored += 1
            case events.Paused():
                self._update("paused", None, None)
            case events.Cancelling():
                self._update("cancelling", None, None)
            case events.Asking(done, calls, who):
                self._update(f"asking the {who} about the answers: {done}/{calls}", done, calls)
            case events.Progress():
                self._update(
                    f"{event.questions_done}/{event.questions} questions  {event.tokens_per_second:.0f} tokens/s  "
                    f"{self._rate}  {seconds_text(event.seconds_left)} left",
                    event.draws_done,
                    event.draws,
                )
            case _:
                pass

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _update(self, text: str, done: int | None, total: int | None) -> None:
        self._bar.update(self._task, description=text, completed=done, total=total)
