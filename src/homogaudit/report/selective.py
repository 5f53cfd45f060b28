"""Answering only where a signal is low: accuracy at a coverage with its threshold, curve, areas, bound on the risk.

Only the leading signals have intervals: a bootstrap of all would take longer than the rest of the report. Thresholds
are in the values that the run stores, so that a program can compare them as they are.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.analysis_records import (
    CoverageFigures,
    CurvePoint,
    Selective,
    SignalSelective,
)
from homogaudit.report.undefined import WITH_FULL, Undefined, undefined
from homogaudit.statistics import (
    COVERAGES,
    RiskBound,
    SelectiveIntervals,
    accuracy_at_coverage,
    aurc,
    bootstrap_selective,
    prr,
    risk_bound,
    risk_coverage_curve,
    wilson,
)

_POINTS = 100
"""Of a curve: what a screen can show."""

_DELTA = 0.05
"""Probability that a risk bound is broken (METHODS)."""


def default_target_risk(incorrect: NDArray[np.bool_]) -> float:
    """Return three quarters of the share of incorrect answers, rounded to two decimals and at least 0.01.

    With half of them no signal of a usual AUROC is ever shown to hold the target on some hundred questions.
    """
    return max(0.01, round(0.75 * float(incorrect.mean()), 2))


def score_selective(inputs: AnalysisInputs, *, full: bool, target_risk: float | None = None) -> Selective | Undefined:
    """Score every signal as what decides which questions are answered.

    Args:
        inputs: The labelled scores.
        full: Whether to add the curves and the risk bounds.
        target_risk: Of the risk bounds, between 0 and 1; `None` for three quarters of the share of incorrect answers.
    """
    if not inputs.usable():
        return Undefined("no signal can be scored")
    leading = inputs.leading()
    rows = np.stack([inputs.row(name) for name in leading])
    found = bootstrap_selective(rows, inputs.scores.incorrect, COVERAGES, inputs.draws, inputs.seed)
    intervals = dict(zip(leading, found, strict=True))
    target = default_target_risk(inputs.scores.incorrect) if target_risk is None else target_risk
    signals = {
        name: inputs.unusable(name) or _signal(inputs, name, intervals, target, full=full)
        for name in inputs.scores.names
    }
    return Selective(leading, target, _DELTA, signals)


def _signal(
    inputs: AnalysisInputs, name: str, intervals: dict[str, SelectiveIntervals | None], target: float, *, full: bool
) -> SignalSelective | Undefined:
    values, incorrect = inputs.defined(name)
    direction = inputs.signals[name].direction
    own = intervals.get(name)
    try:
        area, ratio = aurc(values, incorrect), prr(values, incorrect)
    except UndefinedStatisticError as error:
        return undefined(error)
    curve: tuple[CurvePoint, ...] | Undefined = WITH_FULL
    bound: RiskBound | Undefined = WITH_FULL
    if full:
        unshown = Undefined("shown for the leading signals")
        curve = _curve(values, incorrect) if name in intervals else unshown
        bound = _bound(values, incorrect, target, direction, inputs.seed)
    return SignalSelective(
        n=int(values.size),
        accuracy_at=tuple(_coverage(values, incorrect, place, own, direction) for place in range(len(COVERAGES))),
        aurc=area,
        aurc_interval=own.aurc if own else None,
        prr=ratio,
        prr_interval=own.prr if own else None,
        curve=curve,
        risk_bound=bound,
    )


def _coverage(
    values: NDArray[np.float64],
    incorrect: NDArray[np.bool_],
    place: int,
    intervals: SelectiveIntervals | None,
    direction: int,
) -> CoverageFigures | Undefined:
    try:
        found = accuracy_at_coverage(values, incorrect, COVERAGES[place])
    except UndefinedStatisticError as error:
        return undefined(error)
    interval = intervals.accuracy[place] if intervals else None
    accepted = values <= found.threshold
    return CoverageFigures(
        coverage=found.coverage,
        accepted=found.accepted,
        accuracy=found.value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        threshold=direction * found.threshold,
        at_threshold=wilson(int(np.count_nonzero(accepted & ~incorrect)), int(np.count_nonzero(accepted))),
    )


def _curve(values: NDArray[np.float64], incorrect: NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    """Return the risk-coverage curve at evenly spaced numbers of accepted questions, the last one all."""
    curve = risk_coverage_curve(values, incorrect)
    points = min(_POINTS, values.size)
    places = [math.ceil(values.size * number / points) - 1 for number in range(1, points + 1)]
    return tuple(CurvePoint(float(curve.coverage[place]), float(curve.risk[place])) for place in places)


def _bound(
    values: NDArray[np.float64], incorrect: NDArray[np.bool_], target: float, direction: int, seed: int
) -> RiskBound | Undefined:
    try:
        found = risk_bound(values, incorrect, target, _DELTA, seed)
    except UndefinedStatisticError as error:
        return undefined(error)
    return replace(found, threshold=direction * found.threshold)
