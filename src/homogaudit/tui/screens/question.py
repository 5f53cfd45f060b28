"""One question of a run: its answers in clusters at any threshold, its greedy answer, and its signals."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from homogaudit.clustering.methods import primary_of
from homogaudit.errors import HomogauditError
from homogaudit.records import CHOICE_LETTERS, Label, Question
from homogaudit.report.numbers import count, decimal
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.signals.sampling import semantic_entropy
from homogaudit.store import RunFile
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.question_view import (
    MethodView,
    QuestionView,
    RunTables,
    groups_of,
    load_question,
    read_tables,
    recluster,
)
from homogaudit.tui.theme import MUTED, state_mark
from homogaudit.tui.widgets.choice_line import ChoiceLine
from homogaudit.tui.widgets.cluster_list import AnswerGroup, ClusterList
from homogaudit.tui.widgets.heat_map import HeatMap, HeatMapData
from homogaudit.tui.widgets.signal_table import SignalTable
from homogaudit.tui.widgets.slider import Slider, SliderMark
from homogaudit.tui.widgets.token_strip import TokenStrip

_CONTEXT_SHOWN = 240
"""Characters of a context: three lines of a narrow terminal."""
_MANY = 50
"""From this many answers on a new clustering is made off the event loop."""


class QuestionScreen(Screen[None]):
    """One question of a run that may still be growing."""

    DEFAULT_CSS = """
    QuestionScreen {
        #question-heading { height: auto; max-height: 11; padding: 1 1 0 1; }
        #question-columns {
            height: 1fr; layout: vertical; overflow-y: auto; scrollbar-size-vertical: 1;
            scrollbar-color: $border; scrollbar-background: $background; scrollbar-background-hover: $background;
        }
        .question-column { height: auto; width: 1fr; }
        .panel {
            height: auto; border: round $border; padding: 0 1; overflow-y: auto; scrollbar-size-vertical: 1;
            scrollbar-color: $border; scrollbar-background: $background; scrollbar-background-hover: $background;
            border-title-color: $text-primary; border-title-style: bold; border-subtitle-color: $foreground 62%;
        }
        .panel:focus, .panel:focus-within { border: round $primary; }
        #question-controls { height: auto; }
        #question-numbers { height: auto; margin-bottom: 1; }
        #question-slider { margin-top: 1; }
        #question-references { height: auto; margin-top: 1; }
        #question-values { margin-right: 1; }
        #question-references.-alone { margin-top: 0; }
    }
    QuestionScreen.-wide {
        #question-columns { layout: horizontal; overflow: hidden; }
        .question-column { height: 1fr; }
        #question-left { width: 58%; }
        #question-right { width: 42%; }
        #question-clusters { height: 3fr; }
        #question-greedy { height: auto; max-height: 45%; }
        #question-map { height: auto; max-height: 50%; }
        #question-signals { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "step(1)", "Next"),
        Binding("p", "step(-1)", "Previous"),
        Binding("m", "method", "Method"),
        Binding("t", "reset", "Reset", show=False),
        Binding("x", "full", "Full"),
        Binding("escape", "close", "Back"),
    ]

    @dataclass
    class Loaded(Message):
        """A question was read, or could not be."""

        question_id: str
        view: QuestionView | None
        tables: RunTables | None
        error: str = ""

    @dataclass
    class Reclustered(Message):
        """A clustering that was made off the event loop."""

        question_id: str
        method: str
        threshold: float
        assignment: tuple[int, ...]

    def __init__(self, run_path: Path, question_id: str) -> None:
        super().__init__()
        # The same as those of the application, so that the screen also stands alone.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (110, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-low"), (32, "-high")]
        self._run_path = run_path
        self._question_id = question_id
        self._view: QuestionView | None = None
        self._tables: RunTables | None = None
        self._method_name = ""

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield StatusLine("Question")
        yield Static("reading the run ...", id="question-heading", markup=False)
        with VerticalScroll(id="question-columns", can_focus=False):
            with Vertical(classes="question-column", id="question-left"):
                with VerticalScroll(classes="panel", id="question-clusters"):
                    with Vertical(id="question-controls"):
                        yield ChoiceLine(id="question-methods")
                        yield Slider(id="question-slider", low=0, high=1, places=3)
                        yield Static(id="question-numbers", markup=False)
                    yield ClusterList(id="question-groups", empty="reading ...")
                with VerticalScroll(classes="panel", id="question-greedy"):
                    yield TokenStrip(id="question-tokens", empty="reading ...")
                    yield Static(id="question-references", markup=False)
            with Vertical(classes="question-column", id="question-right"):
                with VerticalScroll(classes="panel", id="question-map"):
                    yield HeatMap(id="question-similarity", empty="reading ...")
                with VerticalScroll(classes="panel", id="question-signals"):
                    yield SignalTable(id="question-values", empty="no signals are stored")
        yield KeyLine()

    def on_mount(self) -> None:
        """Name the panels and read the question."""
        for panel, title in (
            ("clusters", "Clusters"),
            ("greedy", "Greedy answer"),
            ("map", "Similarity"),
            ("signals", "Signals"),
        ):
            self.query_one(f"#question-{panel}").border_title = title
        self._slider.focus()
        self._load(self._question_id)

    # Reading

    @work(thread=True, exclusive=True, group="load", exit_on_error=False)
    def _load(self, question_id: str) -> None:
        view = tables = None
        error = ""
        try:
            with RunFile.open(self._run_path) as run:
                # A run that still grows is read anew: ranks and labels move.
                tables = self._tables if run.status == "complete" else None
                if tables is None:
                    # The signals of thousands of questions take seconds; all else is shown before.
                    first = load_question(run, question_id, read_tables(run, signals=False))
                    self.post_message(self.Loaded(question_id, first, None))
                    tables = read_tables(run)
                view = load_question(run, question_id, tables)
        except HomogauditError as problem:
            error = problem.message if problem.hint is None else f"{problem.message}; {problem.hint}"
        self.post_message(self.Loaded(question_id, view, tables, error))

    @on(Loaded)
    def _show(self, message: Loaded) -> None:
        """Show what was read, unless another question was asked for since."""
        if message.question_id != self._question_id:
            return
        self._tables = message.tables or self._tables
        if message.view is None:
            self.query_one("#question-heading", Static).update(Content.styled(plain(message.error), "$text-error"))
            return
        view, before = message.view, self._view
        self._view = view
        values = self.query_one(SignalTable)
        values.lines = view.signals
        values.empty = "no signals are stored" if message.tables else "reading the signals of all questions ..."
        if before is not None and before.question.id == view.question.id:
            return
        self.query_one("#question-heading", Static).update(_heading(view))
        names = tuple(method.name for method in view.methods)
        if self._method_name not in names:
            self._method_name = primary_of(names) or ""
        methods = self.query_one(ChoiceLine)
        methods.choices = names
        methods.chosen = names.index(self._method_name) if names else 0
        self._show_greedy(view)
        self.query_one("#question-signals").border_subtitle = f"rank 1 is the most uncertain of {count(len(view.ids))}"
        for panel in ("clusters", "greedy", "map", "signals"):
            self.query_one(f"#question-{panel}").scroll_home(animate=False)
        self._start_method()

    # Clusters

    @property
    def _slider(self) -> Slider:
        return self.query_one(Slider)

    def _method(self) -> MethodView | None:
        if self._view is None:
            return None
        return next((method for method in self._view.methods if method.name == self._method_name), None)

    def _start_method(self) -> None:
        """Show the chosen method at the run's own threshold."""
        method = self._method()
        if method is None:
            self._show_no_clusters("no clustering is stored in this run")
            return
        threshold = method.method.threshold
        self._slider.display = method.can_recluster
        if threshold is not None:
            marks = [SliderMark(threshold, "run")]
            if not isinstance(method.one_cluster_to, Undefined):
                marks.append(SliderMark(method.one_cluster_to, "one cluster"))
            low = math.floor(10 * min(0.5, *(mark.value for mark in marks))) / 10
            self._slider.set_range(low, 1.0, threshold, marks)
        if isinstance(method.assignment, Undefined):
            self._show_no_clusters(method.assignment.reason)
            return
        self._show_clusters(method, threshold, method.assignment)

    def _show_no_clusters(self, reason: str) -> None:
        view = self._view
        self._slider.display = False
        self.query_one("#question-numbers", Static).update(
            Content.styled(f"no clusters: {plain(reason)}", "$text-warning")
        )
        rest = () if view is None else _unclustered(view, every=True)
        groups = self.query_one(ClusterList)
        groups.groups, groups.empty = rest, reason
        heat_map = self.query_one(HeatMap)
        heat_map.data, heat_map.empty = None, reason
        self.query_one("#question-clusters").border_subtitle = ""

    def _show_clusters(self, method: MethodView, threshold: float | None, assignment: tuple[int, ...]) -> None:
        view = self._view
        if view is None:
            return
        similarity = None if isinstance(method.similarity, Undefined) else method.similarity
        samples = view.valid_samples
        grouped = tuple(
            AnswerGroup(
                group.number,
                group.share,
                len(assignment),
                tuple(samples[place] for place in group.members),
            )
            for group in groups_of(assignment, similarity)
        )
        self.query_one(ClusterList).groups = grouped + _unclustered(view)
        self.query_one("#question-numbers", Static).update(_numbers(method, threshold, assignment))
        self.query_one("#question-clusters").border_subtitle = _draws(view)
        heat_map = self.query_one(HeatMap)
        if isinstance(method.similarity, Undefined):
            heat_map.data, heat_map.empty = None, method.similarity.reason
        else:
            heat_map.data = HeatMapData(method.similarity, assignment, threshold)

    @on(ChoiceLine.Changed)
    def _choose_method(self, message: ChoiceLine.Changed) -> None:
        self._method_name = self.query_one(ChoiceLine).choices[message.chosen]
        self._start_method()

    @on(Slider.Changed)
    def _move_threshold(self, message: Slider.Changed) -> None:
        """Cluster again at once, off the event loop where there are many answers."""
        method = self._method()
        if method is None or self._view is None or not method.can_recluster:
            return
        if len(self._view.valid_samples) > _MANY:
            self._recluster(self._question_id, method, message.value)
        else:
            self._show_clusters(method, message.value, recluster(method, message.value))

    @work(thread=True, exclusive=True, group="recluster", exit_on_error=False)
    def _recluster(self, question_id: str, method: MethodView, threshold: float) -> None:
        self.post_message(self.Reclustered(question_id, method.name, threshold, recluster(method, threshold)))

    @on(Reclustered)
    def _show_reclustered(self, message: Reclustered) -> None:
        method = self._method()
        current = (self._question_id, self._method_name, self._slider.value)
        if method is not None and current == (message.question_id, message.method, message.threshold):
            self._show_clusters(method, message.threshold, message.assignment)

    # The greedy answer

    def _show_greedy(self, view: QuestionView) -> None:
        strip = self.query_one(TokenStrip)
        strip.display = not isinstance(view.greedy, Undefined)
        tokens = view.greedy_tokens
        if isinstance(tokens, Undefined):
            strip.tokens, strip.empty = (), tokens.reason
        else:
            strip.tokens, strip.empty = tokens, "it has no tokens"
        has_text = not isinstance(tokens, Undefined) and any(token.text is not None for token in tokens)
        references = self.query_one("#question-references", Static)
        references.set_class(not strip.display, "-alone")
        references.update(_references(view, with_answer=not has_text))

    # Keys

    def action_step(self, steps: int) -> None:
        """Go to the next or the previous question of the run."""
        if self._view is None:
            return
        place = self._view.ids.index(self._question_id) + steps
        if 0 <= place < len(self._view.ids):
            self._question_id = self._view.ids[place]
            self._load(self._question_id)
        else:
            self.notify("this is the last question" if steps > 0 else "this is the first question")

    def action_method(self) -> None:
        """Take the next similarity method."""
        self.query_one(ChoiceLine).action_move(1)

    def action_reset(self) -> None:
        """Go back to the run's own threshold."""
        self._start_method()

    def action_full(self) -> None:
        """Show long answers whole, or short again."""
        groups = self.query_one(ClusterList)
        groups.full = not groups.full

    def action_close(self) -> None:
        """Go back to the screen below."""
        self.dismiss(None)


def _heading(view: QuestionView) -> Content:
    """Return the question and, under it, where it stands and what the judge says."""
    pieces: list[Content | tuple[str, str]] = [
        (plain(view.question.text), "bold"),
        (f"\nquestion {count(view.position + 1)} of {count(len(view.ids))}", MUTED),
    ]
    if view.is_stopped:
        pieces.append((f"  ·  stopped after {len(view.samples)} samples", "$text-warning"))
    if view.question.category:
        pieces.append((f"  ·  {plain(view.question.category)}", MUTED))
    pieces.append((f"  ·  {plain(view.question.id)}", MUTED))
    for label in view.labels[:1]:
        pieces += [("  ·  ", MUTED), _label(label)]
    pieces += [(f"\n{line}", MUTED) for line in _asked_with(view.question)]
    return Content.assemble(*pieces)


def _asked_with(question: Question) -> list[str]:
    """Return what the model was told beside the question's text, a line each."""
    told = {"context": question.context, "system prompt": question.system}
    lines = [f"{name}: {_shortened(text)}" for name, text in told.items() if text]
    return lines + [f"{letter}. {plain(text)}" for letter, text in zip(CHOICE_LETTERS, question.choices, strict=False)]


def _shortened(text: str) -> str:
    """Return the beginning of a text that may be pages long, on one line."""
    line = " ".join(plain(text).split())
    return line if len(line) <= _CONTEXT_SHOWN else line[: _CONTEXT_SHOWN - 1] + "…"


def _label(label: Label) -> Content:
    mark = state_mark(label.value.value)
    return Content.assemble((f"{mark.glyph} {mark.word}", mark.style), (f" by {plain(label.judge)}", MUTED))


def _numbers(method: MethodView, threshold: float | None, assignment: tuple[int, ...]) -> Content:
    """Return what the clusters at this threshold amount to, and where the question stops being one cluster."""
    clusters = len(set(assignment))
    tax = 1 - clusters / len(assignment)
    at = "equal answers join" if threshold is None else f"at {decimal(threshold)}, {method.method.linkage} linkage"
    lines = [
        Content.assemble(
            (f"{clusters} {'cluster' if clusters == 1 else 'clusters'}", "bold"),
            f" of {len(assignment)} answers",
            (f" {at}", MUTED),
        ),
        Content(f"semantic entropy {decimal(semantic_entropy(assignment))} nats · alignment tax {decimal(tax, 2)}"),
    ]
    own, height = method.method.threshold, method.one_cluster_to
    if own is not None and not isinstance(height, Undefined):
        verdict = "so also at" if own <= height else "so not at"
        lines.append(Content.styled(f"one cluster up to {decimal(height)}, {verdict} the run's {decimal(own)}", MUTED))
    return Content("\n").join(lines)


def _draws(view: QuestionView) -> str:
    missing = view.expected - len(view.samples)
    parts = [f"{len(view.samples)} of {view.expected} samples drawn"] if missing > 0 else []
    without = len(view.samples) - len(view.valid_samples)
    if without:
        parts.append(f"{without} without an answer")
    return ", ".join(parts)


def _unclustered(view: QuestionView, *, every: bool = False) -> tuple[AnswerGroup, ...]:
    """Return the samples without a cluster as a group of their own; `every` one where nothing is clustered."""
    answers = tuple(sample for sample in view.samples if every or not sample.is_valid)
    return (AnswerGroup(None, 0.0, 0, answers),) if answers else ()


def _references(view: QuestionView, *, with_answer: bool) -> Content:
    """Return the greedy answer where its tokens cannot show it, the judges' reasons, and the reference answers."""
    lines: list[Content] = []
    if isinstance(view.greedy, Undefined):
        lines.append(Content.styled(view.greedy.reason, MUTED))
    elif with_answer:
        lines.append(Content(plain(view.greedy.text)))
    if not isinstance(view.greedy, Undefined):
        for mark in (state_mark(state) for state in view.greedy.states if state != "valid"):
            lines.append(Content.styled(f"{mark.glyph} {mark.word}", mark.style))
    for label in view.labels:
        reason = f": {plain(label.reason)}" if label.reason else ""
        lines.append(_label(label) + Content.styled(reason, MUTED))
    if not view.labels:
        lines.append(Content.styled("not judged", MUTED))
    for answers, state in ((view.question.answers, "correct"), (view.question.incorrect_answers, "incorrect")):
        mark = state_mark(state)
        for answer in answers:
            lines.append(Content.assemble((f"{mark.glyph} ", mark.style), plain(answer)))
    if not view.question.answers and not view.question.incorrect_answers:
        lines.append(Content.styled("the question has no reference answers", MUTED))
    return Content("\n").join(lines)
