"""What a sweep varies: keys and their values, and the settings that they make.

Knows no run file, and no request but by the names of its fields.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from homogaudit.config import did_you_mean
from homogaudit.errors import UsageError

Value = float | int | str
Setting = Mapping[str, Value]
"""A value a key."""

READ_KEYS = ("n", "threshold")
"""What needs no draws of its own: fewer samples, and other thresholds, are read from the same run."""

_NUMBERS: Mapping[str, type[int] | type[float]] = {
    "temperature": float,
    "top_p": float,
    "min_p": float,
    "max_tokens": int,
    "n": int,
    "threshold": float,
}
_TEXTS = ("model", "mode", "system")
"""First, because the model is loaded anew for each of their values."""

KEYS = (*_TEXTS, *_NUMBERS)


@dataclass(frozen=True, slots=True)
class Axis:
    """One key and its values, each once, in the order in which they were given."""

    key: str
    values: tuple[Value, ...]

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, so that a trend over them means something."""
        return self.key in _NUMBERS


def parse_axes(texts: Sequence[str], model: str) -> tuple[Axis, ...]:
    """Return the axes behind texts such as `temperature=0.3,0.7`.

    A key may be given several times; its values add up. `system` takes a text whole, commas and all. Where models are
    swept, `model` is the first of them.

    Raises:
        UsageError: A key or a value is none, or stands twice, or there is only one setting.
    """
    given: dict[str, list[Value]] = {}
    for text in texts:
        key, equals, listed = text.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"`--over {text}` has no values", "for example `--over temperature=0.3,0.7,1.0`")
        if key not in KEYS:
            raise UsageError(f"nothing to sweep over is called `{key}`", did_you_mean(key, KEYS, f"one of {_listed()}"))
        for part in [listed] if key == "system" else listed.split(","):
            value = _value(key, part.strip())
            if value in given.setdefault(key, []):
                raise UsageError(f"`--over {key}` has the value `{part.strip()}` twice", "leave one out")
            given[key].append(value)
    if "model" in given:
        given["model"] = [model, *(value for value in given["model"] if value != model)]
    axes = tuple(Axis(key, tuple(given[key])) for key in KEYS if key in given)
    if math.prod(len(axis.values) for axis in axes) < 2:
        raise UsageError(
            "a sweep needs two settings", f"give `--over` a key with several values: KEY=A,B with one of {_listed()}"
        )
    return axes


def _value(key: str, text: str) -> Value:
    kind = _NUMBERS.get(key)
    if kind is None:
        if key != "system" and not text:
            raise UsageError(f"`--over {key}` has an empty value", "leave out the comma too many")
        return text
    try:
        value = kind(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise UsageError(f"`{text}` in `--over {key}` is not {whole}") from None
    if key == "threshold" and not 0 < value <= 1:
        raise UsageError(f"`--over threshold` must lie between 0 and 1, not `{text}`")
    return value


def _listed() -> str:
    return ", ".join(KEYS)


def drawn_settings(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """Return the settings that need a run each; one without any key where everything is read from one run."""
    return _grid([axis for axis in axes if axis.key not in READ_KEYS])


def read_settings(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """Return what is read from every run: sample sizes, thresholds, both, or the run as it is."""
    return _grid([axis for axis in axes if axis.key in READ_KEYS])


def _grid(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    keys = [axis.key for axis in axes]
    return [dict(zip(keys, values, strict=True)) for values in product(*(axis.values for axis in axes))]


def setting_text(setting: Setting) -> str:
    """Return a setting in a few words: `temperature 0.7, n 5`."""
    return ", ".join(f"{key} {value_text(value)}" for key, value in setting.items())


def value_text(value: Value) -> str:
    """Return a value as it is shown."""
    if isinstance(value, str):
        return value or "(none)"
    return f"{value:g}" if isinstance(value, float) else str(value)
