"""How diverse the answers to a question are, by clustering and by wording, as means over questions.

Only questions whose N samples all hold an answer enter: figures of different numbers of samples do not compare.
"""

from collections.abc import Mapping

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

_NOT_STORED = "not computed when the run was scored: `homogaudit score` adds it to a run whose questions are all scored"
_NO_KERNEL = "the similarities of this clustering are no kernel, or it compares too few pairs of samples"


def diversity_figures(
    data: RunData, methods: Mapping[str, ClusteringMethod], settings: Settings, *, full: bool
) -> Diversity:
    """Return every figure of diversity; those that were stored at scoring only for the full report."""
    stored = data.run.diversity() if full else {}

    def mean(measure: str, method: ClusteringMethod | None = None) -> Estimate | Undefined:
        if not data.fully_valid:
            return Undefined(missing_reason(data))
        if not stored:
            return Undefined(_NOT_STORED)
        values = stored.get((measure, method.key if method else ""), {})
        row = [values[x.question.id] for x in data.fully_valid if x.question.id in values]
        reason = _NO_KERNEL if method else "no question has an answer of enough words"
        return mean_estimates([row], reason, draws=settings.draws, seed=settings.seed)[0]

    return Diversity(
        {
            name: ClusteringDiversity(
                _distinct_clusters(data, method, settings), mean("vendi_score", method) if full else WITH_FULL
            )
            for name, method in methods.items()
        },
        WordingDiversity(mean("distinct_1"), mean("distinct_2"), mean("self_bleu"), mean("compression_ratio"))
        if full
        else WITH_FULL,
    )


def _distinct_clusters(
    data: RunData, method: ClusteringMethod, settings: Settings
) -> tuple[DistinctClusters, ...] | Undefined:
    """Return how many clusters 1 to N samples show, beyond ten samples only N."""
    stored = data.clusterings(method)
    assignments = [stored[x.question.id].assignment for x in data.fully_valid if x.question.id in stored]
    if not assignments:
        return Undefined(missing_reason(data))
    n = data.sample_count
    sizes = sorted({*range(1, min(n, _EVERY_SIZE) + 1), n})
    expected = expected_distinct_clusters(np.array(assignments), sizes)
    means = mean_estimates(expected.T.tolist(), "", draws=settings.draws, seed=settings.seed)
    return tuple(DistinctClusters(k, x) for k, x in zip(sizes, means, strict=True) if isinstance(x, Estimate))
