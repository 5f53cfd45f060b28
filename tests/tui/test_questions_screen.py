"""The question table in a terminal that is not there, at both sizes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
)
from homogaudit.store import RunFile, Scoring
from homogaudit.tui.question_rows import Column
from homogaudit.tui.question_table import QuestionTable
from homogaudit.tui.screens.questions import CategoryScreen, QuestionsScreen

METHOD = ClusteringMethod("jaccard", "single", 0.4)
SCORING = Scoring(judge="exact", methods=(METHOD,))
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])


class TableApp(App[None]):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.chosen: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(QuestionsScreen(self.path))

    def on_questions_screen_chosen(self, message: QuestionsScreen.Chosen) -> None:
        self.chosen.append(message.question_id)


def score(run: RunFile, position: int) -> None:
    """Draw, cluster and label one question: every third is of one cluster, every second wrong."""
    question = f"q{position}"
    for index in range(GREEDY, 3):
        run.add_generation(Generation(question, index, "text", "text", GenerationState.VALID))
    run.add_clusterings([Clustering(question, METHOD, (0, 0, 0) if position % 3 == 0 else (0, 1, 1))])
    value = LabelValue.INCORRECT if position % 2 else LabelValue.CORRECT
    run.add_labels([Label(question, "exact", value)])
    run.mark_scored(question, SCORING.key)


@pytest.fixture
def run(make_run: Callable[..., RunFile]) -> RunFile:
    questions = [
        Question(f"q{number}", f"Is [bold]number {number}[/] prime? 😀", "odd" if number % 2 else "even")
        for number in range(60)
    ]
    run = make_run(questions, decoding={"samples": 3, "greedy_max_tokens": 9})
    run.scoring = SCORING
    with run.transaction():
        for position in range(50):
            score(run, position)
    return run


async def ready(app: App[None], pilot: Pilot[None]) -> QuestionTable:
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    return app.screen.query_one(QuestionTable)


def text_of(app: App[None], selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


def lines(table: QuestionTable) -> list[str]:
    return [table.render_line(y).text for y in range(table.size.height)]


@SIZES
async def test_it_shows_titles_and_rows_with_glyph_and_word(run: RunFile, size: tuple[int, int]) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=size) as pilot:
        table = await ready(app, pilot)
        titles, first, second, *_ = lines(table)
        assert "question" in titles and "#↑" in titles
        assert "Is [bold]number 0[/] prime? 😀" in first
        assert "1/3" in first and "✓ correct" in first
        assert "2/3" in second and "✗ incorrect" in second
        assert text_of(app, "#shown") == "60 of 60 shown"
        assert all(table.render_line(y).cell_length == table.scrollable_content_region.width for y in range(5))


async def test_more_columns_stand_where_there_is_room(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await ready(app, pilot)
        assert "category" not in lines(table)[0]
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert "category" in lines(table)[0]
        assert "ABB" in lines(table)[2]


@SIZES
async def test_the_cursor_goes_to_both_ends_and_stays_in_sight(run: RunFile, size: tuple[int, int]) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=size) as pilot:
        table = await ready(app, pilot)
        await pilot.press("end")
        assert table.cursor == 59
        assert "number 59[" in lines(table)[-1]
        await pilot.press("up", "pageup", "home")
        assert table.cursor == 0
        assert "▌" in lines(table)[1]


async def test_filters_combine_and_escape_shows_all_again(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("s")
        # Multiples of 3 below 50.
        assert text_of(app, "#shown") == "17 of 60 shown"
        await pilot.press("w")
        assert text_of(app, "#shown") == "8 of 60 shown"
        assert "■ w wrong" in text_of(app, "#chips")
        await pilot.press("escape")
        assert text_of(app, "#shown") == "60 of 60 shown"
        await pilot.press("u")
        assert text_of(app, "#shown") == "10 of 60 shown"


async def test_a_search_narrows_at_every_key(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await ready(app, pilot)
        await pilot.press("slash", *"number 5")
        assert text_of(app, "#shown") == "15 of 60 shown"
        await pilot.press(*"9[")
        assert text_of(app, "#shown") == "1 of 60 shown"
        await pilot.press("enter")
        assert app.screen.focused is table
        assert table.current is not None and table.current.id == "q59"


async def test_nothing_found_is_said_in_words(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("s", "slash", *"[red]")
        assert "No question matches: the search for `[red]`, one cluster." in text_of(app, "#notice")
        await pilot.press("escape")
        assert app.screen.query_one("#search", Input).value == ""
        assert text_of(app, "#shown") == "60 of 60 shown"


async def test_a_category_is_picked_from_a_list_with_counts(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("c")
        assert isinstance(app.screen, CategoryScreen)
        assert app.screen.query_one(OptionList).option_count == 3
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert text_of(app, "#shown") == "30 of 60 shown"
        assert "category: odd" in text_of(app, "#chips")


async def test_keys_and_titles_sort_and_the_arrow_tells(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await ready(app, pilot)
        await pilot.press("r")
        assert "#↓" in lines(table)[0]
        assert "number 0[" in lines(table)[table.cursor - table.scroll_offset.y + 1]
        await pilot.click(QuestionTable, offset=(lines(table)[0].index("entropy") + 2, 0))
        await pilot.press("home")
        assert "entropy↓" in lines(table)[0]
        assert "2/3" in lines(table)[1]
        await pilot.press("o")
        assert "result↑" in lines(table)[0]
        assert Column.SIGNAL not in table.columns


async def test_enter_and_a_double_click_open_the_question(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("down", "enter")
        assert app.chosen == ["q1"]
        await pilot.click(QuestionTable, offset=(10, 4), times=2)
        await pilot.pause()
        assert app.chosen == ["q1", "q3"]


async def test_a_run_at_work_updates_rows_and_keeps_cursor_and_scroll(run: RunFile) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await ready(app, pilot)
        await pilot.press("end")
        place = (table.cursor, table.scroll_offset.y)
        assert "· waiting" in lines(table)[-1]
        score(run, 59)
        screen = app.screen
        assert isinstance(screen, QuestionsScreen)
        screen.refresh_rows()
        await ready(app, pilot)
        assert "✗ incorrect" in lines(table)[-1]
        assert (table.cursor, table.scroll_offset.y) == place


async def test_a_file_that_is_no_run_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "other.audit"
    path.write_text("hello")
    app = TableApp(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "is not a run file" in text_of(app, "#notice")
        # No key does harm without rows.
        await pilot.press("s", "o", "end", "enter", "y")


async def test_long_and_hostile_text_keeps_the_table_in_shape(make_run: Callable[..., RunFile]) -> None:
    texts = ["x" * 10_000, "سؤال \u202eعربي", "한국어 질문 " * 30, "\x1b]0;title\x07evil\x1b[2J", "👨‍👩‍👧 family?"]
    run = make_run([Question(f"q{number}", text, "c" * 500) for number, text in enumerate(texts)])
    app = TableApp(run.path)
    async with app.run_test(size=(120, 36)) as pilot:
        table = await ready(app, pilot)
        width = table.scrollable_content_region.width
        assert {table.render_line(y).cell_length for y in range(8)} == {width}
        assert "\x1b" not in "".join(lines(table))


@pytest.mark.parametrize("size", [(40, 10), (20, 6)])
async def test_a_tiny_terminal_does_not_break_it(run: RunFile, size: tuple[int, int]) -> None:
    app = TableApp(run.path)
    async with app.run_test(size=size) as pilot:
        table = await ready(app, pilot)
        await pilot.press("end", "pageup", "s", "slash", "1", "enter")
        assert table.current is not None


@SIZES
async def test_text_is_selected_with_the_mouse_and_copied(run: RunFile, size: tuple[int, int]):
    app = TableApp(run.path)
    async with app.run_test(size=size) as pilot:
        table = await ready(app, pilot)
        await pilot.press("end")
        await pilot.pause()
        # The scrolled table: what is selected are lines of the content, not of the screen.
        first, second = lines(table)[2], lines(table)[3]
        start, left = first.index("number"), table.gutter.left
        await pilot.mouse_down(table, offset=(left + start, 2))
        await pilot.hover(table, offset=(left + start + 9, 3))
        await pilot.mouse_up(table, offset=(left + start + 9, 3))
        await pilot.pause()
        assert app.screen.get_selected_text() == first[start:].rstrip() + "\n" + second[: start + 10]
        await pilot.click(table, offset=(start, 4))
        assert not app.screen.get_selected_text()
