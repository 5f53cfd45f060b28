"""The three conditions under which a cascade is recommended (METHODS, UCBD), each with its sentence.

(a) running every stage works on held-out questions; (b) the cascade is non-inferior to it; (c) it saves, also against
the cheapest single signal that is not shown worse. The published band passes (b) while both are coin flips: hence (a).
A cascade whose free stage does as well alone saves nothing: hence (c).

It knows figures, not how they were found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from homogaudit.cascade.boundaries import Stage
from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.statistics.comparisons import MARGIN
from homogaudit.statistics.tests import holm

__all__ = ["LEVEL", "Condition", "Recommendation", "SingleStage", "p_non_inferior", "recommend", "single_stages"]

LEVEL = 0.05


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
class Recommendation:
    """Whether the cascade is recommended.

    Attributes:
        reason: Why not, in words; why, where it is recommended.
    """

    recommended: bool
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
    parallel: HeldOutValue, p: float, cost: HeldOutValue, full: float, singles: Sequence[SingleStage]
) -> Recommendation:
    """Judge the three conditions; costs are of the kind that decides, `full` is 0 where every stage is free."""
    conditions = (_works(parallel), _non_inferior(p), _saves(cost, full, singles))
    unmet = [condition.sentence for condition in conditions if not condition.met]
    return Recommendation(not unmet, conditions, "; ".join(unmet) or "; ".join(x.sentence for x in conditions))


def _works(parallel: HeldOutValue) -> Condition:
    if parallel.low > 0.5:
        return Condition("a", True, "running every stage tells wrong from right answers on held-out questions")
    return Condition("a", False, "running every stage is not shown to tell wrong from right answers")


def _non_inferior(p: float) -> Condition:
    if p < LEVEL:
        return Condition("b", True, f"the cascade loses less than {MARGIN} AUROC against it")
    return Condition("b", False, f"the cascade may lose {MARGIN} AUROC or more against running every stage")


def _saves(cost: HeldOutValue, full: float, singles: Sequence[SingleStage]) -> Condition:
    if full == 0:
        return Condition("c", False, "every stage is free, so there is nothing to save")
    if cost.high >= full:
        return Condition("c", False, "the cascade is not shown to save anything against running every stage")
    # `min` takes the first of equal costs, which is the earlier stage.
    cheapest = min((x for x in singles if not x.shown_worse), key=lambda single: single.cost, default=None)
    if cheapest is None:
        return Condition("c", True, "it saves against running every stage, and every single signal is shown worse")
    name = cheapest.stage.signal
    if cost.high < cheapest.cost:
        return Condition("c", True, f"it saves against running every stage and against `{name}` alone")
    return Condition(
        "c", False, f"`{name}` alone is not shown worse, and the cascade is not shown to cost less than it"
    )
