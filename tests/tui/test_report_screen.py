"""The report in a terminal that is not there: what it shows, and what can be done with a figure."""

import asyncio
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from textual.app import App
from textual.containers import VerticalScroll
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
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report
from homogaudit.store import RunFile
from homogaudit.tui.export import Export, ExportScreen, default_path, write_export
from homogaudit.tui.report_blocks import BlockFigure
from homogaudit.tui.report_figures import all_items, report_sections
from homogaudit.tui.report_process import BuiltReport, build_report
from homogaudit.tui.screens.help import ExplainScreen
from homogaudit.tui.screens.report import ReportScreen

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
    run.set_meta("scoring", {"judge": "exact", "methods": [asdict(method) for method in METHODS]})
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
        self.asked: list[bool] = []
        self.copied: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(ReportScreen(self.path, build=self.build))

    async def build(self, path: Path, full: bool) -> BuiltReport:
        self.asked.append(full)
        if full and self.waits is not None:
            await self.waits.wait()
        return BuiltReport(self.report, dumps(self.report))

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


async def ready(app: App[None], pilot: Pilot[None]) -> None:
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def all_text(app: App[None]) -> str:
    """Return what all blocks draw, seen or not."""
    return "\n".join(figure.render().plain for figure in app.screen.query(BlockFigure))


def pointed(app: App[None]) -> str:
    return str(app.screen.query_one("#pointed", Static).content)


def test_a_report_that_crossed_a_process_border_is_the_same(report: Report) -> None:
    assert from_json(json.loads(dumps(report))) == report


def test_every_figure_has_an_explanation(report: Report) -> None:
    for item in all_items(report_sections(report)):
        assert lookup(item.term).definition


def test_validity_comes_first_and_then_the_verdict(report: Report) -> None:
    first, second, *_ = report_sections(report)
    assert first.title.startswith("Validity: ")
    assert first.blocks[0].items[0].value == report.validity.warnings[0]  # type: ignore[union-attr]
    assert second.title == f"Verdict: {report.verdict.level}"


def test_what_cannot_be_computed_is_a_dash_with_its_reason(report: Report) -> None:
    items = {item.name: item for item in all_items(report_sections(report))}
    assert items["perplexity"].value == "-"
    assert items["perplexity"].note


@SIZES
async def test_every_part_is_drawn(path: Path, report: Report, size: tuple[int, int]) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        text = all_text(app)
        for expected in ("Single-cluster rate by clustering", "jaccard", "SCR by threshold", "AUROC on all questions"):
            assert expected in text


async def test_the_cursor_reaches_every_figure_and_stays_in_sight(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        scroll = app.screen.query_one("#report", VerticalScroll)
        items = all_items(report_sections(report))
        await pilot.press(*["down"] * (len(items) - 1))
        figure = app.screen.focused
        assert isinstance(figure, BlockFigure)
        assert figure is list(app.screen.query(BlockFigure))[-1]
        line = figure.region.y + figure.lines_of(figure.cursor, figure.content_size.width)[0]
        assert scroll.region.y <= line < scroll.region.bottom


async def test_columns_stand_beside_each_other_only_where_there_is_room(path: Path, report: Report) -> None:
    class Wide(ReportApp):
        HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012

    app = Wide(path, report)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(app, pilot)
        left, right = app.screen.query_one("#left"), app.screen.query_one("#right")
        assert left.region.y == right.region.y
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert right.region.y >= left.region.bottom


async def test_the_short_report_is_shown_until_the_full_one_is_there(path: Path, report: Report) -> None:
    waits = asyncio.Event()
    app = ReportApp(path, report, waits)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(5):
            await pilot.pause()
        assert app.asked == [False, True]
        assert "more to come" in str(app.screen.query_one("#anchors", Static).content)
        await pilot.press("down", "down")
        before = pointed(app)
        waits.set()
        await ready(app, pilot)
        assert "more to come" not in str(app.screen.query_one("#anchors", Static).content)
        assert pointed(app) == before
        assert isinstance(app.screen.focused, BlockFigure)


async def test_the_figure_under_the_cursor_is_copied_and_explained(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert "SCR by jaccard" in pointed(app)
        await pilot.press("y")
        # 3 of the 11 questions with three answers; Wilson's interval by hand is 9.7% to 56.6%.
        assert app.copied == ["27.3% [9.7%, 56.6%]"]
        await pilot.press("x")
        assert isinstance(app.screen, ExplainScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, ReportScreen)


async def test_an_undefined_figure_is_copied_with_its_reason(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(app, pilot)
        figure = next(x for x in app.screen.query(BlockFigure) if any(item.name == "perplexity" for item in x.items))
        figure.cursor = [item.name for item in figure.items].index("perplexity")
        figure.focus()
        await pilot.pause()
        await pilot.press("y")
        assert app.copied == [f"perplexity: {figure.current.note}"]


async def test_json_markdown_and_a_picture_are_written_beside_the_run(path: Path, report: Report) -> None:
    app = ReportApp(path, report)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        for number in range(3):
            await pilot.press("e")
            assert isinstance(app.screen, ExportScreen)
            app.screen.query_one(RadioSet).focus()
            await pilot.press(*["down"] * number, "space")
            app.screen.query_one(Input).focus()
            await pilot.press("enter")
            await pilot.pause()
        folder = path.parent
        assert json.loads((folder / "test.report.json").read_text()) == json.loads(dumps(report))
        assert (folder / "test.report.md").read_text() == to_markdown(report)
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
        async def build(self, path: Path, full: bool) -> BuiltReport:
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
    built = await build_report(path, full=False)
    assert built.report.run.questions == 12
    with pytest.raises(RunFileError):
        await build_report(path.with_name("none.audit"), full=False)
    # A server of other tests may be a child of this process too.
    before = _children()
    task = asyncio.create_task(build_report(path, full=True))
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
