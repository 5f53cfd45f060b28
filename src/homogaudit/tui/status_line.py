"""The first line of every screen: where one is, which run, its status and its warnings."""

from textual.app import RenderResult
from textual.content import Content
from textual.widgets import Static

from homogaudit.report.text import plain

__all__ = ["StatusLine"]


class StatusLine(Static):
    """One line; the app tells it what to say, and without an app of ours it says its title alone."""

    DEFAULT_CSS = """
    StatusLine { dock: top; height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self, title: str) -> None:
        super().__init__(markup=False)
        self._title = title
        self._shown = Content()

    def on_mount(self) -> None:
        """Follow the run, also while another screen is in front."""
        changed = getattr(self.app, "status_changed", None)
        if changed is not None:
            changed.subscribe(self, self.show_changes, immediate=True)

    def render(self) -> RenderResult:
        """Return the line."""
        self._shown = self._describe()
        return self._shown

    def show_changes(self, _: None = None) -> None:
        """Draw the line again if it says something else now."""
        if not self._describe().is_same(self._shown):
            self.refresh()

    def _describe(self) -> Content:
        title = Content.styled(f" {plain(self._title)} ", "$text-primary bold")
        describe = getattr(self.app, "status_content", None)
        return Content.assemble(title, " ", describe()) if describe is not None else title
