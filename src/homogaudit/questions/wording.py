"""Words of an error line about somebody else's text: safe in a terminal, short, on one line.

Knows nothing of question files or templates.
"""

from collections.abc import Iterable

from homogaudit.config.nearest import did_you_mean


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


def with_nearest(name: str, options: Iterable[str], hint: str) -> str:
    """Return `hint` behind the options that `name` may have meant, where there are any."""
    return f"{did_you_mean(name, options, '')} {hint}".lstrip()
