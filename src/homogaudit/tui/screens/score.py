"""How the stored answers of a run are to be scored again: a judge, an embedder, signals. Scores nothing itself."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Static

from homogaudit.config import load_models, load_settings
from homogaudit.errors import HomogauditError
from homogaudit.events import Scoring
from homogaudit.labels.judges import JUDGES, RECORDED
from homogaudit.launch.requests import ScoreRequest
from homogaudit.launch.scoring import check_names
from homogaudit.report.text import plain
from homogaudit.signals.registry import COST_CLASSES, SIGNALS
from homogaudit.store import RunFile

if TYPE_CHECKING:
    from homogaudit.tui.app import HomogauditApp

_FIELDS = (
    ("judge", "Judge", ("auto", *JUDGES, RECORDED, "none", "model:")),
    ("embedder", "Embedder", ("none",)),
    ("signals", "Signals", ("all", *COST_CLASSES, *SIGNALS)),
)
"""Name, label, and what is completed while one types."""


class ScoreScreen(ModalScreen[ScoreRequest | None]):
    """Ask how a run is to be scored again; closed without a request where it is to stay as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "score", "Score"),
        Binding("escape", "dismiss", "Leave it"),
    ]

    app: "HomogauditApp"  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def __init__(self, run: Path, models_file: Path | None = None) -> None:
        super().__init__()
        self._run = run
        self._models_file = models_file

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Score again"
            yield Static(plain(self._run.stem), markup=False, classes="dialog-question")
            for name, label, words in _FIELDS:
                suggester = SuggestFromList(words)
                field = Input(placeholder="as before", id=f"score-{name}", suggester=suggester, compact=True)
                yield Horizontal(Label(label, classes="field-label", markup=False), field, classes="field")
            note = "The stored answers stay as they are. An empty field keeps what the last scoring took."
            yield Static(note, classes="muted", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Button("Score (ctrl+s)", id="score", variant="primary", compact=True)
                yield Button("Leave it (esc)", id="leave", compact=True)

    def on_mount(self) -> None:
        """Show in the empty fields what the last scoring took."""
        self._show_last()

    @work(exit_on_error=False)
    async def _show_last(self) -> None:
        try:
            last = await asyncio.to_thread(_last_scoring, self._run)
        except HomogauditError as error:
            self.app.complain(error)
            return
        if last is not None:
            embedder = last.embedder_source
            shown = (last.judge or "none", embedder.name if embedder else "none", ", ".join(last.signals) or "all")
            for (name, *_), text in zip(_FIELDS, shown, strict=True):
                self.query_one(f"#score-{name}", Input).placeholder = plain(text)

    def _text(self, name: str) -> str:
        return self.query_one(f"#score-{name}", Input).value.strip()

    def request(self) -> ScoreRequest:
        """Return what the fields ask for."""
        embedder = self._text("embedder")
        return ScoreRequest(
            self._run,
            judge=self._text("judge") or None,
            embedder=None if embedder == "none" else embedder or None,
            use_embedder=embedder != "none",
            signals=tuple(filter(None, map(str.strip, self._text("signals").split(",")))),
            models_file=self._models_file,
        )

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Score, or leave the run as it is."""
        if event.button.id == "score":
            self.action_score()
        else:
            self.dismiss()

    def action_score(self) -> None:
        """Close with the request, unless a name in it is not known."""
        request = self.request()
        try:
            check_names(request, load_settings(load_models(self._models_file)))
        except HomogauditError as error:
            self.app.complain(error)
            return
        self.dismiss(request)


def _last_scoring(path: Path) -> Scoring | None:
    with RunFile.open(path) as run:
        return run.scoring
