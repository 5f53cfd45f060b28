"""A screen that stands in for one that has no run to show."""

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from homogaudit.tui.key_line import KeyLine
from homogaudit.tui.status_line import StatusLine

__all__ = ["EmptyScreen"]


class EmptyScreen(Screen[None]):
    """Says why there is nothing to see."""

    def __init__(self, title: str, reason: str) -> None:
        super().__init__()
        self._title = title
        self._reason = reason

    def compose(self) -> ComposeResult:
        """Lay out the sentence."""
        yield StatusLine(self._title)
        yield Static(self._reason, markup=False, classes="empty-note muted")
        yield KeyLine()
