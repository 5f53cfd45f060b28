"""A threshold that keeps the share of incorrect answers among the accepted ones below a target, with a guarantee.

It knows scores and labels only, and holds for questions drawn like those it was calibrated on.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.codec import Share
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import BoolArray, class_vector, score_vector
from homogaudit.statistics.rates import Rate, wilson

GRID = 20
"""Thresholds that a risk bound tries: every 5% of coverage."""


@dataclass(frozen=True, slots=True)
class RiskBound:
    """A threshold at or below which the risk is at most `target`, with probability 1 - delta over the calibration half.

    Attributes:
        target: The risk asked for.
        delta: Probability that the promise is broken.
        threshold: Accept where the score is at or below it.
        p: Of the binomial test that let it pass.
        calibration: Errors among the accepted questions of the calibration half, with Wilson's interval; the threshold
            was chosen on these.
        held_out: The same on the other half, whose labels decided nothing.
        accepted_share: Accepted questions of the calibration half, with Wilson's interval.
    """

    target: Share
    delta: Share
    threshold: float
    p: Share
    calibration: Rate
    held_out: Rate
    accepted_share: Rate


def risk_bound(scores: ArrayLike, positive: ArrayLike, target: float, delta: float = 0.05, seed: int = 0) -> RiskBound:
    """Return the loosest threshold whose risk is shown to be at most `target` (Learn-then-Test).

    The questions are split into halves. The scores of the first, never its labels, give the thresholds: every 5% of
    coverage, from the first that would pass with an observed risk of half the target. The second is the calibration
    half: binomial tests of "the risk is above the target" go from strict to loose and stop at the first that does not
    reject at `delta`; the last that did is the answer. As nothing of the calibration half decides what is tested in
    which order, no correction is needed. A target only a little above the best risk that the signal can reach is
    seldom shown: that needs many questions.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        target: The risk asked for, between 0 and 1, both excluded.
        delta: Probability that a threshold of a higher risk is returned.
        seed: Of the split.

    Raises:
        UndefinedStatisticError: There are too few questions for this target, no threshold is shown to hold it, or a
            score is not finite.

    Source:
        Angelopoulos, Bates, Candes, Jordan and Lei (2021), "Learn then Test: calibrating predictive algorithms to
        achieve risk control", with fixed-sequence testing.
    """
    from scipy.special import bdtr

    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    if not (0 < target < 1 and 0 < delta < 1):
        raise ValueError(f"expected a target and delta between 0 and 1, not {target} and {delta}")
    order = np.random.default_rng(seed).permutation(vector.size)
    held_out, calibration = order[: vector.size // 2], order[vector.size // 2 :]
    needed = _fewest_accepted(target, delta)
    if held_out.size < needed:
        raise UndefinedStatisticError(
            f"`{vector.size}` questions for a risk of `{target:g}`",
            f"it needs at least {2 * needed}, half to calibrate",
        )
    shares = np.arange(1, GRID + 1) / GRID
    shares = shares[shares * calibration.size >= needed]
    last = np.ceil(shares * held_out.size - 1e-9).astype(np.intp) - 1
    passed: tuple[float, float] | None = None
    for threshold in np.unique(np.sort(vector[held_out])[last]).tolist():
        accepted = vector[calibration] <= threshold
        errors = np.count_nonzero(labels[calibration][accepted])
        p = float(bdtr(errors, np.count_nonzero(accepted), target))
        if p > delta:
            break
        passed = threshold, p
    if passed is None:
        raise UndefinedStatisticError(
            f"no threshold is shown to hold a risk of `{target:g}`", "a higher target risk or more questions may"
        )
    threshold, p = passed
    return RiskBound(
        target=target,
        delta=delta,
        threshold=threshold,
        p=p,
        calibration=_share(labels[calibration][vector[calibration] <= threshold]),
        held_out=_share(labels[held_out][vector[held_out] <= threshold]),
        accepted_share=_share(vector[calibration] <= threshold),
    )


def _fewest_accepted(target: float, delta: float) -> int:
    """Return how many questions a threshold must accept to pass with an observed risk of half the target.

    With fewer the sequence would often end at its strictest threshold for lack of questions, not for errors.
    """
    from scipy.special import bdtr

    # By Chernoff's bound this many pass: P(X <= mean / 2) <= exp(-mean / 8).
    accepted = np.arange(1, math.ceil(8 * math.log(1 / delta) / target) + 2)
    passes = bdtr(np.floor(accepted * target / 2), accepted, target) <= delta
    return int(accepted[np.argmax(passes)])


def _share(of: BoolArray) -> Rate:
    return wilson(int(np.count_nonzero(of)), of.size)
