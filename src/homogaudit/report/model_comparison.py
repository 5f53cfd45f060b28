"""Clusters of the same answers by several models, side by side: several embedders, or several NLI models.

A model of its own scoring is compared by what every scoring left in the run file; nothing is embedded or scored here.
Embedders are all read at the published threshold, whatever each was scored with, because counts at different
thresholds do not compare. All are read on the same questions, because rates over different ones do not compare either.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from homogaudit.clustering.linkage import partitions
from homogaudit.clustering.methods import choose_methods, cluster_counts_by_threshold, sweep_thresholds
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import ClusteringMethod, LabelValue
from homogaudit.report.homogenization import calibrated_threshold, missing_reason, outcomes, threshold_point
from homogaudit.report.judges import area
from homogaudit.report.level import Outcomes
from homogaudit.report.run_data import RunData, rate
from homogaudit.report.side_by_side_records import (
    Area,
    CountCorrelation,
    ModelClusters,
    ModelComparison,
    ThresholdPoint,
)
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.signals.sampling import semantic_entropy
from homogaudit.statistics import Correlation, spearman

_NOUNS = {"embedding": "embedder", "entailment": "NLI model"}
_NO_SWEEP = Undefined("an NLI model compares too few pairs for other thresholds")


@dataclass(slots=True)
class _Clusters:
    """What one model makes of the fully valid questions, by question id.

    Attributes:
        by_threshold: Cluster counts at each swept threshold.
        calibrated: Cluster count at the calibrated one.
    """

    assignments: dict[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    by_threshold: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    calibrated: dict[str, int] = field(default_factory=dict[str, int])

    def counts(self) -> dict[str, int]:
        return {question_id: len(set(assignment)) for question_id, assignment in self.assignments.items()}

    def of(self, questions: Set[str]) -> "_Clusters":
        """Return what it makes of some of them."""
        return _Clusters(
            {x: found for x, found in self.assignments.items() if x in questions},
            {x: found for x, found in self.by_threshold.items() if x in questions},
            {x: found for x, found in self.calibrated.items() if x in questions},
        )


def compare_models(
    data: RunData, labels: Mapping[str, LabelValue], *, warning: str | None, sweeps: bool
) -> dict[str, ModelComparison | Undefined]:
    """Return what the embedders of a run, and its NLI models, say beside each other, by similarity.

    Args:
        data: Of the run.
        labels: By question id, of the chosen judge.
        warning: Why the labels carry no AUROC, `None` where they do.
        sweeps: Whether to cluster by embeddings again, as the sweeps do.
    """
    found: dict[str, ModelComparison | Undefined] = {}
    for similarity, noun in _NOUNS.items():
        methods = [x for x in data.clustering_methods if x.similarity == similarity and x.embedder is not None]
        if similarity == "embedding":
            keys = sorted({x.embedder for x in methods if x.embedder is not None})
            methods = [x for key in keys for x in choose_methods(embedder=key, numeric=False) if x.embedder == key]
        if len({method.embedder for method in methods}) < 2:
            found[similarity] = Undefined(f"the run is scored with {'one' if methods else 'no'} {noun}")
        elif similarity == "embedding" and not sweeps:
            found[similarity] = Undefined("the sweeps are left out")
        else:
            found[similarity] = _compare(data, methods, labels, warning)
    return found


def _compare(
    data: RunData,
    methods: Sequence[ClusteringMethod],
    labels: Mapping[str, LabelValue],
    warning: str | None,
) -> ModelComparison:
    named = dict(zip(_names(methods), methods, strict=True))
    clusters = {name: _clusters(data, method) for name, method in named.items()}
    counts = {name: found.counts() for name, found in clusters.items()}
    # A scoring that was stopped has clustered some questions only; one that has none yet takes none from the others.
    by_all = set[str]().union(*counts.values()).intersection(*(x for x in counts.values() if x))
    shared = {name: found.of(by_all) for name, found in clusters.items()}
    models = {
        name: _figures(data, method, shared[name], _entropy_area(shared[name], labels, warning), len(counts[name]))
        for name, method in named.items()
    }
    pairs = tuple(CountCorrelation((a, b), _correlation(counts[a], counts[b])) for a, b in combinations(named, 2))
    return ModelComparison(len(by_all), models, pairs)


def _clusters(data: RunData, method: ClusteringMethod) -> _Clusters:
    found = _Clusters()
    if method.similarity == "entailment":
        stored = data.clusterings(method)
        ids = (x.question.id for x in data.fully_valid)
        found.assignments = {x: stored[x].assignment for x in ids if x in stored}
        return found
    assert method.threshold is not None
    similarities = data.similarities(method)
    ids, matrices = similarities.question_ids, similarities.matrices
    found.assignments = dict(zip(ids, partitions(matrices, method.threshold, method.linkage), strict=True))
    counts = cluster_counts_by_threshold(matrices, method.linkage, sweep_thresholds(method))
    found.by_threshold = dict(zip(ids, counts.tolist(), strict=True))
    calibrated = calibrated_threshold(data, method.embedder)
    if calibrated is not None:
        counts = cluster_counts_by_threshold(matrices, method.linkage, (calibrated,))
        found.calibrated = dict(zip(ids, counts[:, 0].tolist(), strict=True))
    return found


def _figures(
    data: RunData,
    method: ClusteringMethod,
    clusters: _Clusters,
    entropy: Area | Undefined,
    clustered: int,
) -> ModelClusters:
    assert method.embedder is not None and method.threshold is not None
    counts = list(clusters.counts().values())
    reason = missing_reason(data)

    def of_these(by_id: Mapping[str, int]) -> Outcomes:
        return outcomes(data, by_id, keep=by_id.__contains__)

    calibrated = calibrated_threshold(data, method.embedder)
    point: ThresholdPoint | Undefined = Undefined("it was not calibrated when the run was scored with it")
    if method.similarity == "entailment":
        point = _NO_SWEEP
    elif calibrated is not None:
        point = threshold_point(calibrated, of_these(clusters.calibrated)) if counts else Undefined(reason)
    columns = zip(*clusters.by_threshold.values(), strict=True)
    return ModelClusters(
        model=method.embedder,
        linkage=method.linkage,
        threshold=method.threshold,
        clustered=clustered,
        scr=rate(counts.count(1), len(counts), reason),
        mean_clusters=float(np.mean(counts)) if counts else Undefined(reason),
        semantic_entropy_auroc=entropy,
        calibrated_threshold=point,
        thresholds=tuple(
            threshold_point(x, of_these(dict(zip(clusters.by_threshold, column, strict=True))))
            for x, column in zip(sweep_thresholds(method), columns, strict=False)
        ),
    )


def _entropy_area(clusters: _Clusters, labels: Mapping[str, LabelValue], warning: str | None) -> Area | Undefined:
    """Return the AUROC of the semantic entropy of these clusters."""
    if warning is not None:
        return Undefined(warning)
    classes = (LabelValue.CORRECT, LabelValue.INCORRECT)
    labelled = [question_id for question_id in clusters.assignments if labels.get(question_id) in classes]
    if not labelled:
        return Undefined("no clustered question is labelled correct or incorrect")
    entropies = np.array([semantic_entropy(clusters.assignments[x]) for x in labelled])
    return area(entropies, np.array([labels[x] is LabelValue.INCORRECT for x in labelled], dtype=np.bool_))


def _correlation(first: Mapping[str, int], second: Mapping[str, int]) -> Correlation | Undefined:
    both = [question_id for question_id in first if question_id in second]
    try:
        return spearman([first[x] for x in both], [second[x] for x in both])
    except UndefinedStatisticError as error:
        return undefined(error)


def _names(methods: Sequence[ClusteringMethod]) -> list[str]:
    """Return the shortest names that tell the models apart: without the fingerprint of their files, if that does."""
    keys = [method.embedder or "" for method in methods]
    # What stands behind a `+` (the question is read too, a prompt) changes the clusters and stays.
    short = [key.partition("#")[0] + "".join(key.partition("+")[1:]) for key in keys]
    full = [f"{key} at {method.threshold:g}" for key, method in zip(keys, methods, strict=True)]
    return next(names for names in (short, keys, full) if len(set(names)) == len(names) or names is full)
