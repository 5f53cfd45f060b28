"""The report as frozen records: one field a section, one field a figure.

They hold what `build` found and what the formatters show; they compute nothing. A figure that cannot be computed is
an `Undefined` with its reason, never a number that stands for nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from homogaudit.codec import STRICT, Count, Share
from homogaudit.records import Interval
from homogaudit.report.analysis_records import (
    Agreements,
    AnswerWhere,
    Calibration,
    Categories,
    Comparisons,
    Dependences,
    Direction,
    Selective,
)
from homogaudit.report.cascade_records import CascadeFindings, Pointer
from homogaudit.report.diversity_records import Diversity
from homogaudit.report.figure import Figure, QuestionMean
from homogaudit.report.gate_records import Gate
from homogaudit.report.level import Level, VerdictLevel
from homogaudit.report.numbers import duration, p_value, percent, threshold
from homogaudit.report.phase_times import PhaseTimes
from homogaudit.report.side_by_side_records import (
    ClusteringAgreement,
    JudgeComparison,
    JudgeModel,
    ModelComparison,
    ThresholdPoint,
)
from homogaudit.report.undefined import Undefined
from homogaudit.signals.sampling import semantic_entropy
from homogaudit.statistics import Estimate, Rate
from homogaudit.store.facts import AskedIn
from homogaudit.store.progress import RunState
from homogaudit.store.shards import Shards

FORMAT: Literal["homogaudit.report/2"] = "homogaudit.report/2"

Robustness = Literal[
    "robust",
    "depends on the threshold",
    "depends on the clustering",
    "depends on the threshold and the clustering",
]
Reading = Literal["works", "not shown to work", "inverted", "constant", "not tested"]
Distrust = Literal["inverted", "constant", "blind"]


@dataclass(frozen=True, slots=True)
class DrawCounts:
    """What became of some draws; `valid`, `thinking_unclosed`, `empty` and `errors` add up to `drawn`."""

    drawn: Annotated[Count, Figure("drawn")]
    valid: Annotated[Count, Figure("valid")]
    truncated: Annotated[Count | Undefined, Figure("cut")]
    thinking_unclosed: Annotated[Count, Figure("unclosed")]
    empty: Annotated[Count, Figure("empty")]
    refusals: Annotated[Count, Figure("refused")]
    errors: Annotated[Count, Figure("failed")]


@dataclass(frozen=True, slots=True)
class EntropyBounds:
    """How far the entropies of some tokens are known from the likeliest tokens alone; means over tokens, nats.

    Attributes:
        low: Mean lower bound.
        high: Mean upper bound.
        width: Their difference.
        bounded_tokens: How many tokens have bounds.
        tokens_share: Their share of all tokens that such answers hold.
    """

    low: float
    high: float | Undefined
    width: float | Undefined
    bounded_tokens: Count
    tokens_share: Share


@dataclass(frozen=True, slots=True)
class TokenEntropies:
    """Where the token entropies come from.

    Attributes:
        entropy_source: Who computed them; `bounded` ones are known between two limits.
        reason: Why they are not available, else empty.
        top_logprobs: Log-probabilities a token that bound them, `None` where they are not bounded.
        greedy: Bounds of the greedy answers' tokens; signals read the lower one.
        samples: Bounds of the samples' tokens.
    """

    entropy_source: Literal["exact", "bounded", "recorded", "not available"]
    reason: str
    top_logprobs: Count | None
    greedy: EntropyBounds | Undefined
    samples: EntropyBounds | Undefined


@dataclass(frozen=True, slots=True)
class Deciding:
    """How far a run is that stops once it is decided.

    Attributes:
        max_scr: On which side of this the single-cluster rate lies is decided; `None` where it is the level.
        seed: Of the random order of the questions.
        questions: Those that are counted: before the first that is not drawn.
        is_stopped: Whether it was decided, or interrupted, before the whole file was drawn.
    """

    max_scr: Share | None
    seed: int
    questions: Count
    is_stopped: bool


@dataclass(frozen=True, slots=True)
class RateAlone:
    """What a run for the rate alone has drawn.

    Attributes:
        audit_share: Of the questions, drawn to the end whatever they look like.
        seed: Of their choice.
        first_samples: Samples that were looked at.
        questions: Those that the rate counts.
        questions_audited: Those of them that are drawn to the end for the audit; all other figures rest on them.
        questions_stopped: Those that were drawn no further than their first samples, which lay apart.
        answers_drawn: Stored, greedy ones too.
        answers_of_all: That a run without this would hold.
    """

    audit_share: Share
    seed: int
    first_samples: Count
    questions: Count
    questions_audited: Count
    questions_stopped: Count
    answers_drawn: Count
    answers_of_all: Count


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was audited, how, and on what.

    Attributes:
        id: The run's own.
        model: Its name as given.
        shards: Which shards of the question file the run holds, `None` for all of it.
        questions: How many questions the run holds.
        samples: N, the samples a question.
        deciding: `None` of a run whose number of questions was fixed beforehand.
        rate_alone: `None` of a run that draws all answers.
        asked_in: Where the model was asked about its answers; `None` where it was not.
        embedder: Plain name of that behind the clustering `embedding`, `None` where there is none.
        token_entropies: Where they come from.
    """

    id: str
    model: str
    model_details: Mapping[str, Any]
    question_source: str
    shards: Shards | None
    questions: Count
    status: Literal["started", "complete"]
    state: RunState
    deciding: Deciding | None
    rate_alone: RateAlone | None
    created: str
    finished: str | None
    samples: Count
    decoding: Mapping[str, Any]
    prompting: Mapping[str, Any]
    asked_in: AskedIn | None
    device: Any
    versions: Mapping[str, Any]
    embedder: str | None
    embedder_reason: str
    sessions: Count
    seconds: float | Undefined
    phases: PhaseTimes
    token_entropies: TokenEntropies


@dataclass(frozen=True, slots=True)
class Validity:
    """What can spoil the figures, counted over the drawn questions.

    Attributes:
        questions: Of the question file.
        questions_scored: Drawn, and clustered, labelled and measured as the run was last asked to.
        questions_unfinished: Draws of theirs are missing; they enter nothing.
        questions_fully_valid: All N samples hold an answer; SCR is over these.
        questions_unclustered: Fewer than two samples hold an answer.
        samples: Drawn for the drawn questions.
        samples_valid: Hold an answer.
        questions_refused: At least half of their valid samples decline to answer.
        greedy: The same counts for the greedy answers, `None` where the run has none.
    """

    questions: Count
    questions_scored: Count
    questions_unfinished: Count
    questions_fully_valid: Count
    questions_unclustered: Count
    samples: Count
    samples_valid: Count
    truncated: Count | Undefined
    thinking_unclosed: Count
    empty: Count
    refusals: Count
    questions_refused: Count
    errors: Count
    duplicated: Count | Undefined
    questions_without_word_spaces: Count
    greedy: DrawCounts | None
    warnings: tuple[str, ...]

    @property
    def questions_drawn(self) -> int:
        """Questions whose draws are all stored."""
        return self.questions - self.questions_unfinished


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """How many questions have this many clusters."""

    clusters: Annotated[Count, Figure("clusters")]
    questions: Annotated[Count, Figure("questions")]


@dataclass(frozen=True, slots=True)
class RefusedCategory:
    """The refusals among the single clusters of one category."""

    refused_in_single_cluster: Annotated[Rate, Figure("refusals among single clusters")]


@dataclass(frozen=True, slots=True)
class SampleSizePoint:
    """One sample size.

    Attributes:
        k: Samples taken of the N.
        first_k: SCR of the first k, as published figures have it; depends on the order of the draws.
        random_k: Mean SCR over random k-subsets, its interval over questions.
    """

    k: Annotated[Count, Figure("samples")]
    first_k: Annotated[Rate, Figure("SCR, first k")]
    random_k: Annotated[Estimate, Figure("SCR, random k", written=percent)]


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """What one clustering says.

    Attributes:
        level: Of this clustering's own `level_rate`.
        is_sequential: Whether the intervals that decide are confidence sequences.
        is_two_phase: Whether its rates are estimates of a run for the rate alone; all figures but those of the
            single-cluster rate and its curve rest on the questions that are drawn to the end for the audit.
        embedder: Its key: its name and a fingerprint of its files.
        mean_alignment_tax: Of AT = 1 - D/N.
        refused_by_category: Of the categories that have a single cluster, in the order of the file.
        thresholds: The sweep over thresholds.
    """

    similarity: str
    linkage: Annotated[str, Figure("linkage")]
    threshold: Annotated[float | None, Figure("joins at", written=threshold)]
    embedder: str | None
    level: Annotated[Level, Figure("level")]
    is_sequential: bool
    is_two_phase: bool
    questions_missing: Annotated[Count, Figure("not clustered")]
    level_rate: Annotated[
        Rate | Undefined,
        Figure(
            "SCR, for the level",
            "The single-cluster rate with the interval that decides the level, the gate and how many questions are "
            "needed: two-sided, at least 95% at every n. It reaches from the lower end of the best case to the upper "
            "end of the worst, and is the interval over categories where that is wider. Of a run that stops once it is "
            "decided it is a confidence sequence, which holds at every number of questions at once. Of a run for the "
            "rate alone it counts what the audited share tells of the questions that were drawn no further. Null with "
            "its reason where no level is given.",
            source="Clopper & Pearson 1934, Biometrika 26:404-413; Buehler 1957, JASA 52:482-493",
        ),
    ]
    scr: Annotated[Rate | Undefined, Figure("SCR")]
    reversals: Annotated[
        Rate | Undefined,
        Figure(
            "reversals",
            "Of a run for the rate alone: of the questions whose first samples lay apart and that were drawn to the "
            "end for the audit, the share that forms one cluster all the same. They enter the single-cluster rate and "
            "its interval for the questions that were drawn no further.",
        ),
    ]
    corrected_rate: Annotated[
        Estimate | Undefined,
        Figure(
            "corrected rate",
            "The share of questions whose answers have one meaning, as `score --label-clusters` makes it of the "
            "single-cluster rate of the clustering that decides: whole questions judged by a person tell its "
            "sensitivity and its specificity. n counts the labelled questions; null with its reason where fewer than "
            "50 are labelled, or where the interval of sensitivity + specificity - 1 reaches 0.",
            written=percent,
            formula="(SCR + specificity - 1) / (sensitivity + specificity - 1), clipped to [0, 1]",
            unit="0 to 1, 95% interval melded over run and labels",
            source="Rogan & Gladen 1978, Am J Epidemiol 107:71-76; Fay, Proschan & Brittain 2015, Biometrics 71",
        ),
    ]
    sensitivity: Annotated[
        Estimate | Undefined,
        Figure(
            "sensitivity",
            "Of the questions whose answers have one meaning, the share that the clustering gives one cluster; by the "
            "questions labelled as a whole, one cluster and several weighted as in the run.",
            written=percent,
        ),
    ]
    specificity: Annotated[
        Estimate | Undefined,
        Figure(
            "specificity",
            "Of the questions whose answers have several meanings, the share that the clustering gives several "
            "clusters; by the questions labelled as a whole, one cluster and several weighted as in the run.",
            written=percent,
        ),
    ]
    scr_by_category: Annotated[
        Rate | Undefined,
        Figure(
            "SCR, over categories",
            "The single-cluster rate with its interval over categories, because questions of one category resemble "
            "each other: that of as many independent questions as would vary like the categories.",
            source="Korn & Graubard 1998, Survey Methodology 24(2)",
        ),
    ]
    scr_best_case: Annotated[Rate | Undefined, Figure("SCR, best case")]
    scr_worst_case: Annotated[Rate | Undefined, Figure("SCR, worst case")]
    scr_without_refusals: Annotated[Rate | Undefined, Figure("SCR without refusals")]
    level_rate_without_refusals: Annotated[
        Rate | Undefined,
        Figure(
            "SCR without refusals, for the level",
            "As `level_rate`, over the questions that the model does not decline to answer.",
        ),
    ]
    level_without_refusals: Annotated[
        Level,
        Figure(
            "level without refusals",
            "The level that the questions give which the model does not decline to answer.",
        ),
    ]
    wrong_in_single_cluster: Annotated[Rate | Undefined, Figure("missed errors")]
    missed_rate: Annotated[
        Rate | Undefined,
        Figure(
            "missed errors, for the gate",
            "The missed errors with the interval that `--max-missed` goes by, which is made as that of `level_rate`. "
            "Null with its reason where fewer than 10 wrong answers are clustered.",
        ),
    ]
    wrong_without_refusals: Annotated[
        Rate | Undefined,
        Figure(
            "missed errors without refusals",
            "The missed errors over the questions that the model does not decline to answer: a refusal that every "
            "sample repeats is no error that sampling cannot see.",
        ),
    ]
    refused_in_single_cluster: Annotated[
        Rate | Undefined,
        Figure(
            "refusals among single clusters",
            "Of the questions whose answers form one cluster, the share that the model declines to answer: at least "
            "half of its valid samples refuse. Where it is high, the rate is made of a safety answer, not of what the "
            "model holds to be true.",
        ),
    ]
    fitted_threshold: Annotated[
        Estimate | Undefined,
        Figure(
            "fitted threshold",
            "The threshold that the packaged pairs of answers set for this clustering, whatever the one in use: it "
            "parts 30% of the pairs of one meaning, of subjects that nothing was fitted to. Its interval, a bootstrap "
            "over subjects, holds the thresholds that other pairs of the kind might have set.",
        ),
    ]
    pairs_auroc: Annotated[
        Estimate | Undefined,
        Figure(
            "pair AUROC",
            "AUROC of the clustering's similarity on pairs of answers labelled by hand: how often a pair of one "
            "meaning is more similar than one of different meanings; 0.5 is chance. Measured for this version on the "
            "packaged pairs, nothing fitted to the subject of a pair; the interval is over subjects.",
        ),
    ]
    run_pairs_auroc: Annotated[
        Estimate | Undefined,
        Figure(
            "pair AUROC, runs",
            "The same on the packaged pairs that real models drew; the others were written to be hard.",
        ),
    ]
    false_merges: Annotated[
        Estimate | Undefined,
        Figure(
            "wrongly joined",
            "Share of the packaged pairs of different meaning whose similarity reaches the threshold. It is one of "
            "pairs, not of questions.",
            written=percent,
        ),
    ]
    false_splits: Annotated[
        Estimate | Undefined,
        Figure(
            "wrongly parted",
            "Share of the packaged pairs of one meaning whose similarity does not reach the threshold. It is one of "
            "pairs, not of questions.",
            written=percent,
        ),
    ]
    pairs_asked: Annotated[
        Rate | Undefined,
        Figure(
            "pairs asked of a model",
            "Share of the pairs of different answers that the model of `--meaning` was asked about; the embedder "
            "leaves no others open.",
        ),
    ]
    mean_clusters: Annotated[
        Estimate | Undefined, QuestionMean("mean clusters", places=2, of=lambda x: len(set(x.assignment)))
    ]
    mean_semantic_entropy: Annotated[
        Estimate | Undefined,
        QuestionMean("mean semantic entropy", places=2, of=lambda x: semantic_entropy(x.assignment)),
    ]
    mean_alignment_tax: Annotated[
        Estimate | Undefined,
        QuestionMean("mean alignment tax", places=2, of=lambda x: 1 - len(set(x.assignment)) / len(x.assignment)),
    ]
    mean_pairwise_similarity: Annotated[
        Estimate | Undefined,
        QuestionMean(
            "mean pairwise similarity",
            "Mean similarity of a question's samples, two by two, averaged over questions. It needs no threshold: 1 is "
            "one and the same answer everywhere, and it falls before any cluster parts.",
            unit="that of the clustering's similarity",
            of=lambda x: pairs.mean() if (pairs := x.pairs()).size else math.nan,
        ),
    ]
    histogram: tuple[HistogramBin, ...]
    refused_by_category: Mapping[str, RefusedCategory]
    calibrated_threshold: ThresholdPoint | Undefined
    thresholds: tuple[ThresholdPoint, ...]
    sample_sizes: tuple[SampleSizePoint, ...]


@dataclass(frozen=True, slots=True)
class Homogenization:
    """What the clusterings say.

    Attributes:
        level: That of the verdict, `invalid` included.
        methods: By name.
        models: Clusters by several models beside each other: of embedders under `embedding`, of NLI models under
            `entailment`.
        agreement: Every clustering against every other.
    """

    primary: str | None
    level: VerdictLevel
    methods: Mapping[str, MethodFigures]
    models: Mapping[str, ModelComparison | Undefined]
    agreement: tuple[ClusteringAgreement, ...] | Undefined


@dataclass(frozen=True, slots=True)
class JudgeCounts:
    """What one judge says of the greedy answers of the scored questions.

    Attributes:
        unlabelled: Scored questions that this judge has not labelled.
        accuracy: Correct ones over correct and incorrect ones.
        model: The model that judges, `None` where the judge is a rule or its labels came with the answers.
    """

    correct: Annotated[Count, Figure("correct")]
    incorrect: Annotated[Count, Figure("incorrect")]
    ambiguous: Annotated[Count, Figure("ambiguous")]
    no_match: Annotated[Count, Figure("no match")]
    unlabelled: Annotated[Count, Figure("unlabelled")]
    labelled_share: Annotated[Rate | Undefined, Figure("labelled")]
    accuracy: Annotated[Rate | Undefined, Figure("accuracy")]
    model: JudgeModel | None


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that the report goes by, and what every stored judge says.

    Attributes:
        reason: Why this judge, or why none.
        judges: The counts by judge, the chosen one among them.
        comparison: What they say beside each other.
    """

    judge: str | None
    reason: str
    correct: Count
    incorrect: Count
    ambiguous: Count
    no_match: Count
    unlabelled: Count
    labelled_share: Rate | Undefined
    accuracy: Rate | Undefined
    sample_accuracy: Annotated[
        Estimate | Undefined,
        Figure(
            "accuracy of samples",
            "Mean over questions of the share of correct ones among a question's samples that are labelled.",
        ),
    ]
    token_f1: Annotated[
        Estimate | Undefined,
        Figure(
            "word F1",
            "Mean over questions of the F1 of the greedy answer's words and those of the reference that it shares most "
            "with: lower case, without punctuation and articles. An answer that says more than the name asked for "
            "loses, so it is below the accuracy by `exact`.",
            unit="0 to 1",
            source="Rajpurkar et al., arXiv 1606.05250",
        ),
    ]
    accuracy_before_cutoff: Annotated[
        Rate | Undefined,
        Figure(
            "accuracy before the cutoff",
            "Accuracy of the questions that are set up to the end of the model's training data, by their time "
            "expressions, or that name no time.",
        ),
    ]
    accuracy_after_cutoff: Annotated[
        Rate | Undefined,
        Figure("accuracy after it", "Accuracy of the questions that are set after the end of the training data."),
    ]
    accuracy_decay: Annotated[
        Estimate | Undefined,
        Figure(
            "decay",
            "How many times more often answers are right before the training cutoff than after it.",
            places=2,
            source="Katz et al. 1978, Biometrics 34:469-474",
        ),
    ]
    judges: Mapping[str, JudgeCounts]
    comparison: JudgeComparison | Undefined


@dataclass(frozen=True, slots=True)
class Cost:
    """What a signal costs."""

    cost_class: Annotated[str, Figure("cost")]
    unit: float
    seconds_per_question: Annotated[float | Undefined, Figure("time", written=duration)]
    own_seconds_per_question: Annotated[float | Undefined, Figure("own time", written=duration)]
    tokens_per_question: Annotated[float | Undefined, Figure("tokens", places=0)]
    price_per_question: Annotated[float | Undefined, Figure("price", written=threshold)]


@dataclass(frozen=True, slots=True)
class Auroc:
    """An AUROC; the positive class is an incorrect answer, the score oriented so that higher is more uncertain.

    Attributes:
        low: Lower end of the bootstrap interval, `None` for constant scores and for classes without overlap.
        high: Upper end of it.
        delong_low: Lower end of DeLong's interval, `None` as above.
        delong_high: Upper end of it.
        positives: The incorrect ones among them.
        p: Of "above 0.5", one-sided; `None` on a part of the questions.
        p_holm: The same, adjusted over all scored signals.
        p_inverted_holm: Of "below 0.5", one-sided, adjusted over all scored signals: what `inverted` rests on.
        within_categories: Whether p is of a test within categories, which the signal mostly tells apart.
        reading: Whether the signal tells wrong answers from right ones.
    """

    value: Annotated[Share, Figure("AUROC", term="auroc")]
    low: Share | None
    high: Share | None
    delong_low: Share | None
    delong_high: Share | None
    n: Annotated[Count, Figure("n")]
    positives: Count
    p: Share | None
    p_holm: Annotated[Share | None, Figure("adj. p", written=p_value)]
    p_inverted_holm: Share | None
    within_categories: bool
    constant: bool
    by_category: Interval | None
    reading: Annotated[Reading, Figure("reading")]


@dataclass(frozen=True, slots=True)
class SignalScore:
    """How well one signal tells wrong answers from right ones.

    Attributes:
        definition: What the signal is.
        source: Where it was published.
        cost: What a question costs.
        missing_reason: The most frequent reason.
    """

    boundary: Annotated[str, Figure("boundary")]
    direction: Direction
    definition: str
    source: str
    cost: Cost
    missing: Annotated[Count, Figure("missing")]
    missing_reason: str
    auroc: Annotated[Auroc | Undefined, Figure("AUROC")]
    auroc_single_cluster: Annotated[Auroc | Undefined, Figure("one cluster")]
    auroc_multi_cluster: Annotated[Auroc | Undefined, Figure("several")]
    cohens_d: Annotated[Estimate | Undefined, Figure("Cohen's d", places=2)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows.

    Attributes:
        level: How far the model homogenizes: the bands that the interval of its rate touches; `invalid` where the audit
            cannot say.
        level_reason: Why it is `invalid` or `not judged`, else empty.
        level_without_refusals: The level over the questions that are answered, where it is another one; else `None`.
        other_levels: Clusterings that say something else, by name.
        signal: The recommended one, `None` where none is shown to work.
        signal_auroc: Its AUROC on held-out folds, the choice made in the training folds.
    """

    level: VerdictLevel
    level_reason: Annotated[str, Figure("reason", "Why there is no level; empty where there is one.")]
    level_without_refusals: Level | None
    questions_needed: Count | None
    other_levels: Mapping[str, Level]
    signal: str | None
    signal_auroc: Estimate | Undefined
    answer_where: AnswerWhere | Undefined
    not_to_trust: Mapping[str, Distrust]
    robustness: Annotated[
        Robustness | None,
        Figure(
            "robust",
            "Whether the level stays the same at every plausible threshold and under every other clustering, or what "
            "it depends on; null where there is none to keep. Plausible thresholds of `meaning` are those in the "
            "interval of the fitted threshold; of other clusterings, whose threshold no labelled pairs set, those of "
            "the whole curve, the calibrated one among them.",
        ),
    ]
    sentences: tuple[str, ...]
    next: Annotated[tuple[str, ...], Figure("next", "One or two commands that would settle what is open.")]


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found. A figure that cannot be computed is `{"value": null, "reason": "..."}`.

    Attributes:
        validity: What can spoil the figures.
        homogenization: What the clusterings say.
        diversity: What goes on telling where hardly any question has one cluster.
        labels: Which answers are right.
        signals: How well each signal tells wrong answers from right ones, by name.
        calibration: Signals as probabilities.
        cascade: Asking for signals cheapest first.
        verdict: What follows.
        gates: The bounds that were asked for, and whether they are kept; empty where none was.
    """

    __pydantic_config__ = STRICT

    schema: Literal["homogaudit.report/2"] = field(default=FORMAT, kw_only=True)
    run: RunFacts
    validity: Validity
    homogenization: Homogenization
    diversity: Diversity
    labels: Labels
    signals: Mapping[str, SignalScore]
    comparisons: Comparisons | Undefined
    selective: Selective | Undefined
    agreement: Agreements | Undefined
    categories: Categories | Undefined
    calibration: Calibration | Undefined
    dependence: Dependences | Undefined
    cascade: CascadeFindings
    pointer: Pointer | Undefined
    verdict: Verdict
    gates: tuple[Gate, ...] = ()
