"""Third-party signals: found through the Python entry point group `homogaudit.signals`.

A package offers one in its own pyproject.toml:

```toml
[project.entry-points."homogaudit.signals"]
my_signal = "my_package.signals:my_signal"
```

`my_package.signals.my_signal` is a `Signal` or a `RunSignal` (`homogaudit.signals.signal`); its `name` counts, not that
of the entry point. It is then computed, stored, scored and explained like every other. The code of such a package runs
with the user's rights: nothing is loaded that was not installed.

A package that does not load, or whose signal is not well-formed, is passed over with a `SignalPluginWarning`; a signal
that fails on a question has no value there, with the error as the reason.
"""

import re
import warnings
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points

from homogaudit.errors import UndefinedStatisticError
from homogaudit.questions.wording import quoted
from homogaudit.signals.inputs import NEEDS, SignalInputs, Unavailable
from homogaudit.signals.run_inputs import RUN_NEEDS, RunInputs
from homogaudit.signals.signal import BOUNDARIES, COST_CLASSES, RESOURCES, AnySignal, RunSignal, Signal

ENTRY_POINT_GROUP = "homogaudit.signals"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class SignalPluginWarning(UserWarning):
    """A third-party signal was passed over."""


def third_party_signals(taken: Collection[str]) -> dict[str, AnySignal]:
    """Return the signals that installed packages offer, by name.

    Args:
        taken: Names that are in use; a signal of such a name is passed over.
    """
    found: dict[str, AnySignal] = {}
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)):
        # Whatever somebody else's module does when it is imported, also leave, the audit goes on without it.
        try:
            loaded: object = entry_point.load()
            problem = _problem(loaded, {*taken, *found})
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            _warn(entry_point.name, _one_line(error))
            continue
        if isinstance(loaded, Signal) and problem is None:
            found[loaded.name] = replace(loaded, compute=_guarded(loaded))
        elif isinstance(loaded, RunSignal) and problem is None:
            found[loaded.name] = replace(loaded, compute=_guarded_run(loaded))
        else:
            _warn(entry_point.name, problem or "it is neither a Signal nor a RunSignal")
    return found


def _problem(loaded: object, taken: Collection[str]) -> str | None:
    """Return what is wrong with what an entry point loaded to, `None` where nothing is."""
    if not isinstance(loaded, Signal | RunSignal):
        return f"it loads to `{type(loaded).__name__}`, not to a Signal or a RunSignal"
    texts: dict[str, object] = {"name": loaded.name, "definition": loaded.definition, "source": loaded.source}
    if not isinstance(texts["name"], str) or not _NAME.fullmatch(loaded.name):
        return f"its name `{loaded.name!a}` is not made of lower-case letters, digits and underscores"
    for what, text in texts.items():
        if not isinstance(text, str):
            return f"its {what} is no text"
    if loaded.name in taken:
        return f"the name `{loaded.name}` is taken"
    known = NEEDS if isinstance(loaded, Signal) else RUN_NEEDS
    closed: tuple[tuple[str, Collection[object], Collection[object]], ...] = (
        ("boundary", [loaded.boundary], BOUNDARIES),
        ("cost class", [loaded.cost_class], COST_CLASSES),
        ("need", loaded.needs, known),
        ("resource", loaded.resources, RESOURCES),
        ("direction", [loaded.direction], (1, -1)),
    )
    for what, values, allowed in closed:
        for value in values:
            if value not in allowed:
                return f"unknown {what} {quoted(str(value), 80)}; one of {', '.join(map(str, allowed))}"
    return None if callable(loaded.compute) else "its `compute` cannot be called"


def _guarded(signal: Signal) -> Callable[[SignalInputs], float]:
    """Return the signal's `compute` with whatever it raises turned into an undefined value."""

    def guarded(inputs: SignalInputs) -> float:
        with _undefined_on_error():
            return float(signal.compute(inputs))

    return guarded


def _guarded_run(signal: RunSignal) -> Callable[[RunInputs], dict[str, float | Unavailable]]:
    def guarded(inputs: RunInputs) -> dict[str, float | Unavailable]:
        with _undefined_on_error():
            values = signal.compute(inputs)
            return {
                question_id: value if isinstance(value, Unavailable) else float(value)
                for question_id, value in values.items()
            }

    return guarded


@contextmanager
def _undefined_on_error() -> Generator[None]:
    try:
        yield
    except (UndefinedStatisticError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UndefinedStatisticError(f"the signal failed: {_one_line(error)}") from error


def _warn(name: str, problem: str) -> None:
    message = f"third-party signal {quoted(name, 80)} is passed over: {problem}"
    warnings.warn(message, SignalPluginWarning, stacklevel=2)


def _one_line(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:
        text = ""
    # Printable, on one line.
    first = quoted(text.splitlines()[0], 160)[1:-1] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
