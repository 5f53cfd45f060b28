"""Signals as probabilities of an incorrect answer: how well those hold, out of fold.

The leading signals and those that are probabilities by themselves are calibrated; raw figures are given of the latter
only, because a score that is no probability has no calibration error.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.analysis_records import CalibratedBy, Calibration, SignalCalibration
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.statistics import (
    bootstrap_mean,
    brier_score,
    calibrate_out_of_fold,
    ece_by_chance,
    expected_calibration_error,
)

PROBABILITIES = frozenset({"p_true", "verbalized_confidence"})
"""Signals that say P(incorrect) themselves."""

_MOST_DRAWS = 1_000
"""Of the intervals: an error of an end of 6% of the width, in a tenth of the time."""


@dataclass(frozen=True, slots=True, eq=False)
class _Labelled:
    """One signal's values, and the draws of its intervals; 0 for none."""

    values: NDArray[np.float64]
    incorrect: NDArray[np.bool_]
    draws: int
    seed: int


def score_calibration(inputs: AnalysisInputs) -> Calibration | Undefined:
    """Calibrate the leading signals, and those that are probabilities."""
    leading, chosen = inputs.leading(), inputs.chosen()
    names = [name for name in inputs.usable() if name in leading or name in PROBABILITIES]
    if not names:
        return Undefined("no signal can be scored")
    draws = min(inputs.draws, _MOST_DRAWS)
    return Calibration({name: _signal(inputs, name, draws if name in chosen else 0) for name in names})


def _signal(inputs: AnalysisInputs, name: str, draws: int) -> SignalCalibration:
    values, incorrect = inputs.defined(name)
    signal = _Labelled(values, incorrect, draws, inputs.seed)
    base_rate = float(incorrect.mean())
    return SignalCalibration(
        n=int(values.size),
        brier_of_base_rate=base_rate * (1 - base_rate),
        raw=_held(values, signal) if name in PROBABILITIES else Undefined("the signal is no probability"),
        platt=_fitted(signal, "platt"),
        isotonic=_fitted(signal, "isotonic"),
    )


def _fitted(signal: _Labelled, method: Literal["platt", "isotonic"]) -> CalibratedBy | Undefined:
    try:
        found = calibrate_out_of_fold(signal.values, signal.incorrect, method, signal.seed)
    except UndefinedStatisticError as error:
        return undefined(error)
    return _held(found.probabilities, signal)


def _held(probabilities: NDArray[np.float64], signal: _Labelled) -> CalibratedBy | Undefined:
    """Return how well probabilities hold."""
    try:
        brier = brier_score(probabilities, signal.incorrect)
    except UndefinedStatisticError as error:
        return undefined(error)
    try:
        ece: float | Undefined = expected_calibration_error(probabilities, signal.incorrect)
    except UndefinedStatisticError as error:
        ece = undefined(error)
    by_chance: Interval | None = None
    brier_interval: Interval | None = None
    if signal.draws:
        squares = (probabilities - signal.incorrect) ** 2
        brier_interval = bootstrap_mean(squares, signal.draws, signal.seed)
        if not isinstance(ece, Undefined):
            by_chance = ece_by_chance(probabilities, signal.incorrect, signal.draws, signal.seed)
    return CalibratedBy(ece, by_chance, brier, brier_interval)
