"""The figure that does not exist, which records of every section hold in its place."""

from dataclasses import dataclass, field

from homogaudit.errors import UndefinedStatisticError


@dataclass(frozen=True, slots=True)
class Undefined:
    """A figure that does not exist for this run, and why, in one line."""

    value: None = field(default=None, kw_only=True)
    reason: str


WITH_FULL = Undefined("shown with --full")
"""In the place of what only the full report shows."""


def undefined(error: UndefinedStatisticError) -> Undefined:
    """Return the reason that an error gives, as one line without code marks."""
    reason = error.message if error.hint is None else f"{error.message}: {error.hint}"
    return Undefined(reason.replace("`", ""))
