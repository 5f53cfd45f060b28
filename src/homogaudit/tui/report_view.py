"""The sections of a report in one scrolled view, with a cursor that goes from title to sentence to row to plot."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.visual import Visual

from homogaudit.report.section import Section
from homogaudit.tui.report_blocks import Drawn, Stop, draw_sections
from homogaudit.tui.theme import palette_of
from homogaudit.tui.widgets.selectable_lines import SelectableLines


class ReportView(SelectableLines, can_focus=True):
    """Sections one below the other; it draws what it is given and tells where the cursor stands."""

    HEAD = 0
    DEFAULT_CSS = """
    ReportView { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("left_square_bracket", "section(-1)", "Section before", key_display="[", show=False),
        Binding("right_square_bracket", "section(1)", "Section", key_display="]"),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "end(False)", "Top", show=False),
        Binding("end,G", "end(True)", "Bottom", show=False),
    ]

    cursor: reactive[int] = reactive(0)

    @dataclass
    class Pointed(Message):
        """The cursor stands on something else."""

        at: Stop

    @dataclass
    class Opened(Message):
        """The questions that a sentence speaks of are to be shown."""

        questions: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sections: Sequence[Section] = ()
        self._drawn = Drawn()
        self._is_dark = True
        self._can_open = False

    @property
    def current(self) -> Stop | None:
        """What is under the cursor."""
        return self._drawn.stops[self.cursor] if self._drawn.stops else None

    def show(self, sections: Sequence[Section]) -> None:
        """Show these sections, with the cursor on the first title."""
        self._sections = sections
        self._draw()
        self._tell()

    def _draw(self) -> None:
        """Lay out all lines anew; the cursor stays on what it stood on."""
        place = self.current.place if self.current is not None else None
        self._is_dark = self.app.current_theme.dark
        palette = palette_of(self._is_dark)
        width = self.scrollable_content_region.width
        self._drawn = draw_sections(self._sections, width, palette, color=not self.app.no_color)
        self.virtual_size = Size(width, len(self._drawn.lines))
        self.cursor = next((number for number, stop in enumerate(self._drawn.stops) if stop.place == place), 0)
        self.refresh()
        self._keep_in_sight()

    def on_resize(self) -> None:
        """Lines depend on the width."""
        if self._sections and self.scrollable_content_region.width != self.virtual_size.width:
            self._draw()

    def notify_style_update(self) -> None:
        """Take the colours of another theme."""
        super().notify_style_update()
        if self._sections and self.app.current_theme.dark != self._is_dark:
            self._draw()

    # The cursor

    def watch_cursor(self) -> None:
        """Show and tell where it stands."""
        self.refresh()
        self._keep_in_sight()
        self._tell()

    def _tell(self) -> None:
        if self.current is not None:
            self.post_message(self.Pointed(self.current))
            if bool(self.current.questions) != self._can_open:
                # The line of keys is composed anew, which takes longer than all else that a key does.
                self._can_open = not self._can_open
                self.refresh_bindings()

    def _keep_in_sight(self) -> None:
        """Scroll no further than to see the stop of the cursor, and what stands between it and the stop before."""
        if self.current is None:
            return
        lines, top, room = self.current.lines, self.scroll_offset.y, max(self.scrollable_content_region.height, 1)
        above = self._drawn.stops[self.cursor - 1].lines.stop if self.cursor else 0
        # A blank line above it is none that has to be seen.
        above += lines.start > above and not self._drawn.lines[above].plain
        first = above if lines.stop - above <= room else lines.start
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif lines.stop > top + room:
            self.scroll_to(y=min(lines.stop - room, first), animate=False, force=True)

    def move_to(self, number: int) -> None:
        """Put the cursor on a stop, or the nearest that there is."""
        self.cursor = min(max(number, 0), max(len(self._drawn.stops) - 1, 0))

    def action_move(self, stops: int) -> None:
        """Go up or down."""
        self.move_to(self.cursor + stops)

    def action_end(self, last: bool) -> None:
        """Go to the first or the last stop."""
        self.move_to(len(self._drawn.stops) if last else 0)

    def action_page(self, pages: int) -> None:
        """Go as many lines further as are in sight."""
        if self.current is None:
            return
        page = pages * max(self.scrollable_content_region.height - 1, 1)
        line = self.current.lines.start + page
        self.scroll_to(y=self.scroll_offset.y + page, animate=False, force=True)
        found = bisect_left([stop.lines.start for stop in self._drawn.stops], line)
        self.move_to(max(found, self.cursor + 1) if pages > 0 else min(found, self.cursor - 1))

    def action_section(self, step: int) -> None:
        """Go to the title of the section before or after, round the ends."""
        if self.current is not None:
            self.go_to((self.current.place[0] + step) % len(self._sections))

    def go_to(self, section: int) -> None:
        """Go to the title of a section, and have it at the top."""
        for number, stop in enumerate(self._drawn.stops):
            if stop.place[0] == section:
                self.scroll_to(y=stop.lines.start, animate=False, force=True)
                self.move_to(number)
                return

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer Enter only where there are questions to show."""
        return action != "open" or bool(self.current is not None and self.current.questions)

    def action_open(self) -> None:
        """Show the questions that the sentence under the cursor speaks of."""
        if self.current is not None and self.current.questions:
            self.post_message(self.Opened(self.current.questions))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click opens."""
        number = self._drawn.marked.get(self.scroll_offset.y + event.y)
        if number is not None:
            self.move_to(number)
            if event.chain > 1:
                self.action_open()

    # Drawing

    def content_line(self, line: int) -> Strip:
        """Return a line, lit where the cursor stands on it."""
        width = self.scrollable_content_region.width
        if line >= len(self._drawn.lines):
            return Strip.blank(width, self.visual_style.rich_style)
        content = self._drawn.lines[line]
        if self._drawn.marked.get(line) == self.cursor:
            content = content.pad_right(max(width - content.cell_length, 0))
            content = content.stylize("reverse") if self.app.no_color else content.stylize_before("on $primary 28%")
        return Visual.to_strips(self, content, width, 1, self.visual_style, pad=True, apply_selection=False)[0]
