"""Runs compared on the same questions: the sections of the comparison, and the questions in two columns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from homogaudit.comparison.layout import sections
from homogaudit.comparison.pairing import pair_runs
from homogaudit.comparison.questions import ComparedQuestion, RunAnswers, compared_questions
from homogaudit.comparison.records import Comparison
from homogaudit.comparison.summary import summary
from homogaudit.errors import HomogauditError
from homogaudit.report.numbers import MISSING, count
from homogaudit.report.run_data import read_run
from homogaudit.report.section import Section
from homogaudit.report.text import plain
from homogaudit.store import RunFile
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.report_process import build_comparison
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.screens.sections import SectionsScreen
from homogaudit.tui.theme import FAINT, MUTED, cluster_glyph, state_mark

_FLIPS = {"to_one": ("▼", "$text-error"), "from_one": ("▲", "$text-success"), "": (" ", MUTED)}

Build = Callable[[Sequence[Path]], Awaitable[Comparison]]


class ComparisonScreen(SectionsScreen):
    """What differs between runs; the first is the baseline."""

    NAME = "Comparison"
    BUILDING = "Comparing the runs.\n\nIntervals come from thousands of resamplings: this takes a while."
    HELP_TEXT = (
        "Runs on the same questions against each other, the first one the baseline: the short account, and below it "
        "every section. Up and down go from line to line, [ and ] from section to section; the bottom repeats what is "
        "under the cursor: x explains it, y copies it. Enter lists the questions side by side, those first whose "
        "answers became one cluster (▼) or several again (▲)."
    )
    HELP_TERMS = ("change", "mcnemar", "p_equivalent")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "questions", "Questions", priority=True)]

    def __init__(self, runs: Sequence[Path], *, force: bool = False, build: Build | None = None) -> None:
        super().__init__()
        self._runs = tuple(runs)
        self._force = force
        self._compare: Build = build or (lambda paths: build_comparison(paths, force=force))

    async def build_sections(self) -> Sequence[Section]:
        """Return the short account and every section."""
        found = await self._compare(self._runs)
        return (summary(found), *sections(found))

    def action_questions(self) -> None:
        """Show the compared questions side by side."""
        self.app.push_screen(ComparedQuestionsScreen(self._runs, force=self._force))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The compared questions, and the run file of each name."""

    questions: tuple[ComparedQuestion, ...]
    runs: dict[str, Path]
    baseline: str


def _load(paths: Sequence[Path], *, force: bool) -> _Loaded:
    with ExitStack() as stack:
        opened = [stack.enter_context(RunFile.open(path)) for path in paths]
        paired = pair_runs([read_run(run) for run in opened], force=force)
        files = {name: run.data.run.path for name, run in paired.runs.items()}
        return _Loaded(compared_questions(paired), files, paired.baseline)


class ComparedQuestionsScreen(Screen[None]):
    """The questions of two runs, flips first, and under them what each run says to the one under the cursor."""

    HELP_TEXT = (
        "Questions that all runs answered. ▼ marks those whose answers form several clusters in the baseline and one "
        "in the run, ▲ the way back; the numbers are clusters, baseline and run, and the marks are the labels of the "
        "two greedy answers. Below stand the clusters of the baseline on the left and of the run on the right. f shows "
        "flips alone, l questions that are labelled differently, r the next run; Enter opens the question in the run, "
        "b in the baseline."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "narrow('flips')", "Flips"),
        Binding("l", "narrow('labels')", "Other labels"),
        Binding("r", "next_run", "Next run"),
        Binding("b", "open_baseline", "In the baseline", show=False),
        Binding("tab", "app.focus_next", "Other part", show=False),
    ]
    AUTO_FOCUS = "#compared"
    DEFAULT_CSS = """
    ComparedQuestionsScreen {
        #compared-head { height: 1; padding: 0 1; }
        #compared { height: 40%; border: none; padding: 0; scrollbar-size-vertical: 1; background: $background; }
        #asked { height: auto; max-height: 4; padding: 0 1; border-top: solid $border; text-style: bold; }
        #sides { height: 1fr; }
        #sides VerticalScroll { width: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
        #sides Static { height: auto; }
    }
    """

    def __init__(self, runs: Sequence[Path], *, force: bool = False) -> None:
        super().__init__()
        self._paths = tuple(runs)
        self._force = force
        self._found: _Loaded | None = None
        self._run = ""
        self._only = ""

    def compose(self) -> ComposeResult:
        """Lay out list and columns."""
        yield StatusLine("Compared questions")
        yield Static("Reading the questions.", id="compared-head", markup=False)
        yield OptionList(id="compared", compact=True, markup=False)
        yield Static(id="asked", markup=False)
        with Horizontal(id="sides"):
            with VerticalScroll():
                yield Static(id="side-baseline", markup=False)
            with VerticalScroll():
                yield Static(id="side-run", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self._read()

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self) -> None:
        try:
            self._found = await asyncio.to_thread(_load, self._paths, force=self._force)
        except HomogauditError as error:
            hint = f": {plain(error.hint)}" if error.hint else ""
            self.query_one("#compared-head", Static).update(plain(error.message) + hint)
            return
        self._run = next(name for name in self._found.runs if name != self._found.baseline)
        self._show()

    @property
    def _shown(self) -> list[ComparedQuestion]:
        questions = self._found.questions if self._found else ()
        if self._only == "flips":
            return [x for x in questions if x.flipped[self._run]]
        return [x for x in questions if self._only != "labels" or x.has_other_labels]

    def _show(self) -> None:
        """List the questions that are wanted."""
        found = self._found
        if found is None:
            return
        shown = self._shown
        to_one = sum(x.flipped[self._run] == "to_one" for x in found.questions)
        from_one = sum(x.flipped[self._run] == "from_one" for x in found.questions)
        only = {"flips": "flips only", "labels": "other labels only"}.get(self._only, "all")
        told = f"{plain(found.baseline)} against {plain(self._run)}"
        facts = f"{count(len(shown))} of {count(len(found.questions))}, {only}   ▼ {to_one} to one   ▲ {from_one} back"
        self.query_one("#compared-head", Static).update(Content.assemble((told, "bold"), "   ", (facts, MUTED)))
        options = [Option(self._line(x)) for x in shown] or [Option(Content.styled("none", MUTED), disabled=True)]
        self.query_one("#compared", OptionList).set_options(options).highlighted = 0 if shown else None
        self._describe()

    def _line(self, question: ComparedQuestion) -> Content:
        assert self._found is not None
        sides = [question.runs[name] for name in (self._found.baseline, self._run)]
        numbers = "→".join(f"{len(side.clusters) or MISSING:>2}" for side in sides)
        marks = [state_mark(str(side.label.value)) if side.label else None for side in sides]
        labels = [(mark.glyph, mark.style) if mark else (MISSING, MUTED) for mark in marks]
        flip = _FLIPS[question.flipped[self._run]]
        text = " ".join(plain(question.question.text).split())
        return Content.assemble(flip, f" {numbers}  ", labels[0], labels[1], "  ", text)

    @property
    def _current(self) -> ComparedQuestion | None:
        at, shown = self.query_one("#compared", OptionList).highlighted, self._shown
        return shown[at] if at is not None and at < len(shown) else None

    @on(OptionList.OptionHighlighted, "#compared")
    def _describe(self) -> None:
        """Show what both runs say to the question under the cursor."""
        current, found = self._current, self._found
        asked = self.query_one("#asked", Static)
        if current is None or found is None:
            asked.update("")
            return
        asked.update(plain(current.question.asked))
        for part, name in (("#side-baseline", found.baseline), ("#side-run", self._run)):
            self.query_one(part, Static).update(_side(name, current.runs[name]))

    @on(OptionList.OptionSelected, "#compared")
    def _on_chosen(self) -> None:
        self._open(self._run)

    def action_open_baseline(self) -> None:
        """Open the question in the baseline."""
        if self._found is not None:
            self._open(self._found.baseline)

    def _open(self, name: str) -> None:
        if self._current is not None and self._found is not None:
            self.app.push_screen(QuestionScreen(self._found.runs[name], self._current.question.id))

    def action_narrow(self, only: str) -> None:
        """Show only some of the questions, or all again."""
        self._only = "" if self._only == only else only
        self._show()

    def action_next_run(self) -> None:
        """Put the next of several runs into the right column."""
        if self._found is not None:
            others = [name for name in self._found.runs if name != self._found.baseline]
            self._run = others[(others.index(self._run) + 1) % len(others)]
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the next run only where there is one."""
        return action != "next_run" or (self._found is not None and len(self._found.runs) > 2)


def _side(name: str, answers: RunAnswers) -> Content:
    """Return what one run says: its clusters, the largest first, and the label of its greedy answer."""
    clusters = answers.clusters
    number = f"{len(clusters)} cluster{'' if len(clusters) == 1 else 's'}" if clusters else "not clustered"
    lines = [Content.assemble((plain(name), "bold"), (f"   {number}", MUTED))]
    for place, cluster in enumerate(clusters):
        letter = f"{cluster_glyph(place)} {cluster.samples:>2}  "
        lines.append(Content.assemble((letter, FAINT), plain(cluster.answer)))
    if answers.greedy:
        mark = state_mark(str(answers.label.value)) if answers.label else None
        told = (f"{mark.glyph} {mark.word}  ", mark.style) if mark else ("", MUTED)
        lines += [Content(), Content.assemble(("greedy  ", MUTED), told, plain(answers.greedy))]
    return Content("\n").join(lines)
