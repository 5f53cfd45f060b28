"""The three conditions under which a cascade is recommended (METHODS, UCBD), each with its sentence.

(a) running every stage works on held-out questions; (b) the cascade is non-inferior to it; (c) it saves 5% and more,
and something against the cheapest single signal that is not shown worse. The published band passes (b) while both are
coin flips: hence (a). A cascade whose free stage does as well alone saves nothing: hence (c).

It knows figures, not how they were found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from homogaudit.cascade.boundaries import Stage
from homogaudit.cascade.held_out import Z_95, HeldOutValue
from homogaudit.statistics.comparisons import MARGIN
from homogaudit.statistics.rates import POWER
from homogaudit.statistics.tests import holm

LEVEL = 0.05

MATERIAL = 0.05
"""The least saving that is worth a second model call to program."""

MOST_TIMES = 20
"""Times the questions there are, beyond which labelling is no plan."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SingleStage:
    """One stage's signal used alone, on the same held-out folds.

    Attributes:
        auroc: Of the signal itself.
        difference: This AUROC minus the cascade's.
        p_holm: Two-sided p of the difference, adjusted over the stages.
        cost: What it costs alone, of the kind that decides.
        shown_worse: Whether it is below the cascade with an adjusted p under 0.05.
    """

    stage: Stage
    auroc: HeldOutValue
    difference: HeldOutValue
    p_holm: float
    cost: float
    shown_worse: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: its letter, whether it is met, and the fact in words."""

    letter: Literal["a", "b", "c"]
    met: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """A condition, and how many times the questions would show it: 1 where it is met, infinite where nothing would."""

    condition: Condition
    times: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Whether the cascade is recommended.

    Attributes:
        questions_needed: At about how many labelled questions it would be recommended, at these figures; `None` where
            it is, and where no practicable number would do.
        reason: Why not, in words; why, where it is recommended.
    """

    recommended: bool
    questions_needed: int | None
    conditions: tuple[Condition, ...]
    reason: str


def p_non_inferior(difference: float, se: float, margin: float = MARGIN) -> float:
    """Return the one-sided p of "worse by the margin or more", by the normal distribution.

    Args:
        difference: AUROC of the cascade minus that of running every stage.
        se: Of the difference, over refits.
        margin: Above 0.

    Source:
        One of the two tests of Schuirmann (1987), as in `statistics.equivalence`, with the standard error of a
        cross-validated difference in place of DeLong's, which leaves out what refitting adds.
    """
    if se == 0:
        return 0.0 if difference > -margin else 1.0
    return math.erfc((difference + margin) / se / math.sqrt(2)) / 2


def single_stages(
    stages: Sequence[Stage],
    aurocs: Sequence[HeldOutValue],
    differences: Sequence[HeldOutValue],
    errors: Sequence[float],
    costs: Sequence[float],
) -> tuple[SingleStage, ...]:
    """Test every stage's signal against the cascade, with Holm over the stages, by the differences' standard errors."""
    p_values = [_two_sided(x.value, se) for x, se in zip(differences, errors, strict=True)]
    adjusted = [float(p) for p in holm(p_values)]
    return tuple(
        SingleStage(stage, auroc, difference, p, cost, p < LEVEL and difference.value < 0)
        for stage, auroc, difference, p, cost in zip(stages, aurocs, differences, adjusted, costs, strict=True)
    )


def _two_sided(difference: float, se: float) -> float:
    if se == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / se / math.sqrt(2))


def recommend(
    parallel: HeldOutValue,
    difference: HeldOutValue,
    cost: HeldOutValue,
    full: float,
    singles: Sequence[SingleStage],
    n: int,
) -> Recommendation:
    """Judge the three conditions over `n` questions; costs are of the kind that decides, `full` 0 where all is free."""
    judged = (_works(parallel), _non_inferior(difference), _saves(cost, full, singles))
    times = max(x.times for x in judged)
    conditions = tuple(x.condition for x in judged)
    unmet = [condition.sentence for condition in conditions if not condition.met]
    needed = _rounded(n * times) if unmet and times <= MOST_TIMES else None
    reason = "; ".join(unmet) or "; ".join(x.sentence for x in conditions)
    return Recommendation(not unmet, needed, conditions, reason)


def _rounded(questions: float) -> int:
    """Return two leading digits, rounded up: more would promise more than a forecast knows."""
    unit = 10 ** max(0, math.floor(math.log10(questions)) - 1)
    return math.ceil(questions / unit) * unit


def _times(distance: float, half: float, tail: float) -> float:
    """Return how many times the questions show that something lies beyond a limit.

    Args:
        distance: From the limit, above 0 on the right side of it.
        half: Of the 95% interval, on the side of the limit.
        tail: Probability by which it is shown, one-sided.
    """
    if distance <= 0:
        return math.inf
    errors = distance / (half / Z_95) if half > 0 else math.inf
    return max(1.0, ((_NORMAL.inv_cdf(1 - tail) + _NORMAL.inv_cdf(POWER)) / errors) ** 2)


def _works(parallel: HeldOutValue) -> _Judged:
    if parallel.low > 0.5:
        said = "running every stage tells wrong from right answers on held-out questions"
        return _Judged(Condition("a", True, said), 1.0)
    said = "running every stage is not shown to tell wrong from right answers"
    times = _times(parallel.value - 0.5, parallel.value - parallel.low, 0.025)
    return _Judged(Condition("a", False, said), times)


def _non_inferior(difference: HeldOutValue) -> _Judged:
    half = difference.value - difference.low
    if p_non_inferior(difference.value, half / Z_95) < LEVEL:
        return _Judged(Condition("b", True, f"the cascade loses less than {MARGIN} AUROC against it"), 1.0)
    said = f"the cascade may lose {MARGIN} AUROC or more against running every stage"
    return _Judged(Condition("b", False, said), _times(difference.value + MARGIN, half, LEVEL))


def _saves(cost: HeldOutValue, full: float, singles: Sequence[SingleStage]) -> _Judged:
    if full == 0:
        return _Judged(Condition("c", False, "every stage is free, so there is nothing to save"), math.inf)
    half = cost.high - cost.value
    if cost.high > (1 - MATERIAL) * full:
        said = f"the cascade is not shown to save {MATERIAL:.0%} and more against running every stage"
        return _Judged(Condition("c", False, said), _times((1 - MATERIAL) * full - cost.value, half, 0.025))
    saves = f"it saves {MATERIAL:.0%} and more against running every stage"
    # `min` takes the first of equal costs, which is the earlier stage.
    cheapest = min((x for x in singles if not x.shown_worse), key=lambda single: single.cost, default=None)
    if cheapest is None:
        return _Judged(Condition("c", True, f"{saves}, and every single signal is shown worse"), 1.0)
    name = cheapest.stage.signal
    if cost.high < cheapest.cost:
        return _Judged(Condition("c", True, f"{saves}, and something against `{name}` alone"), 1.0)
    said = f"`{name}` alone is not shown worse, and the cascade is not shown to cost less than it"
    return _Judged(Condition("c", False, said), _times(cheapest.cost - cost.value, half, 0.025))
