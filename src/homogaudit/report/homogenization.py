"""What each clustering says: single-cluster rates, their best and worst case, clusters, entropy, and the sweeps.

Rates are over the questions that are known to have one cluster or several; cluster counts only over those whose N
samples all hold an answer, because counts of different numbers of samples do not compare. Nothing is clustered here but
for the sweeps, which need only texts and stored embeddings.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

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
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import ClusteringMethod, LabelValue
from homogaudit.report.figure import ClusteredQuestion, QuestionMean, figures
from homogaudit.report.level import Outcomes, Phases, level_of
from homogaudit.report.records import (
    Estimate,
    HistogramBin,
    MethodFigures,
    RefusedCategory,
    SampleSizePoint,
    ThresholdPoint,
    Undefined,
)
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.report.undefined import undefined
from homogaudit.statistics import Rate, corrected_rate, wilson
from homogaudit.store.run_file import RunFile

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
    stored = data.clusterings(method)
    return {x.question.id: stored[x.question.id].clusters for x in data.fully_valid if x.question.id in stored}


def outcomes(data: RunData, clusters: Mapping[str, int], *, keep: Callable[[str], bool] | None = None) -> Outcomes:
    """Return whether each scored question has one cluster.

    A question without a count has one at worst where fewer than two of its samples hold an answer, and is left out
    where it could have been clustered. In a run that decides while it goes on none may be left out: it is not known.

    Args:
        data: Of the run.
        clusters: How many each question's valid samples form.
        keep: Whether a question, by its id, is to be counted; `None` for all. A part of the questions of a run for the
            rate alone is one of those that are drawn to the end.
    """
    if keep is None and data.short is not None:
        return _short_outcomes(data, clusters)
    counted = [
        (x, valid)
        for x, valid in zip(data.finished, data.valid_counts, strict=True)
        if data.sample_count >= 2
        and (keep is None or keep(x.question.id))
        and (x.question.id in clusters or valid < 2 or (clusters and data.rule is not None))
    ]
    return Outcomes(
        np.array([clusters.get(x.question.id, 1) for x, _ in counted], dtype=np.intp),
        np.array([valid == len(x.samples) and x.question.id in clusters for x, valid in counted], dtype=np.bool_),
        tuple(x.question.category for x, _ in counted),
        tuple(x.question.id for x, _ in counted),
        data.starts,
    )


def _short_outcomes(data: RunData, clusters: Mapping[str, int]) -> Outcomes:
    """Return the outcomes of a run for the rate alone.

    A question that has stopped counts as one of two clusters. One that could have been clustered and is not counts as
    not known: were it left out, those that have stopped would weigh more.
    """
    audited = frozenset(data.finished_ids)
    counted = [x for x in data.counted if clusters or x.valid_count < 2]
    ids = tuple(x.question.id for x in counted)
    return Outcomes(
        np.array([2 if x in data.stopped_ids else clusters.get(x, 1) for x in ids], dtype=np.intp),
        np.array(
            [
                x in data.stopped_ids or (x in clusters and y.valid_count == len(y.samples))
                for x, y in zip(ids, counted, strict=True)
            ],
            dtype=np.bool_,
        ),
        tuple(x.question.category for x in counted),
        ids,
        phases=Phases(
            np.array([x in data.looks and data.looks[x].is_apart for x in ids], dtype=np.bool_),
            np.array([x in audited for x in ids], dtype=np.bool_),
        ),
    )


def method_outcomes(data: RunData, method: ClusteringMethod, *, keep: Callable[[str], bool] | None = None) -> Outcomes:
    """Return the outcomes of the questions that one clustering of the run has clustered, as `outcomes` does."""
    return outcomes(data, {name: x.clusters for name, x in data.clusterings(method).items()}, keep=keep)


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
    clusters = cluster_counts(data, method)
    reason = missing_reason(data)
    similarities = data.similarities(method) if settings.sweeps else None
    pairs = {} if similarities is None else dict(zip(similarities.question_ids, similarities.matrices, strict=True))
    questions = [ClusteredQuestion(stored[x].assignment, pairs.get(x)) for x in clusters]
    every = method_outcomes(data, method)
    answered = method_outcomes(data, method, keep=lambda x: x not in data.refused_ids)
    wrong = method_outcomes(data, method, keep=lambda x: labels.get(x) is LabelValue.INCORRECT)
    wrong_answered = method_outcomes(
        data, method, keep=lambda x: labels.get(x) is LabelValue.INCORRECT and x not in data.refused_ids
    )
    all_refused = "every question is refused" if every.clusters.size else reason
    none_wrong = "no clustered question is labelled incorrect" if every.clusters.size else reason
    single = [x for x, is_single in every.known_single().items() if is_single]
    level_rate, without_refusals = every.level_rate(reason), answered.level_rate(all_refused)
    curve, sample_sizes = _sweeps(data, method, settings) if settings.sweeps else ((), ())
    return MethodFigures(
        similarity=method.similarity,
        linkage=method.linkage,
        threshold=method.threshold,
        embedder=method.embedder,
        level=level_of(level_rate),
        is_sequential=data.rule is not None,
        is_two_phase=data.short is not None,
        questions_missing=sum(x.valid_count >= 2 and x.question.id not in stored for x in data.finished),
        level_rate=level_rate,
        scr=every.rate(reason),
        reversals=every.reversals(),
        **_corrected(data, method, every, settings),
        scr_by_category=every.by_category(),
        scr_best_case=every.best_case(reason),
        scr_worst_case=every.worst_case(reason),
        scr_without_refusals=answered.rate(all_refused),
        level_rate_without_refusals=without_refusals,
        level_without_refusals=level_of(without_refusals),
        wrong_in_single_cluster=wrong.rate(none_wrong),
        missed_rate=_missed(wrong, none_wrong),
        wrong_without_refusals=wrong_answered.rate(none_wrong),
        refused_in_single_cluster=refused(
            data, single, "no question has one cluster" if every.clusters.size else reason
        ),
        **pair_figures(method),
        pairs_asked=_asked(data, method),
        **_question_means(questions, reason, settings),
        refused_by_category=refused_by_category(data, single),
        histogram=_histogram(clusters.values(), data.sample_count),
        calibrated_threshold=_calibrated(data, method, curve, settings),
        thresholds=curve,
        sample_sizes=sample_sizes,
    )


def _missed(wrong: Outcomes, reason: str) -> Rate | Undefined:
    """Return the missed errors with an interval like that of the level."""
    # It is no matter of the level's bands.
    found = (wrong if wrong.starts is None else replace(wrong, starts=())).level_rate(reason)
    if isinstance(found, Undefined) and found.reason != reason:
        return Undefined(f"of those answered wrongly {found.reason}")
    return found


def _question_means(
    questions: Sequence[ClusteredQuestion], reason: str, settings: Settings
) -> dict[str, Estimate | Undefined]:
    """Return every figure that is a mean over questions, each by its own definition, over the same bootstrap draws."""
    defined = {name: x for name, x in figures(MethodFigures).items() if isinstance(x, QuestionMean)}
    rows = {name: [x.of(question) for question in questions] for name, x in defined.items()}
    whole = {name: row for name, row in rows.items() if not np.isnan(row).any()}
    found = dict(zip(whole, _means(list(whole.values()), reason, settings), strict=True))
    return {name: found.get(name, Undefined("this clustering compares too few pairs of samples")) for name in rows}


def refused(data: RunData, question_ids: Sequence[str], reason: str) -> Rate | Undefined:
    """Return the share of some questions that the model declines to answer."""
    return rate(sum(x in data.refused_ids for x in question_ids), len(question_ids), reason)


def refused_by_category(data: RunData, single: Sequence[str]) -> dict[str, RefusedCategory]:
    """Return the refusals among the questions of one cluster by category, of those that have one."""
    kept = frozenset(single)
    by_category: dict[str, list[str]] = {}
    for x in data.finished:
        if x.question.id in kept and x.question.category is not None:
            by_category.setdefault(x.question.category, []).append(x.question.id)
    found = {category: refused(data, ids, "") for category, ids in by_category.items()}
    return {category: RefusedCategory(x) for category, x in found.items() if isinstance(x, Rate)}


def pair_figures(method: ClusteringMethod) -> dict[str, Estimate | Undefined]:
    """Return how well a clustering tells meaning apart, as the package's pairs of answers showed."""
    found, in_runs = measured_clustering(method), measured_clustering(method, "run")
    unmeasured = Undefined("this clustering was not measured on pairs of answers")
    elsewhere = Undefined("measured at another threshold")

    def estimate(numbers: Numbers | None) -> Estimate | Undefined:
        return elsewhere if numbers is None else Estimate(*numbers)

    fitted = measured_clustering(replace(method, embedder=(method.embedder or "").partition(ASKED)[0] or None))
    set_by_none = Undefined("no labelled pairs set a threshold of this clustering")
    return {
        "fitted_threshold": set_by_none if fitted is None or not fitted.threshold else estimate(fitted.threshold),
        "pairs_auroc": unmeasured if found is None else estimate(found.auroc),
        "run_pairs_auroc": unmeasured if in_runs is None else estimate(in_runs.auroc),
        "false_merges": unmeasured if found is None else estimate(found.false_merges),
        "false_splits": unmeasured if found is None else estimate(found.false_splits),
    }


def _corrected(
    data: RunData, method: ClusteringMethod, every: Outcomes, settings: Settings
) -> dict[str, Estimate | Undefined]:
    """Return the rate of one meaning by the questions that were labelled as a whole, and what errors they show."""
    names = ("corrected_rate", "sensitivity", "specificity")
    labels = data.run.cluster_labels
    if labels is None:
        return dict.fromkeys(names, Undefined("no questions are labelled as one meaning or several"))
    if labels.clustering != method.key:
        return dict.fromkeys(names, Undefined("the labelled questions are a sample by another clustering"))
    single = every.known_single()
    counted = {x: one for x, one in labels.one_meaning.items() if x in single}

    def true_of(is_single: bool) -> tuple[int, int]:
        of = [one for x, one in counted.items() if single[x] is is_single]
        return sum(of), len(of)

    found = (sum(single.values()), len(single))
    try:
        corrected = corrected_rate(found, true_of(True), true_of(False), draws=settings.draws, seed=settings.seed)
    except UndefinedStatisticError as error:
        return dict.fromkeys(names, undefined(error))
    return {name: getattr(corrected, "rate" if name == "corrected_rate" else name) for name in names}


def _asked(data: RunData, method: ClusteringMethod) -> Rate | Undefined:
    """Return the share of the pairs of answers that a model was asked about."""
    if method.asked is None:
        return Undefined("no model is asked about pairs of answers")
    pairs: set[tuple[str, str]] = set()
    for x in data.fully_valid:
        texts = dict.fromkeys(together(x.question.text, sample.answer) for sample in x.samples)
        pairs.update(combinations(texts, 2))
    asked = data.run.pair_scores(method.asked_key, pairs)
    return rate(len(asked), len(pairs), "the samples of each question are one text")


def missing_reason(data: RunData) -> str:
    """Return why there are no cluster counts, should there be none."""
    if not data.finished:
        return "no question is scored"
    if data.sample_count < 2:
        return _NO_SAMPLES if data.sample_count == 0 else "one sample a question cannot be clustered"
    return _NOT_CLUSTERED if data.fully_valid else _NONE_FULLY_VALID


def _means(rows: Sequence[Sequence[float]], reason: str, settings: Settings) -> tuple[Estimate | Undefined, ...]:
    return mean_estimates(rows, reason, draws=settings.draws, seed=settings.seed)


def _histogram(clusters: Iterable[int], samples: int) -> tuple[HistogramBin, ...]:
    """Return how many questions have D = 1 to N clusters; nothing where there is no count at all."""
    counts = Counter(clusters)
    return tuple(HistogramBin(size, counts[size]) for size in range(1, samples + 1)) if counts else ()


def _sweeps(
    data: RunData, method: ClusteringMethod, settings: Settings
) -> tuple[tuple[ThresholdPoint, ...], tuple[SampleSizePoint, ...]]:
    """Sweep thresholds and sample sizes; entailment compares too few pairs for it."""
    matrices = data.similarities(method).matrices
    if not len(matrices):
        return (), ()
    points = _curve(data, method)
    sizes = [size for size in SAMPLE_SIZES if size <= data.sample_count]
    first = cluster_counts_of_first_k(matrices, method, sizes)
    shares = single_cluster_share_of_subsets(matrices, method, sizes, seed=settings.seed)
    by_size: list[SampleSizePoint] = []
    for size, counted, random_k in zip(sizes, first.T, _means(shares.T.tolist(), _NO_SAMPLES, settings), strict=True):
        assert isinstance(random_k, Estimate)
        by_size.append(SampleSizePoint(size, wilson(counted.tolist().count(1), len(counted)), random_k))
    return points, tuple(by_size)


def _curve(data: RunData, method: ClusteringMethod) -> tuple[ThresholdPoint, ...]:
    """Return the rate as a function of the threshold, over the questions that the rate itself is over.

    Its points are the published thresholds, the one in use, the calibrated one, and those between which labelled pairs
    put it.
    """
    fitted = pair_figures(method)["fitted_threshold"]
    ends = () if isinstance(fitted, Undefined) else (fitted.low, fitted.high)
    calibrated = calibrated_threshold(data, method.embedder) if method.similarity == "embedding" else None
    own = (method.threshold, calibrated, *ends)
    thresholds = sorted({*sweep_thresholds(method), *(x for x in own if x is not None)})
    counts: dict[str, list[int]] = {}
    for found in (data.similarities(method, ended=True), *data.partial_similarities(method, ended=True)):
        columns = cluster_counts_by_threshold(found.matrices, method.linkage, thresholds)
        counts |= zip(found.question_ids, columns.tolist(), strict=True)
    return tuple(
        threshold_point(threshold, outcomes(data, {question_id: row[place] for question_id, row in counts.items()}))
        for place, threshold in enumerate(thresholds)
    )


def _calibrated(
    data: RunData, method: ClusteringMethod, curve: Sequence[ThresholdPoint], settings: Settings
) -> ThresholdPoint | Undefined:
    """Return the point of the curve at the calibrated threshold of the embedder."""
    if not settings.sweeps:
        return Undefined("the sweeps are left out")
    if method.similarity != "embedding":
        return Undefined("only the cosine of an embedder is calibrated")
    threshold = calibrated_threshold(data, method.embedder)
    if threshold is None:
        return Undefined("the embedder was not calibrated when the run was scored")
    return next((x for x in curve if x.threshold == threshold), Undefined(missing_reason(data)))


def calibrated_threshold(data: RunData, embedder: str | None) -> float | None:
    """Return the threshold that was calibrated for an embedder when the run was scored with it, `None` without one."""
    used = data.run.embedders.get(embedder or "")
    return used and used.calibrated_threshold


def threshold_point(threshold: float, found: Outcomes) -> ThresholdPoint:
    """Return the point of a sweep at which some questions, at least one of them fully valid, come out like this."""
    rate, level_rate = found.rate(_NOT_CLUSTERED), found.level_rate(_NOT_CLUSTERED)
    assert isinstance(rate, Rate)
    return ThresholdPoint(threshold, rate, level_rate, level_of(level_rate), float(found.clusters[found.whole].mean()))
