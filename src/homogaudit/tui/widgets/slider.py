"""A slider over a range of numbers, for keys and mouse, with marks on its track."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive

from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure

_STEP = 0.01
"""What one key press moves."""


@dataclass(frozen=True, slots=True)
class SliderMark:
    """A place on the track and what it means, in a few words."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class _Track:
    """The range of a slider and the cells of its track, of which the first and the last are both ends."""

    low: float
    high: float
    left: int
    cells: int

    def column(self, value: float) -> int:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + round(share * (self.cells - 1))

    def value(self, column: int) -> float:
        place = min(max(column - self.left, 0), self.cells - 1)
        return self.low + (self.high - self.low) * place / max(self.cells - 1, 1)


def _track(low: float, high: float, width: int, places: int) -> _Track:
    numbers = max(len(f"{low:.{places}f}"), len(f"{high:.{places}f}"))
    left = numbers + 1 if width >= 4 * numbers else 0
    return _Track(low, high, left, max(width - left - (numbers + 1 if left else 0), 1))


def draw_slider(
    value: float,
    low: float,
    high: float,
    marks: Sequence[SliderMark],
    width: int,
    height: int,
    *,
    places: int = 2,
    focused: bool = False,
) -> Content:
    """Return the track with its handle, and under it the labels of the marks that have room."""
    canvas = Canvas(width, height)
    track = _track(low, high, width, places)
    if track.left:
        canvas.right(track.left - 1, 0, f"{low:.{places}f}", MUTED)
        canvas.put(track.left + track.cells + 1, 0, f"{high:.{places}f}", MUTED)
    handle = track.column(value)
    canvas.put(track.left, 0, "━" * (handle - track.left), "$primary")
    canvas.put(handle, 0, "─" * (track.left + track.cells - handle), FAINT)
    for mark in marks:
        if low <= mark.value <= high:
            canvas.put(track.column(mark.value), 0, "┿", "$text-accent")
    canvas.put(handle, 0, "◆" if focused else "●", "$primary bold" if focused else "$primary")
    taken: list[tuple[int, int]] = []
    shown_marks = sorted((mark for mark in marks if low <= mark.value <= high), key=lambda mark: mark.value)
    for place, mark in enumerate(shown_marks):
        column = track.column(mark.value)
        text = f"{mark.label} {mark.value:.{places}f}"
        cells = cell_len(text) + 2
        # To the right of its mark where there is room, else to the left, else nowhere; marks before the last leave
        # the right to those that follow.
        sides = [(column, f"▴ {text}"), (column - cells + 1, f"{text} ▴")]
        for start, shown in sides if place == len(shown_marks) - 1 else reversed(sides):
            free = all(start + cells < first or start > last for first, last in taken)
            if start >= 0 and start + cells <= width and free:
                canvas.put(start, 1, shown, MUTED)
                canvas.put(column, 1, "▴", "$text-accent")
                taken.append((start, start + cells))
                break
    return canvas.content()


class Slider(Figure, can_focus=True):
    """A number chosen on a track.

    Left and right move by one step, with shift by ten (or with `[` and `]`), home and end go to the ends; a click or a
    drag puts the handle under the mouse.
    """

    DEFAULT_CSS = """
    Slider { height: 2; min-width: 10; }
    """
    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Lower", show=False),
        Binding("right", "move(1)", "Higher", show=False),
        Binding("shift+left,left_square_bracket", "move(-10)", "Much lower", show=False),
        Binding("shift+right,right_square_bracket", "move(10)", "Much higher", show=False),
        Binding("home", "end_of(-1)", "Lowest", show=False),
        Binding("end", "end_of(1)", "Highest", show=False),
    ]

    value: reactive[float] = reactive(0.0)
    marks: reactive[tuple[SliderMark, ...]] = reactive(())

    @dataclass
    class Changed(Message):
        """The handle was moved by a key or the mouse."""

        value: float

    def __init__(
        self,
        value: float = 0.5,
        *,
        low: float = 0.0,
        high: float = 1.0,
        marks: Sequence[SliderMark] = (),
        places: int = 2,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        if not high > low:
            raise ValueError(f"no range from {low} to {high}")
        self._low, self._high, self._places = low, high, places
        self._dragging = False
        self.set_reactive(Slider.value, self._clamped(value))
        self.set_reactive(Slider.marks, tuple(marks))

    def _clamped(self, value: float) -> float:
        return min(max(value, self._low), self._high)

    def validate_value(self, value: float) -> float:
        """Return the value inside the range."""
        return self._clamped(value)

    def set_range(self, low: float, high: float, value: float, marks: Sequence[SliderMark] = ()) -> None:
        """Take another range, without a message."""
        self._low, self._high = low, high
        self.value = value
        self.marks = tuple(marks)
        self.refresh()

    def action_move(self, steps: int) -> None:
        """Move the handle by some steps, onto the grid of steps."""
        self._choose((round(self.value / _STEP) + steps) * _STEP)

    def action_end_of(self, side: int) -> None:
        """Move the handle to the left (-1) or the right (1) end."""
        self._choose(self._low if side < 0 else self._high)

    def _choose(self, value: float) -> None:
        value = self._clamped(round(value, 9))
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(value))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Put the handle under the mouse and follow it."""
        if event.button == 1:
            self._dragging = True
            self.capture_mouse()
            self._choose_column(event.x)
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Follow the mouse while its button is down."""
        if self._dragging:
            self._choose_column(event.x)

    def on_mouse_up(self) -> None:
        """Let go."""
        self._dragging = False
        self.release_mouse()

    def _choose_column(self, column: int) -> None:
        value = _track(self._low, self._high, self.content_size.width, self._places).value(column)
        self._choose(round(value / _STEP) * _STEP)

    def watch_has_focus(self, value: bool) -> None:
        """Show the other handle."""
        super().watch_has_focus(value)
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of track and labels."""
        return 2

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the slider."""
        return draw_slider(
            self.value, self._low, self._high, self.marks, width, height, places=self._places, focused=self.has_focus
        )
