"""The runs that are there: model, question file, how far, rate and verdict; to open, filter and delete."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from homogaudit.errors import HomogauditError
from homogaudit.launch.run_deletion import delete_run
from homogaudit.launch.run_summary import RunSummary
from homogaudit.report.headline import Headline, read_headline
from homogaudit.report.layout import LEVEL_TONES
from homogaudit.report.numbers import count
from homogaudit.report.records import Undefined
from homogaudit.report.text import plain
from homogaudit.tui.screens.confirm import ConfirmScreen
from homogaudit.tui.theme import MUTED

_MARKS = {
    "complete": ("✓", "$text-success"),
    "unfinished": ("◔", "$text-warning"),
    "in_use": ("▸", "$text-primary"),
    "newer_schema": ("!", "$text-error"),
    "not_readable": ("!", "$text-error"),
}
_TONES = {"bad": "$text-error", "doubtful": "$text-warning", "good": "$text-success"}


class RunList(Vertical):
    """A list of runs with a line to filter it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter the runs", key_display="/", show=False),
        Binding("delete", "delete", "Delete the run", show=False),
        Binding("m", "mark", "Mark the run to compare it", show=False),
        Binding("c", "compare", "Compare the marked runs", show=False),
    ]

    @dataclass
    class Opened(Message):
        """A run was chosen."""

        path: Path

    @dataclass
    class Compared(Message):
        """Runs are to be compared, the first the baseline."""

        paths: tuple[Path, ...]

    @dataclass
    class Deleted(Message):
        """A run is gone, or could not be deleted because of an error."""

        path: Path
        error: HomogauditError | None = None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = "Runs"
        self._runs: Sequence[RunSummary] = ()
        self._headlines: dict[str, Headline] = {}
        self._marked: list[str] = []

    def compose(self) -> ComposeResult:
        """Lay out the filter and the list."""
        yield Input(placeholder="/ filter", id="run-filter", compact=True)
        yield OptionList(id="runs", compact=True, markup=False)

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Show these runs; their rates follow as they are read."""
        self._runs = runs
        self._show()
        self._read_headlines()

    def _show(self) -> None:
        shown = [run for run in self._runs if self._fits(run)]
        options = [Option(self._line(run), id=run.path) for run in shown]
        nothing = "no run fits" if self._runs else "no runs yet"
        choices = self.query_one("#runs", OptionList)
        at = choices.highlighted_option
        choices.set_options(options or [Option(Content.styled(nothing, MUTED), disabled=True)])
        paths = [run.path for run in shown]
        choices.highlighted = paths.index(at.id) if at is not None and at.id in paths else 0
        self.border_subtitle = "enter opens · m marks" if shown else ""

    def _fits(self, run: RunSummary) -> bool:
        found = self._headlines.get(run.path)
        told = (run.name, run.model, run.question_source, run.status_words, found.level if found else "")
        text = " ".join(x for x in told if x).casefold()
        return all(word in text for word in self.query_one("#run-filter", Input).value.casefold().split())

    @work(exclusive=True, group="headlines", exit_on_error=False)
    async def _read_headlines(self) -> None:
        """Read rate and level of one run after the other, each once as long as its file stays as it is."""
        for run in self._runs:
            if run.status not in ("complete", "unfinished"):
                continue
            try:
                status = Path(run.path).stat()
            except OSError:
                continue
            found = await asyncio.to_thread(_headline, run.path, status.st_mtime_ns, status.st_size)
            if found is None:
                # Opening it says what is wrong.
                continue
            self._headlines[run.path] = found
            choices = self.query_one("#runs", OptionList)
            if run.path in {option.id for option in choices.options}:
                choices.replace_option_prompt(run.path, self._line(run))

    def _line(self, run: RunSummary) -> Content:
        mark, style = _MARKS[run.status]
        done = "" if run.questions is None else f"{count(run.questions_done)}/{count(run.questions)}  "
        when = (run.created or "")[5:16].replace("T", " ")
        if run.path in self._marked:
            mark, style = "123456789"[min(self._marked.index(run.path), 8)], "$text-primary bold reverse"
        lines = [Content.assemble((f"{mark} ", style), (plain(run.model or run.name), "bold"), (f"  {when}", MUTED))]
        if run.question_source:
            lines.append(Content.assemble("  ", (done, MUTED), plain(Path(run.question_source).name)))
        found = self._headlines.get(run.path)
        words = [] if run.state == "complete" and found else [(run.status_words, style), "  "]
        if found is not None and not isinstance(found.scr, Undefined):
            words += [(found.level, _TONES.get(LEVEL_TONES[found.level], MUTED)), f"  {found.rate_words}"]
        elif found is not None:
            words += [(found.rate_words, MUTED)]
        return Content("\n").join([*lines, Content.assemble("  ", *words)])

    # What the user does

    @on(Input.Changed, "#run-filter")
    def _on_filter(self) -> None:
        self._show()

    @on(Input.Submitted, "#run-filter")
    def _on_filtered(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#runs").focus()

    @on(OptionList.OptionSelected, "#runs")
    def _on_chosen(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.post_message(self.Opened(Path(event.option_id)))

    def action_filter(self) -> None:
        """Go to the filter."""
        self.query_one("#run-filter").focus()

    def _pointed(self) -> str | None:
        """Return the run under the cursor, `None` while the filter is typed."""
        chosen = self.query_one("#runs", OptionList).highlighted_option
        return None if chosen is None or isinstance(self.screen.focused, Input) else chosen.id

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away; the first that is marked is the baseline."""
        if (path := self._pointed()) is not None:
            self._marked = [x for x in self._marked if x != path] + ([] if path in self._marked else [path])
            self._show()

    def action_compare(self) -> None:
        """Compare the marked runs; one that is marked alone with the run under the cursor."""
        pointed = self._pointed()
        paths = [x for x in self._marked if any(run.path == x for run in self._runs)]
        if len(paths) == 1 and pointed is not None and pointed not in paths:
            paths.append(pointed)
        if len(paths) < 2:
            self.notify("Mark two runs or more with m: the first is the baseline.", severity="warning")
            return
        self.post_message(self.Compared(tuple(map(Path, paths))))

    @work(exclusive=True, group="delete", exit_on_error=False)
    async def action_delete(self) -> None:
        """Delete the run under the cursor, once the user has agreed."""
        if (pointed := self._pointed()) is None:
            return
        path = Path(pointed)
        question = ConfirmScreen(
            "Delete this run?",
            f"{plain(path.stem)}: its answers, clusters and labels are gone for good, with its log.",
            yes="Delete",
            no="Keep it",
        )
        if not await self.app.push_screen_wait(question):
            return
        try:
            await asyncio.to_thread(delete_run, path)
        except HomogauditError as error:
            self.post_message(self.Deleted(path, error))
            return
        self.post_message(self.Deleted(path))


@lru_cache(maxsize=512)
def _headline(path: str, _modified: int, _size: int) -> Headline | None:
    return read_headline(Path(path))
