"""A policy fitted on a run's labelled questions, and what a policy does on the questions of a run.

Deciding reads stored signals; one that is not stored is computed where a question's own draws give it. No model is
loaded and nothing is written.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.cascade.policy import Cascade, Decision, Policy, fit_policy, realised_saving
from homogaudit.errors import UndefinedStatisticError, UsageError
from homogaudit.records import LabelValue, SignalValue
from homogaudit.report.cascade import cascade_inputs
from homogaudit.report.labels import choose_judge
from homogaudit.report.records import Estimate
from homogaudit.report.run_data import rate, read_run, signal_directions
from homogaudit.report.signal_scores import labelled_scores
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.signals.registry import SIGNALS, Signal, SignalInputs, compute_signals
from homogaudit.statistics import Rate, delong
from homogaudit.store.recorded import RECORDED_PREFIX
from homogaudit.store.run_file import RunFile


@dataclass(frozen=True, slots=True)
class QuestionDecision:
    """What a cascade says of one question; all but `id` and `reason` are `None` where it is undecided.

    Attributes:
        id: Of the question.
        flagged: Whether the answer is to be distrusted.
        stage: The signal at which it was decided.
        probability: P(incorrect | signals seen).
        cost: Of the stages asked for, in the policy's kind of cost.
        reason: Why it is undecided, else empty.
    """

    id: str
    flagged: bool | None
    stage: str | None
    probability: float | None
    cost: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class AppliedCascade:
    """What a policy did on the questions of a run.

    Attributes:
        model: Whose answers these are.
        questions: Of the run.
        decided: Those that were decided.
        undecided: How many were not, by reason.
        flagged: Share of the decided questions.
        decided_at: How many questions each stage decided.
        cost_kind: `calls`, `seconds` or `money`.
        saving: Realised, against running every stage.
        predicted_saving: What held-out folds gave when the policy was fitted.
        judge: Whose labels the next figures go by, `None` where there are none.
        accuracy: Of the decided questions that are labelled.
        accuracy_accepted: Of the accepted ones among them.
        auroc: Of the probability, with DeLong's interval.
        decisions: One a question, in the run's order.
    """

    model: str
    questions: int
    decided: int
    undecided: Mapping[str, int]
    flagged: Rate | Undefined
    decided_at: Mapping[str, int]
    cost_kind: str
    saving: float | Undefined
    predicted_saving: HeldOutValue | None
    judge: str | None
    accuracy: Rate | Undefined
    accuracy_accepted: Rate | Undefined
    auroc: Estimate | Undefined
    decisions: tuple[QuestionDecision, ...]


def run_model(run: RunFile) -> tuple[str, dict[str, str | int | None]]:
    """Return the name of a run's model and what is known of its file's fingerprint."""
    stored = run.model_source.fingerprint or {}
    return run.model, {
        key: value for key, value in stored.items() if isinstance(value, str | int) and not isinstance(value, bool)
    }


def fit_run_policy(run: RunFile, *, seed: int, signals: Sequence[str] = (), judge: str | None = None) -> Policy:
    """Fit a policy on the labelled questions of a run, with its held-out figures.

    Args:
        run: Open for reading.
        seed: Of folds and draws.
        signals: The stages, in any order; by default one a boundary.
        judge: Whose labels; `None` for the run's own.

    Raises:
        UsageError: The labels or signals are not there, or cannot carry a cascade.
    """
    chosen = choose_judge(run, judge)
    if chosen is None:
        raise UsageError(f"`{run.path.name}` has no labels to fit on", "`homogaudit score RUN --judge NAME` adds some")
    data = read_run(run)
    labels = {question_id: label.value for question_id, label in data.labels[chosen].items()}
    inputs = cascade_inputs(data, labelled_scores(data, labels), signals or None)
    if signals and inputs.left_out:
        name, reason = next(iter(inputs.left_out.items()))
        raise UsageError(f"`{name}` cannot be a stage: it is {reason}", "leave it out of `--signals`")
    name, fingerprint = run_model(run)
    try:
        evaluation = inputs.evaluate(seed=seed)
        return fit_policy(evaluation, inputs.signals, inputs.incorrect, model=name, fingerprint=fingerprint)
    except UndefinedStatisticError as error:
        raise UsageError(f"no cascade can be fitted: {error.message}", error.hint) from error


def apply_policy(policy: Policy, run: RunFile, *, judge: str | None = None) -> AppliedCascade:
    """Decide every question of a run.

    Args:
        policy: For the run's model; `Cascade.require_model` is the caller's to ask.
        run: Open for reading.
        judge: Whose labels the accuracy goes by; `None` for the run's own.

    Raises:
        UsageError: `judge` has no stored labels.
    """
    values = _oriented(run, [stage.signal for stage in policy.stages])
    cascade = Cascade(policy)
    decisions: list[QuestionDecision] = []
    made: dict[str, Decision] = {}
    for question in run.questions():
        sources = {name: functools.partial(_required, name, of.get(question.id)) for name, of in values.items()}
        try:
            decision = cascade.decide(sources)
        except UndefinedStatisticError as error:
            reason = error.message.replace("`", "")
            decisions.append(QuestionDecision(question.id, None, None, None, None, reason))
            continue
        made[question.id] = decision
        decisions.append(
            QuestionDecision(
                question.id, decision.flagged, decision.stage, decision.probability, decision.cost, reason=""
            )
        )
    chosen = choose_judge(run, judge)
    labels = {} if chosen is None else {name: label.value for name, label in run.labels(chosen).items()}
    scored = {
        question_id: (decision, labels[question_id] is LabelValue.CORRECT)
        for question_id, decision in made.items()
        if labels.get(question_id) in (LabelValue.CORRECT, LabelValue.INCORRECT)
    }
    accepted = [correct for decision, correct in scored.values() if not decision.flagged]
    at = Counter(decision.stage for decision in made.values())
    flagged = sum(decision.flagged for decision in made.values())
    return AppliedCascade(
        model=run.model,
        questions=len(decisions),
        decided=len(made),
        undecided=dict(Counter(decision.reason for decision in decisions if decision.reason).most_common()),
        flagged=rate(flagged, len(made), "no question is decided"),
        decided_at={stage.signal: at[stage.signal] for stage in policy.stages},
        cost_kind=policy.cost_kind,
        saving=_saving(policy, list(made.values())),
        predicted_saving=policy.held_out.saving,
        judge=chosen,
        accuracy=rate(sum(correct for _, correct in scored.values()), len(scored), "no decided question is labelled"),
        accuracy_accepted=rate(sum(accepted), len(accepted), "no accepted question is labelled"),
        auroc=_auroc(list(scored.values())),
        decisions=tuple(decisions),
    )


def _oriented(run: RunFile, names: Sequence[str]) -> dict[str, dict[str, SignalValue]]:
    """Return the signals by name and question, each turned so that higher is more uncertain.

    A recorded signal stands in for one of ours that is not stored.
    """
    stored = run.signals()
    missing = {name for name in names if name not in stored and RECORDED_PREFIX + name not in stored}
    computed = _computed(run, [name for name in names if name in missing and isinstance(SIGNALS.get(name), Signal)])
    directions = signal_directions(run)
    found: dict[str, dict[str, SignalValue]] = {}
    for name in names:
        if name in missing:
            found[name] = computed.get(name, {})
            continue
        source = name if name in stored else RECORDED_PREFIX + name
        direction = directions.get(source, 1)
        found[name] = {
            question_id: value
            if value.value is None
            else SignalValue(question_id, name, direction * value.value, value.reason)
            for question_id, value in stored[source].items()
        }
    return found


def _computed(run: RunFile, names: Sequence[str]) -> dict[str, dict[str, SignalValue]]:
    """Return what the draws of each question give by themselves, without an embedder and without clusterings."""
    found: dict[str, dict[str, SignalValue]] = {name: {} for name in names}
    if names:
        expected = run.expected_samples()
        for draws in run.sample_sets():
            for value in compute_signals(SignalInputs(draws, expected), names):
                found[value.signal][value.question_id] = value
    return found


def _required(name: str, stored: SignalValue | None) -> float:
    """Return a value that the cascade asks for.

    Raises:
        UndefinedStatisticError: There is none; the message says why.
    """
    if stored is None or stored.value is None:
        why = stored.reason if stored is not None and stored.reason else "it is not stored for this question"
        raise UndefinedStatisticError(f"{name}: {why}")
    return stored.value


def _saving(policy: Policy, decisions: list[Decision]) -> float | Undefined:
    try:
        return realised_saving(policy, decisions)
    except UndefinedStatisticError as error:
        return undefined(error)


def _auroc(scored: list[tuple[Decision, bool]]) -> Estimate | Undefined:
    if not scored:
        return Undefined("no decided question is labelled")
    probabilities = np.array([decision.probability for decision, _ in scored])
    try:
        found = delong(probabilities, np.array([not correct for _, correct in scored]))
    except UndefinedStatisticError as error:
        return undefined(error)
    has_width = found.se > 0
    return Estimate(found.value, found.low if has_width else None, found.high if has_width else None, len(scored))
