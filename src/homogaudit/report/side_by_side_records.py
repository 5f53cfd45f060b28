"""What the report says where several judges, or several models that cluster, stand beside each other on one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from homogaudit.codec import Count, Share
from homogaudit.report.figure import Figure
from homogaudit.report.level import Level
from homogaudit.report.numbers import percent, threshold
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Correlation, Estimate, Rate


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """One point of the rate as a function of the threshold.

    Attributes:
        level_rate: With the interval that its level goes by.
    """

    threshold: Annotated[float, Figure("threshold", written=threshold)]
    scr: Annotated[Rate, Figure("SCR")]
    level_rate: Annotated[Rate | Undefined, Figure("SCR")]
    level: Annotated[Level, Figure("level")]
    mean_clusters: Annotated[float, Figure("mean clusters", places=2)]


@dataclass(frozen=True, slots=True)
class Area:
    """An AUROC with DeLong's interval, `None` where it has none.

    Attributes:
        positives: The incorrect ones among them.
    """

    value: Annotated[Share, Figure("AUROC", term="auroc")]
    low: Share | None
    high: Share | None
    n: Annotated[Count, Figure("n")]
    positives: Count


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """The model behind a judge, and how its replies could be read.

    Attributes:
        model: Its name, without what else its labels depend on.
        kind: gguf, huggingface or server.
        fingerprint: What tells it from another one.
        prompt_sha256: Of the template of what it was asked.
        seed: Of the order of the reference answers.
        replies: What it was asked on the scored questions and answered, or failed to.
        failure: Why most of the failed ones failed; `None` where none did.
    """

    model: str
    kind: str
    fingerprint: Mapping[str, Any]
    prompt_sha256: str
    seed: int
    replies: Count
    unsure: Rate | Undefined
    unparsed: Rate | Undefined
    failed: Rate | Undefined
    failure: str | None


@dataclass(frozen=True, slots=True)
class JudgePair:
    """Two judges on the questions that both label correct or incorrect."""

    judges: tuple[str, str]
    agreed: Annotated[Rate | Undefined, Figure("agree on")]
    kappa: Annotated[Estimate | Undefined, Figure("kappa", places=2)]


@dataclass(frozen=True, slots=True)
class JudgeComparison:
    """Several judges on one run.

    Attributes:
        pairs: Every two of them.
    """

    pairs: tuple[JudgePair, ...]
    aurocs: Mapping[str, Mapping[str, Area | Undefined]]


@dataclass(frozen=True, slots=True)
class ModelClusters:
    """The clusters that one embedder or one NLI model makes.

    Attributes:
        model: Its key: its name and a fingerprint of its files.
        threshold: From which the figures are; of every model of a table the same where they were scored alike.
        thresholds: SCR at the thresholds of published sweeps; nothing for an NLI model, or one that clustered nothing.
    """

    model: str
    linkage: str
    threshold: Annotated[float, Figure("joins at", written=threshold)]
    clustered: Annotated[Count, Figure("clustered")]
    scr: Annotated[Rate | Undefined, Figure("SCR")]
    mean_clusters: Annotated[float | Undefined, Figure("mean clusters", places=2)]
    semantic_entropy_auroc: Annotated[Area | Undefined, Figure("SE AUROC")]
    calibrated_threshold: ThresholdPoint | Undefined
    thresholds: tuple[ThresholdPoint, ...]


@dataclass(frozen=True, slots=True)
class CountCorrelation:
    """Spearman's correlation of the cluster counts of two models, over the questions that both have clustered."""

    models: tuple[str, str]
    spearman: Annotated[Correlation | Undefined, Figure("Spearman", places=2)]


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Several models of one kind on one run.

    Attributes:
        questions: That all models which have clustered any have clustered; the figures of each model are over these.
        models: By a short name each.
    """

    questions: Count
    models: Mapping[str, ModelClusters]
    correlations: tuple[CountCorrelation, ...]


@dataclass(frozen=True, slots=True)
class ClusteringAgreement:
    """What a second clustering says of the questions that have one cluster under a first.

    Attributes:
        clusterings: The first and the second, by name.
        questions: That both have clustered, all N samples holding an answer.
        kappa: Of having one cluster, over these questions.
    """

    clusterings: tuple[str, str]
    questions: Annotated[Count, Figure("questions", term="n")]
    confirmed: Annotated[
        Rate | Undefined,
        Figure(
            "confirmed",
            "Of the questions that have one cluster under a first clustering, the share that has one under a second: "
            "whether that the answers are called alike depends on who compares them.",
        ),
    ]
    joined: Annotated[
        Estimate | Undefined,
        Figure(
            "pairs joined",
            "Over the questions with one cluster under the first clustering, the mean share of pairs of samples that "
            "the second puts in one cluster too.",
            written=percent,
        ),
    ]
    kappa: Annotated[Estimate | Undefined, Figure("kappa", places=2)]
