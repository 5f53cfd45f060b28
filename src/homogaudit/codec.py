"""Frozen dataclasses as JSON values and back; pydantic does the work, imported when the first record passes.

It knows no record by name. What it takes back is checked against the types of the fields; a record whose class sets
`__pydantic_config__` to `STRICT` takes no keys beside them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

_Record = TypeVar("_Record")

STRICT: "ConfigDict" = {"extra": "forbid", "allow_inf_nan": False}
"""Of a record and of those in it."""


@dataclass(frozen=True, slots=True)
class Within:
    """Where a number lies, for the schema alone: a rounding error must not make a report unreadable."""

    low: float | None = None
    high: float | None = None

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Add the limits to the schema of the number."""
        limits = {"minimum": self.low, "maximum": self.high}
        return handler(core_schema) | {name: limit for name, limit in limits.items() if limit is not None}


Count = Annotated[int, Within(0)]
"""A whole number from 0."""

Share = Annotated[float, Within(0, 1)]
"""A number from 0 to 1: a share, a probability, an AUROC."""

Signed = Annotated[float, Within(-1, 1)]
"""A number from -1 to 1: a correlation, a difference of shares."""


def finite(value: object) -> float | None:
    """Return a number of somebody else's JSON, `None` for anything else and for what no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def kind_of(value: object) -> str:
    """Return the JSON name of a value's type, for error lines."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def to_values(record: object) -> dict[str, Any]:
    """Return a record as JSON values; in a field of any type, `None` stands for a number that is not finite."""
    return _adapter(type(record)).dump_python(record, mode="json")


def from_values(kind: type[_Record], values: object) -> _Record:
    """Return the record of a type behind its JSON values; a number may stand as its text.

    Raises:
        ValueError: They are not those of such a record; one line says where and why.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as error:
        raise ValueError(_first_problem(error.errors(include_url=False))) from None


def from_json(kind: type[_Record], text: str) -> _Record:
    """Return the record of a type behind JSON text; every value is of the very type of its field.

    Raises:
        ValueError: It is not such a record; one line says where and why.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(_first_problem(error.errors(include_url=False))) from None


def _first_problem(errors: Sequence[Any]) -> str:
    """Return one line; of the members of a union the one that fits furthest speaks."""
    deepest = max(errors, key=lambda error: len(error["loc"]))
    where = ".".join(_short(str(step)) for step in deepest["loc"])
    known = {"missing": "missing", "unexpected_keyword_argument": "unknown"}
    if deepest["type"] in known:
        return f"the key `{where}` is {known[deepest['type']]}"
    return f"`{where}`: {deepest['msg'][:1].lower()}{deepest['msg'][1:]}"


def _short(name: str) -> str:
    """Return a key of somebody else's file as it may be shown in one line."""
    return "".join(char if char.isprintable() and char != "`" else "\ufffd" for char in name)[:60]
