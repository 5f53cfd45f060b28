"""One definition a figure: it stands beside the type of its field, and everything that shows the figure reads it.

    scr: Annotated[Rate | Undefined, Figure("SCR")]

The JSON Schema describes it, `explain` explains it, a table of the record has a row or a column for it; console,
Markdown, screen and page draw that table. Knows no figure by name.
"""

import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from homogaudit.report.numbers import MISSING, count, decimal, interval, percent, percent_interval, share
from homogaudit.report.section import Span
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined


@dataclass(frozen=True, slots=True)
class Figure:
    """What a figure is called, what it means, and how it is written.

    Attributes:
        name: As people read it, on rows and over columns.
        means: What `explain` and the schema say of it; empty where the glossary has a term of the field's name.
        term: What explains it in place of a term of the field's own name.
        written: Writes a number of it; `None` for the way of its type: counts whole, rates as per cent, others with
            decimals.
        places: Decimals, where it has any.
        formula: In plain characters.
        unit: Unit and range.
        source: Where it was published.
    """

    name: str
    means: str = ""
    term: str = ""
    written: Callable[[Any], str] | None = None
    places: int = 3
    formula: str | None = None
    unit: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredQuestion:
    """A question whose N samples all hold an answer, under one clustering.

    Attributes:
        assignment: The cluster of each sample.
        similarities: Of every two samples, shape (N, N); `None` where the clustering compares too few pairs.
    """

    assignment: tuple[int, ...]
    similarities: NDArray[np.float64] | None

    def pairs(self) -> NDArray[np.float64]:
        """Return the similarity of every pair of samples once, nothing where too few are compared."""
        if self.similarities is None:
            return np.empty(0)
        return self.similarities[np.triu_indices(len(self.assignment), 1)]


@dataclass(frozen=True, slots=True)
class QuestionMean(Figure):
    """A mean over questions with its bootstrap interval.

    Attributes:
        of: What it is the mean of, NaN where a question has none.
    """

    of: Callable[[ClusteredQuestion], float] = field(default=lambda _: math.nan, kw_only=True)


@dataclass(frozen=True, slots=True)
class Written:
    """A figure as it is shown.

    Attributes:
        value: The number, or `-`.
        interval: Its interval, or `-`.
        of: What it is over: `26 of 500` of a rate, else the number of questions, or `-`.
        reason: Why there is none.
        span: To be drawn on an axis.
    """

    value: str
    interval: str = MISSING
    of: str = MISSING
    reason: str = ""
    span: Span | None = None


def write(figure: Figure, value: Any) -> Written:
    """Return a figure as it is shown: a number, a text, or a record with `value`, `low`, `high`, `k` and `n`."""
    if value is None or isinstance(value, Undefined):
        return Written(MISSING, reason="" if value is None else plain(value.reason))
    if isinstance(value, bool):
        return Written("yes" if value else "no")
    if isinstance(value, str):
        return Written(plain(value))
    if isinstance(value, int):
        return Written((figure.written or count)(value))
    if isinstance(value, float):
        return Written(_number(figure, value))
    k, n, low, high = (getattr(value, name, None) for name in ("k", "n", "low", "high"))
    is_share = k is not None or figure.written is percent
    of = MISSING if n is None else count(n) if k is None else share(k, n)
    return Written(
        percent(value.value) if is_share else _number(figure, value.value),
        percent_interval(low, high) if is_share else interval(low, high, figure.places),
        of,
        span=Span(value.value, low, high),
    )


def _number(figure: Figure, value: float) -> str:
    return decimal(value, figure.places) if figure.written is None else figure.written(value)


@cache
def figures(kind: type) -> Mapping[str, Figure]:
    """Return the figures of a record by the names of their fields, in their order."""
    if not is_dataclass(kind):
        return {}
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.name: found
        for field in fields(kind)
        for found in getattr(hints[field.name], "__metadata__", ())
        if isinstance(found, Figure)
    }


@cache
def figures_within(kind: type) -> tuple[tuple[str, Figure], ...]:
    """Return the figures of a record and of all records in its fields, each record once, by name of field."""
    waiting, seen = [kind], set[Any]()
    found: list[tuple[str, Figure]] = []
    while waiting:
        record = waiting.pop(0)
        if record in seen:
            continue
        seen.add(record)
        found += figures(record).items()
        for hint in get_type_hints(record).values():
            waiting += _records(hint)
    return tuple(found)


def _records(hint: Any) -> Iterator[type]:
    """Yield the records that a type holds."""
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    elif get_origin(hint) is Annotated:
        yield from _records(get_args(hint)[0])
    elif get_origin(hint) in (Union, types.UnionType, tuple, Mapping):
        for inner in get_args(hint):
            yield from _records(inner)
