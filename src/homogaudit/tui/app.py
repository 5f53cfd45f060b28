"""The application: the screens, and how one goes from one to the other. Draws no figure."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import HomogauditError, storage_error
from homogaudit.events import Job
from homogaudit.launch.requests import RunRequest
from homogaudit.report.text import plain, shorten
from homogaudit.tui.app_themes import DARK, LIGHT
from homogaudit.tui.bridge import Engine
from homogaudit.tui.engine_app import EngineApp
from homogaudit.tui.frame import EmptyScreen
from homogaudit.tui.run_panel import STATUS_STYLES, STATUS_WORDS, shown_status
from homogaudit.tui.screens.help import ExplainScreen, HelpScreen
from homogaudit.tui.theme import MUTED

_DEFINITION = 90
"""Characters of a definition under its term: a line of the palette."""


class HomogauditApp(EngineApp):
    """The live terminal: at a run that it starts or opens at once, else at the start screen with some defaults."""

    TITLE = "homogaudit"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (18, "-low"), (32, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('start')", "Start"),
        Binding("2", "go('live')", "Live"),
        Binding("3", "go('questions')", "Questions"),
        Binding("4", "go('report')", "Report"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("escape", "back", "Back", show=False),
        Binding("f2,d", "toggle_theme", "Light or dark", show=False),
        Binding("S", "score_again", "Score again", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "interrupt", "Stop", show=False, priority=True),
    ]

    def __init__(
        self,
        *,
        request: RunRequest | None = None,
        run: Path | None = None,
        compared: Sequence[Path] = (),
        force: bool = False,
        defaults: RunRequest | None = None,
        theme: str = "dark",
        make_engine: Callable[[Job, Path], Engine] = EngineSupervisor,
    ) -> None:
        super().__init__(make_engine)
        self.defaults = defaults or request or RunRequest("demo")
        self._request = request
        self._run_to_open = run
        self.shown_verdict: Any = None
        """The last message of a report screen that a report is built."""
        self._compared, self._force = tuple(compared), force
        self._is_preparing = request is not None or run is not None
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if theme == "light" else DARK.name
        for mode in ("start", "live", "questions", "report"):
            self.add_mode(mode, self._maker(mode))

    # Screens

    def on_mount(self) -> None:
        """Show the first screen."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._leave_at_once)
        if self._run_to_open is not None:
            self.switch_mode("live")
            self.open_run(self._run_to_open)
        elif self._request is not None:
            self.switch_mode("live")
            self.start_run(self._request)
        else:
            self.switch_mode("start")
            if self._compared:
                self.compare_runs(self._compared)

    async def on_unmount(self) -> None:
        """Wait until what works in the background has ended its processes; the loop closes right after."""
        workers = list(self.workers)
        self.workers.cancel_all()
        await asyncio.gather(*(worker.wait() for worker in workers), return_exceptions=True)
        self._drop_empty_run()

    def _maker(self, mode: str) -> Callable[[], Screen[Any]]:
        def make() -> Screen[Any]:
            title = mode.capitalize()
            if mode in ("questions", "report") and self.session is None:
                return EmptyScreen(title, "No run yet: start one or open one on the start screen (key 1).")
            module = import_module(f"homogaudit.tui.screens.{mode}")
            screen: Callable[..., Screen[Any]] = getattr(module, f"{title}Screen")
            return screen(self.session.run) if mode in ("questions", "report") and self.session else screen()

        return make

    async def action_go(self, mode: str) -> None:
        """Go to one of the four screens; one that shows an older state of the run is made anew.

        What goes somewhere while the application closes stops on its way: its screens are being closed one by one.
        """
        if mode == self.current_mode:
            while len(self.screen_stack) > 1:
                await self.pop_screen()
            if mode not in self._stale or not self.is_running:
                return
            await self.switch_mode("live")
        if mode in self._stale and self.is_running:
            self._stale.discard(mode)
            await self.remove_mode(mode)
            self.add_mode(mode, self._maker(mode))
        if self.is_running:
            await self.switch_mode(mode)

    async def action_back(self) -> None:
        """Close what lies in front, or go back to the live screen, or from there to the start."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            await self.action_go("start" if self.current_mode == "live" or self.session is None else "live")

    def action_toggle_theme(self) -> None:
        """Change between light and dark."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def action_help(self) -> None:
        """Explain the current screen."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def explain(self, term: str) -> None:
        """Say what a term of the report means."""
        from homogaudit.report.glossary import lookup

        try:
            self.push_screen(ExplainScreen(lookup(term)))
        except HomogauditError as error:
            self.complain(error)

    def choose_term(self) -> None:
        """Ask for a term of the report, and explain it."""
        from homogaudit.report.glossary import all_terms

        terms = [
            (term.name, partial(self.explain, term.name), shorten(term.definition, _DEFINITION))
            for term in all_terms().values()
        ]
        self.search_commands(terms, "Explain which term?")

    def open_question(self, question_id: str) -> None:
        """Show one question over the current screen."""
        if self.session is not None:
            module = import_module("homogaudit.tui.screens.question")
            self.push_screen(module.QuestionScreen(self.session.run, question_id))

    def compare_runs(self, paths: Sequence[Path]) -> None:
        """Show runs against each other over the current screen, the first the baseline."""
        module = import_module("homogaudit.tui.screens.comparison")
        self.push_screen(module.ComparisonScreen(paths, force=self._force))

    async def choose_compared(self) -> None:
        """Go to the list of runs, where two or more are marked."""
        await self.action_go("start")
        self.query_one("#runs").focus()
        self.notify("Mark runs with m, the baseline first, then press c.")

    def on_report_screen_built(self, message: Any) -> None:
        """Keep what the report says for when the screen is left."""
        self.shown_verdict = message

    def on_questions_screen_chosen(self, message: Any) -> None:
        """Open the question that was chosen in the table."""
        self.open_question(message.question_id)

    def take_screenshot(self) -> None:
        """Save what is in front as a picture."""
        self.call_after_refresh(self._save_screenshot)

    def _save_screenshot(self) -> None:
        try:
            path = self.save_screenshot()
        except OSError as error:
            self.complain(
                storage_error("cannot write a picture here", error, "start in a folder that you can write to")
            )
        else:
            self.notify(f"Written: {plain(path)}", markup=False)

    async def export_report(self) -> None:
        """Go to the report and ask where to write it."""
        await self.action_go("report")
        await self.run_action("screen.export")

    async def label_questions(self) -> None:
        """Go to the report and ask about whole questions."""
        await self.action_go("report")
        await self.run_action("screen.label")

    def show_warnings(self) -> None:
        """Show the warnings of the run again."""
        for warning in self.live_state.warnings:
            self._notify_warning(warning)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the commands that can be used now; their titles hold the words that people type."""
        for number, mode in enumerate(("start", "live", "questions", "report"), 1):
            yield SystemCommand(f"Go to {mode}", f"Key {number}", partial(self.call_later, self.action_go, mode))
        yield SystemCommand("Compare runs...", "Mark them with m in the list of runs, then c", self.choose_compared)
        yield SystemCommand("Theme: light or dark", "Change the colours (F2)", self.action_toggle_theme)
        yield SystemCommand("Help", "What this screen shows, and its keys", self.action_help)
        yield SystemCommand("Explain a term...", "What a figure, a signal or a word means", self.choose_term)
        yield SystemCommand("Screenshot", "Save the screen as an SVG file in this folder", self.take_screenshot)
        if self.session is not None:
            yield SystemCommand("Export the report", "As JSON, Markdown or a picture", self.export_report)
        if self.session is not None and not self.is_working:
            yield SystemCommand(
                "Label questions by hand...",
                "Whether all answers to one mean the same; corrects the rate",
                self.label_questions,
            )
            yield SystemCommand("Score again...", "Another judge, embedder or signals (S)", self.action_score_again)
        if self.is_working:
            yield SystemCommand("Pause or go on", "Let the model stand still, or draw again", self.toggle_pause)
            yield SystemCommand("Cancel the run", "Stop the engine; what is finished is kept", self.ask_cancel)
        elif self.session is not None and self.live_state.status != "complete":
            yield SystemCommand("Resume the run", "Go on where it was left", self.resume_run)
        if self.can_draw_rest:
            yield SystemCommand(
                "Draw the rest", "What a run decided early, or for the rate alone, left out", self.action_draw_rest
            )
        if self.live_state.warnings:
            yield SystemCommand("Warnings", "Show what the run has warned of", self.show_warnings)
        yield SystemCommand("Quit", "Leave; asks while an engine works", self.action_quit)

    def status_content(self) -> Content:
        """Return what every status line says of the run."""
        if self._is_preparing or self.session is None:
            return Content.styled("preparing" if self._is_preparing else "no run yet", MUTED)
        state = self.live_state
        status = shown_status(state)
        style = STATUS_STYLES.get(status, "$text-primary")
        parts: list[Any] = [(STATUS_WORDS[status], style), "   ", plain(self.session.run.stem)]
        if state.warnings:
            noun = "warning" if len(state.warnings) == 1 else "warnings"
            parts += ["   ", (f"! {len(state.warnings)} {noun}", "$text-warning")]
        return Content.assemble(*parts)
