"""What every screen has: its first line, its last line, and a screen that has a sentence between them."""

from textual.app import ComposeResult, RenderResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.widgets._footer import FooterKey, FooterLabel

from homogaudit.report.text import plain


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


class KeyLine(Footer):
    """The keys of the screen and of the application.

    A narrow terminal names the four screens in one word, a tiny one leaves out the keys of the screen: help has
    them all. The rules are the application's.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)

    def compose(self) -> ComposeResult:
        """Lay out the keys, and the short form of those that change the screen."""
        has_short = False
        for key in super().compose():
            if isinstance(key, FooterKey):
                if key.action.startswith("go("):
                    if not has_short:
                        has_short = True
                        yield FooterLabel("[b $footer-key-foreground] 1-4[/] Screens", classes="short-keys")
                    key.add_class("screen-key")
                elif key.action not in ("help", "quit"):
                    key.add_class("own-key")
            yield key


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
