"""The part of the application that has an engine: starts, opens and resumes runs, pauses, cancels, and ends them.

Knows no screen but those that ask; where to go is the application's.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual import work
from textual.app import App
from textual.message import Message
from textual.signal import Signal
from textual.widgets import OptionList

from homogaudit.config.trust import ForeignSource, hint_to_name, is_url
from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import EngineError, HomogauditError, UsageError
from homogaudit.events import Job
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.resume import plan_resume
from homogaudit.launch.run import plan_run
from homogaudit.launch.run_choice import remove_if_empty
from homogaudit.launch.score import plan_score
from homogaudit.launch.speeds import find_paces, find_serial_speed, store_paces
from homogaudit.launch.until_decided import continue_early
from homogaudit.report.numbers import count
from homogaudit.report.text import plain
from homogaudit.store import RunFile
from homogaudit.store.journals import missing_journal
from homogaudit.tui.bridge import Engine, EngineBridge, last_log_lines
from homogaudit.tui.daemon_thread import in_daemon_thread
from homogaudit.tui.live_state import LiveState
from homogaudit.tui.screens.confirm import ConfirmScreen
from homogaudit.tui.screens.engine_error import EngineErrorScreen, ErrorChoice
from homogaudit.tui.screens.score import ScoreScreen
from homogaudit.tui.session import TuiSession, read_reducer, read_session

_LOG_LINES = 12


class EngineApp(App[None]):
    """An application with at most one engine at work."""

    @dataclass
    class Told(Message):
        """The engine has done something."""

        state: LiveState

    def __init__(self, make_engine: Callable[[Job, Path], Engine] = EngineSupervisor) -> None:
        super().__init__()
        self.session: TuiSession | None = None
        self.live_state = LiveState()
        self.serial_speed: float | None = None
        self.status_changed: Signal[None] = Signal(self, "status")
        self._make_engine = make_engine
        self._bridge: EngineBridge | None = None
        self._is_quitting = False
        self._is_preparing = False
        self._is_starting = False
        self._empty_run: Path | None = None
        self._stale: set[str] = set()

    defaults: RunRequest
    """What the application was started with."""

    async def action_go(self, mode: str) -> None:
        """Go to one of the screens."""
        raise NotImplementedError

    def complain(self, error: HomogauditError) -> None:
        """Show an error with its hint for some seconds."""
        hint = f"\nhint: {plain(error.hint)}" if error.hint else ""
        self.notify(plain(error.message) + hint, severity="error", timeout=10, markup=False)

    # Runs

    @property
    def is_working(self) -> bool:
        """Whether an engine is at work."""
        return self._bridge is not None

    @property
    def engine_pid(self) -> int | None:
        """The process of the engine at work."""
        return self._bridge.pid if self._bridge is not None else None

    def forget_run(self, path: Path) -> None:
        """Show nothing of a run any more that was deleted."""
        if self.run_path == path:
            self.session = None
            self._stale |= {"questions", "report"}
            self._show(LiveState())

    @property
    def run_path(self) -> Path | None:
        """The run file on the screens."""
        return self.session.run if self.session else None

    def start_run(self, request: RunRequest) -> None:
        """Prepare a run as it was asked for, and let an engine begin."""
        if self.is_working:
            self.notify("An engine is at work: cancel it first.", severity="warning")
            return
        if self._is_starting:
            self.notify("A run is being prepared.", severity="warning")
            return
        self._is_starting = True
        self._prepare_and_begin(request)

    @work(exclusive=True, group="open", exit_on_error=False)
    async def _prepare_and_begin(self, request: RunRequest) -> None:
        self._set_preparing(True)
        warnings: list[str] = []
        try:
            plan = await in_daemon_thread(partial(plan_run, request, self._warner(warnings), self._consent))
        except Exception as error:
            await self._back_to_start(_told(error))
            return
        if plan.goes_on:
            self.notify("Going on where an unfinished run with the same parameters was left.", markup=False)
        if not await self._agrees(plan):
            remove_if_empty(plan.path)
            self._set_preparing(False)
            await self.action_go("start")
            return
        await self._begin(plan.job, tuple(warnings))

    def _warner(self, warnings: list[str]) -> Callable[[str], None]:
        """Return what a planner warns with, from its thread: told at once, and kept for the run."""
        loop = asyncio.get_running_loop()

        def warn(warning: str) -> None:
            warnings.append(warning)
            loop.call_soon_threadsafe(self._notify_warning, warning)

        return warn

    async def _agrees(self, plan: Plan) -> bool:
        """Ask before a plan that costs money."""
        if plan.estimate is None or not plan.estimate.known_cost:
            return True
        question = ConfirmScreen("This costs money. Start it?", plan.estimate.text, yes="Start", no="Do not start")
        return bool(await self.push_screen_wait(question))

    def _consent(self, source: ForeignSource) -> None:
        """Ask, from the thread that prepares a run, before what only a file names is contacted or called."""
        means = "It is sent questions and answers." if is_url(source.location) else "It is executed."
        if not self.call_from_thread(self._ask_about, plain(f"{source.text}, which you did not name. {means}")):
            raise UsageError(f"{source.text}, and you did not agree", hint_to_name(source))

    async def _ask_about(self, text: str) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        question = ConfirmScreen("Use what a file names?", text, yes="Use it", no="Do not use it")

        def note(agreed: bool | None) -> None:
            if not answer.done():
                answer.set_result(bool(agreed))

        self.push_screen(question, note)
        return await answer

    def _notify_warning(self, warning: str) -> None:
        self.notify(plain(warning), severity="warning", timeout=8, markup=False)

    def _set_preparing(self, is_preparing: bool) -> None:
        self._is_preparing = is_preparing
        if not is_preparing:
            self._is_starting = False
        self.status_changed.publish(None)

    @work(exclusive=True, group="open", exit_on_error=False)
    async def open_run(self, path: Path) -> None:
        """Show a run file: a finished one at its report, another where it stands."""
        if self.is_working:
            self.notify("An engine is at work: cancel it first.", severity="warning")
            return
        try:
            note = await asyncio.to_thread(missing_journal, path)
            session = await asyncio.to_thread(read_session, path)
            reducer = await asyncio.to_thread(read_reducer, path, scored=True)
        except Exception as error:
            await self._back_to_start(_told(error))
            return
        self._set_session(session)
        status = "complete" if session.status == "complete" else "unfinished"
        self._show(reducer.standing(status, can_resume=not session.missing_shards))
        if note:
            self._notify_warning(note)
        if session.missing_shards:
            self.notify(session.missing_words, severity="warning", markup=False)
        await self.action_go("report" if status == "complete" else "live")

    @work(exclusive=True, group="open", exit_on_error=False)
    async def resume_run(self) -> None:
        """Let an engine go on where the run on the screens was left."""
        if self.is_working or self.session is None:
            return
        if self.session.missing_shards:
            self.notify(self.session.missing_words, severity="warning", markup=False)
            return
        try:
            models_file = self.defaults.models_file
            plan = await in_daemon_thread(
                partial(plan_resume, self.session.run, models_file=models_file, consent=self._consent)
            )
        except Exception as error:
            self.complain(_told(error))
            return
        await self._begin(plan.job)

    @property
    def can_draw_rest(self) -> bool:
        """Whether the run on the screens stopped early, so that questions are left to be drawn."""
        return not self.is_working and self.session is not None and self.session.undrawn > 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        return self.can_draw_rest if action == "draw_rest" else super().check_action(action, parameters)

    @work(exclusive=True, group="open", exit_on_error=False)
    async def action_draw_rest(self) -> None:
        """Ask, and let an engine draw what a run that stopped early left out."""
        if not self.can_draw_rest or self.session is None:
            return
        path, undrawn = self.session.run, count(self.session.undrawn)
        noun = "question is" if self.session.undrawn == 1 else "questions are"
        told = (
            f"The run is for the rate alone, and {undrawn} {noun} drawn no further than the first samples. Once all "
            "are, it is a run like any other; until then it is unfinished."
            if self.session.is_rate_only
            else f"The run is decided, and {undrawn} {noun} left. Once all are drawn, the intervals are those of a run "
            "of fixed length; until then the run is unfinished."
        )
        question = ConfirmScreen(
            "Draw the rest?",
            told,
            yes="Draw them",
            no="Leave it",
        )
        if not await self.push_screen_wait(question):
            return
        try:
            plan = await in_daemon_thread(
                partial(plan_resume, path, models_file=self.defaults.models_file, consent=self._consent)
            )
            await asyncio.to_thread(continue_early, path)
        except Exception as error:
            self.complain(_told(error))
            return
        await self._begin(plan.job)

    @work(exclusive=True, group="score", exit_on_error=False)
    async def action_score_again(self) -> None:
        """Have a run scored again, as a dialogue asks: the run that the list of runs points at, else the open one."""
        runs = self.focused if isinstance(self.focused, OptionList) and self.focused.id == "runs" else None
        chosen = runs.highlighted_option if runs is not None else None
        path = Path(chosen.id) if chosen is not None and chosen.id else self.run_path
        if self.is_working:
            self.notify("An engine is at work: cancel it first.", severity="warning")
            return
        request = path and await self.push_screen_wait(ScoreScreen(path, self.defaults.models_file))
        if request is None:
            return
        self._set_preparing(True)
        warnings: list[str] = []
        try:
            plan = await in_daemon_thread(partial(plan_score, request, self._warner(warnings), self._consent))
        except Exception as error:
            self.complain(_told(error))
        else:
            if await self._agrees(plan):
                await self._begin(plan.job, tuple(warnings))
        self._set_preparing(False)

    async def _begin(self, job: Job, warnings: tuple[str, ...] = ()) -> None:
        path = Path(job.run)
        try:
            session = await asyncio.to_thread(read_session, path)
            reducer = await asyncio.to_thread(read_reducer, path, scored=False)
        except Exception as error:
            self._set_preparing(False)
            self.complain(_told(error))
            return
        for warning in warnings:
            reducer.warn(warning)
        self._set_session(session)
        self.serial_speed = await asyncio.to_thread(find_serial_speed, job.model.location) if job.model else None
        paces = await asyncio.to_thread(find_paces, job)
        self._bridge = EngineBridge(job, reducer, self._tell, self._make_engine, paces)
        self._show(reducer.snapshot())
        await self.action_go("live")
        self._work(self._bridge, job)

    async def _back_to_start(self, error: HomogauditError) -> None:
        self._set_preparing(False)
        await self.action_go("start")
        self.complain(error)

    def _set_session(self, session: TuiSession) -> None:
        if self._empty_run != session.run:
            self._drop_empty_run()
        self._empty_run = None
        self.session = session
        self._set_preparing(False)
        self._stale |= {"questions", "report"}

    def _drop_empty_run(self) -> None:
        """Remove the run of an engine that failed before it drew anything, once nobody can resume it any more."""
        if self._empty_run is not None:
            with contextlib.suppress(HomogauditError, OSError):
                remove_if_empty(self._empty_run)
            self._empty_run = None

    @work(group="engine", exit_on_error=False)
    async def _work(self, bridge: EngineBridge, job: Job) -> None:
        try:
            await bridge.run()
        finally:
            self._bridge = None
        await asyncio.to_thread(store_paces, job, bridge.forecast.measured, bridge.forecast.lengths)

    def _tell(self, state: LiveState) -> None:
        self.post_message(self.Told(state))

    def on_engine_app_told(self, message: Told) -> None:
        """Show the state, and what follows from its end."""
        was_working = self.live_state.is_working
        for warning in message.state.warnings[len(self.live_state.warnings) :]:
            self._notify_warning(warning)
        if message.state.scored != self.live_state.scored and self.current_mode != "report":
            # A report that was opened in the middle of the run is made anew when it is opened again.
            self._stale.add("report")
        self._show(message.state)
        if was_working and not message.state.is_working:
            self._ended(message.state)

    def _show(self, state: LiveState) -> None:
        self.live_state = state
        for screen in self.screen_stack:
            show = getattr(screen, "show_state", None)
            if show is not None:
                show(state)
        self.status_changed.publish(None)

    @work(group="ended", exit_on_error=False)
    async def _ended(self, state: LiveState) -> None:
        # The engine's process is gone by the time that its last event is shown, or goes within moments.
        self._stale |= {"questions", "report"}
        if self._is_quitting or self.session is None:
            return
        path = self.session.run
        if state.failure is not None and state.status == "failed":
            lines = await asyncio.to_thread(last_log_lines, path, _LOG_LINES)
            stored = f"{count(sum(row.draws for row in state.rows))} answers are stored; a resume goes on from there."
            if not any(row.draws for row in state.rows):
                self._empty_run = path
                stored = "Nothing was drawn yet."
            log = path.with_name(path.name + ".log").name
            self.push_screen(EngineErrorScreen(state.failure, log, lines, stored), self._after_failure)
        elif state.status == "complete":
            with contextlib.suppress(HomogauditError):
                self.session = await asyncio.to_thread(read_session, path)
            is_watching = self.current_mode == "live" and len(self.screen_stack) == 1
            if is_watching:
                await self.action_go("report")
            failed = await asyncio.to_thread(_every_draw_failed, path)
            if failed:
                self.notify(failed, severity="error", timeout=20, markup=False)
                return
            self.notify("The run is complete." if is_watching else "The run is complete: 4 shows the report.")
        elif state.status == "cancelled":
            self.notify("Cancelled. What is finished is kept; r on the live screen goes on.", markup=False)

    def _after_failure(self, choice: ErrorChoice | None) -> None:
        if choice == "resume":
            self.resume_run()

    # What the user does to the engine

    async def toggle_pause(self) -> None:
        """Let the model stand still, or go on."""
        if self._bridge is None:
            return
        if self.live_state.status in ("pausing", "paused"):
            await self._bridge.resume()
        elif self.live_state.status not in ("cancelling", "loading", "starting"):
            await self._bridge.pause()

    def ask_cancel(self) -> None:
        """Ask, and stop the engine."""
        if self._bridge is None or self.live_state.status == "cancelling":
            return
        question = ConfirmScreen(
            "Cancel this run?",
            "The model stops after its current step. What is finished is kept, and the run can go on later.",
            yes="Cancel the run",
            no="Go on drawing",
        )
        self.push_screen(question, self._cancel_if)

    async def _cancel_if(self, answer: bool | None) -> None:
        if answer and self._bridge is not None:
            await self._bridge.cancel()

    async def action_quit(self) -> None:
        """Leave; ask while an engine works."""
        if self._bridge is None:
            self.exit()
            return
        if isinstance(self.screen, ConfirmScreen):
            return
        question = ConfirmScreen(
            "Stop the engine and quit?",
            "What is finished is kept; the same command goes on from there.",
            yes="Quit",
            no="Go on watching",
        )
        self.push_screen(question, self._quit_if)

    def _quit_if(self, answer: bool | None) -> None:
        if answer:
            self._quit()

    @work(group="quit", exclusive=True, exit_on_error=False)
    async def _quit(self) -> None:
        self._is_quitting = True
        if self._bridge is not None:
            await self._bridge.stop()
        self.exit()

    async def action_interrupt(self) -> None:
        """Ctrl+C: copy a selection, else ask as `q` does; a second one leaves at once."""
        if self._bridge is None:
            if self.screen.get_selected_text():
                self.screen.action_copy_text()
            else:
                self.exit()
        elif self._is_quitting or isinstance(self.screen, ConfirmScreen):
            self._leave_at_once()
        else:
            await self.action_quit()

    def _on_signal(self) -> None:
        self.call_later(self.action_interrupt)

    def _leave_at_once(self) -> None:
        self._is_quitting = True
        self.end_engine()
        self.exit()

    def end_engine(self) -> None:
        """Kill the engine if there is one; every finished answer is stored."""
        if self.engine_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.engine_pid, signal.SIGKILL)


def _every_draw_failed(path: Path) -> str:
    """Return why, where every draw of a run failed; empty where one did not, or it cannot be told."""
    with contextlib.suppress(HomogauditError), RunFile.open(path) as run:
        found = run.failed_draws()
        if found.draws and found.failed == found.draws:
            return f"All {count(found.draws)} draws failed: {plain(found.reason)}"
    return ""


def _told(error: Exception) -> HomogauditError:
    """Return an error as one that can be told: what nobody expected keeps its name."""
    if isinstance(error, HomogauditError):
        return error
    return EngineError(f"{type(error).__name__}: {error}")
