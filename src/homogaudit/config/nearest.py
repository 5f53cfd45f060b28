"""The names nearest to a mistyped one, for hints. Knows nothing of what the names stand for."""

from collections.abc import Iterable
from difflib import get_close_matches

_SIMILAR_ENOUGH = 0.5
"""Share of matching characters below which a suggestion is more confusing than none."""


def nearest(text: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return at most `count` of `names` that `text` may have meant, best first; case is ignored."""
    by_folded: dict[str, str] = {}
    for name in names:
        by_folded.setdefault(name.casefold(), name)
    close = get_close_matches(text.casefold(), by_folded, n=count, cutoff=_SIMILAR_ENOUGH)
    return [by_folded[folded] for folded in close]


def did_you_mean(text: str, names: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return the hint that names what `text` may have meant, or `otherwise` where nothing is near."""
    close = nearest(text, names)
    if not close:
        return otherwise
    return f"did you mean {' or '.join(map(in_backticks, close))}?"


def in_backticks(name: str) -> str:
    """Quote a name of somebody's file; control characters are shown as escapes."""
    return f"`{name}`" if name.isprintable() else ascii(name)
