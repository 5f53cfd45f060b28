"""The analyses of the labelled questions as frozen records: differences, agreement, categories, selection and more.

They hold figures and compute none; `Undefined` stands in for a figure, a signal or a section that does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from homogaudit.codec import Count, Share, Signed
from homogaudit.records import Interval
from homogaudit.report.figure import Figure
from homogaudit.report.numbers import p_value, percent, threshold
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import (
    CategoryDifference,
    CategoryZone,
    Correlation,
    Estimate,
    Permuted,
    Rate,
    RiskBound,
)

Direction = Literal[1, -1]
"""1: higher values are more uncertain, -1: lower ones are."""


@dataclass(frozen=True, slots=True)
class SignalDifference:
    """The AUROC of a signal minus that of the primary signal, on the questions that have both.

    Attributes:
        low: Lower end of its 95% interval (DeLong).
        high: Upper end of it.
        positives: The incorrect answers among them.
        p: Of no difference, two-sided.
        p_holm: The same, adjusted over all signals compared.
        reading: `higher` or `lower` by the adjusted p, else `equivalent`, else `not shown to differ`.
    """

    delta: Annotated[Signed, Figure("delta")]
    low: Signed
    high: Signed
    n: Annotated[Count, Figure("n")]
    positives: Count
    p: Share
    p_holm: Annotated[Share, Figure("adj. p", written=p_value)]
    p_equivalent: Annotated[Share, Figure("equal p", written=p_value)]
    p_non_inferior: Share
    reading: Literal["higher", "lower", "equivalent", "not shown to differ"]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Every signal against the primary one.

    Attributes:
        margin: AUROCs closer than this count as equivalent.
        signals: By name, without the primary one.
    """

    primary_signal: str
    margin: Share
    signals: Mapping[str, SignalDifference | Undefined]


@dataclass(frozen=True, slots=True)
class FlagAgreement:
    """Whether a signal and the primary one flag the same questions, and which is right more often.

    Attributes:
        flagged: That each of the two flags.
        both: Flagged by both.
        only_one: Flagged by one of the two, as many by each.
        neither: Flagged by none.
        tied: Flagged or not by lot, because they share a score at a cut.
        right_primary: The same of the primary signal.
        p: McNemar's, of both being right equally often.
        p_holm: The same, adjusted over all signals compared.
    """

    n: Count
    flagged: Count
    both: Annotated[Count, Figure("both")]
    only_one: Annotated[Count, Figure("one")]
    neither: Count
    tied: Count
    kappa: Annotated[Estimate | Undefined, Figure("kappa", places=2)]
    right: Annotated[Share, Figure("right", written=percent)]
    right_primary: Annotated[Share, Figure("primary right", written=percent)]
    p: Share
    p_holm: Annotated[Share, Figure("adj. p", written=p_value)]


@dataclass(frozen=True, slots=True)
class Agreements:
    """Every signal's flags beside those of the primary one.

    Attributes:
        flagged_share: Of the questions that each signal flags.
        signals: By name, without the primary one.
    """

    primary_signal: str
    flagged_share: Share
    signals: Mapping[str, FlagAgreement | Undefined]


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """A signal in one category; the AUROC describes and proves nothing.

    Attributes:
        positives: The incorrect ones among them.
    """

    n: Annotated[Count, Figure("n")]
    positives: Count
    auroc: Annotated[Share | Undefined, Figure("AUROC")]
    delong: Annotated[Interval | None, Figure("95% interval")]
    zone: Annotated[CategoryZone | Undefined, Figure("zone")]


@dataclass(frozen=True, slots=True)
class SignalCategories:
    """One signal by category; `difference` comes first, because the table alone always holds extremes."""

    difference: CategoryDifference | Undefined
    categories: Mapping[str, CategoryFigures]


@dataclass(frozen=True, slots=True)
class SignalZones:
    """The AUROC of one signal where the primary signal works, and where it points the wrong way."""

    effective: Annotated[Estimate | Undefined, Figure("effective", term="held_out_zones")]
    blind: Annotated[Estimate | Undefined, Figure("blind", term="held_out_zones")]


@dataclass(frozen=True, slots=True)
class Zones:
    """Every signal in the effective and in the blind zone of the primary one.

    Attributes:
        primary_signal: Whose zones they are.
        held_out_zones: Zones decided on one half of the questions, AUROCs from the other.
        in_sample_zones: Both on the same questions, as published; zones made of noise look just as good.
    """

    primary_signal: str
    held_out_zones: Annotated[
        Mapping[str, SignalZones],
        Figure(
            "zones",
            "The AUROC of every signal in the categories where the primary signal works (effective) and in those where "
            "it points the wrong way (blind): whether another signal helps where that one fails. Half of the questions "
            "decide which categories these are, by the sign of AUROC - 0.5, the other half gives the AUROCs; ten "
            "splits, with the variance of one. Where zones carry over, the primary signal's own AUROC is above 0.5 in "
            "the effective zone and below it in the blind one.",
        ),
    ]
    in_sample_zones: Annotated[
        Mapping[str, SignalZones],
        Figure(
            "zones, in sample",
            "The same with the published rule, decided and scored on the same questions: a category is effective "
            "where the mean of the primary signal is higher for incorrect answers, with two of each class. Shown only "
            "to compare with published figures.",
            source="arXiv 2603.24124",
        ),
    ]


@dataclass(frozen=True, slots=True)
class Categories:
    """The primary and the recommended signal by category, and every signal in the zones of the primary one."""

    signals: Mapping[str, SignalCategories | Undefined]
    zones: Zones | Undefined


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """Answering only the questions that a signal is surest of.

    Attributes:
        coverage: The share asked for.
        accepted: Questions in it, rounded down.
        accuracy: Among them, ties at the end by expectation.
        low: Lower end of the 95% interval, `None` for signals that are not among the leading ones.
        high: Upper end of it.
        threshold: Of the signal as it is stored: at most this much, or at least, where its direction is -1.
    """

    coverage: Annotated[Share, Figure("share", written=percent)]
    accepted: Count
    accuracy: Annotated[Share, Figure("accuracy", written=percent)]
    low: Share | None
    high: Share | None
    threshold: Annotated[float, Figure("threshold", term="answer_where", written=threshold)]
    at_threshold: Rate


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the risk-coverage curve."""

    coverage: Share
    risk: Share


@dataclass(frozen=True, slots=True)
class SignalSelective:
    """One signal used to decide which questions are answered.

    Attributes:
        aurc_interval: `None` for signals that are not among the leading ones.
        prr_interval: As `aurc_interval`.
    """

    n: Annotated[Count, Figure("n")]
    accuracy_at: tuple[CoverageFigures | Undefined, ...]
    aurc: Annotated[Share, Figure("AURC")]
    aurc_interval: Interval | None
    prr: Annotated[float, Figure("PRR")]
    prr_interval: Interval | None
    curve: tuple[CurvePoint, ...] | Undefined
    risk_bound: RiskBound | Undefined


@dataclass(frozen=True, slots=True)
class Selective:
    """Every signal used to decide which questions are answered.

    Attributes:
        leading: The primary, the recommended and the three signals of highest AUROC: those with intervals.
        target_risk: Share of incorrect answers that the risk bounds are for.
        delta_risk: Probability that a bound is broken.
        signals: By name.
    """

    leading: tuple[str, ...]
    target_risk: Share
    delta_risk: Share
    signals: Mapping[str, SignalSelective | Undefined]


@dataclass(frozen=True, slots=True)
class CalibratedBy:
    """How well probabilities of an incorrect answer hold.

    Attributes:
        ece_by_chance: Where the ECE lies by chance where the probabilities hold; `None` for signals other than the
            primary and the recommended one.
        brier_interval: Of the Brier score; `None` as above.
    """

    ece: Annotated[Share | Undefined, Figure("ECE")]
    ece_by_chance: Annotated[Interval | None, Figure("by chance", term="ece")]
    brier: Annotated[Share, Figure("Brier")]
    brier_interval: Interval | None


@dataclass(frozen=True, slots=True)
class SignalCalibration:
    """One signal turned into a probability.

    Attributes:
        brier_of_base_rate: The Brier score of saying the share of incorrect answers for each question.
        raw: Of the signal itself, where it is a probability.
    """

    n: Count
    brier_of_base_rate: Share
    raw: CalibratedBy | Undefined
    platt: CalibratedBy | Undefined
    isotonic: CalibratedBy | Undefined


@dataclass(frozen=True, slots=True)
class Calibration:
    """The leading signals, and those that are probabilities, as probabilities."""

    signals: Mapping[str, SignalCalibration | Undefined]


@dataclass(frozen=True, slots=True)
class BoundaryPair:
    """How strongly two boundaries depend on each other, by one signal of each.

    Attributes:
        boundaries: The two.
        pair: The signal of each: the one with the most values.
    """

    boundaries: tuple[str, str]
    pair: tuple[str, str]
    n: Annotated[Count, Figure("n")]
    pearson: Annotated[Correlation, Figure("Pearson", places=2)]
    spearman: Annotated[Correlation, Figure("Spearman", places=2)]
    distance_correlation: Annotated[Permuted, Figure("dCor", places=2)]
    hsic: Annotated[Permuted, Figure("HSIC", places=4)]
    mutual_information: Annotated[Permuted, Figure("MI, bits", places=2)]


@dataclass(frozen=True, slots=True)
class SignalCorrelation:
    """How a signal goes with the primary one."""

    pearson: Annotated[Correlation, Figure("Pearson", places=2)]
    spearman: Annotated[Correlation, Figure("Spearman", places=2)]


@dataclass(frozen=True, slots=True)
class Dependences:
    """How signals depend on each other, whether or not they work.

    Attributes:
        permutations: Behind every p of `pairs` but those of the correlations.
        pairs: Of boundaries, or why there are none.
        signals: Every other signal with the primary one.
    """

    primary_signal: str
    permutations: Count
    pairs: tuple[BoundaryPair | Undefined, ...]
    signals: Mapping[str, SignalCorrelation | Undefined]


@dataclass(frozen=True, slots=True)
class AnswerWhere:
    """When to answer: where the recommended signal is on the sure side of a threshold that accepts half of them.

    Attributes:
        threshold: As in `CoverageFigures`, from all labelled questions.
        coverage: Share that such thresholds accept on held-out folds, signal and threshold chosen in the training ones.
        accuracy: Correct among these, `n` as many as one repeat of the folds accepts.
    """

    threshold: float
    direction: Direction
    coverage: Share
    accuracy: Estimate
