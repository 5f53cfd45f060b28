"""A fitted cascade that decides new questions: the policy, its JSON text, and the decider of a user's own program.

```python
cascade = Cascade.load("policy.json")
decision = cascade.decide({"token_entropy_mean": 0.41, "density": lambda: measure(question)})
```

Values are oriented as everywhere in the project: higher is more uncertain. A policy is read as somebody else's file:
every field is checked, and one edited by hand is refused. It does not know how signals are computed, nor run files.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.cascade.costs import saving
from homogaudit.cascade.fits import CLIP, checked_signals, fit_cascades
from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.cascade.policy_text import policy_error, read_record, write_record
from homogaudit.cascade.ucbd import CascadeEvaluation
from homogaudit.codec import STRICT
from homogaudit.errors import ParametersDifferError, UndefinedStatisticError, UsageError

FORMAT = "homogaudit.cascade"
VERSION = 1

LARGEST = 1 << 20
"""Bytes of a policy file that are read; a policy of ten stages has 5 KiB."""

SignalSource = float | Callable[[], float]
"""A signal's value, or what computes it when the cascade asks for it."""


@dataclass(frozen=True, slots=True)
class PolicyStage:
    """One stage as it was fitted.

    Attributes:
        signal: Its name.
        boundary: Of the signal.
        cost: What the stage adds to those before it, in the policy's kind of cost.
        mean: Taken from the signal.
        deviation: What is left is divided by it, above 0.
        intercept: Of the log-odds of an incorrect answer at this depth.
        weights: Of the normalised signals up to this stage, 0 or more.
        lower: Below it a question is accepted.
        upper: Above it a question is flagged; at the last stage both are the cut.
    """

    signal: str
    boundary: str
    cost: float
    mean: float
    deviation: float
    intercept: float
    weights: tuple[float, ...]
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What held-out folds gave for a cascade fitted as this one; its own questions say nothing about it.

    Attributes:
        auroc: Of the cascade.
        auroc_parallel: Of running every stage.
        difference: The first minus the second.
        saving: In the policy's kind of cost; `None` where every stage is free.
        recommended: Whether the three conditions were met.
        reason: In words.
    """

    auroc: HeldOutValue
    auroc_parallel: HeldOutValue
    difference: HeldOutValue
    saving: HeldOutValue | None
    recommended: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A fitted cascade.

    Attributes:
        model: Name of the model whose answers it was fitted on.
        fingerprint: Of the model's file; empty where it is not known.
        cost_kind: `calls`, `seconds` or `money`.
        stages: In their order.
        questions: That it was fitted on.
        incorrect: Of these.
        held_out: Its figures.
    """

    __pydantic_config__ = STRICT

    model: str
    fingerprint: Mapping[str, str | int]
    cost_kind: str
    stages: tuple[PolicyStage, ...]
    questions: int
    incorrect: int
    held_out: HeldOut

    def to_json(self) -> str:
        """Return the policy as JSON text, with its format, version and a checksum."""
        return write_record(self, FORMAT, VERSION)

    @classmethod
    def from_json(cls, text: str) -> "Policy":
        """Read a policy from JSON text.

        Raises:
            UsageError: It is no policy, of a newer version, or was changed after it was written.
        """
        policy = read_record(text, cls, FORMAT, VERSION)
        problem = _problem(policy)
        if problem is not None:
            raise policy_error(problem)
        return policy


@dataclass(frozen=True, slots=True)
class Decision:
    """What a cascade says of one question.

    Attributes:
        flagged: Whether the answer is to be distrusted.
        stage: The signal at which it was decided.
        probability: P(incorrect | signals seen).
        cost: Of the stages that were asked for, in the policy's kind of cost.
    """

    flagged: bool
    stage: str
    probability: float
    cost: float


def fit_policy(
    evaluation: CascadeEvaluation,
    signals: ArrayLike,
    positive: ArrayLike,
    *,
    model: str,
    fingerprint: Mapping[str, str | int | None] | None = None,
) -> Policy:
    """Fit a policy on all questions, with the held-out figures of an evaluation on the same questions.

    Args:
        evaluation: From `evaluate_cascade`.
        signals: Shape (k, n), as they were evaluated.
        positive: Shape (n,), True for an incorrect answer.
        model: The name of the model whose answers these are.
        fingerprint: Of its file, as `model_fingerprint` gives it.

    Raises:
        UndefinedStatisticError: As in `evaluate_cascade`.
    """
    matrix, labels = checked_signals(evaluation.stages, signals, positive)
    if labels.size != evaluation.n:
        raise ValueError(f"expected the {evaluation.n} questions that were evaluated, not {labels.size}")
    costs = evaluation.savings[0].costs
    fit = fit_cascades(matrix, labels.astype(np.float64), np.ones((1, labels.size)))
    band, cut = int(fit.band[0]), float(fit.cut[0])
    last = len(evaluation.stages) - 1
    stages = tuple(
        PolicyStage(
            signal=stage.signal,
            boundary=stage.boundary,
            cost=costs.marginal[i],
            mean=float(fit.mean[0, i]),
            deviation=float(fit.deviation[0, i]),
            intercept=float(fit.coefficients[i][0, 0]),
            weights=tuple(float(weight) for weight in fit.coefficients[i][0, 1:]),
            lower=cut if i == last else float(fit.lower[0, band]),
            upper=cut if i == last else float(fit.upper[0, band]),
        )
        for i, stage in enumerate(evaluation.stages)
    )
    return Policy(
        model=model,
        fingerprint=_known(fingerprint),
        cost_kind=costs.kind,
        stages=stages,
        questions=labels.size,
        incorrect=int(np.count_nonzero(labels)),
        held_out=HeldOut(
            auroc=evaluation.auroc,
            auroc_parallel=evaluation.auroc_parallel,
            difference=evaluation.difference,
            saving=evaluation.savings[0].saving,
            recommended=evaluation.recommendation.recommended,
            reason=evaluation.recommendation.reason,
        ),
    )


def _known(fingerprint: Mapping[str, str | int | None] | None) -> dict[str, str | int]:
    return {key: value for key, value in (fingerprint or {}).items() if value is not None}


def realised_saving(policy: Policy, decisions: Sequence[Decision]) -> float:
    """Return what a policy saved on the questions that it decided, against running every stage.

    Raises:
        UndefinedStatisticError: There are no decisions, or every stage is free.
    """
    if not decisions:
        raise UndefinedStatisticError("a saving over `0` questions", "it needs at least one decided question")
    mean = math.fsum(decision.cost for decision in decisions) / len(decisions)
    return float(saving(mean, math.fsum(stage.cost for stage in policy.stages)))


@dataclass(frozen=True, slots=True)
class Cascade:
    """A policy that decides questions one at a time and asks for no signal before it is needed."""

    policy: Policy

    @classmethod
    def load(cls, source: str | Path) -> "Cascade":
        """Read a policy from a file or from its JSON text.

        Args:
            source: A path, or text that begins with `{`.

        Raises:
            UsageError: The file cannot be read, or is no policy that can be used.
        """
        if isinstance(source, str) and source.lstrip().startswith("{"):
            return cls(Policy.from_json(source))
        path = Path(source)
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise UsageError(
                f"cannot read the policy `{path}`: {(reason or 'not a path').lower()}",
                "`homogaudit cascade fit RUN --out FILE` writes one",
            ) from None
        if len(raw) > LARGEST:
            raise policy_error("it is too large")
        try:
            return cls(Policy.from_json(raw.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise policy_error("it is not UTF-8 text") from None

    def require_model(
        self, name: str, fingerprint: Mapping[str, str | int | None] | None = None, *, allow_other: bool = False
    ) -> None:
        """Require that answers come from the model that the policy was fitted for.

        Where both fingerprints are known they decide, so that a renamed file is the same model; else the names do.

        Args:
            name: Of the model.
            fingerprint: Of its file, as `model_fingerprint` gives it.
            allow_other: Take any model; thresholds then mean what they happen to mean.

        Raises:
            ParametersDifferError: It is another model.
        """
        own, other = self.policy.fingerprint, _known(fingerprint)
        common = own.keys() & other.keys()
        same = all(own[key] == other[key] for key in common) if common else name == self.policy.model
        if not same and not allow_other:
            raise ParametersDifferError(
                f"the policy was fitted for `{self.policy.model}`, not for this `{name}`",
                "fit one on a run of this model, or allow another model explicitly",
            )

    def decide(self, signals: Mapping[str, SignalSource]) -> Decision:
        """Decide one question.

        Args:
            signals: By name, higher = more uncertain. A callable is called only when the cascade gets to its stage;
                further signals are left alone.

        Raises:
            UsageError: A signal that is asked for is not there.
            UndefinedStatisticError: Its value is not a finite number.
        """
        seen: list[float] = []
        cost = 0.0
        last = self.policy.stages[-1]
        for stage in self.policy.stages:
            deviations = (_value(stage.signal, signals) - stage.mean) / stage.deviation
            seen.append(min(CLIP, max(-CLIP, deviations)))
            cost += stage.cost
            odds = stage.intercept + math.fsum(w * x for w, x in zip(stage.weights, seen, strict=True))
            probability = (math.tanh(odds / 2) + 1) / 2
            if stage is last or not stage.lower <= probability <= stage.upper:
                # At the last stage both thresholds are the cut: on it is flagged.
                return Decision(probability >= stage.upper, stage.signal, probability, cost)
        raise policy_error("it has no stages")


def _value(name: str, signals: Mapping[str, SignalSource]) -> float:
    if name not in signals:
        raise UsageError(f"the cascade needs the signal `{name}`", "give it as a number or as a callable")
    source = signals[name]
    value = float(source() if callable(source) else source)
    if not math.isfinite(value):
        raise UndefinedStatisticError(
            f"the signal `{name}` is `{value}`", "a question without this signal cannot be decided"
        )
    return value


def _problem(policy: Policy) -> str | None:
    """Return what makes a well-typed policy senseless, `None` where nothing does."""
    if len(policy.stages) < 2:
        return "it has fewer than two stages"
    if len({stage.signal for stage in policy.stages}) < len(policy.stages):
        return "a signal is named twice"
    if not 0 < policy.incorrect < policy.questions:
        return "its questions are not of two classes"
    for depth, stage in enumerate(policy.stages, start=1):
        if len(stage.weights) != depth:
            return f"stage `{depth}` has `{len(stage.weights)}` weights"
        if min(stage.weights) < 0 or stage.deviation <= 0 or stage.cost < 0:
            return f"stage `{depth}` has a number below 0"
        if not -1 <= stage.lower <= stage.upper <= 2:
            return f"the thresholds of stage `{depth}` are not in order"
    cut = policy.stages[-1]
    return None if cut.lower == cut.upper else "the last stage cannot escalate"
