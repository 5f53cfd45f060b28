"""The report in a terminal that is not there: what it shows, and what can be done with a figure."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, RadioSet, Static

from homogaudit.errors import RunFileError, UsageError
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
)
from homogaudit.report.build import build
from homogaudit.report.glossary import lookup
from homogaudit.report.json import dumps, from_json
from homogaudit.report.layout import sections
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report
from homogaudit.report.summary import summary
from homogaudit.store import RunFile, Scoring
from homogaudit.tui.export import Export, ExportScreen, default_path, write_export
from homogaudit.tui.question_rows import TESTS
from homogaudit.tui.report_blocks import Stop, draw_sections
from homogaudit.tui.report_process import build_report
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens.help import ExplainScreen
from homogaudit.tui.screens.label import LabelScreen
from homogaudit.tui.screens.questions import QuestionsScreen
from homogaudit.tui.screens.report import ReportScreen
from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.choice_line import ChoiceLine

METHODS = (ClusteringMethod("jaccard", "single", 0.4), ClusteringMethod("answer", "single", None))
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve questions of three samples, an empty one among them, two clusterings, a signal."""
    questions = [Question(f"q{number}", f"Question {number}?") for number in range(12)]
    run = RunFile.create(
        tmp_path_factory.mktemp("report") / "test.audit",
        model="test",
        question_source="test.jsonl",
        questions=questions,
        parameters={"decoding": {"samples": 3, "greedy_max_tokens": 9}},
    )
    for position, question in enumerate(questions):
        for index in range(GREEDY, 3):
            is_empty = position == 11 and index == 0
            state = GenerationState.EMPTY if is_empty else GenerationState.VALID
            text = f"answer {position} {index}"
            run.add_generation(Generation(question.id, index, text, "" if is_empty else text, state, "stop"))
        shape = (0, 0, 0) if position < 3 else (0, 0, 1)
        if position < 11:
            run.add_clusterings(Clustering(question.id, method, shape) for method in METHODS)
        value = LabelValue.INCORRECT if position < 6 else LabelValue.CORRECT
        run.add_labels([Label(question.id, "exact", value)])
        run.add_signals(
            [
                SignalValue(question.id, "token_entropy_mean", float((5 * position) % 12)),
                SignalValue(question.id, "perplexity", None, "log-probabilities were not recorded"),
            ]
        )
    run.scoring = Scoring(judge="exact", methods=tuple(METHODS))
    run.finish()
    run.close()
    return run.path


@pytest.fixture(scope="module")
def report(stored: Path) -> Report:
    with RunFile.open(stored) as run:
        return build(run, draws=100, full=True)


@pytest.fixture
def path(stored: Path, tmp_path: Path) -> Path:
    """Return a copy of the run in a folder of its own."""
    return Path(shutil.copy(stored, tmp_path))


class ReportApp(App[None]):
    def __init__(self, path: Path, report: Report, waits: asyncio.Event | None = None) -> None:
        super().__init__()
        self.path = path
        self.report = report
        self.waits = waits
        self.built = 0
        self.copied: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(ReportScreen(self.path, build=self.build))

    async def build(self, path: Path) -> Report:
        self.built += 1
        if self.waits is not None:
            await self.waits.wait()
        return self.report

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


async def ready(app: App[None], pilot: Pilot[None]) -> None:
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


def view(app: App[None]) -> ReportView:
    return app.screen.query_one(ReportView)


def current(app: App[None]) -> Stop:
    stop = view(app).current
    assert stop is not None
    return stop


def line_in_sight(app: App[None], line: int) -> bool:
    shown = view(app)
    return 0 <= line - shown.scroll_offset.y < shown.size.height


def pointed(app: App[None]) -> str:
    return " ".join(str(app.screen.query_one("#pointed", Static).content).split())


def test_a_report_that_crossed_a_process_border_is_the_same(report: Report) -> None:
    assert from_json(json.loads(dumps(report))) == report


def stops(report: Report) -> list[Stop]:
    return draw_sections((summary(report), *sections(report)), 78, DARK_PALETTE, color=True).stops


def test_every_line_has_an_explanation(report: Report) -> None:
    for stop in stops(report):
        assert lookup(stop.term).definition


def test_every_line_about_questions_names_a_filter_of_the_list(report: Report) -> None:
    named = {stop.questions for stop in stops(report)} - {""}
    assert "missed" in named
    assert named <= {"missed", *TESTS}


@SIZES
async def test_every_section_is_reached_by_keyboard_and_marked(
    path: Path, report: Report, size: tuple[int, int]
) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        anchors = app.screen.query_one("#anchors", ChoiceLine)
        for section in (summary(report), *sections(report)):
            assert current(app).text == section.title
            assert line_in_sight(app, current(app).lines.start)
            assert f"▐{section.key.capitalize()}▌" in anchors.render().plain
            await pilot.press("right_square_bracket")
            await pilot.pause()
        assert current(app).place == (0, 0, 0)
        await pilot.press("left_square_bracket")
        assert current(app).place[0] == len(sections(report))


@SIZES
async def test_every_line_is_in_sight_while_the_cursor_goes_down(
    path: Path, report: Report, size: tuple[int, int]
) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        drawn = draw_sections(
            (summary(report), *sections(report)), view(app).scrollable_content_region.width, DARK_PALETTE, color=True
        )
        seen: set[int] = set()
        for number, stop in enumerate(drawn.stops):
            assert current(app) == stop
            assert all(line_in_sight(app, line) for line in stop.lines), number
            top = view(app).scroll_offset.y
            seen |= set(range(top, top + view(app).size.height))
            view(app).action_move(1)
        assert {number for number, line in enumerate(drawn.lines) if line.plain} <= seen
        await pilot.press("home")
        assert view(app).scroll_offset.y == 0
        await pilot.press("end")
        assert current(app).place == drawn.stops[-1].place
        await pilot.press("pageup", "pagedown", "pagedown")
        assert current(app).place == drawn.stops[-1].place


async def test_the_cursor_stays_on_its_line_when_the_terminal_changes(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(app, pilot)
        await pilot.press(*["right_square_bracket"] * 6, "down", "down", "down")
        before = current(app)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert current(app).place == before.place
        assert current(app).text == before.text
        assert line_in_sight(app, current(app).lines.start)


async def test_it_is_built_once_and_says_so_while_it_is_built(path: Path, report: Report) -> None:
    waits = asyncio.Event()
    app = ReportApp(path, report, waits)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(5):
            await pilot.pause()
        assert app.screen.query_one("#building").display
        assert "Building the report" in str(app.screen.query_one("#building", Static).content)
        await pilot.press("x", "y", "e", "right_square_bracket", "down", "enter")
        waits.set()
        await ready(app, pilot)
        assert not app.screen.query_one("#building").display
        assert app.built == 1
        assert app.focused is view(app)


async def test_the_line_under_the_cursor_is_copied_and_explained(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        while current(app).term != "scr":
            await pilot.press("down")
        await pilot.press("y")
        # 3 of the 11 questions with three answers; the exact interval by scipy is 6.0% to 61.0%.
        assert app.copied == ["jaccard: joins at 0.4, SCR 27.3%, 95% interval [6.0%, 61.0%], n 3 of 11"]
        assert pointed(app) == f"scr {app.copied[0]}"
        await pilot.press("x")
        assert isinstance(app.screen, ExplainScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, ReportScreen)


async def test_enter_lists_the_missed_questions_and_escape_comes_back(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("enter")
        assert isinstance(app.screen, ReportScreen)
        while current(app).questions != "missed":
            await pilot.press("down")
        await pilot.press("enter")
        assert isinstance(app.screen, QuestionsScreen)
        await ready(app, pilot)
        # Of the questions whose samples agree, the first three, all are answered wrong.
        assert str(app.screen.query_one("#shown", Static).content) == "3 of 12 shown"
        await pilot.press("s", "escape")
        assert str(app.screen.query_one("#shown", Static).content) == "3 of 12 shown"
        assert not app.screen.check_action("reset", ())


async def test_json_markdown_page_and_picture_are_written_beside_the_run(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        for number in range(4):
            await pilot.press("e")
            assert isinstance(app.screen, ExportScreen)
            app.screen.query_one(RadioSet).focus()
            await pilot.press(*["down"] * number, "space")
            app.screen.query_one(Input).focus()
            await pilot.press("enter")
            await ready(app, pilot)
        folder = path.parent
        assert json.loads((folder / "test.report.json").read_text()) == json.loads(dumps(report))
        assert (folder / "test.report.md").read_text() == to_markdown(report)
        page = (folder / "test.report.html").read_text()
        assert page.startswith("<!doctype html>") and "Question 11?" in page
        picture = (folder / "test.report.svg").read_text()
        assert picture.startswith("<svg") and "Export" in picture and "Write&#160;to" not in picture


async def test_a_file_that_is_there_is_replaced_only_when_asked_twice(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    target = path.with_name("mine.json")
    target.write_text("mine")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("e")
        app.screen.query_one(Input).value = str(target)
        app.screen.query_one(Input).focus()
        await pilot.press("enter")
        assert isinstance(app.screen, ExportScreen)
        assert "Enter once more replaces it" in str(app.screen.query_one("#problem", Static).content)
        assert target.read_text() == "mine"
        await pilot.press("enter")
        await pilot.pause()
        assert target.read_text().startswith("{")


def test_a_run_file_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run.json"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="is a run file"):
        write_export("text", Export(copy, replace=True))


def test_the_default_path_is_one_that_no_file_has(path: Path) -> None:
    default_path(path, ".md").write_text("first")
    assert default_path(path, ".md").name == "test.report-2.md"


async def test_an_error_is_said_in_words(path: Path, report: Report) -> None:
    class Failing(ReportApp):
        async def build(self, path: Path) -> Report:
            raise RunFileError(
                f"`{path.name}` has schema 9, and this version of homogaudit reads up to 2", "upgrade homogaudit"
            )

    app = Failing(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        shown = str(app.screen.query_one("#building", Static).content)
        assert "has schema 9" in shown and "upgrade homogaudit" in shown
        await pilot.press("x", "y", "e", "right_square_bracket", "end", "down")


@pytest.mark.parametrize("size", [(40, 10), (20, 6)])
async def test_a_tiny_terminal_does_not_break_it(path: Path, report: Report, size: tuple[int, int]) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        await pilot.press("right_square_bracket", "down", "end", "home")


async def test_a_process_builds_it_and_is_gone_when_cancelled(path: Path) -> None:
    built = await build_report(path)
    assert built.run.questions == 12
    with pytest.raises(RunFileError):
        await build_report(path.with_name("none.audit"))
    # A server of other tests may be a child of this process too.
    before = _children()
    task = asyncio.create_task(build_report(path))
    while not (children := _children() - before):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _children() & children


def _children() -> set[int]:
    """Return the processes whose parent is this one; empty where the platform does not tell."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("no /proc")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


async def test_labels_that_are_stored_build_the_report_anew(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        for is_stored, built in ((False, 1), (True, 2)):
            await pilot.press("l")
            await ready(app, pilot)
            assert isinstance(app.screen, LabelScreen)
            app.screen.dismiss(is_stored)
            await ready(app, pilot)
            assert app.built == built
            assert view(app).display and current(app).text == summary(report).title
