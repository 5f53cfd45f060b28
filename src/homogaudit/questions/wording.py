"""Words of an error line about somebody else's text: safe in a terminal, short, on one line.

Knows nothing of question files or templates.
"""

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "listed", "quoted"]


def quoted(value: object, limit: int = 60) -> str:
    """Return `value` in backticks, on one line, cut at `limit` characters, control characters replaced."""
    text = " ".join(str(value).split()).replace("`", "'")
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return "`" + "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text) + "`"


def listed(values: Iterable[object], limit: int = 8) -> str:
    """Return the first `limit` values in backticks and how many more there are."""
    names = [quoted(value) for value in values]
    more = [f"{len(names) - limit} more"] if len(names) > limit else []
    return ", ".join([*names[:limit], *more])


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return `did you mean ...? ` for the option nearest to `name`, or the empty string."""
    by_folded = {option.casefold(): option for option in options}
    nearest = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f"did you mean {quoted(by_folded[nearest[0]])}? " if nearest else ""
