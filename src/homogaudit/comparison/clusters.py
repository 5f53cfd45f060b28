"""One clustering for every run of a comparison: what is stored, or the same made anew from stored similarities.

Nothing is written and no model is loaded; where a run does not hold what a clustering needs, it does not have it.
"""

from collections.abc import Mapping, Sequence

from homogaudit.clustering.linkage import link
from homogaudit.clustering.methods import PRIMARIES
from homogaudit.records import ClusteringMethod
from homogaudit.report.figure import ClusteredQuestion
from homogaudit.report.homogenization import primary_name, run_methods
from homogaudit.report.run_data import RunData

_EQUAL = 1.0
"""Threshold of a clustering that has none: its similarity is 1 where two answers are equal."""


def own_method(data: RunData) -> ClusteringMethod | None:
    """Return the clustering that a run's report goes by, `None` where nothing is clustered."""
    methods = run_methods(data.run)
    name = primary_name(methods)
    return None if name is None else methods[name]


def candidates(runs: Sequence[RunData]) -> list[ClusteringMethod]:
    """Return the clusterings that runs may be compared by: those that their own reports go by, by meaning first."""
    own = dict.fromkeys(method for data in runs if (method := own_method(data)) is not None)
    return sorted(own, key=lambda x: PRIMARIES.index(x.similarity) if x.similarity in PRIMARIES else len(PRIMARIES))


def named_method(runs: Sequence[RunData], name: str) -> ClusteringMethod | None:
    """Return the clustering of this name in the first run that has one."""
    return next((found for data in runs if (found := run_methods(data.run).get(name)) is not None), None)


def clusters(data: RunData, method: ClusteringMethod, samples: int) -> dict[str, ClusteredQuestion]:
    """Return how the first samples of each finished question cluster, over those that hold an answer.

    Args:
        data: Of the run, with all its samples.
        method: A clustering of this run or of another one.
        samples: How many of a question's samples to take, in the order of the draws.

    Returns:
        By question id; a question is left out where fewer than two of the samples hold an answer, and where what the
        clustering needs is not stored.
    """
    stored = data.clusterings(method)
    is_whole = samples == data.sample_count
    valid = {x.question.id: sum(sample.is_valid for sample in x.samples[:samples]) for x in data.finished}
    found: dict[str, ClusteredQuestion] = {}
    if is_whole:
        found = {x: ClusteredQuestion(own.assignment, None) for x, own in stored.items() if valid.get(x, 0) >= 2}
    threshold = _EQUAL if method.threshold is None else method.threshold
    for similarities in (data.similarities(method), *data.partial_similarities(method)):
        for question_id, whole in zip(similarities.question_ids, similarities.matrices, strict=True):
            # The valid samples stand in the order of the draws, so the first draws' come first.
            size = valid[question_id]
            if size < 2:
                continue
            matrix, known = whole[:size, :size], found.get(question_id)
            assignment = link(matrix, threshold, method.linkage) if known is None else known.assignment
            found[question_id] = ClusteredQuestion(assignment, matrix)
    return found


def common_clusters(
    runs: Sequence[RunData], methods: Sequence[ClusteringMethod], samples: int
) -> tuple[ClusteringMethod, list[Mapping[str, ClusteredQuestion]]] | None:
    """Return the first of some clusterings that every run can have, with the clusters; `None` where there is none."""
    for method in methods:
        found: list[Mapping[str, ClusteredQuestion]] = []
        for data in runs:
            found.append(clusters(data, method, samples))
            if not found[-1]:
                break
        else:
            return method, found
    return None
