"""Text in a widget that draws line by line can be selected with the mouse and copied, as in any other widget."""

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip


class SelectableLines(ScrollView):
    """A scroll view whose first `HEAD` lines stay and whose other lines scroll under them.

    A subclass has `content_line`.
    """

    HEAD: ClassVar[int] = 1

    def content_line(self, line: int) -> Strip:
        """Return a line of the content, at the widget's width; a line that is not there is blank."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """Return a line of the screen, with what is selected of it marked."""
        line = y if y < self.HEAD else self.scroll_offset.y + y
        strip = self.content_line(line)
        selection = self.text_selection
        span = None if selection is None else selection.get_span(line)
        if span is not None:
            text = strip.text
            first, last = (cell_len(text[:x]) if x >= 0 else strip.cell_length for x in span)
            style = self.screen.get_component_rich_style("screen--selection")
            chosen = Strip(Segment.apply_style(strip.crop(first, last), post_style=style), last - first)
            strip = Strip.join([strip.crop(0, first), chosen, strip.crop(last)])
        return strip.apply_offsets(0, line)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, and what follows it."""
        first = 0 if selection.start is None else selection.start.y
        last = self.virtual_size.height - 1 if selection.end is None else selection.end.y
        found: list[str] = []
        for line in range(first, last + 1):
            span = selection.get_span(line)
            if span is not None:
                text = self.content_line(line).text
                found.append(text[span[0] : span[1] if span[1] >= 0 else len(text)].rstrip())
        return "\n".join(found), "\n"

    def text_select_all(self) -> None:
        """Select nothing: a double click opens the line, and there may be many thousands."""

    def selection_updated(self, selection: Selection | None) -> None:
        """Mark what is selected now."""
        self.refresh()
