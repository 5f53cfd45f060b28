"""The live screen: the model at work, question by question, and the running figures."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from homogaudit.errors import HomogauditError
from homogaudit.events import Deciding
from homogaudit.records import GREEDY, Interval
from homogaudit.report.numbers import percent
from homogaudit.report.section import Curve, Curves
from homogaudit.statistics.rates import wilson
from homogaudit.statistics.running_rate import RateSeries, RunningRates
from homogaudit.tui.answer_slots import AnswerSlots
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.live_state import LiveState
from homogaudit.tui.question_list import QuestionList
from homogaudit.tui.question_view import read_tokens
from homogaudit.tui.rate_figure import RateFigure
from homogaudit.tui.run_panel import RunPanel
from homogaudit.tui.theme import MUTED
from homogaudit.tui.widgets.histogram import Bar, Histogram
from homogaudit.tui.widgets.line_plot import LinePlot
from homogaudit.tui.widgets.token_strip import TokenStrip

if TYPE_CHECKING:
    from homogaudit.tui.app import HomogauditApp

_POINTS = 160
"""Points of a line: two a cell of the widest panel."""


def rate_curve(rate: RateSeries, points: int = _POINTS, *, has_band: bool = True) -> Curve:
    """Return the line of a running rate with its Wilson band, thinned to at most `points`, the last one kept.

    A run that is looked at to stop it has no band: Wilson's holds for a number of questions that was set beforehand.
    One for the rate alone has none either: the interval of each point would take milliseconds.
    """
    step = max(1, -(-rate.n // points))
    found = {n: rate.value(n) for n in sorted({*range(step, rate.n + 1, step), rate.n})}
    values = {n: value for n, value in found.items() if value is not None}
    is_banded = has_band and not rate.is_two_phase
    ends = [wilson(rate.singles[n - 1], n) if is_banded else Interval(value, value) for n, value in values.items()]
    return Curve(
        f"{rate.method} {percent(rate.value())}" if values else rate.method,
        tuple(map(float, values)),
        tuple(values.values()),
        tuple(x.low for x in ends),
        tuple(x.high for x in ends),
    )


class LiveScreen(Screen[None]):
    """Shows `LiveState` after `LiveState`; decides nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,p", "pause", "Pause", key_display="space"),
        Binding("space,p", "go_on", "Go on", key_display="space"),
        Binding("x", "cancel", "Cancel"),
        Binding("r", "resume", "Resume"),
        Binding("r", "app.draw_rest", "Draw the rest"),
    ]
    AUTO_FOCUS = "QuestionList"

    def __init__(self) -> None:
        super().__init__()
        self._latest: tuple[str, int] | None = None
        self._is_reading = False
        self._rates_shown: tuple[RunningRates, Deciding | None] | None = None
        self._keys_shown: tuple[str, bool] | None = None
        self._subtitles: dict[str, str] = {}

    app: "HomogauditApp"  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield StatusLine("Live")
        with Vertical(id="live"):
            yield self._panel("Run", "run-panel", RunPanel(id="run"))
            with Horizontal(id="live-columns"):
                with Vertical(id="happening"):
                    strip = (Static("", id="strip-title", markup=False), TokenStrip(id="strip", empty=" "))
                    yield self._panel("Answers", "slots-panel", AnswerSlots(id="slots"), *strip)
                    questions = QuestionList(id="questions", classes="panel")
                    questions.border_title = "Questions"
                    yield questions
                with Vertical(id="adding-up"):
                    rates = (RateFigure(id="rate"), LinePlot(id="rates", empty=""))
                    yield self._panel("Single-cluster rate", "rates-panel", *rates)
                    histogram = Histogram(id="histogram", empty="no question scored yet")
                    yield self._panel("Clusters a question", "histogram-panel", histogram)
        yield KeyLine()

    @staticmethod
    def _panel(title: str, id: str, *content: Widget) -> Vertical:
        panel = Vertical(*content, id=id, classes="panel")
        panel.border_title = title
        return panel

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show_state(self.app.live_state)

    def on_screen_resume(self) -> None:
        """Show what happened while another screen was in front."""
        self.show_state(self.app.live_state)

    def show_state(self, state: LiveState) -> None:
        """Show one state; a panel whose part of it is the same is not drawn again."""
        if not self.is_mounted:
            return
        run = self.query_one(RunPanel)
        run.state = state
        run.serial_speed = self.app.serial_speed
        slots = self.query_one(AnswerSlots)
        slots.groups = state.groups
        writing = sum(x.state == "drawing" for group in state.groups for x in group.answers)
        self._subtitle("#slots-panel", f"{writing} being written" if writing else "")
        running = state.running
        methods = [rate.method for rate in running.rates]
        self.query_one(QuestionList).show(state.rows, methods, state.primary)
        self._subtitle("#questions", _scored_text(state))
        if (running, state.deciding) != self._rates_shown:
            self._rates_shown = running, state.deciding
            self.query_one(RateFigure).running = running
            self.query_one(RateFigure).deciding = state.deciding
            is_wide = self.has_class("-wide")
            # Without the width for a legend the line is that of the large figure alone.
            has_band = state.deciding is None
            lines = [rate_curve(rate, has_band=has_band) for rate in running.rates[: None if is_wide else 1]]
            shown = tuple(lines if is_wide else (replace(line, name="") for line in lines))
            self.query_one(LinePlot).plot = Curves("Single-cluster rate", "scr", shown, "questions")
            self._show_histogram(running)
        if state.latest is not None and state.latest != self._latest and not self._is_reading:
            self._latest = state.latest
            self._read_tokens(*state.latest)
        keys = (state.status, self.app.is_working)
        if keys != self._keys_shown:
            # The line of keys is composed anew, which costs as much as several pictures of all the rest.
            self._keys_shown = keys
            self.refresh_bindings()

    @work(group="tokens", exit_on_error=False)
    async def _read_tokens(self, question_id: str, sample_index: int) -> None:
        """Show the entropies of the answer finished last; one read after the other, however fast answers come."""
        session = self.app.session
        if session is None:
            return
        self._is_reading = True
        try:
            tokens = await asyncio.to_thread(read_tokens, session.run, question_id, sample_index)
        except HomogauditError:
            # The run file is busy or gone; the next answer tries again.
            return
        finally:
            self._is_reading = False
        if not tokens:
            return
        position = next((g.position for g in self.app.live_state.groups if g.question_id == question_id), None)
        name = "greedy answer" if sample_index == GREEDY else f"answer {sample_index + 1}"
        of = "" if position is None else f" to question {position + 1}"
        title = Content.styled(f"token entropy of the {name}{of}", MUTED)
        self.query_one("#strip-title", Static).update(title, layout=False)
        self.query_one("#slots-panel").add_class("-with-strip")
        self.query_one(TokenStrip).tokens = tokens

    def _show_histogram(self, running: RunningRates) -> None:
        method = running.primary.method if running.primary else ""
        found = running.histograms.get(method, {})
        bars = [Bar(str(clusters), found.get(clusters, 0)) for clusters in range(1, max(found, default=0) + 1)]
        self.query_one(Histogram).bars = tuple(bars)
        which = "audited" if running.primary and running.primary.is_two_phase else "questions"
        self._subtitle("#histogram-panel", f"{which}, by {method}" if method else "")

    def _subtitle(self, panel: str, text: str) -> None:
        """Set what stands in a panel's lower border; Textual draws the whole panel again, the same text or not."""
        if self._subtitles.get(panel, "") != text:
            self._subtitles[panel] = text
            self.query_one(panel).border_subtitle = text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        state = self.app.live_state
        is_working = self.app.is_working
        match action:
            case "pause":
                return is_working and state.status not in ("pausing", "paused", "cancelling", "loading", "starting")
            case "go_on":
                return is_working and state.status in ("pausing", "paused")
            case "cancel":
                return is_working and state.status != "cancelling"
            case "resume":
                is_open = self.app.session is not None and state.status != "complete"
                return not is_working and is_open and state.can_resume
            case _:
                return True

    async def action_pause(self) -> None:
        """Let the model stand still."""
        await self.app.toggle_pause()

    async def action_go_on(self) -> None:
        """Let the model go on."""
        await self.app.toggle_pause()

    def action_cancel(self) -> None:
        """Ask, and stop the engine."""
        self.app.ask_cancel()

    def action_resume(self) -> None:
        """Go on where the run was left."""
        self.app.resume_run()

    def on_question_list_opened(self, message: QuestionList.Opened) -> None:
        """Look into the question that was chosen."""
        self.app.open_question(message.question_id)


def _scored_text(state: LiveState) -> str:
    text = f"{state.scored} scored" if state.scored else ""
    return text + (f", {state.running.skipped} with too few answers" if state.running.skipped else "")
