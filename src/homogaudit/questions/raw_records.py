"""A record of a question file as it was read, before anybody asks what its columns mean."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.wording import quoted

_MAX_DEPTH = 64
"""Far beyond any question file, and far below what would exhaust the stack when the record is written again."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a file as it was read, and the line where it began (from 1)."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RawRecords:
    """The records of a file, and what was left out or guessed to get them, a line each."""

    records: tuple[RawRecord, ...]
    notes: tuple[str, ...] = ()


def check_value(value: Any, where: str) -> None:
    """Refuse what can be read but not be stored, shown or written again.

    Raises:
        QuestionFileError: A number that is not finite, a NUL character, half of a surrogate pair, or deep nesting.
    """
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict | list):
            if depth > _MAX_DEPTH:
                raise QuestionFileError(f"{where} is nested too deeply (over {_MAX_DEPTH} levels)", "flatten it")
            members: Iterable[Any] = item
            if isinstance(item, dict):
                mapping = cast("dict[str, Any]", item)
                members = [*mapping.keys(), *mapping.values()]
            pending.extend((member, depth + 1) for member in members)
        elif isinstance(item, float) and not math.isfinite(item):
            raise QuestionFileError(f"{where} holds a number that is not finite", "leave the value out")
        elif isinstance(item, str):
            if "\0" in item:
                raise QuestionFileError(f"{where} holds a NUL character in {quoted(item)}", "remove it")
            if not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
                raise QuestionFileError(
                    f"{where} holds half of a surrogate pair in {quoted(item)}", "fix the `\\u` escape"
                )
