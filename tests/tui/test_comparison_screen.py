"""Runs compared on the screen: the account, the questions in two columns, and how one comes there."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from homogaudit.cli.app import run_app
from homogaudit.comparison.build import compare
from homogaudit.comparison.records import Comparison
from homogaudit.launch.run_summary import summarize
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile
from homogaudit.tui.report_process import build_comparison
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens.comparison import ComparedQuestionsScreen, ComparisonScreen
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.screens.run_list import RunList
from homogaudit.tui.widgets.choice_line import ChoiceLine


def recorded(folder: Path, name: str, single: Sequence[bool]) -> Path:
    """Import a run of four samples a question, the same answer where told so, and words apart elsewhere."""
    apart = ("Oder and Neisse", "somewhere in Peru", "nobody knows it", "a deep blue lake")
    lines = [
        {
            "id": f"q{number}",
            "question": f"Which river is number {number}?",
            "answers": ["the Elbe"],
            "greedy": {"text": "the Elbe" if is_single else "the Po"},
            "samples": [{"text": f"the {name} Elbe" if is_single else text} for text in apart],
        }
        for number, is_single in enumerate(single)
    ]
    recording = folder / f"{name}.jsonl"
    recording.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    path = folder / f"{name}.audit"
    assert run_app(["import", str(recording), "-o", str(path), "--model", name, "--no-embedder", "-q"]) == 0
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A baseline and a run: question 0 flips back, 1 and 2 to one; 3 is one in both, the others several."""
    folder = tmp_path_factory.mktemp("compared")
    return [
        recorded(folder, "base", [True, False, False, True, *[False] * 8]),
        recorded(folder, "aligned", [False, True, True, True, *[False] * 8]),
    ]


class ComparisonApp(App[None]):
    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.paths = paths

    def on_mount(self) -> None:
        self.push_screen(ComparisonScreen(self.paths, build=self.build))

    async def build(self, paths: Sequence[Path]) -> Comparison:
        files = [RunFile.open(path) for path in paths]
        found = compare([read_run(file) for file in files], draws=50, full=True)
        for file in files:
            file.close()
        return found


async def ready(app: App[None], pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()
        await app.workers.wait_for_complete()


def side(app: App[None], name: str) -> str:
    return str(app.screen.query_one(f"#side-{name}", Static).content)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_every_section_is_reached_and_questions_stand_side_by_side(
    runs: list[Path], size: tuple[int, int]
) -> None:
    app = ComparisonApp(runs)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        anchors = app.screen.query_one(ChoiceLine)
        assert anchors.choices[0] == "Comparison"
        for number in range(1, len(anchors.choices)):
            await pilot.press("]")
            assert anchors.chosen == number
        current = app.screen.query_one(ReportView).current
        assert current is not None
        await pilot.press("enter")
        await ready(app, pilot)
        assert isinstance(app.screen, ComparedQuestionsScreen)
        head = str(app.screen.query_one("#compared-head", Static).content)
        assert "base against aligned" in head and "12 of 12" in head and "▼ 2 to one" in head and "▲ 1 back" in head
        listed = app.screen.query_one("#compared", OptionList)
        assert [str(listed.get_option_at_index(n).prompt)[0] for n in range(5)] == ["▼", "▼", "▲", " ", " "]
        assert "number 1?" in str(app.screen.query_one("#asked", Static).content)
        assert "4 clusters" in side(app, "baseline") and "A  1  Oder and Neisse" in side(app, "baseline")
        assert "1 cluster\n" in side(app, "run") and "A  4  the aligned Elbe" in side(app, "run")
        await pilot.press("down", "down")
        assert "A  4  the base Elbe" in side(app, "baseline")
        await pilot.press("f")
        assert listed.option_count == 3
        await pilot.press("f", "l")
        assert listed.option_count == 3
        await pilot.press("enter")
        await ready(app, pilot)
        assert isinstance(app.screen, QuestionScreen)


async def test_what_cannot_be_compared_says_why(runs: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"question": "Why?", "samples": ["a", "b"]}) + "\n")
    assert run_app(["import", str(other), "-o", str(tmp_path / "o.audit"), "--no-embedder", "-q"]) == 0
    app = ComparisonApp([runs[0], tmp_path / "o.audit"])
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "no finished question in common" in str(app.screen.query_one("#building", Static).content)


async def test_a_process_compares_and_its_json_is_read_back(runs: list[Path]) -> None:
    found = await build_comparison(runs, force=False)
    assert found.questions == 12
    assert [x.question_id for x in found.pairs["aligned"].to_one] == ["q1", "q2"]


class ListApp(App[None]):
    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.paths = paths
        self.asked: list[tuple[Path, ...]] = []

    def compose(self):
        yield RunList()

    def on_mount(self) -> None:
        self.query_one(RunList).show([summarize(path) for path in self.paths])
        self.query_one("#runs").focus()

    def on_run_list_compared(self, event: RunList.Compared) -> None:
        self.asked.append(event.paths)


async def test_runs_are_marked_in_the_list_the_first_the_baseline(runs: list[Path]) -> None:
    app = ListApp(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("m", "c")
        assert not app.asked
        await pilot.press("down", "c")
        await pilot.press("m", "up", "m", "m", "c")
        await ready(app, pilot)
        first, second = runs
        assert app.asked == [(first, second), (second, first)]
        listed = app.query_one("#runs", OptionList)
        assert [str(listed.get_option_at_index(n).prompt)[0] for n in range(2)] == ["2", "1"]
