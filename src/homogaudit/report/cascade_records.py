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
from homogaudit.report.numbers import p_value, percent
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.undefined import Undefined


@dataclass(frozen=True, slots=True)
class CascadeStage:
    """One stage, in the order in which the cascade asks for them.

    Attributes:
        signal: Its name as it is stored.
    """

    signal: str
    boundary: Annotated[str, Figure("boundary")]
    cost_class: Annotated[str, Figure("cost")]
    marginal_cost: Mapping[str, float | Undefined]


@dataclass(frozen=True, slots=True)
class StageAlone:
    """A stage's signal used alone, on the cascade's held-out folds.

    Attributes:
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
        positives: Incorrect answers among them.
        folds: Of each repeat.
        repeats: Of the split into folds.
        draws: Bootstrap draws, each refitted.
        difference: The first minus the second.
        margin: Of non-inferiority.
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
    accuracy_at_cut: Annotated[HeldOutValue, Figure("accuracy at the cut", written=percent)]
    accuracy_at_cut_parallel: Annotated[
        HeldOutValue, Figure("accuracy of every stage", term="accuracy_at_cut", written=percent)
    ]
    decided: Mapping[str, HeldOutValue]
    saving: Mapping[str, HeldOutValue | Undefined]
    alone: Mapping[str, StageAlone]
    points: tuple[CascadePoint, ...]
    conditions: tuple[Condition, ...]

    @property
    def works(self) -> bool:
        """Whether running every stage tells wrong from right answers; what noise saves is no saving."""
        return any(x.letter == "a" and x.met for x in self.conditions)


@dataclass(frozen=True, slots=True)
class CascadeFindings:
    """The cheapest-first cascade of the run's signals.

    Attributes:
        stages: The default ones that the run has.
        held_out: Its figures.
        recommended: Whether all conditions are met.
        questions_needed: At about how many labelled questions it would be, at these figures; `None` where it is, and
            where no practicable number would do.
        reason: Why, or why not.
    """

    stages: tuple[CascadeStage, ...]
    left_out: Mapping[str, str]
    held_out: HeldOutCascade | Undefined
    recommended: bool
    questions_needed: Count | None
    reason: str
    published_protocol: PublishedProtocol | Undefined
    oracle: Annotated[
        Area | Undefined,
        Figure(
            "oracle",
            "AUROC where the label itself chose the stage that is most right about each question: the highest rank of "
            "its signals where the answer is wrong, the lowest where it is right. A bound that no cascade reaches, and "
            "noise reaches it too: with many stages it is near 1 whatever they measure.",
            unit="0 to 1",
        ),
    ]


@dataclass(frozen=True, slots=True)
class Pointer:
    """How far free features of question and answer point to wrong answers, on held-out folds.

    Attributes:
        positives: Incorrect answers among them.
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
