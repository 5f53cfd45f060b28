"""The last line of every screen: its keys, fewer of them where the terminal is narrow."""

from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey, FooterLabel

__all__ = ["KeyLine"]


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
