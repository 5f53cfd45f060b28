"""Help: what the screen in front shows, its keys, and what its figures mean."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from homogaudit.errors import UsageError
from homogaudit.report.glossary import Term, lookup
from homogaudit.tui.frame import KeyLine
from homogaudit.tui.theme import MUTED

_PURPOSES = {
    "StartScreen": (
        "Choose a model and questions and start an audit, or take up a run that is there. Tab goes from field to "
        "field. In the list of runs Enter opens a run, a finished one at its report, an unfinished one where it was "
        "left; / filters by model, question file, state and verdict, and Delete deletes the run."
    ),
    "LiveScreen": (
        "The model at work. Every line under Answers is one answer being drawn; once its question is clustered, the "
        "letter and the colour name its cluster. The lines of the single-cluster rate count questions in the order "
        "in which they were started, because what is finished first has short answers. The shaded band is the 95% "
        "interval. Pausing makes the model stand still; cancelling keeps what is finished."
    ),
    "QuestionScreen": (
        "One question: its answers in their clusters, how similar they are, and at which threshold they would fall "
        "into one."
    ),
}

_TERMS = {
    "StartScreen": ("sample", "greedy", "decoding", "seed"),
    "LiveScreen": ("scr", "cluster", "semantic_entropy", "slot"),
    "QuestionsScreen": ("scr", "semantic_entropy", "label"),
    "QuestionScreen": ("cluster", "threshold", "semantic_entropy", "token_entropy"),
    "ReportScreen": ("scr", "auroc", "aurc", "ucbd"),
}


class HelpScreen(ModalScreen[None]):
    """Help for the screen in front of which it opens."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close")]

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._name = type(screen).__name__
        self._purpose = getattr(screen, "HELP_TEXT", None) or _PURPOSES.get(self._name, "")
        self._terms: Sequence[str] = getattr(screen, "HELP_TERMS", None) or _TERMS.get(self._name, ())
        self._keys = list(_keys(screen))

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        with VerticalScroll(classes="dialog wide-dialog help-dialog") as dialog:
            dialog.border_title = f"Help: {self._name.removesuffix('Screen')}"
            dialog.border_subtitle = "esc closes"
            if self._purpose:
                yield Static(self._purpose, markup=False, classes="help-text")
            yield Static(_keys_content(self._keys), classes="help-text")
            for name in self._terms:
                try:
                    yield Static(term_content(lookup(name)), classes="help-text")
                except UsageError:
                    continue
            yield Static(
                Content.styled("ctrl+p and a term, such as `auroc`, explains any other figure.", MUTED),
                classes="help-text",
            )
        yield KeyLine()


class ExplainScreen(ModalScreen[None]):
    """What one term of the report means."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss", "Close")]

    def __init__(self, term: Term) -> None:
        super().__init__()
        self._term = term

    def compose(self) -> ComposeResult:
        """Lay out the term."""
        with VerticalScroll(classes="dialog wide-dialog help-dialog") as dialog:
            dialog.border_title = "Explain"
            dialog.border_subtitle = "esc closes"
            yield Static(term_content(self._term))
        yield KeyLine()


def term_content(term: Term) -> Content:
    """Return a term as text: name, definition, formula, unit, source."""
    lines = [Content.styled(term.name, "bold $text-primary"), Content(term.definition)]
    for head, value in (("formula", term.formula), ("unit", term.unit), ("source", term.source)):
        if value:
            lines.append(Content.assemble((f"{head}  ", MUTED), value))
    return Content("\n").join(lines)


def _keys(screen: Screen[Any]) -> Iterable[tuple[str, str]]:
    """Yield the keys that do something now, those of the screen first, each action once."""
    found: dict[str, tuple[str, str]] = {}
    active = sorted(screen.active_bindings.values(), key=lambda x: x.node is screen.app)
    for binding in active:
        about = binding.binding
        if (
            not (about.show or _is_ours(binding.node, about.action))
            or not about.description
            or about.system
            or not binding.enabled
        ):
            continue
        key = screen.app.get_key_display(about)
        if about.action not in found or len(key) < len(found[about.action][0]):
            found[about.action] = (key, about.description)
    yield from found.values()


def _is_ours(node: DOMNode, action: str) -> bool:
    """Whether an action is no key of Textual's own for scrolling and editing."""
    ours = (kind for kind in type(node).__mro__ if kind.__module__.startswith("homogaudit."))
    return any(getattr(x, "action", None) == action for kind in ours for x in kind.__dict__.get("BINDINGS", ()))


def _keys_content(keys: Sequence[tuple[str, str]]) -> Content:
    width = max((len(key) for key, _ in keys), default=0)
    return Content("\n").join(
        Content.assemble((f"{key:>{width}}  ", "bold $text-primary"), description) for key, description in keys
    )
