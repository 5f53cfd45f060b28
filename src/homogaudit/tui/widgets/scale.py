"""Round numbers for axes, and how they are written."""

import math

__all__ = ["format_tick", "ticks"]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round values from `low` to `high`, ascending; both ends where nothing rounder fits."""
    if most < 1 or not high > low:
        return [low]
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            if last == first and most > 1:
                return [low, high]
            return [number * step for number in range(first, last + 1)] or [low]
    return [low, high][:most]


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
