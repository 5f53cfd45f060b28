"""How diverse the answers to a question are, by clustering and by wording, as means over questions.

Only questions whose N samples all hold an answer enter: figures of different numbers of samples do not compare.
"""

from collections.abc import Mapping
from itertools import groupby

import numpy as np

from homogaudit.records import ClusteringMethod
from homogaudit.report.diversity_records import ClusteringDiversity, DistinctClusters, Diversity, WordingDiversity
from homogaudit.report.homogenization import Settings, missing_reason
from homogaudit.report.run_data import RunData, mean_estimates
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import Estimate
from homogaudit.statistics.diversity import expected_distinct_clusters

_EVERY_SIZE = 10
"""Up to so many samples every k is given."""

_NOT_STORED = "the run is not scored as a whole by this version: `homogaudit score` adds it to all questions"
_NO_KERNEL = "the similarities of this clustering are no kernel, or it compares too few pairs of samples"
_NO_WORDS = "no question has an answer of enough words"

_Key = tuple[str, str]
"""What is measured, and the key of the clustering that it is of; empty where it is of the texts."""


def diversity_figures(
    data: RunData, methods: Mapping[str, ClusteringMethod], settings: Settings, *, full: bool
) -> Diversity:
    """Return every figure of diversity; those that were stored at scoring only for the full report."""
    n = data.sample_count
    sizes = sorted({*range(1, min(n, _EVERY_SIZE) + 1), n})
    rows: dict[_Key, list[float]] = {}
    for method in methods.values():
        found = data.clusterings(method)
        assignments = [found[x.question.id].assignment for x in data.fully_valid if x.question.id in found]
        if assignments:
            columns = expected_distinct_clusters(np.array(assignments), sizes).T.tolist()
            rows |= {(str(k), method.key): column for k, column in zip(sizes, columns, strict=True)}
    stored = data.run.diversity() if full else {}
    for key, values in stored.items():
        rows[key] = [values[x.question.id] for x in data.fully_valid if x.question.id in values]
    means = _means(rows, settings)

    def mean(measure: str, method: ClusteringMethod | None = None) -> Estimate | Undefined:
        reason = missing_reason(data)
        if data.fully_valid:
            reason = _NOT_STORED if not stored else _NO_KERNEL if method else _NO_WORDS
        return means.get((measure, method.key if method else ""), Undefined(reason))

    def by_samples(method: ClusteringMethod) -> tuple[DistinctClusters, ...] | Undefined:
        points = tuple(DistinctClusters(k, means[key]) for k in sizes if (key := (str(k), method.key)) in means)
        return points or Undefined(missing_reason(data))

    return Diversity(
        {
            name: ClusteringDiversity(by_samples(method), mean("vendi_score", method) if full else WITH_FULL)
            for name, method in methods.items()
        },
        WordingDiversity(mean("distinct_1"), mean("distinct_2"), mean("self_bleu"), mean("compression_ratio"))
        if full
        else WITH_FULL,
    )


def _means(rows: Mapping[_Key, list[float]], settings: Settings) -> dict[_Key, Estimate]:
    """Return the mean of each row; rows of equal length share the draws, which take longer than the means."""
    found: dict[_Key, Estimate] = {}
    for _, group in groupby(sorted(rows, key=lambda key: len(rows[key])), key=lambda key: len(rows[key])):
        keys = list(group)
        means = mean_estimates([rows[key] for key in keys], "", draws=settings.draws, seed=settings.seed)
        found |= {key: x for key, x in zip(keys, means, strict=True) if isinstance(x, Estimate)}
    return found
