"""The app over a real engine with the packaged model: from the start to the report, and a kill in between."""

import os
import signal
from pathlib import Path

from textual.widgets import Input

from homogaudit.launch.requests import RunRequest
from homogaudit.store import RunFile
from homogaudit.tui.app import HomogauditApp
from homogaudit.tui.question_table import QuestionTable
from homogaudit.tui.screens.engine_error import EngineErrorScreen
from homogaudit.tui.screens.help import HelpScreen
from homogaudit.tui.screens.live import LiveScreen
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.screens.report import ReportScreen
from homogaudit.tui.widgets.heat_map import HeatMap

from .waiting import until


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_engine_is_told_and_a_resume_finishes_the_run(runs: Path, demo_model: Path):
    # Long enough that the engine is still at work when a loaded machine has drawn the screen.
    request = RunRequest(
        "demo", samples=2, max_tokens=60, limit=14, slots=3, use_embedder=False, judge="overlap", signals=("free",)
    )
    app = HomogauditApp(request=request)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: any(row.draws for row in app.live_state.rows) or app.live_state.failure)
        first = app.engine_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(pilot, lambda: isinstance(app.screen, EngineErrorScreen))
        assert app.live_state.failure is not None and "SIGKILL" in app.live_state.failure.message
        await pilot.press("r")
        await until(pilot, lambda: app.is_working or app.live_state.status == "complete")
        second = app.engine_pid
        await until(pilot, lambda: app.live_state.status == "complete" and not app.is_working)
        path = app.run_path
    assert path is not None
    with RunFile.open(path) as run:
        assert run.status == "complete"
        assert len(run.generation_keys()) == 42
    assert not is_alive(first) and (second is None or not is_alive(second))


async def test_quitting_leaves_no_process(runs: Path, demo_model: Path):
    request = RunRequest("demo", samples=2, max_tokens=50, limit=3, slots=3, use_embedder=False, signals=("free",))
    app = HomogauditApp(request=request)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.engine_pid is not None)
        pid = app.engine_pid
        assert pid is not None
        await pilot.press("ctrl+c")
        await pilot.pause()
        await pilot.press("ctrl+c")
    app.end_engine()
    assert not is_alive(pid)


async def test_all_screens_show_a_run_from_its_start_to_its_report(runs: Path, demo_model: Path):
    app = HomogauditApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query("#limit"))
        for field, value in (("samples", "3"), ("max_tokens", "12"), ("limit", "4"), ("judge", "overlap")):
            app.screen.query_one(f"#{field}", Input).value = value
        await pilot.press("ctrl+s")
        # From when the model is loaded; a screen that is late may find all of it drawn.
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await until(pilot, lambda: any(row.draws for row in app.live_state.rows))
        await until(pilot, lambda: isinstance(app.screen, ReportScreen))
        await until(pilot, lambda: app.screen.query_one("#report").display)
        await pilot.press("3")
        await until(pilot, lambda: app.screen.query(QuestionTable) and app.screen.query_one(QuestionTable).current)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen) and app.screen.query(HeatMap))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        path = app.run_path
    assert path is not None
    with RunFile.open(path) as run:
        assert run.status == "complete"
        assert len(run.generation_keys()) == 4 * 4
