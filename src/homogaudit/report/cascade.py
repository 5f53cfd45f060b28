"""The cheapest-first cascade of a run's signals: its stages, what they cost, what held-out folds say of it.

It reads the run and makes records; what a cascade is, and when it is recommended, `homogaudit.cascade` knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.cascade.boundaries import Measured, Stage, select_stages
from homogaudit.cascade.costs import StageCosts, measured_costs, token_costs, unit_costs
from homogaudit.cascade.published import PublishedProtocol, published_protocol
from homogaudit.cascade.ucbd import CascadeEvaluation, evaluate_cascade
from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.cascade_records import CascadeFindings, CascadeStage, HeldOutCascade, StageAlone
from homogaudit.report.costs import ResourceCosts, resource_costs
from homogaudit.report.judges import area
from homogaudit.report.numbers import count, decimal, percent, percent_and_interval
from homogaudit.report.run_data import RunData
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.signal_scores import LabelledScores
from homogaudit.report.undefined import WITH_FULL, Undefined, undefined
from homogaudit.signals.registry import SIGNALS
from homogaudit.statistics.auroc import midranks

_FIRST = "token_entropy_mean"
_SECOND = ("recorded:density", "density")
"""The two signals of the published protocol; recorded values are those that figures were published of."""

_WRITTEN = frozenset({"samples", "call_p_true", "call_verbalized"})
"""Resources that a priced model writes; an embedding is made on this machine and has no price."""


@dataclass(frozen=True, slots=True, eq=False)
class CascadeInputs:
    """What a cascade of a run is evaluated and fitted on.

    Attributes:
        stages: k of them, cheapest first.
        left_out: By signal, why it is no stage.
        signals: Shape (k, n), on the labelled questions where every stage is defined.
        incorrect: Shape (n,), the positive class.
        costs: By kind, `calls` first, which decides.
    """

    stages: tuple[Stage, ...]
    left_out: Mapping[str, str]
    signals: NDArray[np.float64]
    incorrect: NDArray[np.bool_]
    costs: Mapping[str, StageCosts | Undefined]

    def evaluate(self, *, seed: int, draws: int | None = None) -> CascadeEvaluation:
        """Evaluate the cascade on held-out folds.

        Raises:
            UndefinedStatisticError: There are too few stages or questions.
        """
        known = [costs for costs in self.costs.values() if isinstance(costs, StageCosts)]
        return evaluate_cascade(self.stages, self.signals, self.incorrect, known, draws=draws, seed=seed)


def cascade_inputs(data: RunData, scores: LabelledScores, wanted: Sequence[str] | None = None) -> CascadeInputs:
    """Choose the stages of a run, order them by marginal cost, and cost them.

    Args:
        data: Of the run.
        scores: Of the labelled ones.
        wanted: The signals to take; by default one a boundary.

    Raises:
        UsageError: A wanted signal is not stored.
    """
    resources = resource_costs(data)
    measured = Measured(_own_seconds(data), resources.seconds)
    chosen = select_stages(scores.names, scores.matrix, wanted, measured, scores.incorrect)
    return CascadeInputs(
        stages=chosen.stages,
        left_out=chosen.left_out,
        signals=scores.matrix[list(chosen.rows)][:, chosen.questions],
        incorrect=scores.incorrect[chosen.questions],
        costs={
            "calls": unit_costs(chosen.stages),
            "seconds": _seconds(chosen.stages, measured),
            "money": _money(chosen.stages, resources),
        },
    )


def _own_seconds(data: RunData) -> dict[str, float]:
    """Return the mean seconds that each computed signal took, beyond what it reads."""
    found: dict[str, float] = {}
    for name, column in data.signals.items():
        seconds = column.seconds[~np.isnan(column.numbers)].tolist()
        if name in SIGNALS and seconds:
            found[name] = sum(seconds) / len(seconds)
    return found


def _seconds(stages: Sequence[Stage], measured: Measured) -> StageCosts | Undefined:
    try:
        return measured_costs(stages, measured)
    except UndefinedStatisticError as error:
        return Undefined(error.message.replace("`", ""))


def _money(stages: Sequence[Stage], resources: ResourceCosts) -> StageCosts | Undefined:
    if resources.price is None:
        return Undefined("models.toml names no price for this model")
    unknown = [stage.signal for stage in stages if stage.cost_class == "recorded"]
    written = {x for stage in stages for x in stage.resources} & _WRITTEN
    unknown += sorted(written - resources.tokens.keys())
    if unknown:
        return Undefined(f"the tokens of {unknown[0]} were not measured")
    try:
        return token_costs(stages, {}, resources.tokens, resources.price)
    except UndefinedStatisticError as error:
        return undefined(error)


def cascade_figures(
    inputs: CascadeInputs,
    scores: LabelledScores,
    *,
    warning: str | None,
    full: bool,
    seed: int,
) -> CascadeFindings:
    """Return the section `cascade` of the report.

    Args:
        inputs: From `cascade_inputs`.
        scores: Of the labelled questions.
        warning: Why the labels carry no figure; everything held out is then undefined for that reason.
        full: Whether to add the published protocol.
        seed: Of folds and draws.
    """
    held_out: HeldOutCascade | Undefined
    recommended, needed = False, None
    if warning is not None:
        held_out = Undefined(warning)
    elif len(inputs.stages) < 2:
        held_out = Undefined("a cascade needs two signals, and the run has fewer that can be stages")
    else:
        try:
            evaluation = inputs.evaluate(seed=seed)
        except UndefinedStatisticError as error:
            held_out = undefined(error)
        else:
            held_out = _held_out(evaluation, inputs)
            recommended = evaluation.recommendation.recommended
            needed = evaluation.recommendation.questions_needed
    return CascadeFindings(
        stages=tuple(_stage(stage, position, inputs) for position, stage in enumerate(inputs.stages)),
        left_out=dict(inputs.left_out),
        held_out=held_out,
        recommended=recommended,
        questions_needed=needed,
        reason=held_out.reason if isinstance(held_out, Undefined) else _reason(held_out),
        published_protocol=_published(scores) if full else WITH_FULL,
        oracle=WITH_FULL if not full else Undefined(warning) if warning is not None else oracle(inputs),
    )


def oracle(inputs: CascadeInputs) -> Area | Undefined:
    """Return the AUROC of the stage that is most right about each question, chosen by its label."""
    if not inputs.stages:
        return Undefined("no signal can be a stage")
    ranks = np.stack([midranks(row) for row in inputs.signals])
    return area(np.where(inputs.incorrect, ranks.max(axis=0), ranks.min(axis=0)), inputs.incorrect)


def _stage(stage: Stage, position: int, inputs: CascadeInputs) -> CascadeStage:
    costs = {kind: x if isinstance(x, Undefined) else x.marginal[position] for kind, x in inputs.costs.items()}
    return CascadeStage(stage.signal, stage.boundary, stage.cost_class, costs)


def _held_out(found: CascadeEvaluation, inputs: CascadeInputs) -> HeldOutCascade:
    savings = {x.costs.kind: x.saving or Undefined("every stage is free") for x in found.savings}
    names = [stage.signal for stage in found.stages]
    return HeldOutCascade(
        n=found.n,
        positives=found.positives,
        folds=found.folds,
        repeats=found.repeats,
        draws=found.draws,
        auroc=found.auroc,
        auroc_parallel=found.auroc_parallel,
        difference=found.difference,
        margin=found.margin,
        p_non_inferior=found.p_non_inferior,
        accuracy_at_cut=found.accuracy,
        accuracy_at_cut_parallel=found.accuracy_parallel,
        decided=dict(zip(names, found.decided, strict=True)),
        saving={kind: x if isinstance(x, Undefined) else savings[kind] for kind, x in inputs.costs.items()},
        alone={x.stage.signal: StageAlone(x.auroc, x.difference, x.p_holm, x.shown_worse) for x in found.singles},
        points=found.points,
        conditions=found.recommendation.conditions,
    )


def _reason(found: HeldOutCascade) -> str:
    unmet = [condition.sentence for condition in found.conditions if not condition.met]
    return "; ".join(unmet or [condition.sentence for condition in found.conditions])


def _published(scores: LabelledScores) -> PublishedProtocol | Undefined:
    """Return the in-sample sweep on the questions that have both signals."""
    second = next((name for name in _SECOND if name in scores.names), None)
    if _FIRST not in scores.names or second is None:
        return Undefined(f"it needs {_FIRST} and density")
    pair = scores.matrix[[scores.names.index(_FIRST), scores.names.index(second)]]
    both = ~np.isnan(pair).any(axis=0)
    try:
        return published_protocol(pair[0, both], pair[1, both], scores.incorrect[both])
    except UndefinedStatisticError as error:
        return undefined(error)


def cascade_sentence(found: CascadeFindings) -> str:
    """Return whether the cascade is recommended and why, with what it saves on held-out questions."""
    held_out = found.held_out
    if isinstance(held_out, Undefined):
        return f"No cascade is recommended: {found.reason}."
    saving = held_out.saving["calls"]
    saved = (
        "has nothing to save" if isinstance(saving, Undefined) else f"saves {percent_and_interval(saving)} of the calls"
    )
    order = ", then ".join(f"`{stage.signal}`" for stage in found.stages)
    if not found.recommended:
        if found.questions_needed is not None:
            more = max(1, found.questions_needed - held_out.n)
            return f"Promising cascade: {order}; it {saved}, but {found.reason}. Label about {count(more)} more."
        # What coin flips save is no saving.
        return f"No cascade is recommended: {found.reason}{f'; it {saved}' if held_out.works else ''}."
    areas = f"{decimal(held_out.auroc.value)} against {decimal(held_out.auroc_parallel.value)} of running every stage"
    rights = f"{percent(held_out.accuracy_at_cut.value)} against {percent(held_out.accuracy_at_cut_parallel.value)}"
    return (
        f"Recommended cascade: {order}; it {saved}, AUROC on held-out questions {areas}, accuracy at the cut {rights}."
    )
