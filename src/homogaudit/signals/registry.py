"""Every signal by name, chosen by name, and their computation for one question and for a run.

All values are oriented so that higher is more uncertain. Whether a signal works is for statistics to say.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TypeVar

from homogaudit.errors import UndefinedStatisticError, UsageError
from homogaudit.records import SignalValue
from homogaudit.signals.catalogue import BUILT_IN
from homogaudit.signals.inputs import NEEDS, SignalInputs, Unavailable
from homogaudit.signals.plugins import third_party_signals
from homogaudit.signals.run_inputs import RUN_NEEDS, RunInputs
from homogaudit.signals.signal import COST_CLASSES, AnySignal, RunSignal, Signal

_Inputs = TypeVar("_Inputs")


class Signals(Mapping[str, AnySignal]):
    """The signals of the project, then those of installed packages, which are loaded at the first look."""

    @cached_property
    def _by_name(self) -> dict[str, AnySignal]:
        own: dict[str, AnySignal] = {signal.name: signal for signal in BUILT_IN}
        return own | third_party_signals(own)

    def __getitem__(self, name: str) -> AnySignal:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


SIGNALS: Mapping[str, AnySignal] = Signals()

_CALL_KINDS: Mapping[str, str] = {"call_p_true": "p_true", "call_verbalized": "verbalized"}
"""The kind of a stored call, by what a signal needs."""


def calls_for(names: Collection[str]) -> list[str]:
    """Return the kinds of calls to the model that some signals need, sorted; no names stand for all signals."""
    needs = {need for name in names or SIGNALS for need in SIGNALS[name].needs}
    return sorted(kind for need, kind in _CALL_KINDS.items() if need in needs)


def choose_signals(names: Iterable[str]) -> tuple[str, ...]:
    """Return the signals that are named, each once, in their order.

    Args:
        names: Of signals; that of a cost class, such as `free`, stands for all of its signals, `all` for everything.

    Returns:
        Empty for everything, so that a signal that a later version adds belongs to it.

    Raises:
        UsageError: A name is not known.
    """
    names = tuple(names)
    if "all" in names:
        return ()
    chosen: dict[str, None] = {}
    for name in names:
        if name in COST_CLASSES:
            chosen |= dict.fromkeys(signal.name for signal in SIGNALS.values() if signal.cost_class == name)
        elif name in SIGNALS:
            chosen[name] = None
        else:
            near = get_close_matches(name, [*SIGNALS, *COST_CLASSES], n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join([*COST_CLASSES, *SIGNALS])}"
            raise UsageError(f"unknown signal `{name}`", hint=hint)
    return tuple(chosen)


def compute_signals(inputs: SignalInputs, names: Iterable[str] | None = None) -> list[SignalValue]:
    """Compute signals on one question.

    A signal whose needs are missing, or that has no finite value, comes back as `None` with the reason.

    Args:
        inputs: What the signals read.
        names: Keys of `SIGNALS`; all where left out. Those of a `RunSignal` are left to `compute_run_signals`.

    Returns:
        One value for each `Signal` named, in their order, each with the seconds that it took.

    Raises:
        UsageError: A name is not known.
    """
    chosen = (SIGNALS[name] for name in (SIGNALS if names is None else choose_signals(names)))
    return [_value(signal, inputs) for signal in chosen if isinstance(signal, Signal)]


def compute_run_signals(inputs: RunInputs, names: Iterable[str] | None = None) -> list[SignalValue]:
    """Compute the signals that see all questions of a run at once.

    Args:
        inputs: What the signals read.
        names: Keys of `SIGNALS`; all where left out. Those of a `Signal` are left to `compute_signals`.

    Returns:
        For each `RunSignal` named, in their order, one value for each question in the run's order, with an equal share
        of the seconds that the signal took for all of them.

    Raises:
        UsageError: A name is not known.
    """
    chosen = (SIGNALS[name] for name in (SIGNALS if names is None else choose_signals(names)))
    return [value for signal in chosen if isinstance(signal, RunSignal) for value in _run_values(signal, inputs)]


def _value(signal: Signal, inputs: SignalInputs) -> SignalValue:
    question_id = inputs.sample_set.question.id
    missing = _missing(signal.needs, NEEDS, inputs)
    if missing is not None:
        return SignalValue(question_id, signal.name, None, missing)
    started = time.perf_counter()
    try:
        value: float | Unavailable = signal.compute(inputs)
    except UndefinedStatisticError as error:
        value = Unavailable(error.message)
    return _stored(signal, question_id, value, time.perf_counter() - started)


def _run_values(signal: RunSignal, inputs: RunInputs) -> list[SignalValue]:
    missing = _missing(signal.needs, RUN_NEEDS, inputs)
    if missing is not None:
        return [SignalValue(question.id, signal.name, None, missing) for question in inputs.questions]
    started = time.perf_counter()
    everywhere = Unavailable("the signal gave no value")
    try:
        values = signal.compute(inputs)
    except UndefinedStatisticError as error:
        values, everywhere = {}, Unavailable(error.message)
    seconds = (time.perf_counter() - started) / max(1, len(inputs.questions))
    return [_stored(signal, question.id, values.get(question.id, everywhere), seconds) for question in inputs.questions]


def _missing(
    needs: Iterable[str], checks: Mapping[str, Callable[[_Inputs], str | None]], inputs: _Inputs
) -> str | None:
    """Return why the first need that is not met is not, `None` where all are."""
    return next((reason for need in needs if (reason := checks[need](inputs)) is not None), None)


def _stored(signal: AnySignal, question_id: str, value: float | Unavailable, seconds: float) -> SignalValue:
    if isinstance(value, Unavailable):
        return SignalValue(question_id, signal.name, None, value.reason, seconds)
    if not math.isfinite(value):
        return SignalValue(question_id, signal.name, None, "the value is not a finite number", seconds)
    # 0 is added because a turned 0 would print as -0.
    return SignalValue(question_id, signal.name, float(value) * signal.direction + 0.0, "", seconds)
