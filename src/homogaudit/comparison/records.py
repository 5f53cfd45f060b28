"""What a comparison of runs says, as frozen records: one field a figure, described where it stands.

They hold what `build` found; they compute nothing. A figure that cannot be computed is an `Undefined` with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from homogaudit.clustering_method import ClusteringMethod
from homogaudit.codec import STRICT, Count, Share
from homogaudit.comparison.across_records import Across
from homogaudit.report.figure import Figure
from homogaudit.report.numbers import p_value, percent
from homogaudit.report.records import RefusedCategory
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate, RateDifference

FORMAT: Literal["homogaudit.comparison/1"] = "homogaudit.comparison/1"

Reading = Literal["higher", "lower", "not shown"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Questions that are not compared.

    Attributes:
        reason: Why, in words.
        question_ids: Which.
    """

    reason: str
    question_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DrawingDifference:
    """One thing in which a run was drawn otherwise than the baseline.

    Attributes:
        name: What, for example `temperature`.
        baseline: Of the baseline.
        run: Of the run.
    """

    name: str
    baseline: str
    run: str


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run, over the questions that are compared.

    Attributes:
        path: Of its file.
        id: The run's own.
        model: Its name as given.
        stage: As models.toml names it.
        family: As models.toml names it.
        questions: Of its question file.
        drawn_samples: Samples a question that it holds.
        refused_by_category: Of the categories that have a single cluster.
        means: Of every signal over the questions that have it, by name; higher is more uncertain.
    """

    path: str
    id: str
    model: str
    stage: str | None
    family: str | None
    questions: Count
    drawn_samples: Count
    scr: Annotated[Rate | Undefined, Figure("SCR")]
    refused_in_single_cluster: Annotated[Rate | Undefined, Figure("refusals among single clusters")]
    refused_by_category: Mapping[str, RefusedCategory]
    wrong_in_single_cluster: Annotated[Rate | Undefined, Figure("missed errors")]
    accuracy: Annotated[Rate | Undefined, Figure("accuracy")]
    mean_clusters: Annotated[Estimate | Undefined, Figure("mean clusters", places=2)]
    mean_semantic_entropy: Annotated[Estimate | Undefined, Figure("mean semantic entropy", places=2)]
    mean_pairwise_similarity: Annotated[Estimate | Undefined, Figure("mean pairwise similarity")]
    mean_token_entropy: Annotated[
        Estimate | Undefined,
        Figure(
            "token entropy",
            "Mean over questions of the mean entropy of the greedy answer's tokens. Alignment may leave it as it is "
            "while the answers of a question become one.",
            unit="nats a token",
            source="arXiv 2603.24124",
        ),
    ]
    means: Mapping[str, Estimate | Undefined] | Undefined


@dataclass(frozen=True, slots=True)
class RateChange:
    """A rate of a run and of the baseline, over the questions that count in both.

    Attributes:
        baseline: Of the baseline, with Wilson's interval.
        run: Of the run.
        difference: The run minus the baseline, with Tango's score interval.
        method: Of McNemar's test: `exact` below 25 discordant questions, else `chi_square`.
        p_holm: `None` of the one difference that is tested alone.
        margin: The largest difference that does not matter.
        reading: By p, or by the adjusted p where there is one.
    """

    baseline: Annotated[
        Rate,
        Figure("baseline", "The run that others are compared with: the first one, or that of `--baseline`."),
    ]
    run: Annotated[Rate, Figure("run", term="run")]
    difference: Annotated[
        RateDifference,
        Figure(
            "difference",
            "The figure of the run minus that of the baseline, over the same questions. That of rates has Tango's "
            "score interval; of means and AUROCs, that of a bootstrap which draws a question with both its values.",
            written=percent,
            source="Tango 1998, Statistics in Medicine 17:891-908",
        ),
    ]
    p: Annotated[
        Share,
        Figure("p", written=p_value, term="mcnemar"),
    ]
    method: Literal["exact", "chi_square"]
    p_holm: Annotated[Share | None, Figure("adj. p", written=p_value)]
    margin: Share
    p_equivalent: Annotated[Share, Figure("equal p", written=p_value)]
    reading: Annotated[
        Reading,
        Figure("reading", term="change"),
    ]


@dataclass(frozen=True, slots=True)
class MeanChange:
    """A mean over questions of a run and of the baseline, over the questions that have both.

    Attributes:
        p: Wilcoxon's, two-sided; 1 where no question differs.
    """

    baseline: Annotated[float, Figure("baseline", places=2)]
    run: Annotated[float, Figure("run", places=2, term="run")]
    difference: Annotated[Estimate, Figure("difference", places=2)]
    ratio: Annotated[
        Estimate | Undefined,
        Figure(
            "ratio",
            "The mean of the run over that of the baseline, over the same questions, with the interval of a bootstrap "
            "of questions. Token entropy whose ratio stays near 1 while that of clusters falls is kept while "
            "diversity is lost.",
            places=2,
            source="arXiv 2603.24124",
        ),
    ]
    p: Annotated[Share, Figure("p", written=p_value, term="wilcoxon")]
    p_holm: Annotated[Share, Figure("adj. p", written=p_value)]
    reading: Annotated[Reading, Figure("reading", term="change")]


@dataclass(frozen=True, slots=True)
class AurocChange:
    """The AUROC of a signal in a run and in the baseline; each run has labels of its own.

    Attributes:
        p: Of no difference, two-sided, by the bootstrap of paired question ids.
    """

    baseline: Annotated[Area, Figure("baseline")]
    run: Annotated[Area, Figure("run", term="run")]
    difference: Annotated[Estimate, Figure("difference")]
    p: Annotated[Share, Figure("p", written=p_value)]
    p_holm: Annotated[Share, Figure("adj. p", written=p_value)]
    p_equivalent: Annotated[Share, Figure("equal p", written=p_value)]
    reading: Annotated[Reading, Figure("reading", term="change")]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Samples of a question that say the same.

    Attributes:
        answer: The most frequent wording.
        samples: How many they are.
    """

    answer: str
    samples: Count


@dataclass(frozen=True, slots=True)
class Flip:
    """A question whose answers form one cluster in one run and several in the other.

    Attributes:
        question_id: Of the question.
        question: As it was asked.
        baseline: Clusters of the baseline's answers, the largest first.
        run: Clusters of the run's answers, the largest first.
    """

    question_id: str
    question: str
    baseline: tuple[Cluster, ...]
    run: tuple[Cluster, ...]


@dataclass(frozen=True, slots=True)
class RunPair:
    """A run against the baseline.

    Attributes:
        differs: In what they were drawn otherwise.
        rate: Of single clusters; the one confirmatory test.
        accuracy: Of the greedy answers that are labelled in both runs.
        means: By name, each tested by Wilcoxon's signed-rank test.
        aurocs: By signal.
        to_one: Questions that have several clusters in the baseline and one in the run.
        from_one: Those that have one in the baseline and several in the run.
    """

    differs: tuple[DrawingDifference, ...]
    rate: RateChange | Undefined
    accuracy: RateChange | Undefined
    means: Mapping[str, MeanChange | Undefined]
    aurocs: Mapping[str, AurocChange | Undefined]
    tells_where_it_helps: Annotated[
        Mapping[str, Area | Undefined],
        Figure(
            "tells where it helps",
            "AUROC of the baseline's signals for where the run helps: questions answered wrongly in the baseline and "
            "rightly in the run, against all others that are labelled in both. A signal that tells them says where the "
            "run is worth its cost, be it a larger model or passages in the prompt.",
        ),
    ]
    to_one: tuple[Flip, ...]
    from_one: tuple[Flip, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two or more runs say of the same questions. A missing figure is `{"value": null, "reason": "..."}`.

    Attributes:
        baseline: Name of the run that the others are compared with.
        questions: How many are compared.
        samples: N, samples a question that are compared.
        clustering: By which the answers of every run are clustered; `None` where each has its own.
        judge: Whose labels are compared, `None` without any.
        judge_reason: Why there is none.
        margin: The largest difference that does not matter.
        left_out: Questions that are not compared.
        brought: What was made the same before comparing, in words.
        forced: What differs and should not, in words; empty unless the comparison was forced.
        warnings: What limits the figures.
        runs: By name, by family and stage.
        pairs: Each of the other runs against the baseline, by name.
        across: Whether the models are one.
    """

    __pydantic_config__ = STRICT

    schema: Literal["homogaudit.comparison/1"] = field(default=FORMAT, kw_only=True)
    baseline: str
    questions: Count
    samples: Count
    clustering: ClusteringMethod | None
    judge: str | None
    judge_reason: str
    margin: Share
    left_out: tuple[LeftOut, ...]
    brought: tuple[str, ...]
    forced: tuple[str, ...]
    warnings: tuple[str, ...]
    runs: Mapping[str, ComparedRun]
    pairs: Mapping[str, RunPair]
    across: Across | Undefined
