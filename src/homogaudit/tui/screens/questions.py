"""The questions of a run: a table to sort, filter and search. It reads the run file and writes nothing."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.style import Style
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from homogaudit.errors import HomogauditError
from homogaudit.report.numbers import count, decimal
from homogaudit.report.text import plain
from homogaudit.store import RunFile
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.question_rows import (
    NO_FILTER,
    TESTS,
    Column,
    Filter,
    QuestionRow,
    RowSource,
    Sort,
    categories,
    changed_positions,
    read_rows,
    row_source,
    select,
)
from homogaudit.tui.question_table import QuestionTable
from homogaudit.tui.theme import MUTED, state_mark

_REFRESH_SECONDS = 1.0
"""Between two looks at a run file that an engine writes."""

_DESCENDING_FIRST = frozenset({Column.ENTROPY, Column.SIGNAL})
"""Columns whose largest values are the ones looked for."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    source: RowSource
    rows: tuple[QuestionRow, ...]


def _load(path: Path) -> _Loaded:
    with RunFile.open(path) as run:
        source = row_source(run)
        return _Loaded(source, read_rows(run, source))


def _changes(path: Path, source: RowSource, rows: Sequence[QuestionRow]) -> _Loaded:
    """Read the rows that changed; all where the list goes by another clustering, judge or N now."""
    with RunFile.open(path) as run:
        now = row_source(run)
        if now != source or len(run) != len(rows):
            return _Loaded(now, read_rows(run, now))
        changed = changed_positions(run, rows)
        return _Loaded(now, read_rows(run, now, changed) if changed else ())


class QuestionsScreen(Screen[None]):
    """All questions of a run; those that are `wanted` at first, and again after Escape."""

    HELP_TEXT = (
        "All questions of the run. Sort and filter to find those whose answers all fell into one cluster and are "
        "wrong: these are what sampling cannot tell you about. Letters stand for clusters, one letter an answer; "
        "3/10 means three clusters among ten answers; entropy is the semantic entropy of these clusters, in nats."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/"),
        Binding("s", "narrow('one_cluster')", "One cluster", show=False),
        Binding("w", "narrow('wrong')", "Wrong", show=False),
        Binding("u", "narrow('unfinished')", "Unfinished", show=False),
        Binding("c", "category", "Category", show=False),
        Binding("o", "sort", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("escape", "reset", "Show all", show=False),
    ]
    AUTO_FOCUS = "QuestionTable"
    DEFAULT_CSS = """
    QuestionsScreen {
        #filter-line { height: 1; padding: 0 1; }
        #search { width: 1fr; max-width: 48; height: 1; border: none; padding: 0 1; background: $panel; }
        #search:focus { background: $primary 25%; }
        #shown { width: 1fr; height: 1; content-align-horizontal: right; color: $foreground 75%; }
        #chips { height: 1; padding: 0 1; margin-bottom: 1; }
        #notice { height: 1fr; content-align: center middle; text-align: center; color: $foreground 75%; padding: 1 4; }
        #facts { height: 2; padding: 0 1; border-top: solid $border; text-wrap: nowrap; text-overflow: ellipsis; }
        #detail { height: 2; padding: 0 1; }
        QuestionTable { padding: 0 1; }
    }
    """

    @dataclass
    class Chosen(Message):
        """A question is to be opened."""

        question_id: str

    def __init__(self, run_path: Path, wanted: Filter = NO_FILTER) -> None:
        super().__init__()
        self._path = run_path
        self._first = wanted
        self._source: RowSource | None = None
        self._rows: list[QuestionRow] = []
        self._filter = wanted
        self._sort = Sort()
        self._shown: list[int] = []
        self._timer: Timer | None = None
        self._scored: object = None

    def compose(self) -> ComposeResult:
        """Lay out search, filters, table and the question under the cursor."""
        yield StatusLine("Questions")
        with Horizontal(id="filter-line"):
            yield Input(placeholder="/ search questions, categories, ids", id="search", compact=True)
            yield Static(id="shown", markup=False)
        yield _Chips(id="chips", markup=False)
        yield QuestionTable(id="questions")
        yield Static("Reading the questions.", id="notice", markup=False)
        yield Static(id="facts", markup=False)
        yield Static(id="detail", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one(QuestionTable).display = False
        self._load()

    # Reading

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _load(self) -> None:
        try:
            loaded = await asyncio.to_thread(_load, self._path)
        except HomogauditError as error:
            hint = f"\n\n{plain(error.hint)}" if error.hint else ""
            self._notice(f"{plain(error.message)}{hint}")
            return
        self._take_all(loaded)

    def _take_all(self, loaded: _Loaded) -> None:
        self._source, self._rows = loaded.source, list(loaded.rows)
        # Else every full collection of garbage walks all rows, which is the longest pause of a key stroke.
        gc.freeze()
        self._show()

    def on_unmount(self) -> None:
        """Let the rows go."""
        gc.unfreeze()

    def refresh_rows(self) -> None:
        """Read again what changed in the run file, and show it; cursor and scroll stay."""
        if self._source is not None and self.is_mounted:
            self._refresh_rows(self._source)

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _refresh_rows(self, source: RowSource) -> None:
        try:
            found = await asyncio.to_thread(_changes, self._path, source, tuple(self._rows))
        except HomogauditError:
            # The engine may hold the file for a moment; the next look comes soon.
            return
        if found.source != source or len(found.rows) > len(self._rows):
            self._take_all(found)
            return
        for row in found.rows:
            self._rows[row.position] = row
        if not found.rows:
            return
        shown = select(self._rows, self._filter, self._sort)
        if shown == self._shown:
            self.query_one(QuestionTable).update_rows(found.rows)
            self._describe()
        else:
            self._show(shown)

    def show_state(self, state: Any) -> None:
        """Take note that an engine goes on: look at the run file, at most once a second."""
        if state.rows and (mark := (state.scored, state.finished)) != self._scored:
            self._scored = mark
            if self._timer is None:
                self._timer = self.set_timer(_REFRESH_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.refresh_rows()

    def on_screen_resume(self) -> None:
        """Look for what changed while another screen was in front."""
        self.refresh_rows()

    # Showing

    def _show(self, shown: list[int] | None = None) -> None:
        self._shown = select(self._rows, self._filter, self._sort) if shown is None else shown
        table = self.query_one(QuestionTable)
        table.show_rows(self._rows, self._shown, self._sort)
        if self._shown:
            table.display = True
            self.query_one("#notice").display = False
        elif not self._rows:
            self._notice("This run holds no questions.")
        else:
            self._notice(f"No question matches: {self._in_words()}.\n\nEsc shows all questions again.")
        self._describe()
        self._show_detail(table.current)

    def _notice(self, text: str) -> None:
        self.query_one(QuestionTable).display = False
        notice = self.query_one("#notice", Static)
        notice.display = True
        notice.update(text)

    def _in_words(self) -> str:
        chosen = self._filter
        parts = [f"the search for `{plain(chosen.text)}`"] if chosen.text.strip() else []
        parts += [words for name, (words, _) in TESTS.items() if name in chosen.names]
        parts += [f"category {plain(chosen.category)}"] if chosen.category is not None else []
        return ", ".join(parts)

    def _describe(self) -> None:
        """Say how many questions are shown, by which filters and in which order."""
        self.query_one("#shown", Static).update(f"{count(len(self._shown))} of {count(len(self._rows))} shown")
        chosen = self._filter
        category = "all" if chosen.category is None else plain(chosen.category)
        chips = [
            ("s", "one cluster", "one_cluster" in chosen.names, "narrow('one_cluster')"),
            ("w", "wrong", "wrong" in chosen.names, "narrow('wrong')"),
            ("c", f"category: {category}", chosen.category is not None, "category"),
        ]
        is_on = "unfinished" in chosen.names
        if is_on or any(row.state != "scored" for row in self._rows):
            chips.insert(2, ("u", "unfinished", is_on, "narrow('unfinished')"))
        self.query_one(_Chips).update(Content("   ").join(_chip(*chip) for chip in chips))

    def _show_detail(self, row: QuestionRow | None) -> None:
        detail = self.query_one("#detail", Static)
        if row is None:
            self.query_one("#facts", Static).update("")
            detail.update("")
            return
        mark = state_mark(row.result)
        facts = [plain(row.id), *([row.category] if row.category else [])]
        if row.is_stopped:
            facts.append(f"stopped after {row.samples} samples")
        if row.clusters is not None:
            noun = "cluster" if row.clusters == 1 else "clusters"
            sizes = "+".join(str(size) for size in sorted(row.sizes, reverse=True))
            facts.append(f"{sizes} answers in {row.clusters} {noun}")
        if row.signal is not None:
            facts.append(f"token entropy {decimal(row.signal, 3)}")
        line = Content.assemble((f"{mark.glyph} {mark.word}", mark.style), (" · " + " · ".join(facts), MUTED))
        self.query_one("#facts", Static).update(line)
        detail.update(row.text)

    # What the user does

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one("#search").focus()

    def action_narrow(self, name: str) -> None:
        """Turn one filter on or off."""
        self._narrow(replace(self._filter, names=self._filter.names ^ {name}))

    def action_category(self) -> None:
        """Choose a category, or all of them again."""
        found = categories(self._rows)
        if not found:
            self.notify("The questions of this run have no categories.")
            return
        self.app.push_screen(CategoryScreen(found, self._filter.category), self._take_category)

    def _take_category(self, choice: str | None) -> None:
        if choice is not None:
            self._narrow(replace(self._filter, category=choice or None))

    def action_sort(self) -> None:
        """Sort by the next column."""
        columns = self.query_one(QuestionTable).columns
        number = columns.index(self._sort.column) + 1 if self._sort.column in columns else 0
        self._order(columns[number % len(columns)])

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._sort = replace(self._sort, descending=not self._sort.descending)
        self._show()

    def _order(self, column: Column) -> None:
        is_same = column is self._sort.column
        descending = not self._sort.descending if is_same else column in _DESCENDING_FIRST
        self._sort = Sort(column, descending)
        self._show()

    def _narrow(self, wanted: Filter) -> None:
        self._filter = wanted
        self._show()

    def action_copy(self) -> None:
        """Copy the question under the cursor."""
        row = self.query_one(QuestionTable).current
        if row is not None:
            self.app.copy_to_clipboard(row.text)
            self.notify("The question is copied.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Escape to the app where there is nothing to reset."""
        is_searching = self.focused is not None and self.focused.id == "search"
        return action != "reset" or is_searching or self._filter != self._first

    def action_reset(self) -> None:
        """Leave the search; a second time, show all questions."""
        table = self.query_one(QuestionTable)
        if self.focused is not None and self.focused.id == "search" and self._shown:
            table.focus()
            return
        self.query_one("#search", Input).value = ""
        self._narrow(self._first)
        table.focus()

    @on(Input.Changed, "#search")
    def _on_search(self, event: Input.Changed) -> None:
        if event.value != self._filter.text:
            self._narrow(replace(self._filter, text=event.value))

    @on(Input.Submitted, "#search")
    def _on_searched(self) -> None:
        self.query_one(QuestionTable).focus()

    @on(QuestionTable.SortAsked)
    def _on_sort_asked(self, event: QuestionTable.SortAsked) -> None:
        self._order(event.column)

    @on(QuestionTable.Moved)
    def _on_moved(self, event: QuestionTable.Moved) -> None:
        self._show_detail(event.row)

    @on(QuestionTable.Opened)
    def _on_opened(self, event: QuestionTable.Opened) -> None:
        self.post_message(self.Chosen(event.row.id))


def _chip(key: str, words: str, is_on: bool, action: str) -> Content:
    style = "$text-primary bold" if is_on else MUTED
    chip = Content.assemble(("■ " if is_on else "□ ", style), (key, "$text-primary"), " ", (words, style))
    return chip.stylize(Style.from_meta({"chip": action}))


class _Chips(Static):
    """The filters, each a key, a word and whether it is on; a click does what its key does."""

    async def on_click(self, event: Click) -> None:
        """Turn the filter under the mouse on or off."""
        action = event.style.meta.get("chip")
        if action:
            await self.screen.run_action(action)


class CategoryScreen(ModalScreen[str | None]):
    """A choice of one category; answers with its name, with an empty text for all, or with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,c,q", "dismiss", "Close")]
    DEFAULT_CSS = """
    CategoryScreen { align: center middle; }
    CategoryScreen > Vertical {
        width: 50; max-width: 90%; height: auto; max-height: 80%;
        border: round $primary; border-title-color: $text-primary; background: $surface; padding: 0 1;
    }
    CategoryScreen OptionList { height: auto; max-height: 100%; border: none; background: $surface; padding: 0; }
    """

    def __init__(self, found: Mapping[str, int], chosen: str | None) -> None:
        super().__init__()
        self._names = ["", *found]
        self._counts = [sum(found.values()), *found.values()]
        self._chosen = self._names.index(chosen) if chosen is not None and chosen in found else 0

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with Vertical() as dialog:
            dialog.border_title = "Category"
            width = max(len(count(number)) for number in self._counts)
            yield OptionList(
                *(
                    Option(Content.assemble((count(number).rjust(width), MUTED), "  ", name or "all questions"))
                    for name, number in zip(self._names, self._counts, strict=True)
                )
            )

    def on_mount(self) -> None:
        """Stand on the category that is shown now."""
        self.query_one(OptionList).highlighted = self._chosen

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.dismiss(self._names[event.option_index])
