"""Figures of a cross-validated cascade with their intervals from refits."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.bootstrap import percentile_interval

__all__ = ["HeldOutValue", "standard_error", "with_normal_interval", "with_percentile_interval"]

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class HeldOutValue:
    """A held-out figure with its 95% interval."""

    value: float
    low: float
    high: float


def standard_error(drawn: FloatArray) -> float:
    """Return the standard deviation of the defined draws; infinite with fewer than two."""
    defined = drawn[~np.isnan(drawn)]
    return float(np.std(defined, ddof=1)) if defined.size > 1 else math.inf


def with_normal_interval(value: float, drawn: FloatArray, least: float, most: float) -> HeldOutValue:
    """Return `value` with a normal interval from the standard error of its draws, clipped to [least, most].

    A few hundred refits give a standard error to within a few percent, an end of a percentile interval to a fifth of
    it. And a draw has fewer distinct questions to be fitted on, so draws lie lower than the figure: only their spread
    is taken.
    """
    half = Z_95 * standard_error(drawn)
    return HeldOutValue(value, max(least, value - half), min(most, value + half))


def with_percentile_interval(value: float, drawn: FloatArray) -> HeldOutValue:
    """Return `value` with the 2.5th and 97.5th percentiles of its draws, widened to hold it."""
    interval = percentile_interval(drawn)
    if interval is None:
        return HeldOutValue(value, value, value)
    return HeldOutValue(value, min(value, interval.low), max(value, interval.high))
