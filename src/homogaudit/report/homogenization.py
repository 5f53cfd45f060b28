"""What each clustering says: single-cluster rates, their best and worst case, clusters, entropy, and the sweeps.

Rates are over the questions whose N samples all hold an answer, because cluster counts of different numbers of
samples do not compare. Nothing is clustered here but for the sweeps, which need only texts and stored embeddings.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.clustering.meaning import together
from homogaudit.clustering.measured import Numbers, measured_clustering
from homogaudit.clustering.methods import (
    SAMPLE_SIZES,
    cluster_counts_by_threshold,
    cluster_counts_of_first_k,
    primary_of,
    single_cluster_share_of_subsets,
    sweep_thresholds,
)
from homogaudit.clustering_method import ASKED
from homogaudit.records import Clustering, ClusteringMethod, LabelValue
from homogaudit.report.figure import ClusteredQuestion, QuestionMean, figures
from homogaudit.report.records import (
    Estimate,
    HistogramBin,
    Level,
    MethodFigures,
    SampleSizePoint,
    ThresholdPoint,
    Undefined,
)
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.statistics import Rate, wilson
from homogaudit.store.run_file import RunFile

__all__ = [
    "FEWEST_QUESTIONS",
    "MILD",
    "SEVERE",
    "Settings",
    "calibrated_threshold",
    "cluster_counts",
    "level_of",
    "method_figures",
    "missing_reason",
    "observed_rate",
    "pair_figures",
    "primary_name",
    "run_methods",
    "threshold_point",
]

FEWEST_QUESTIONS = 10
"""With fewer questions no level is given (METHODS)."""

MILD = 0.05
SEVERE = 0.20
"""Single-cluster rates from which on homogenization is called mild and severe (METHODS)."""

_NO_SAMPLES = "the run holds no samples"
_NONE_FULLY_VALID = "no question has an answer in each of its samples"
_NOT_CLUSTERED = "the samples are not clustered yet"


@dataclass(frozen=True, slots=True)
class Settings:
    """How intervals and sweeps are made.

    Attributes:
        draws: Of the bootstrap.
        seed: Of everything random.
        sweeps: Whether to sweep thresholds and sample sizes.
    """

    draws: int
    seed: int
    sweeps: bool


def level_of(scr: Rate | Undefined) -> Level:
    """Return what a single-cluster rate says by its interval: none, undecided, mild or severe.

    One over fewer than ten questions is undecided: where answers are missing elsewhere, those few are a selection.
    """
    if isinstance(scr, Undefined) or scr.n < FEWEST_QUESTIONS:
        return "undecided"
    if scr.high < MILD:
        return "none"
    if scr.low >= SEVERE:
        return "severe"
    return "mild" if scr.low >= MILD else "undecided"


def run_methods(run: RunFile) -> dict[str, ClusteringMethod]:
    """Return the clusterings of a run by a short name each, in the run's own order.

    A name is the similarity; where two share it, the later one adds what tells it apart.
    """
    scoring = run.scoring
    methods = (scoring and scoring.methods) or run.clustering_methods()
    named: dict[str, ClusteringMethod] = {}
    for method in methods:
        name = method.name + (f" by {method.asked}" if method.asked else "")
        first = named.get(name)
        named.setdefault(name if first is None else _name_beside(method, first), method)
    return named


def _name_beside(method: ClusteringMethod, first: ClusteringMethod) -> str:
    """Return the name of a method whose similarity `first` has too, with what tells it apart."""
    name, other = ((x.embedder or "").partition("#")[0] for x in (method, first))
    # Without the fingerprint of the embedder's files, unless only that differs.
    embedder = method.embedder if name == other else name
    own = (embedder if method.embedder != first.embedder else None, method.linkage, method.threshold)
    common = (None, first.linkage, first.threshold)
    return "_".join([method.name, *(str(mine) for mine, theirs in zip(own, common, strict=True) if mine != theirs)])


def primary_name(methods: Mapping[str, ClusteringMethod]) -> str | None:
    """Return the clustering that the verdict reads: the first by meaning, else by embedding, else the first."""
    first = primary_of(method.similarity for method in methods.values())
    return next((name for name, method in methods.items() if method.similarity == first), None)


def cluster_counts(data: RunData, method: ClusteringMethod) -> dict[str, int]:
    """Return D of each fully valid question that is clustered."""
    return _fully_valid_counts(data.clusterings(method), data)


def _fully_valid_counts(stored: Mapping[str, Clustering], data: RunData) -> dict[str, int]:
    return {x.question.id: stored[x.question.id].clusters for x in data.fully_valid if x.question.id in stored}


def method_figures(
    data: RunData,
    method: ClusteringMethod,
    labels: Mapping[str, LabelValue],
    settings: Settings,
) -> MethodFigures:
    """Return every figure of one clustering.

    Args:
        data: Of the run.
        method: Which clustering.
        labels: By question id, of the chosen judge.
        settings: Of intervals and sweeps.
    """
    stored = data.clusterings(method)
    clusters = _fully_valid_counts(stored, data)
    reason = missing_reason(data)
    wrong = [clusters[x] for x in clusters if labels.get(x) is LabelValue.INCORRECT]
    answered = [clusters[x] for x in clusters if x not in data.refused_ids]
    similarities = data.similarities(method) if settings.sweeps else None
    pairs = {} if similarities is None else dict(zip(similarities.question_ids, similarities.matrices, strict=True))
    questions = [ClusteredQuestion(stored[x].assignment, pairs.get(x)) for x in clusters]
    scr = _single(clusters.values(), reason)
    extremes = _extreme_cases(data, stored)
    thresholds, sample_sizes = _sweeps(data, method, settings) if settings.sweeps else ((), ())
    calibrated = _calibrated(data, method) if settings.sweeps else Undefined("the sweeps are left out")
    return MethodFigures(
        similarity=method.similarity,
        linkage=method.linkage,
        threshold=method.threshold,
        embedder=method.embedder,
        level=level_of(scr),
        questions_missing=sum(len(x.valid_samples) >= 2 and x.question.id not in stored for x in data.finished),
        scr=scr,
        scr_best_case=extremes.best,
        scr_worst_case=extremes.worst,
        scr_without_refusals=_single(answered, "every question is refused" if clusters else reason),
        wrong_in_single_cluster=_single(wrong, "no clustered question is labelled incorrect" if clusters else reason),
        **pair_figures(method),
        pairs_asked=_asked(data, method),
        **_question_means(questions, reason, settings),
        histogram=_histogram(clusters.values(), data.sample_count),
        calibrated_threshold=calibrated,
        thresholds=thresholds,
        sample_sizes=sample_sizes,
    )


def _question_means(
    questions: Sequence[ClusteredQuestion], reason: str, settings: Settings
) -> dict[str, Estimate | Undefined]:
    """Return every figure that is a mean over questions, each by its own definition, over the same bootstrap draws."""
    defined = {name: x for name, x in figures(MethodFigures).items() if isinstance(x, QuestionMean)}
    rows = {name: [x.of(question) for question in questions] for name, x in defined.items()}
    whole = {name: row for name, row in rows.items() if not np.isnan(row).any()}
    found = dict(zip(whole, _means(list(whole.values()), reason, settings), strict=True))
    return {name: found.get(name, Undefined("this clustering compares too few pairs of samples")) for name in rows}


def pair_figures(method: ClusteringMethod) -> dict[str, Estimate | Undefined]:
    """Return how well a clustering tells meaning apart, as the package's pairs of answers showed."""
    found, in_runs = measured_clustering(method), measured_clustering(method, "run")
    unmeasured = Undefined("this clustering was not measured on pairs of answers")
    elsewhere = Undefined("measured at another threshold")

    def estimate(numbers: Numbers | None) -> Estimate | Undefined:
        return elsewhere if numbers is None else Estimate(*numbers)

    return {
        "pairs_auroc": unmeasured if found is None else estimate(found.auroc),
        "run_pairs_auroc": unmeasured if in_runs is None else estimate(in_runs.auroc),
        "false_merges": unmeasured if found is None else estimate(found.false_merges),
        "false_splits": unmeasured if found is None else estimate(found.false_splits),
    }


def _asked(data: RunData, method: ClusteringMethod) -> Rate | Undefined:
    """Return the share of the pairs of answers that a model was asked about."""
    if method.asked is None:
        return Undefined("no model is asked about pairs of answers")
    pairs: set[tuple[str, str]] = set()
    for x in data.fully_valid:
        texts = dict.fromkeys(together(x.question.text, sample.answer) for sample in x.samples)
        pairs.update(combinations(texts, 2))
    asked = data.run.pair_scores((method.embedder or "").partition(ASKED)[2], pairs)
    return rate(len(asked), len(pairs), "the samples of each question are one text")


def missing_reason(data: RunData) -> str:
    """Return why there are no cluster counts, should there be none."""
    if not data.finished:
        return "no question is scored"
    if data.sample_count < 2:
        return _NO_SAMPLES if data.sample_count == 0 else "one sample a question cannot be clustered"
    return _NOT_CLUSTERED if data.fully_valid else _NONE_FULLY_VALID


def _single(clusters: Iterable[int], reason: str) -> Rate | Undefined:
    counts = list(clusters)
    return rate(counts.count(1), len(counts), reason)


def _means(rows: Sequence[Sequence[float]], reason: str, settings: Settings) -> tuple[Estimate | Undefined, ...]:
    return mean_estimates(rows, reason, draws=settings.draws, seed=settings.seed)


def _histogram(clusters: Iterable[int], samples: int) -> tuple[HistogramBin, ...]:
    """Return how many questions have D = 1 to N clusters; nothing where there is no count at all."""
    counts = Counter(clusters)
    return tuple(HistogramBin(size, counts[size]) for size in range(1, samples + 1)) if counts else ()


@dataclass(frozen=True, slots=True)
class _ExtremeCases:
    """The single-cluster rate if every invalid sample stood apart, and if every one had joined."""

    best: Rate | Undefined
    worst: Rate | Undefined


def _extreme_cases(data: RunData, stored: Mapping[str, Clustering]) -> _ExtremeCases:
    """Return best and worst case over the scored questions; one without a stored clustering enters neither."""
    best = worst = counted = 0
    for sample_set in data.finished if data.sample_count >= 2 else ():
        clustering = stored.get(sample_set.question.id)
        valid = len(sample_set.valid_samples)
        if clustering is None and valid >= 2:
            continue
        counted += 1
        together = clustering is None or clustering.clusters == 1
        worst += together
        best += together and valid == len(sample_set.samples)
    reason = missing_reason(data)
    return _ExtremeCases(rate(best, counted, reason), rate(worst, counted, reason))


def _sweeps(
    data: RunData, method: ClusteringMethod, settings: Settings
) -> tuple[tuple[ThresholdPoint, ...], tuple[SampleSizePoint, ...]]:
    """Sweep thresholds and sample sizes over the fully valid questions; entailment compares too few pairs for it."""
    matrices = data.similarities(method).matrices
    if not len(matrices):
        return (), ()
    thresholds = sweep_thresholds(method)
    counts = cluster_counts_by_threshold(matrices, method.linkage, thresholds)
    points = tuple(threshold_point(level, column) for level, column in zip(thresholds, counts.T, strict=True))
    sizes = [size for size in SAMPLE_SIZES if size <= data.sample_count]
    first = cluster_counts_of_first_k(matrices, method, sizes)
    shares = single_cluster_share_of_subsets(matrices, method, sizes, seed=settings.seed)
    by_size: list[SampleSizePoint] = []
    for size, counted, random_k in zip(sizes, first.T, _means(shares.T.tolist(), _NO_SAMPLES, settings), strict=True):
        assert isinstance(random_k, Estimate)
        by_size.append(SampleSizePoint(size, observed_rate(counted.tolist()), random_k))
    return points, tuple(by_size)


def _calibrated(data: RunData, method: ClusteringMethod) -> ThresholdPoint | Undefined:
    """Return the SCR at the calibrated threshold of the embedder."""
    if method.similarity != "embedding":
        return Undefined("only the cosine of an embedder is calibrated")
    threshold = calibrated_threshold(data, method.embedder)
    if threshold is None:
        return Undefined("the embedder was not calibrated when the run was scored")
    matrices = data.similarities(method).matrices
    if not len(matrices):
        return Undefined(missing_reason(data))
    return threshold_point(threshold, cluster_counts_by_threshold(matrices, method.linkage, (threshold,))[:, 0])


def calibrated_threshold(data: RunData, embedder: str | None) -> float | None:
    """Return the threshold that was calibrated for an embedder when the run was scored with it, `None` without one."""
    used = data.run.embedders.get(embedder or "")
    return used and used.calibrated_threshold


def threshold_point(threshold: float, clusters: ArrayLike) -> ThresholdPoint:
    """Return the point of a sweep at which some questions, at least one, have so many clusters."""
    counts = np.asarray(clusters)
    return ThresholdPoint(threshold, observed_rate(counts.tolist()), float(counts.mean()))


def observed_rate(clusters: Sequence[int]) -> Rate:
    """Return the single-cluster rate of some cluster counts, at least one."""
    return wilson(list(clusters).count(1), len(clusters))
