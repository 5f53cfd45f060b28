"""The one way to write a number: console, Markdown and sentences all come here.

It knows no figure and no layout. What does not exist is written `-`; no number is shown with more digits than a
reader can use, and none is rounded to a limit that it does not reach.
"""

import math
from typing import Protocol

MISSING = "-"
NO_CORRELATION_INTERVAL = "A correlation of 1 or -1 has no interval: Fisher's z is infinite there, whatever n is."


class WithInterval(Protocol):
    """What has a value and, where it exists, an interval."""

    @property
    def value(self) -> float:
        """The number."""
        ...

    @property
    def low(self) -> float | None:
        """Lower end of the interval, `None` where there is none."""
        ...

    @property
    def high(self) -> float | None:
        """Upper end of it."""
        ...


def _exists(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def count(value: int | None) -> str:
    """Return a whole number with thousands apart: `8,690`."""
    return MISSING if value is None else f"{value:,}"


def decimal(value: float | None, places: int = 3) -> str:
    """Return a number with a fixed number of decimals, never `-0.000`."""
    if value is None or not _exists(value):
        return MISSING
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def percent(value: float | None) -> str:
    """Return a share as per cent: `12.5%`; 0% and 100% only where the share is exactly 0 or 1."""
    if value is None or not _exists(value):
        return MISSING
    if value in (0, 1):
        return f"{value:.0%}"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return decimal(100 * value, 1) + "%"


def threshold(value: float | None) -> str:
    """Return a number of any size with four significant digits: `0.4128`, `-2.051`, `12340`, `1.5e-05`."""
    if value is None or not _exists(value):
        return MISSING
    return f"{float(f'{value:.4g}'):g}"


def interval(low: float | None, high: float | None, places: int = 3) -> str:
    """Return an interval as `[0.463, 0.576]`."""
    if low is None or high is None or not (_exists(low) and _exists(high)):
        return MISSING
    return f"[{decimal(low, places)}, {decimal(high, places)}]"


def percent_interval(low: float | None, high: float | None) -> str:
    """Return an interval of shares as `[1.2%, 8.0%]`."""
    if low is None or high is None or not (_exists(low) and _exists(high)):
        return MISSING
    return f"[{percent(low)}, {percent(high)}]"


def percent_and_interval(found: WithInterval) -> str:
    """Return a share with its interval: `26.0% [22.3%, 30.0%]`."""
    return f"{percent(found.value)} {percent_interval(found.low, found.high)}"


def decimal_and_interval(found: WithInterval, places: int = 3) -> str:
    """Return a number with its interval: `0.520 [0.463, 0.576]`."""
    return f"{decimal(found.value, places)} {interval(found.low, found.high, places)}"


def p_value(value: float | None) -> str:
    """Return a p value as `0.18`, `0.052`, `<0.001`; 1 only where it is exactly 1."""
    if value is None or not _exists(value):
        return MISSING
    if value < 0.001:
        return "<0.001"
    if value == 1:
        return "1"
    if value > 0.99:
        return ">0.99"
    return decimal(value, 3 if value < 0.0995 else 2)


def share(k: int, n: int) -> str:
    """Return a count of a whole: `26 of 500`."""
    return f"{count(k)} of {count(n)}"


def clock(seconds: float | None) -> str:
    """Return a time left or gone as `1:05` or `2:01:05`, to the second so that it is seen to run."""
    if seconds is None:
        return MISSING
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float | None) -> str:
    """Return a time with the unit that fits: `3.2 ms`, `4.1 s`, `12 min 5 s`, `2 h 7 min`."""
    if seconds is None or not _exists(seconds) or seconds < 0:
        return MISSING
    if seconds == 0:
        return "0 s"
    if seconds < 0.0001:
        return "<0.1 ms"
    if seconds < 0.9995:
        milliseconds = 1000 * seconds
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"
