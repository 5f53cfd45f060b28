"""Writing the report to a file: which form, where, and never over another file unasked."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, RadioButton, RadioSet, Static

from homogaudit.store.output_file import check_output, write_text

FORMS: Mapping[str, str] = MappingProxyType(
    {
        ".json": "JSON, every figure",
        ".md": "Markdown, every table",
        ".html": "HTML, a page with the questions, to send",
        ".svg": "SVG, the screen as it is",
    }
)
"""What can be written, by the ending of the file."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written where.

    Attributes:
        replace: The file is there, and may go.
    """

    path: Path
    replace: bool

    @property
    def form(self) -> str:
        """Its ending, a key of `FORMS`."""
        return self.path.suffix.lower()


def default_path(run: Path, form: str) -> Path:
    """Return a name beside the run that no file has yet."""
    number = 1
    path = run.with_name(f"{run.stem}.report{form}")
    while path.exists():
        number += 1
        path = run.with_name(f"{run.stem}.report-{number}{form}")
    return path


def write_export(text: str, export: Export) -> None:
    """Write a file whole or not at all.

    Raises:
        UsageError: It would go over a folder, a run file, or a file that is there and was not to be replaced.
        StorageError: It cannot be written.
    """
    path = export.path
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    check_output(path, replace=export.replace, hint="choose another name")
    write_text(path, text)


class _Radio(RadioButton):
    """A radio button whose choice is a sign, so that it shows without colour."""

    @property
    def _button(self) -> Content:
        return Content.styled("(●)" if self.value else "( )", self.get_visual_style("toggle--button"))


class ExportScreen(ModalScreen[Export | None]):
    """Asks for a form and a path, which is beside the run unless another place is named."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close")]
    AUTO_FOCUS = "RadioSet"
    DEFAULT_CSS = """
    ExportScreen { align: center middle; }
    ExportScreen > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 96%; padding: 1 2;
        border: round $primary; border-title-color: $text-primary; border-title-style: bold;
        border-subtitle-color: $foreground 75%; background: $surface;
    }
    ExportScreen RadioSet { background: $surface; width: 100%; margin-bottom: 1; }
    ExportScreen Input { margin-bottom: 1; padding: 0 1; background: $panel; }
    ExportScreen #problem { height: auto; min-height: 1; color: $text-warning; }
    """

    def __init__(self, run: Path) -> None:
        super().__init__()
        self._run = run
        self._asked: Path | None = None

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        with Vertical() as dialog:
            dialog.border_title = "Export the report"
            dialog.border_subtitle = "enter in the path writes · esc closes"
            with RadioSet(compact=True):
                for number, words in enumerate(FORMS.values()):
                    yield _Radio(words, value=not number)
            yield Label("Write to", markup=False)
            yield Input(str(default_path(self._run, next(iter(FORMS)))), compact=True)
            yield Static(id="problem", markup=False)

    @on(RadioSet.Changed)
    def _on_form(self, event: RadioSet.Changed) -> None:
        """Give the path the ending of the form."""
        form = list(FORMS)[event.index]
        entry = self.query_one(Input)
        path = Path(entry.value)
        own = {str(default_path(self._run, other)) for other in FORMS}
        entry.value = str(
            default_path(self._run, form) if entry.value in own or not path.stem else path.with_suffix(form)
        )
        self._say("")

    @on(Input.Changed)
    def _on_path(self) -> None:
        self._asked = None

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        """Answer with the path; one that is there only the second time."""
        path = Path(event.value.strip()).expanduser()
        if path.suffix.lower() not in FORMS:
            self._say(f"The name must end in one of {', '.join(FORMS)}.")
        elif path.is_dir():
            self._say("This is a folder: name a file in it.")
        elif path.exists() and self._asked != path:
            self._asked = path
            self._say("This file is there already. Enter once more replaces it.")
        else:
            self.dismiss(Export(path, replace=self._asked == path))

    def _say(self, text: str) -> None:
        self.query_one("#problem", Static).update(text)
