"""The app over replayed engines: what a user sees and can do from start to end."""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from homogaudit.events import Asking, EngineFailed, EngineReady, Event, Job, Loading, RunFinished, Warning
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.server_choice import ServerEstimate
from homogaudit.records import GREEDY, Generation, GenerationState
from homogaudit.store import RunFile
from homogaudit.tui.answer_slots import AnswerSlots
from homogaudit.tui.app import HomogauditApp
from homogaudit.tui.engine_app import _every_draw_failed
from homogaudit.tui.frame import StatusLine
from homogaudit.tui.question_list import QuestionList
from homogaudit.tui.run_panel import RunPanel
from homogaudit.tui.screens.confirm import ConfirmScreen
from homogaudit.tui.screens.engine_error import EngineErrorScreen
from homogaudit.tui.screens.help import ExplainScreen, HelpScreen
from homogaudit.tui.screens.live import LiveScreen
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.screens.report import ReportScreen
from homogaudit.tui.screens.start import StartScreen
from homogaudit.tui.widgets.choice_line import ChoiceLine

from .conftest import ReplayEngine, half_a_run, progress, question_events
from .waiting import until

MakeJob = Callable[..., Job]


class Live:
    """An app whose engine replays events."""

    def __init__(self, job: Job, events: Sequence[Event | None]) -> None:
        self.engines: list[ReplayEngine] = []
        self.events = events
        self.job = job
        self.app = HomogauditApp(make_engine=self._make)

    def _make(self, job: Job, log: Path) -> ReplayEngine:
        self.engines.append(ReplayEngine(self.events))
        return self.engines[-1]

    @property
    def engine(self) -> ReplayEngine:
        return self.engines[-1]

    async def begin(self, pilot: Pilot[None]) -> None:
        await self.app._begin(self.job)  # pyright: ignore[reportPrivateUsage]
        await until(pilot, lambda: bool(self.app.live_state.rows) and self.app.live_state.status != "starting")


async def test_number_keys_go_to_the_four_screens_and_none_needs_a_run(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("2", "3", "4", "1"):
            await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, StartScreen)


@pytest.mark.parametrize("turns", [0, 5])
async def test_what_goes_to_a_screen_while_the_app_closes_does_not_disturb_it(make_job: MakeJob, turns: int):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test(size=(80, 24)) as pilot:
        await live.begin(pilot)
        for mode in ("3", "4", "2"):
            await pilot.press(mode)
        live.app._stale |= {"questions", "report"}  # pyright: ignore[reportPrivateUsage]
        going = asyncio.create_task(live.app.action_go("report"))
        for _ in range(turns):
            await asyncio.sleep(0)
    await going


async def test_the_live_screen_shows_answers_clusters_and_rates(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test(size=(120, 36)) as pilot:
        await live.begin(pilot)
        await until(pilot, lambda: live.app.live_state.scored == 6)
        text = live.app.screen.query_one(AnswerSlots).render().plain
        assert "▌" in text and " A " in text
        assert live.app.screen.query_one(QuestionList).cursor == 7
        live.engine.finish()
        await until(pilot, lambda: not live.app.is_working)


async def test_pause_pauses_the_model_and_space_lets_it_go_on(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        await live.begin(pilot)
        await pilot.press("space")
        await until(pilot, lambda: live.app.live_state.status == "paused")
        await pilot.press("space")
        await until(pilot, lambda: live.app.live_state.status == "generating")
        assert live.engine.commands == ["pause", "resume"]
        live.engine.finish()


async def test_a_pause_shows_before_the_engine_answers_and_can_be_taken_back(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        await live.begin(pilot)
        engine = live.engine

        async def hear_nothing() -> None:
            engine.commands.append("heard")

        engine.pause = engine.resume = hear_nothing  # type: ignore[method-assign]
        await pilot.press("space")
        await until(pilot, lambda: "pausing..." in status_line(live.app))
        assert "pausing..." in str(live.app.screen.query_one(RunPanel).render())
        await pilot.press("space")
        await until(pilot, lambda: "drawing answers" in status_line(live.app))
        engine.finish()


async def test_cancel_asks_and_a_no_changes_nothing(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        await live.begin(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(live.app.screen, LiveScreen))
        assert live.engine.commands == []
        await pilot.press("x")
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: live.app.live_state.status == "cancelled")
        assert live.engine.commands == ["cancel"]
        assert not live.app.is_working


async def test_a_run_that_completes_goes_to_its_report_while_one_is_watching(make_job: MakeJob):
    live = Live(
        make_job(TEXTS_OF_TWO), [*question_events(0), *question_events(1), None, RunFinished("complete", 10, 1)]
    )
    async with live.app.run_test(size=(100, 30)) as pilot:
        await live.begin(pilot)
        live.engine.finish()
        await until(pilot, lambda: live.app.current_mode == "report")


async def test_a_run_that_completes_leaves_another_screen_alone(make_job: MakeJob):
    live = Live(make_job(TEXTS_OF_TWO), [*question_events(0), None, RunFinished("complete", 10, 1)])
    async with live.app.run_test(size=(100, 30)) as pilot:
        await live.begin(pilot)
        await pilot.press("1")
        live.engine.finish()
        await until(pilot, lambda: live.app.live_state.status == "complete")
        await pilot.pause()
        assert live.app.current_mode == "start"


async def test_a_failure_shows_the_log_and_offers_to_resume(make_job: MakeJob):
    job = make_job()
    Path(job.run + ".log").write_text("first line\nggml_abort: [bold]cells[/bold] \x1b[31mgone\n")
    live = Live(job, [*half_a_run(), None, EngineFailed("engine", "the engine process died (SIGKILL)", "run it again")])
    async with live.app.run_test(size=(80, 24)) as pilot:
        await live.begin(pilot)
        live.engine.finish()
        await until(pilot, lambda: isinstance(live.app.screen, EngineErrorScreen))
        await pilot.pause()
        shown = live.app.export_screenshot()
        assert "SIGKILL" in shown and "[bold]cells[/bold]" in shown and "\x1b" not in shown
        await pilot.press("l")
        await until(pilot, lambda: isinstance(live.app.screen, LiveScreen))


async def test_quit_asks_while_an_engine_works_and_stops_it(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        await live.begin(pilot)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: not live.app.is_running or live.engine.is_stopped)
    assert live.engine.commands == ["stop"]
    assert live.engine.is_stopped


async def test_a_second_ctrl_c_leaves_at_once(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        await live.begin(pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        await pilot.press("ctrl+c")
    assert live.engine.is_stopped


@pytest.mark.parametrize("size", [(40, 10), (20, 5), (80, 24), (200, 60)])
async def test_every_size_shows_something_and_survives_a_resize(make_job: MakeJob, size: tuple[int, int]):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test(size=size) as pilot:
        await live.begin(pilot)
        for key in ("1", "2", "question_mark", "escape"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert isinstance(live.app.screen, LiveScreen)
        live.engine.finish()


async def test_text_of_others_is_shown_as_text(make_job: MakeJob):
    nasty = ["[red]markup[/red] \x1b[2J\x1b]0;title\x07", "שלום עולם \u202egnp", "🧑‍🚀" * 30, "x" * 10_000]
    events: list[Event | None] = []
    for position, text in enumerate(nasty):
        for event in question_events(position):
            events.append(type(event)(**{**_fields(event), "answer": text}) if hasattr(event, "answer") else event)
    live = Live(make_job(nasty), [*events, None])
    async with live.app.run_test(size=(80, 24)) as pilot:
        await live.begin(pilot)
        await until(pilot, lambda: live.app.live_state.scored == 4)
        await pilot.pause()
        shown = live.app.export_screenshot()
        assert "[red]markup[/red]".replace(" ", "&#160;") in shown
        assert "\x1b" not in shown and "\u202e" not in shown
        live.engine.finish()


async def test_fifty_thousand_questions_are_lines_and_not_widgets(make_job: MakeJob):
    live = Live(make_job([f"Question {i}?" for i in range(50_000)]), [*question_events(0), None])
    async with live.app.run_test(size=(80, 24)) as pilot:
        await live.begin(pilot)
        await until(pilot, lambda: live.app.live_state.scored == 1)
        assert len(live.app.screen.query("*")) < 60
        await pilot.press("end")
        await until(pilot, lambda: live.app.screen.query_one(QuestionList).cursor == 49_999)
        live.engine.finish()


async def test_a_run_of_a_newer_version_is_an_error_and_not_a_crash(make_job: MakeJob):
    import sqlite3

    job = make_job()
    connection = sqlite3.connect(job.run)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    app = HomogauditApp(run=Path(job.run))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.current_mode == "start" and app._notifications)  # pyright: ignore[reportPrivateUsage]
        assert any("upgrade" in x.message for x in app._notifications)  # pyright: ignore[reportPrivateUsage]


async def test_opening_an_unfinished_run_offers_to_resume_and_says_why_it_cannot(make_job: MakeJob):
    app = HomogauditApp(run=Path(make_job().run))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.live_state.status == "unfinished" and isinstance(app.screen, LiveScreen))
        assert len(app.live_state.rows) == 12


async def test_help_names_the_keys(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


def hits(app: HomogauditApp) -> list[str]:
    options = app.screen.query_one("CommandList", OptionList).options
    return [str(option.prompt).split("\n")[0] for option in options]


@pytest.mark.parametrize(
    ("typed", "found"),
    [("theme", "Theme: light or dark"), ("screenshot", "Screenshot"), ("export", "Export the report")],
)
async def test_the_palette_finds_a_command_by_the_word_for_it(make_job: MakeJob, typed: str, found: str):
    app = HomogauditApp(run=Path(make_job().run))
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: app.session is not None)
        await pilot.press("ctrl+p", *typed)
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and hits(app)[:1] == [found])


async def test_the_palette_has_the_terms_behind_one_command(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(100, 40)) as pilot:
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert len([name for name in names if "xplain" in name]) == 1
        assert len(names) < 12
        await pilot.press("ctrl+p", *"explain")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and "Explain a term..." in hits(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and len(hits(app)) > 50)
        await pilot.press(*"auroc")
        await until(pilot, lambda: hits(app)[:1] == ["auroc"])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExplainScreen))


async def test_a_screenshot_is_written_here_and_shows_what_was_in_front(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("ctrl+p", *"screenshot")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette) and hits(app) == ["Screenshot"])
        await pilot.press("enter")
        await until(pilot, lambda: list(Path().glob("*.svg")))
        (picture,) = Path().glob("*.svg")
        assert "What&#160;to&#160;audit" in picture.read_text() and "Search" not in picture.read_text()


async def test_the_start_screen_builds_the_request_from_its_fields(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = app.screen
        assert isinstance(screen, StartScreen)
        await until(pilot, lambda: screen.query_one("#models", OptionList).option_count > 0)
        screen.query_one("#samples", Input).value = "3"
        screen.query_one("#temperature", Input).value = "0.7"
        screen.query_one("#source", Input).value = "factual"
        request = screen.request()
        assert (request.samples, request.temperature, request.max_tokens) == (3, 0.7, None)
        assert request.questions is not None and request.questions.endswith("factual.jsonl")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_how_far_to_draw_is_one_choice_that_is_seen_whole(runs: Path, size: tuple[int, int]):
    app = HomogauditApp()
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        assert isinstance(screen, StartScreen)
        ends = screen.query_one("#ends", ChoiceLine)
        found: list[tuple[bool | None, bool | None]] = []
        for _ in ends.choices:
            request = screen.request()
            found.append((request.until_decided, request.rate_only))
            text = str(ends.render())
            assert all(name in text for name in ("all", "till decided", "rate only")) and "▸" not in text
            ends.focus()
            await pilot.press("right")
        assert found == [(False, False), (True, False), (False, True)]


async def test_a_model_that_is_not_there_is_told_and_nothing_starts(runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(120, 36)) as pilot:
        app.screen.query_one("#model", Input).value = "/nowhere/model.gguf"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app._notifications)  # pyright: ignore[reportPrivateUsage]
        assert not app.is_working and app.session is None
    assert list(runs.iterdir()) == []


TEXTS_OF_TWO = ("Where is Rome?", "What is one and one?")


def _fields(event: Event) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}


def status_line(app: HomogauditApp) -> str:
    return str(app.screen.query_one(StatusLine).render())


async def test_an_engine_that_failed_before_it_drew_can_be_resumed_and_leaves_no_empty_run(make_job: MakeJob):
    job = make_job()
    live = Live(job, [Loading("model", "demo"), None, EngineFailed("engine", "out of memory", "lower `--slots`")])
    async with live.app.run_test(size=(80, 24)) as pilot:
        await live.begin(pilot)
        live.engine.finish()
        await until(pilot, lambda: isinstance(live.app.screen, EngineErrorScreen))
        await pilot.press("r")
        await until(pilot, lambda: len(live.engines) == 2)
        live.engine.finish()
        await until(pilot, lambda: isinstance(live.app.screen, EngineErrorScreen))
        await pilot.press("l")
    assert not Path(job.run).exists()


@pytest.mark.parametrize("elsewhere", ["question_mark", "1", "3"])
async def test_the_status_line_is_true_after_one_was_elsewhere(make_job: MakeJob, elsewhere: str):
    live = Live(make_job(), [*half_a_run(), None, RunFinished("started", 30, 1.0)])
    async with live.app.run_test(size=(100, 30)) as pilot:
        await live.begin(pilot)
        await pilot.press(elsewhere)
        await until(pilot, lambda: not isinstance(live.app.screen, LiveScreen))
        live.engine.finish()
        await until(pilot, lambda: live.app.live_state.status == "unfinished")
        await pilot.press("escape" if elsewhere == "question_mark" else "2")
        await until(pilot, lambda: isinstance(live.app.screen, LiveScreen))
        await until(pilot, lambda: "unfinished" in status_line(live.app))
        await pilot.pause()
        first = "".join(segment.text for segment in live.app.screen._compositor.render_strips()[0])  # pyright: ignore
        assert "unfinished" in first


async def test_a_server_that_is_waited_for_and_a_judge_are_named(make_job: MakeJob):
    ready = EngineReady("http://127.0.0.1:8000/v1", 8, 4096, 0, "chat", 12, 60, 0, 10_000, None)
    gone = "the server `http://127.0.0.1:8000/v1` cannot be reached: the run waits for it"
    stopped = replace(progress(5), slots_in_use=0)
    live = Live(make_job(), [ready, Warning(gone), stopped, None, progress(60), Asking(3, 500, "judge")])
    async with live.app.run_test(size=(120, 36)) as pilot:
        await live.begin(pilot)
        await until(pilot, lambda: "waiting for the server" in status_line(live.app))
        assert any(gone in notice.message for notice in live.app._notifications)  # pyright: ignore
        assert "tokens/s" not in str(live.app.screen.query_one(RunPanel).render())
        live.engine.finish()
        await until(pilot, lambda: "judging answers" in status_line(live.app))
        panel = str(live.app.screen.query_one(RunPanel).render())
        assert "3 of 500 calls" in panel and "tokens/s" not in panel and "slots" not in panel


async def test_an_error_that_nobody_expected_is_told_while_a_run_is_prepared(
    runs: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise OSError(36, "File name too long")

    monkeypatch.setattr("homogaudit.tui.engine_app.plan_run", fail)
    app = HomogauditApp(request=RunRequest("demo"))
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        await until(pilot, lambda: any("File name too long" in x.message for x in app._notifications))  # pyright: ignore
        assert "no run yet" in status_line(app)


async def test_a_second_start_waits_for_the_first_and_quitting_waits_for_none(
    runs: Path, monkeypatch: pytest.MonkeyPatch
):
    begun: list[RunRequest] = []
    never = threading.Event()

    def hang(request: RunRequest, warn: Callable[[str], None], _: object) -> None:
        begun.append(request)
        warn("downloading 3 GB")
        never.wait()

    monkeypatch.setattr("homogaudit.tui.engine_app.plan_run", hang)
    app = HomogauditApp()
    async with app.run_test() as pilot:
        app.start_run(RunRequest("demo"))
        await until(pilot, lambda: any("downloading 3 GB" in x.message for x in app._notifications))  # pyright: ignore
        assert "preparing" in status_line(app)
        app.start_run(RunRequest("demo"))
        await until(pilot, lambda: any("being prepared" in x.message for x in app._notifications))  # pyright: ignore
        await pilot.press("ctrl+c")
    assert len(begun) == 1
    never.set()


async def test_a_run_that_costs_money_is_asked_about_first(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch):
    job = make_job()
    estimate = ServerEstimate(220, 10_000, 8_000, 2.0)
    monkeypatch.setattr("homogaudit.tui.engine_app.plan_run", lambda *_: Plan(job, estimate))
    live = Live(job, [*half_a_run(), None])
    async with live.app.run_test() as pilot:
        live.app.start_run(RunRequest("http://127.0.0.1:8000/v1"))
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        assert "a cost of 0.04" in live.app.export_screenshot().replace("&#160;", " ")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(live.app.screen, StartScreen))
        assert not live.engines
        assert not Path(job.run).exists()


async def test_a_merged_run_that_lacks_a_shard_says_so_and_offers_no_resume(make_job: MakeJob):
    job = make_job()
    with RunFile.open(Path(job.run), writable=True) as run:
        run.set_meta("missing_shards", [2])
    app = HomogauditApp(run=Path(job.run))
    async with app.run_test() as pilot:
        await until(pilot, lambda: any("shard 2 is missing" in x.message for x in app._notifications))  # pyright: ignore
        assert "r resumes" not in str(app.screen.query_one(RunPanel).render())
        assert app.screen.check_action("resume", ()) is False


@pytest.mark.parametrize("key", ["y", "n"])
async def test_the_rest_of_a_run_that_was_decided_early_is_drawn_once_the_user_agrees(make_job: MakeJob, key: str):
    job = make_job()
    path = Path(job.run)
    with RunFile.open(path, writable=True) as run:
        run.set_meta("parameters", {**run.parameters, "until_decided": {"max_scr": None, "seed": 0}})
        for question in run.questions()[:3]:
            for index in range(4):
                run.add_generation(Generation(question.id, index, "a", "a", GenerationState.VALID))
        run.status = "complete"
    live = Live(job, [EngineReady("CPU", 8, 4096, 1, "chat", 12, 48, 12, 10, 1.0), None])
    live.app._run_to_open = path  # pyright: ignore[reportPrivateUsage]
    async with live.app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(live.app.screen, ReportScreen))
        assert live.app.session is not None and live.app.session.undrawn == 9
        await pilot.press("r")
        await until(pilot, lambda: isinstance(live.app.screen, ConfirmScreen))
        assert "9 questions are left" in live.app.export_screenshot().replace("&#160;", " ")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(live.app.screen, LiveScreen if key == "y" else ReportScreen))
        assert len(live.engines) == (key == "y")
        assert live.app.can_draw_rest == (key == "n")
    with RunFile.open(path) as run:
        assert (run.status, run.continued) == (("started", True) if key == "y" else ("complete", False))


async def test_a_double_click_opens_a_question_and_selects_nothing(make_job: MakeJob):
    live = Live(make_job(), [*half_a_run(), None])
    async with live.app.run_test(size=(100, 30)) as pilot:
        await live.begin(pilot)
        await pilot.click(QuestionList, offset=(20, 3), times=2)
        await until(pilot, lambda: isinstance(live.app.screen, QuestionScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(live.app.screen, LiveScreen))
        assert not live.app.screen.get_selected_text()


@pytest.mark.parametrize("key", ["y", "n"])
async def test_what_only_a_file_names_is_asked_about_before_it_is_used(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(work))
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    (work / "beside.py").write_text("open('executed', 'w').close()\ndef f():\n    return 'absent.gguf'\n")
    (work / "models.toml").write_text('[generators.demo]\nsource = "package:beside:f"\n')
    app = HomogauditApp(request=RunRequest("demo"))
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert not (work / "executed").exists()
        await pilot.press(key)
        expected = "you did not agree" if key == "n" else "no such file or folder"
        await until(pilot, lambda: any(expected in x.message for x in app._notifications))  # pyright: ignore
    assert (work / "executed").exists() == (key == "y")


def test_a_run_in_which_every_draw_failed_says_so(make_job: MakeJob):
    path = Path(make_job().run)
    with RunFile.open(path, writable=True) as run:
        with run.transaction():
            run._connection.execute("DELETE FROM generations")  # pyright: ignore[reportPrivateUsage]
        assert _every_draw_failed(path) == ""
        first, second, *_ = run.questions()
        for question in (first, second):
            failed = Generation(question.id, GREEDY, "no such voice", "", GenerationState.ERROR)
            run.add_generation(failed)
    assert _every_draw_failed(path) == "All 2 draws failed: no such voice"
    with RunFile.open(path, writable=True) as run:
        run.add_generation(Generation(first.id, 0, "a", "a", GenerationState.VALID))
    assert _every_draw_failed(path) == ""
