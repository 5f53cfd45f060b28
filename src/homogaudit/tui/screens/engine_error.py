"""What an engine failed with, the last lines of its log, and how to go on."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from homogaudit.events import EngineFailed
from homogaudit.report.text import plain

ErrorChoice = Literal["resume", "look"]


class EngineErrorScreen(ModalScreen[ErrorChoice]):
    """Stands in front of the live screen after a failure, with the last lines of the log and how much is stored."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "choose('resume')", "Resume"),
        Binding("escape,l", "choose('look')", "Look at what is stored"),
    ]
    AUTO_FOCUS = "#resume"

    def __init__(self, failure: EngineFailed, log: str, lines: Sequence[str], stored: str) -> None:
        super().__init__()
        self._failure = failure
        self._log = log
        self._lines = lines
        self._stored = stored

    def compose(self) -> ComposeResult:
        """Lay out the message and the log."""
        with Vertical(classes="dialog wide-dialog error-dialog") as dialog:
            dialog.border_title = "! The engine stopped"
            yield Static(plain(self._failure.message), markup=False, classes="dialog-question")
            if self._failure.hint:
                yield Static("hint: " + plain(self._failure.hint), markup=False, classes="muted")
            yield Static(self._stored, markup=False)
            if self._lines:
                with VerticalScroll(classes="log-lines") as log:
                    log.border_title = plain(self._log)
                    yield Static("\n".join(map(plain, self._lines)), markup=False, classes="muted")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Resume (r)", id="resume", variant="primary", compact=True)
                yield Button("Look at what is stored (l)", id="look", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Choose with the button."""
        self.dismiss("resume" if event.button.id == "resume" else "look")

    def action_choose(self, choice: ErrorChoice) -> None:
        """Choose."""
        self.dismiss(choice)
