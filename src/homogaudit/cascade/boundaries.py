"""The stages of a cascade: one signal each, which exist in a run, and their order by marginal cost.

It does not know whether a signal works, and fits nothing.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError, UsageError
from homogaudit.signals.registry import SIGNALS
from homogaudit.signals.signal import COST_CLASSES
from homogaudit.statistics.arrays import FloatArray, class_vector, score_matrix
from homogaudit.statistics.auroc import auroc
from homogaudit.statistics.comparisons import compare_with_primary

DEFAULT_STAGES = (
    ("token_entropy_mean", "negative_log_likelihood"),
    ("freshness",),
    ("density",),
    ("association",),
    ("grounding",),
    ("semantic_entropy_embedding", "semantic_entropy_answer", "semantic_entropy_jaccard"),
)
"""One signal a boundary and, for the model's own uncertainty, the free one and the sampled one; the first of each that
is defined for nearly all questions and not constant. More would be fitted on questions that are few."""

LEAST_DEFINED = 0.9
"""A question without one of the signals cannot enter; a signal that loses more than this is not worth it."""

LEVEL = 0.05
"""Adjusted p below which a recorded signal is shown to beat ours."""

_RECORDED_PREFIX = "recorded:"
_ALWAYS_THERE = frozenset({"greedy"})
"""The answer that is being judged is there before any stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One signal as a stage.

    Attributes:
        boundary: As the registry says; `recorded` for a recorded signal that the project does not know.
        cost_class: As the registry says, or `recorded`.
        resources: What it reads and shares with other stages, each paid for once; without the greedy answer.
    """

    signal: str
    boundary: str
    cost_class: str
    resources: frozenset[str]

    def unit_cost(self, paid: Collection[str] = ()) -> float:
        """Return 0 where the stage is free or all that it reads is `paid`, else 1."""
        if self.cost_class == "free" or (self.resources and self.resources <= frozenset(paid)):
            return 0.0
        return 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one question was measured to take.

    Attributes:
        own: By signal, beyond what it reads.
        resources: By resource, for example `samples`: drawing all of a question's.
    """

    own: Mapping[str, float]
    resources: Mapping[str, float]

    def require(self, stages: Sequence[Stage]) -> None:
        """Require a cost of every stage and of everything that it reads.

        Raises:
            UndefinedStatisticError: One was not measured.
        """
        missing = [stage.signal for stage in stages if stage.signal not in self.own]
        missing += sorted({x for stage in stages for x in stage.resources if x not in self.resources})
        if missing:
            raise UndefinedStatisticError(
                f"the cost of `{missing[0]}` was not measured", "costs are measured while a run computes its signals"
            )

    def cost(self, stage: Stage, paid: Collection[str] = ()) -> float:
        """Return what a stage adds where `paid` resources are there."""
        unpaid = sorted(stage.resources - frozenset(paid))
        return self.own[stage.signal] + math.fsum(self.resources[resource] for resource in unpaid)


@dataclass(frozen=True, slots=True, eq=False)
class StageSelection:
    """The stages that exist.

    Attributes:
        stages: In order of marginal cost.
        rows: Of the stages in the matrix of signals.
        questions: Shape (n,), True where all stages are defined.
        left_out: By signal, why it is no stage; one in whose place another stands is not named.
    """

    stages: tuple[Stage, ...]
    rows: tuple[int, ...]
    questions: NDArray[np.bool_]
    left_out: Mapping[str, str]


def stage_of(name: str) -> Stage:
    """Return a stored signal as a stage, by its declaration in the registry; one that is not in it costs one unit."""
    signal = SIGNALS.get(name.removeprefix(_RECORDED_PREFIX))
    if signal is None:
        return Stage(name, "recorded", "recorded", frozenset())
    return Stage(name, signal.boundary, signal.cost_class, signal.resources - _ALWAYS_THERE)


def order_stages(stages: Sequence[Stage], measured: Measured | None = None) -> tuple[Stage, ...]:
    """Return the stages cheapest first, each by what it adds to those before it.

    Free stages come first whatever their microseconds. Equal costs keep the order of cost classes, then of boundaries,
    then that given.

    Args:
        stages: In any order.
        measured: Seconds a question; without them, or where one is missing, cost classes alone decide.
    """
    cost: Callable[[Stage, set[str]], float] = Stage.unit_cost
    if measured is not None:
        try:
            measured.require(stages)
            cost = measured.cost
        except UndefinedStatisticError:
            pass
    left, ordered = list(stages), list[Stage]()
    paid: set[str] = set()

    def key(stage: Stage) -> tuple[float, int, str]:
        unit = stage.unit_cost(paid)
        # Without seconds a unit is a unit: the class tells an embedding from ten more answers.
        by_class = [*COST_CLASSES, stage.cost_class].index(stage.cost_class)
        spent = 0.0 if unit == 0 and stage.cost_class == "free" else cost(stage, paid)
        return (spent, 0 if unit == 0 else by_class, stage.boundary)

    while left:
        cheapest = min(left, key=key)
        left.remove(cheapest)
        ordered.append(cheapest)
        paid |= cheapest.resources
    return tuple(ordered)


def select_stages(
    names: Sequence[str],
    scores: ArrayLike,
    wanted: Sequence[str] | None = None,
    measured: Measured | None = None,
    positive: ArrayLike | None = None,
) -> StageSelection:
    """Choose the stages among the signals at hand and order them by marginal cost.

    By default a recorded signal joins them that is shown to beat the best of ours, in place of ours of the same name if
    there is one: paired DeLong against that one, Holm over all recorded ones. So few are added that the held-out
    figures, which this choice comes before, owe it little.

    Args:
        names: Of the signals, one a row.
        scores: Shape (signals, n); NaN where a signal is undefined for a question.
        wanted: The signals to take; by default those of `DEFAULT_STAGES` that are there.
        measured: Seconds a question, for the order.
        positive: Shape (n,), True for an incorrect answer; without it no recorded signal is compared with ours.

    Raises:
        UsageError: A wanted signal is not there.
        UndefinedStatisticError: A score is infinite.
    """
    matrix = score_matrix(scores)
    if matrix.shape[0] != len(names):
        raise ValueError(f"expected {len(names)} rows of scores, not shape {matrix.shape}")
    rows = {name: row for row, name in enumerate(names)}
    for name in wanted or ():
        if name not in rows:
            raise UsageError(f"there is no signal `{name}` in this run", f"one of {', '.join(names)}")
    slots = _default_slots(names) if wanted is None else [(name,) for name in dict.fromkeys(wanted)]
    left_out: dict[str, str] = {}
    kept: list[Stage] = []
    for slot in slots:
        unfit = {name: reason for name in slot if (reason := _unfit(matrix[rows[name]])) is not None}
        if len(unfit) < len(slot):
            kept.append(stage_of(next(name for name in slot if name not in unfit)))
        else:
            left_out |= unfit
    if wanted is None and positive is not None:
        better = _better_recorded(names, matrix, [stage.signal for stage in kept], positive)
        if better is not None:
            same = {better.removeprefix(_RECORDED_PREFIX), *_slot_of(better)}
            kept = [stage for stage in kept if stage.signal not in same] + [stage_of(better)]
    stages = order_stages(kept, measured)
    chosen = tuple(rows[stage.signal] for stage in stages)
    questions = np.isfinite(matrix[list(chosen)].sum(axis=0))
    return StageSelection(stages, chosen, questions, left_out)


def _default_slots(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the default signals at hand by slot; what the project computed goes before what was recorded."""
    slots = [[x for name in slot for x in (name, _RECORDED_PREFIX + name) if x in names] for slot in DEFAULT_STAGES]
    return [tuple(slot) for slot in slots if slot]


def _slot_of(name: str) -> tuple[str, ...]:
    own = name.removeprefix(_RECORDED_PREFIX)
    return next((slot for slot in DEFAULT_STAGES if own in slot), ())


def _better_recorded(names: Sequence[str], matrix: FloatArray, kept: Sequence[str], positive: ArrayLike) -> str | None:
    """Return the recorded signal that is shown to have the highest AUROC, above the best of ours."""
    labels = class_vector(positive, matrix.shape[1])
    fit = [name for name, row in zip(names, matrix, strict=True) if _unfit(row) is None]
    recorded = [name for name in fit if name not in SIGNALS and name not in kept]
    rows = dict(zip(names, matrix, strict=True))
    areas: dict[str, float] = {}
    for name in kept:
        own = rows[name]
        classes = labels[~np.isnan(own)]
        if name in SIGNALS and classes.any() and not classes.all():
            areas[name] = auroc(own[~np.isnan(own)], classes)
    if not recorded or not areas:
        return None
    best = max(areas, key=lambda name: areas[name])
    found = compare_with_primary([rows[name] for name in (best, *recorded)], labels)
    deltas = {
        name: x.difference.delta
        for name, x in zip(recorded, found, strict=True)
        if x.difference is not None and x.p_holm is not None and x.p_holm < LEVEL and x.difference.delta > 0
    }
    return max(deltas, key=lambda name: deltas[name], default=None)


def _unfit(scores: FloatArray) -> str | None:
    defined = scores[~np.isnan(scores)]
    if defined.size < LEAST_DEFINED * scores.size or not defined.size:
        return f"defined for {defined.size} of {scores.size} questions"
    return "the same for every question" if np.ptp(defined) == 0 else None
