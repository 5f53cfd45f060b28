"""What the stages of a cascade cost: in units, in measured seconds, in money; the expected cost and the saving.

A stage pays for its own work and for what it reads. What an earlier stage has paid for, such as the sampled answers, is
not paid again; the greedy answer is there before any stage. It does not know how a cascade decides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.cascade.boundaries import Measured, Stage
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray

TOKENS_A_PRICE = 1_000_000
"""Prices are for a million tokens, as in models.toml."""


@dataclass(frozen=True, slots=True)
class StageCosts:
    """What each stage costs a question.

    Attributes:
        kind: `calls` (free 0, else 1), `seconds` or `money`.
        marginal: c_j, in the order of the stages: what stage j adds to what the stages before it paid for.
        alone: What each stage would cost without the others.
    """

    kind: str
    marginal: tuple[float, ...]
    alone: tuple[float, ...]

    @property
    def full(self) -> float:
        """What running every stage costs, sum c_j."""
        return math.fsum(self.marginal)

    def __post_init__(self) -> None:
        if not all(math.isfinite(cost) and cost >= 0 for cost in (*self.marginal, *self.alone)):
            raise UndefinedStatisticError(
                f"the stages cost `{self.marginal}` in {self.kind}", "a cost is a number of 0 or more"
            )


def unit_costs(stages: Sequence[Stage]) -> StageCosts:
    """Return 0 for a stage that is free or whose resources are paid by those before it, else 1.

    Source:
        arXiv 2603.24124; with one free stage and one other the saving is one minus the share that escalates.
    """
    paid: set[str] = set()
    marginal: list[float] = []
    for stage in stages:
        marginal.append(stage.unit_cost(paid))
        paid |= stage.resources
    return StageCosts("calls", tuple(marginal), tuple(stage.unit_cost() for stage in stages))


def measured_costs(stages: Sequence[Stage], measured: Measured, kind: str = "seconds") -> StageCosts:
    """Return the costs from what one question was measured to take.

    Args:
        stages: In their order in the cascade.
        measured: Of every stage and of every resource that a stage reads.
        kind: What is measured.

    Raises:
        UndefinedStatisticError: Something was not measured, or not a finite number of 0 or more.
    """
    measured.require(stages)
    paid: set[str] = set()
    marginal: list[float] = []
    for stage in stages:
        marginal.append(measured.cost(stage, paid))
        paid |= stage.resources
    return StageCosts(kind, tuple(marginal), tuple(measured.cost(stage) for stage in stages))


def token_costs(
    stages: Sequence[Stage], tokens: Mapping[str, float], resource_tokens: Mapping[str, float], price: float
) -> StageCosts:
    """Return the costs in money from tokens a question and a price.

    Args:
        stages: In their order in the cascade.
        tokens: By signal, what the stage itself reads and writes; one that is left out has none.
        resource_tokens: By resource; one that is left out has none, such as an embedding made on this machine.
        price: Of a million tokens, as in models.toml.

    Raises:
        UndefinedStatisticError: A number of tokens or the price is not a finite number of 0 or more.
    """
    rate = price / TOKENS_A_PRICE
    resources = {resource for stage in stages for resource in stage.resources}
    measured = Measured(
        {stage.signal: tokens.get(stage.signal, 0.0) * rate for stage in stages},
        {resource: resource_tokens.get(resource, 0.0) * rate for resource in resources},
    )
    return measured_costs(stages, measured, "money")


def expected_cost(marginal: Sequence[float], escalating: ArrayLike) -> FloatArray:
    """Return C = sum c_j prod_{i<j} e_i.

    Args:
        marginal: c_j, shape (stages,).
        escalating: e_i, the share of the questions reaching stage i that escalate, shape (..., stages - 1).

    Returns:
        Shape (...).

    Source:
        METHODS, UCBD; arXiv 2603.24124.
    """
    rates = np.asarray(escalating, dtype=np.float64)
    if rates.shape[-1:] != (len(marginal) - 1,):
        raise ValueError(f"expected {len(marginal) - 1} escalation rates, not shape {rates.shape}")
    reaching = np.concatenate([np.ones((*rates.shape[:-1], 1)), np.cumprod(rates, axis=-1)], axis=-1)
    return reaching @ np.asarray(marginal, dtype=np.float64)


def saving(cost: ArrayLike, full: float) -> FloatArray:
    """Return 1 - C / sum c_j: what the cascade saves against running every stage.

    Raises:
        UndefinedStatisticError: Every stage is free.
    """
    if full == 0:
        raise UndefinedStatisticError("every stage is free", "a saving needs a stage that costs something")
    return 1 - np.asarray(cost, dtype=np.float64) / full
