"""Figures of a cross-validated cascade with their intervals from refits."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.rates import wilson_interval

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


def with_score_interval(value: float, n: int) -> HeldOutValue:
    """Return a mean of `n` numbers between 0 and 1 with Wilson's interval.

    No such mean varies more than that of zeros and ones, so the interval is never too narrow for it, and it is that of
    a rate where each question costs all or nothing.
    """
    interval = wilson_interval(value, n)
    return HeldOutValue(value, interval.low, interval.high)
