"""The start screen: model, questions, decoding; what the run would take; and the runs that are there."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from homogaudit.config import load_models
from homogaudit.errors import HomogauditError, UsageError
from homogaudit.labels.judges import JUDGES
from homogaudit.launch.arguments import packaged_questions, question_source
from homogaudit.launch.requests import PRESETS, RunRequest
from homogaudit.launch.run_summary import RunSummary
from homogaudit.report.numbers import count, duration
from homogaudit.report.text import plain
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.screens.run_list import RunList
from homogaudit.tui.start_choices import (
    ModelChoice,
    PathSuggester,
    Workload,
    list_models,
    list_recent_runs,
    workload_of,
)
from homogaudit.tui.theme import MUTED
from homogaudit.tui.widgets.choice_line import ChoiceLine

if TYPE_CHECKING:
    from homogaudit.tui.app import HomogauditApp

_NUMBERS = (
    ("samples", "Samples", int),
    ("temperature", "Temperature", float),
    ("max_tokens", "Tokens", int),
    ("greedy_max_tokens", "Greedy tokens", int),
    ("limit", "Limit", int),
    ("seed", "Seed", int),
)
_ENDS = ("all", "till decided", "rate only")
"""How far to draw, on 34 cells of a narrow terminal: as neither `until_decided` nor `rate_only`, or as one of them."""
_JUDGES = ("auto", *JUDGES, "none", "model:")
_MARKS = {"recent": ("✓", "$text-success"), "present": ("✓", "$text-success"), "absent": ("○", MUTED)}
_PAUSE_SECONDS = 0.3
"""After the last key before a question file is counted."""


class StartScreen(Screen[None]):
    """Fields on the left, runs on the right; `ctrl+s` starts from anywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start the audit"),
        Binding("escape", "leave_field", "Leave the field", show=False),
    ]
    AUTO_FOCUS = "#models"

    app: "HomogauditApp"  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        defaults = self.app.defaults
        yield StatusLine("Start")
        with Container(id="start"):
            with VerticalScroll(id="form", can_focus=False):
                with Vertical(classes="panel", id="what") as panel:
                    panel.border_title = "What to audit"
                    yield _field("Model", Input(defaults.model, "a .gguf file or a name", id="model",
                                                suggester=PathSuggester("model"), compact=True))  # fmt: skip
                    yield OptionList(id="models", compact=True, markup=False)
                    yield _field("Questions", Input(defaults.questions or "", "misconceptions", id="source",
                                                    suggester=PathSuggester("questions"), compact=True))  # fmt: skip
                    named = f"a file, or {', '.join(packaged_questions())}"
                    yield _field("", Static(named, classes="muted field-note", markup=False))
                with Vertical(classes="panel", id="how") as panel:
                    panel.border_title = "How answers are drawn"
                    presets = list(PRESETS)
                    chosen = presets.index(defaults.preset) if defaults.preset in presets else 1
                    yield _field("Preset", ChoiceLine(presets, chosen, id="preset"))
                    with Container(id="numbers"):
                        for name, label, kind in _NUMBERS:
                            value = getattr(defaults, name)
                            shown = "" if value is None else f"{value:.15g}"
                            kind_name = "integer" if kind is int else "number"
                            yield _field(label, Input(shown, id=name, type=kind_name, valid_empty=True, compact=True))
                    end = 2 if defaults.rate_only else int(bool(defaults.until_decided))
                    yield _field("Draw", ChoiceLine(_ENDS, end, id="ends"))
                    shown_judge = "" if defaults.judge in (None, "auto") else defaults.judge
                    judges = SuggestFromList(_JUDGES)
                    hint = "auto, exact, ..., none, model:NAME"
                    yield _field("Judge", Input(shown_judge, hint, id="judge", suggester=judges, compact=True))
                    yield _field("Embedder", Input(defaults.embedder or "", "the default", id="embedder", compact=True))
                yield Static(id="estimate", markup=False)
                yield Button("Start (ctrl+s)", id="start-button", variant="primary", compact=True)
            yield RunList(id="runs-panel")
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the lists."""
        self._show_placeholders()
        self._read_lists()
        self._estimate()

    def on_screen_resume(self) -> None:
        """Show runs that came since."""
        if self.is_mounted:
            self._read_lists()

    @work(exclusive=True, group="lists", exit_on_error=False)
    async def _read_lists(self) -> None:
        try:
            models, runs = await asyncio.to_thread(_lists)
        except HomogauditError as error:
            self.app.complain(error)
            return
        choices = self.query_one("#models", OptionList)
        at = choices.highlighted
        choices.set_options([Option(_model_line(x), id=x.text) for x in models])
        choices.highlighted = at if at is not None and at < len(models) else 0
        self.query_one(RunList).show(runs)

    # What is typed

    def request(self) -> RunRequest:
        """Return what the fields ask for.

        Raises:
            UsageError: A field holds no number.
        """
        numbers: dict[str, int | float | None] = {}
        for name, label, kind in _NUMBERS:
            text = self._text(name)
            try:
                numbers[name] = kind(text) if text else None
            except ValueError as error:
                raise UsageError(f"{label.lower()}: `{text}` is no number", "leave it empty for the default") from error
        temperature, seed = numbers.pop("temperature"), numbers.pop("seed")
        model = self._text("model")
        judge = self._text("judge") or "auto"
        if judge not in _JUDGES and not judge.startswith("model:"):
            raise UsageError(f"unknown judge `{judge}`", f"one of {', '.join(_JUDGES)}")
        end = _ENDS[self.query_one("#ends", ChoiceLine).chosen]
        return replace(
            self.app.defaults,
            model=os.path.expanduser(model),
            questions=question_source(self._text("source")),
            preset=list(PRESETS)[self.query_one("#preset", ChoiceLine).chosen],
            judge=judge,
            until_decided=end == "till decided",
            rate_only=end == "rate only",
            embedder=self._text("embedder") or None,
            temperature=1.0 if temperature is None else float(temperature),
            seed=0 if seed is None else int(seed),
            **{name: value if value is None else int(value) for name, value in numbers.items()},
        )

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    @on(ChoiceLine.Changed)
    def _changed_choice(self) -> None:
        self._show_placeholders()
        self._estimate()

    @on(Input.Changed)
    def _changed_text(self) -> None:
        self._estimate()

    @on(Input.Submitted)
    def _next_field(self) -> None:
        self.focus_next()

    def _show_placeholders(self) -> None:
        preset = PRESETS[list(PRESETS)[self.query_one("#preset", ChoiceLine).chosen]]
        shown = {
            "samples": preset.samples,
            "temperature": 1,
            "max_tokens": preset.max_tokens,
            "greedy_max_tokens": preset.greedy_max_tokens,
            "limit": "all" if preset.limit is None else preset.limit,
            "seed": 0,
        }
        for name, value in shown.items():
            self.query_one(f"#{name}", Input).placeholder = str(value)

    @work(exclusive=True, group="estimate", exit_on_error=False)
    async def _estimate(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        shown = self.query_one("#estimate", Static)
        try:
            request = self.request()
            found = await asyncio.to_thread(workload_of, request)
        except HomogauditError as error:
            shown.update(Content.styled(f"! {plain(error.message)}", "$text-error"))
        except OSError as error:
            shown.update(Content.styled(f"! {plain(str(error))}", "$text-error"))
        else:
            shown.update(workload_content(found, may_stop=bool(request.until_decided or request.rate_only)))

    # What is chosen

    @on(OptionList.OptionSelected, "#models")
    def _take_model(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.query_one("#model", Input).value = event.option_id
            self.query_one("#source").focus()

    @on(RunList.Opened)
    def _open_run(self, event: RunList.Opened) -> None:
        self.app.open_run(event.path)

    @on(RunList.Compared)
    def _compare_runs(self, event: RunList.Compared) -> None:
        self.app.compare_runs(event.paths)

    @on(RunList.Deleted)
    def _note_deleted(self, event: RunList.Deleted) -> None:
        if event.error is not None:
            self.app.complain(event.error)
        else:
            # Read again: a listing that is under way may have seen the file.
            self._read_lists()
            self.app.forget_run(event.path)
            self.app.notify(f"Deleted {plain(event.path.stem)}.", markup=False)

    @on(Button.Pressed, "#start-button")
    def action_start(self) -> None:
        """Start the audit that the fields describe."""
        try:
            request = self.request()
        except HomogauditError as error:
            self.app.complain(error)
            return
        self.app.start_run(request)

    async def action_leave_field(self) -> None:
        """Leave a field, so that single keys go to the screens; or go back."""
        if isinstance(self.focused, Input):
            self.query_one("#models").focus()
        elif self.app.session is not None:
            await self.app.action_go("live")


def workload_content(found: Workload, *, may_stop: bool = False) -> Content:
    """Return a workload as three lines of text; `may_stop` is whether the run may end before all of it is done."""
    if found.expected_seconds is not None:
        about = "at most" if may_stop else "about"
        time = f"{about} {duration(found.expected_seconds)}, as earlier runs took"
    elif found.seconds is not None:
        time = f"at most {duration(found.seconds)} at the benched speed"
    else:
        time = "no earlier run: the time is told while it draws"
    memory = f"model {found.model_bytes / 1e6:,.0f} MB" if found.model_bytes else "model not on this machine,"
    if found.available_bytes is not None:
        memory += f" of {found.available_bytes / 1e6:,.0f} MB free"
    most = "up to " if may_stop else ""
    draws = f"{count(found.questions)} questions, {most}{count(found.draws)} answers, "
    draws += f"{count(found.tokens)} tokens" if may_stop else f"up to {count(found.tokens)} tokens"
    is_short = found.available_bytes is not None and found.model_bytes > found.available_bytes
    return Content.assemble(draws, "\n", (f"{time}\n", MUTED), (memory, "$text-warning" if is_short else MUTED))


def _lists() -> tuple[list[ModelChoice], list[RunSummary]]:
    runs = list_recent_runs()
    return list_models(load_models(), runs, Path()), runs


def _field(label: str, widget: Input | ChoiceLine | Static) -> Horizontal:
    return Horizontal(Label(label, classes="field-label", markup=False), widget, classes="field")


def _model_line(choice: ModelChoice) -> Content:
    mark, style = _MARKS[choice.state]
    name = plain(choice.text)
    return Content.assemble((f"{mark} ", style), name, "  ", (plain(choice.note), MUTED))
