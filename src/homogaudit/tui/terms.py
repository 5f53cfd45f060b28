"""The terms of the report in a command palette of their own."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import App
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from homogaudit.report.text import shorten

__all__ = ["TermsProvider", "explain_a_term"]

_DEFINITION = 90
"""Characters of a definition under its term: a line of the palette."""


def explain_a_term(app: App[Any]) -> None:
    """Ask for a term and explain it."""
    app.push_screen(CommandPalette(providers=[TermsProvider], placeholder="Explain which term?"))


class TermsProvider(Provider):
    """The terms of the glossary."""

    async def discover(self) -> Hits:
        """Yield every term."""
        for name, definition in _terms():
            yield DiscoveryHit(name, partial(self._explain, name), help=definition)

    async def search(self, query: str) -> Hits:
        """Yield the terms that fit what is typed."""
        matcher = self.matcher(query)
        for name, definition in _terms():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), partial(self._explain, name), help=definition)

    def _explain(self, name: str) -> None:
        explain: Any = self.app
        explain.explain(name)


def _terms() -> Iterator[tuple[str, str]]:
    from homogaudit.report.glossary import all_terms

    for term in all_terms().values():
        yield term.name, shorten(term.definition, _DEFINITION)
