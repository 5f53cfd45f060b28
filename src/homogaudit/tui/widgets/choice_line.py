"""A line of names of which one is chosen, by keys or the mouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from homogaudit.report.text import plain
from homogaudit.tui.theme import MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure

_GAP = 2


def _starts(choices: Sequence[str]) -> list[int]:
    starts: list[int] = []
    x = 0
    for choice in choices:
        starts.append(x)
        x += _cells(choice) + _GAP
    return starts


def _cells(choice: str) -> int:
    return cell_len(plain(choice)) + 2


def _hidden(choices: Sequence[str], chosen: int, width: int) -> int:
    """Return how many cells are out of sight on the left, so that the chosen name stands in the middle."""
    starts = _starts(choices)
    surplus = starts[-1] + _cells(choices[-1]) - width if starts else 0
    if surplus <= 0 or not 0 <= chosen < len(starts):
        return 0
    return min(max(starts[chosen] + _cells(choices[chosen]) // 2 - width // 2, 0), surplus)


def draw_choices(choices: Sequence[str], chosen: int, width: int, *, focused: bool = False) -> Content:
    """Return the names on one line; the chosen one stands in brackets of its own, so that it shows without colour.

    Where they are too many for the width, the chosen one is in sight and arrows say where there are more.
    """
    canvas = Canvas(width, 1)
    hidden = _hidden(choices, chosen, width)
    for number, (choice, start) in enumerate(zip(choices, _starts(choices), strict=True)):
        x = start - hidden
        if number == chosen:
            canvas.put(x, 0, f"▐{plain(choice)}▌", "bold $primary" if focused else "bold $text-primary")
        else:
            canvas.put(x, 0, f" {plain(choice)} ", MUTED)
        if x + _cells(choice) > width:
            canvas.put(width - 1, 0, "▸", "$text-primary")
    if hidden:
        canvas.put(0, 0, "◂", "$text-primary")
    return canvas.content()


class ChoiceLine(Figure, can_focus=True):
    """One of a few names; left and right change it, a click takes the name under the mouse."""

    DEFAULT_CSS = """
    ChoiceLine { height: 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Previous", show=False),
        Binding("right", "move(1)", "Next", show=False),
        Binding("home", "choose(0)", "First", show=False),
        Binding("end", "choose(-1)", "Last", show=False),
    ]

    choices: reactive[tuple[str, ...]] = reactive(())
    chosen: reactive[int] = reactive(0)

    @dataclass
    class Changed(Message):
        """Another name was chosen by a key or the mouse."""

        chosen: int

    def __init__(self, choices: Sequence[str] = (), chosen: int = 0, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(ChoiceLine.choices, tuple(choices))
        self.set_reactive(ChoiceLine.chosen, chosen)

    def action_move(self, steps: int) -> None:
        """Choose the name some places further, from the last to the first."""
        if self.choices:
            self._choose((self.chosen + steps) % len(self.choices))

    def action_choose(self, number: int) -> None:
        """Choose a name by its place, -1 for the last."""
        if self.choices:
            self._choose(number % len(self.choices))

    def _choose(self, number: int) -> None:
        if number != self.chosen:
            self.chosen = number
            self.post_message(self.Changed(number))

    def on_click(self, event: events.Click) -> None:
        """Choose the name under the mouse."""
        place = event.x + _hidden(self.choices, self.chosen, self.content_size.width)
        for number, (choice, x) in enumerate(zip(self.choices, _starts(self.choices), strict=True)):
            if x <= place < x + _cells(choice):
                self._choose(number)

    def watch_has_focus(self, value: bool) -> None:
        """Show that keys arrive here."""
        super().watch_has_focus(value)
        self.refresh()

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the line."""
        return draw_choices(self.choices, self.chosen, width, focused=self.has_focus)
