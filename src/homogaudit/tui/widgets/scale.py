"""Round numbers for axes, evenly spaced, and how they are written."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Tick:
    """A cell of an axis, and what is written there."""

    cell: int
    label: str


def _steps(low: float, high: float, most: int, *, whole: bool) -> Iterator[float]:
    """Yield round steps that put at most `most` values between two, the smallest first."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    while power <= 10 * (high - low):
        for factor in (1, 2, 5):
            if factor * power >= rough * (1 - 1e-9) and (not whole or factor * power >= 1):
                yield factor * power
        power *= 10


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Return at most `most` round values from `low` to `high`, ascending; both ends where nothing rounder fits.

    With `whole` they are whole numbers.
    """
    if most < 1 or not high > low:
        return [low]
    for step in _steps(low, high, most, whole=whole):
        found = _multiples(low, high, step)
        if len(found) <= most:
            return found if len(found) > 1 or most == 1 else [low, high]
    return [low, high][:most]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)] or [low]


def even_ticks(
    low: float,
    high: float,
    most: int,
    cell: Callable[[float], int],
    room: Callable[[str], int],
    *,
    percent: bool = False,
    whole: bool = False,
) -> list[Tick]:
    """Return as many ticks as stand evenly, none of whose labels touches or repeats another.

    `cell` gives the cell of a value, `room` the cells that a label takes along the axis, the gap to the next included.
    """
    for number in range(most, 1, -1):
        values = ticks(low, high, number, whole=whole)
        step = values[1] - values[0] if len(values) > 1 else high - low
        found = [Tick(cell(value), format_tick(value, step, percent=percent)) for value in values]
        gaps = [abs(after.cell - before.cell) for before, after in pairwise(found)]
        widest = max(room(tick.label) for tick in found)
        # Between wide gaps a cell more or less is not seen; between narrow ones it is.
        is_even = not gaps or max(gaps) - min(gaps) <= (min(gaps) >= 3)
        if is_even and (not gaps or min(gaps) >= widest) and len({tick.label for tick in found}) == len(found):
            return found
    return [Tick(cell(low), format_tick(low, high - low, percent=percent))]


def format_tick(value: float, step: float, *, percent: bool = False) -> str:
    """Return a tick with no more decimals than its step needs."""
    if percent:
        value, step = 100 * value, 100 * step
    places = 0
    while places < 4 and abs(step * 10**places - round(step * 10**places)) > 1e-6:
        places += 1
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text + "%" if percent else text
