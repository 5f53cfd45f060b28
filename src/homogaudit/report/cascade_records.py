"""The cascade's and the pointer model's sections of the report as frozen records; they compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from homogaudit.cascade.conditions import Condition
from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.cascade.published import PublishedProtocol
from homogaudit.cascade.ucbd import CascadePoint
from homogaudit.codec import Count, Share
from homogaudit.report.figure import Figure
from homogaudit.report.numbers import p_value
from homogaudit.report.undefined import Undefined

__all__ = ["Cascade", "CascadeStage", "HeldOutCascade", "Pointer", "StageAlone"]


@dataclass(frozen=True, slots=True)
class CascadeStage:
    """One stage, in the order in which the cascade asks for them.

    Attributes:
        signal: Its name as it is stored.
        boundary: B1 to B5, or `recorded`.
        cost_class: free, embed, call, samples, nli or recorded.
        marginal_cost: What it adds to the stages before it, a question: in `calls`, `seconds` and `money`.
    """

    signal: str
    boundary: Annotated[str, Figure("boundary")]
    cost_class: Annotated[str, Figure("cost")]
    marginal_cost: Mapping[str, float | Undefined]


@dataclass(frozen=True, slots=True)
class StageAlone:
    """A stage's signal used alone, on the cascade's held-out folds.

    Attributes:
        auroc: Of the signal.
        difference: This AUROC minus the cascade's.
        p_holm: Two-sided p of the difference, adjusted over the stages.
        shown_worse: Whether it is below the cascade with an adjusted p under 0.05.
    """

    auroc: Annotated[HeldOutValue, Figure("AUROC")]
    difference: Annotated[HeldOutValue, Figure("against cascade")]
    p_holm: Annotated[Share, Figure("adj. p", written=p_value)]
    shown_worse: bool


@dataclass(frozen=True, slots=True)
class HeldOutCascade:
    """What the cascade does on questions that it was not fitted on.

    Attributes:
        n: Labelled questions on which every stage is defined.
        positives: Incorrect answers among them.
        folds: Of each repeat.
        repeats: Of the split into folds.
        draws: Bootstrap draws, each refitted.
        auroc: Of P(incorrect | signals seen).
        auroc_parallel: Of running every stage.
        difference: The first minus the second.
        margin: Of non-inferiority.
        p_non_inferior: One-sided.
        decided: Share of the questions decided at each stage, by signal.
        saving: In `calls`, `seconds` and `money`, each interval that of one policy.
        alone: By signal.
        points: One a band, from stopping all at the first stage to running every stage.
        conditions: (a), (b) and (c) for a recommendation.
    """

    n: Annotated[Count, Figure("labelled questions", term="held_out")]
    positives: Count
    folds: Count
    repeats: Count
    draws: Count
    auroc: Annotated[HeldOutValue, Figure("AUROC")]
    auroc_parallel: Annotated[HeldOutValue, Figure("AUROC of every stage")]
    difference: Annotated[HeldOutValue, Figure("difference")]
    margin: Share
    p_non_inferior: Annotated[Share, Figure("p of losing the margin", written=p_value)]
    decided: Mapping[str, HeldOutValue]
    saving: Mapping[str, HeldOutValue | Undefined]
    alone: Mapping[str, StageAlone]
    points: tuple[CascadePoint, ...]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Cascade:
    """The cheapest-first cascade of the run's signals.

    Attributes:
        stages: The default ones that the run has.
        left_out: By signal, why it is no stage.
        held_out: Its figures.
        recommended: Whether all conditions are met.
        reason: Why, or why not.
        published_protocol: The in-sample band sweep, only to compare with published figures.
    """

    stages: tuple[CascadeStage, ...]
    left_out: Mapping[str, str]
    held_out: HeldOutCascade | Undefined
    recommended: bool
    reason: str
    published_protocol: PublishedProtocol | Undefined


@dataclass(frozen=True, slots=True)
class Pointer:
    """How far free features of question and answer point to wrong answers, on held-out folds.

    Attributes:
        n: Labelled questions.
        positives: Incorrect answers among them.
        auroc: Of the 20 features.
        auroc_with_embeddings: With the question embeddings, reduced, beside them.
        components: What the embeddings were reduced to; 0 without.
        coefficients: By feature, in units of its standard deviation, fitted on all questions: description only.
    """

    n: Annotated[Count, Figure("labelled questions", term="pointer")]
    positives: Count
    auroc: Annotated[HeldOutValue, Figure("AUROC")]
    auroc_with_embeddings: Annotated[HeldOutValue | Undefined, Figure("with the question embeddings")]
    components: Count
    coefficients: Mapping[str, float]
