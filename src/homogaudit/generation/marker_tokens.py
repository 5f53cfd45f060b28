"""How a model's tokens follow the markers of its thinking: which are shown, and which end an answer."""

from typing import Protocol

from homogaudit.questions.thinking_families import ThinkingChoice

__all__ = ["adopt_markers"]


class _Tokens(Protocol):
    """The tokens of any model."""

    def show_marker(self, text: str) -> None:
        """Let the control tokens in `text` appear in the text of an answer."""
        ...

    def set_end(self, text: str, *, ends: bool) -> None:
        """Say whether the token that spells `text` ends an answer."""
        ...


def adopt_markers(tokens: _Tokens, choice: ThinkingChoice) -> None:
    """Show the parser every control token that is part of a marker, and end answers where the family ends them."""
    for text in choice.shown:
        tokens.show_marker(text)
    for text in choice.ends_message:
        tokens.set_end(text, ends=False)
    for text in choice.ends_answer:
        tokens.set_end(text, ends=True)
