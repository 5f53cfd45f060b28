"""Reference answers as texts, whatever form a file gives them in.

Knows the forms of one value: a text, a truth value, a number, a list, an object with the text somewhere in it, and a
list that a program wrote into a cell. Knows nothing of columns, of choices and of judges.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError
from homogaudit.questions.literals import NOT_A_LITERAL, ElidedError, read_literal

_HOLDERS = (
    ("value", "aliases"),
    ("text",),
    ("texts",),
    ("spans",),
    ("answers",),
    ("answer", "aliases", "answer_aliases"),
    ("content",),
    ("name",),
    ("short_answers",),
)
"""The keys of an object that hold its texts, the surest first; the first group with a text in it is taken."""

_YES_NO = {True: "yes", False: "no"}

_DESCRIPTION = re.compile(r'\(description\s+(?:"((?:[^"\\]|\\.)*)"|([^\s()]+))\)')
"""A reference of the first WebQuestions files: `(list (description "Lima") (description Cusco))`."""

_BOXED = "\\boxed{"


def read_references(value: object, *, split: bool = False, in_cell: bool = False, where: str = "") -> tuple[str, ...]:
    """Return the reference answers that a value holds: without empty ones and repetitions, in their order.

    A text that is a list (`["a", "b"]`, `['a', 'b']`, `['a' 'b']`) is read as that list; truth values are `yes` and
    `no`; of an object its `value` and `aliases`, its `text`, its `spans` and the like.

    With `split` a text is a list written with `;`; in the cell of a table a list of bare numbers is a list too.

    Raises:
        QuestionFileError: It holds an object in which no text is known, or a list with some of it left out.
    """
    return unique_texts(_texts(value, split, in_cell, where or "a reference", 1))


def unique_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts stripped, without empty ones and repetitions, in their order."""
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def decoded(value: Any, where: str, *, in_cell: bool = True) -> Any:
    """Return the list or object that a text is, and any other value as it is.

    A list of bare numbers counts in a cell alone: `[1, 2]` in a JSON text may be an interval.

    Raises:
        QuestionFileError: Some of the list is left out.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{", "array(", "np.array(")):
        return value
    text = value.strip()
    try:
        found = json.loads(text)
        found = found if isinstance(found, list | dict) else NOT_A_LITERAL
    except (ValueError, RecursionError):
        try:
            found = read_literal(text)
        except ElidedError:
            hint = "write out the whole list, for example as JSON"
            raise QuestionFileError(f"{where} is a list with `...` in it: part of it is missing", hint) from None
    if found is NOT_A_LITERAL:
        return value
    if not in_cell and isinstance(found, list) and found and not any(isinstance(x, str | dict | list) for x in found):
        return value
    return found


def lowered_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with its keys in lower case; of two that become one the first stays."""
    lowered: dict[str, Any] = {}
    for key, item in value.items():
        lowered.setdefault(key.strip().casefold(), item)
    return lowered


def last_boxed(text: str) -> str | None:
    r"""Return what stands in the last `\boxed{...}` of a worked solution, `None` where there is none."""
    start = text.rfind(_BOXED)
    if start < 0:
        return None
    depth = 0
    for position in range(start + len(_BOXED) - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start + len(_BOXED) : position].strip() or None
    return None


def _texts(value: object, split: bool, in_cell: bool, where: str, depth: int) -> list[str]:
    value = decoded(value, where, in_cell=in_cell)
    if value is None:
        return []
    if isinstance(value, bool):
        return [_YES_NO[value]]
    if isinstance(value, str):
        if value.startswith("(list ") and (found := _DESCRIPTION.findall(value)):
            return [quoted_text.replace('\\"', '"') or bare for quoted_text, bare in found]
        return value.split(";") if split else [value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        # A program that knows no missing whole number wrote 4 as 4.0.
        return [str(int(value))]
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, list) and depth < 8:
        return [
            text
            for item in cast("list[object]", value)
            for text in _texts(item, split=False, in_cell=False, where=where, depth=depth + 1)
        ]
    if isinstance(value, dict) and depth < 8:
        return _of_object(cast("dict[str, Any]", value), where, depth)
    raise QuestionFileError(f"{where} holds {kind_of(value)}, not a text", "give a text or a list of texts")


def _of_object(value: Mapping[str, Any], where: str, depth: int) -> list[str]:
    keys = lowered_keys(value)
    for names in _HOLDERS:
        if names[0] in keys:
            texts = [text for name in names for text in _texts(keys.get(name), False, False, where, depth + 1)]
            if texts or len(keys.keys() - {"number", "date"}) <= len(names) + 1:
                # What DROP answers with a number or a date has no spans.
                return texts or _number_or_date(keys)
    if found := _number_or_date(keys):
        return found
    if not keys:
        return []
    raise QuestionFileError(f"{where} holds an object, not a text", "give a text or a list of texts")


def _number_or_date(keys: Mapping[str, Any]) -> list[str]:
    """Return a DROP answer that is a number or a date."""
    number = keys.get("number")
    if isinstance(number, str | int | float) and not isinstance(number, bool) and str(number).strip():
        return [str(number)]
    date = keys.get("date")
    if isinstance(date, dict):
        parts = lowered_keys(cast("dict[str, Any]", date))
        return [" ".join(str(parts[name]) for name in ("day", "month", "year") if parts.get(name))]
    return []
