"""Linkages: from a similarity matrix and a threshold to clusters. A pair joins where similarity >= threshold.

Knows nothing of texts. `average` is its own small agglomeration (UPGMA) instead of scikit-learn's or SciPy's: one
pass gives the merges for every threshold, many small matrices are decided at once, and the comparison with the
threshold is `>=` where scikit-learn's is strict. Without ties the partitions are scikit-learn's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UsageError

__all__ = ["LINKAGES", "are_single_clusters", "cluster_counts_by_threshold", "link"]

Float64Array = NDArray[np.float64]

LINKAGES = ("single", "average", "leader")

_ROUNDING = 1e-12
"""A mean of similarities equal to the threshold may come out this much below it: thousands of double roundings, and
a thousandth of a thousandth of what float32 embeddings resolve."""


@dataclass(frozen=True, slots=True)
class _Merge:
    """Cluster `second` joins cluster `first` at a mean similarity; a cluster is named by its smallest member."""

    similarity: float
    first: int
    second: int


def link(similarity: Float64Array, threshold: float, linkage: str) -> tuple[int, ...]:
    """Return the cluster number of each row, numbered from 0 by first appearance.

    Args:
        similarity: (n, n), symmetric.
        threshold: A pair joins where its similarity is at least this.
        linkage: `single` (connected components), `average` (agglomerative, mean over all pairs) or `leader` (joins
            the first cluster whose first member is similar enough; depends on the order of the rows).

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    if linkage == "average":
        return _partition(_average_merges(similarity), len(similarity), threshold)
    joined = cast(list[list[bool]], (similarity >= threshold).tolist())
    return _components(joined) if linkage == "single" else _led(joined)


def cluster_counts_by_threshold(
    similarity: Float64Array, linkage: str, thresholds: Sequence[float]
) -> NDArray[np.intp]:
    """Return the number of clusters of one question at each threshold.

    Args:
        similarity: (n, n), symmetric.
        linkage: As in `link`.
        thresholds: Any order.

    Returns:
        One count a threshold, in the order of `thresholds`.

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    if linkage == "average":
        merges = _average_merges(similarity)
        n = len(similarity)
        counts = [n - sum(merge.similarity >= level - _ROUNDING for merge in merges) for level in thresholds]
    else:
        counts = [len(set(link(similarity, threshold, linkage))) for threshold in thresholds]
    return np.asarray(counts, dtype=np.intp)


def are_single_clusters(
    similarity: Float64Array, subsets: NDArray[np.intp], threshold: float, linkage: str
) -> NDArray[np.bool_]:
    """Return for each subset of rows whether it forms one cluster.

    The same as linking each subset by itself, done for all subsets at once.

    Args:
        similarity: (n, n), symmetric.
        subsets: (m, k) row numbers, k >= 1, each row ascending.
        threshold: As in `link`.
        linkage: As in `link`.

    Returns:
        (m,) bool.

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    pairs = similarity[np.triu_indices(len(similarity), 1)]
    enough = threshold - _ROUNDING if linkage == "average" else threshold
    # Where all pairs join, or none does, no linkage can tell the subsets apart: most questions of a homogenized model.
    if subsets.shape[1] == 1 or pairs.min() >= enough:
        return np.ones(len(subsets), dtype=np.bool_)
    if pairs.max() < enough:
        return np.zeros(len(subsets), dtype=np.bool_)
    parts: Float64Array = similarity[subsets[:, :, None], subsets[:, None, :]]
    if linkage == "leader":
        return np.all(parts[:, 0, :] >= threshold, axis=1)
    if linkage == "single":
        return _are_connected(parts >= threshold)
    return _average_joins_all(parts, enough)


def _check(linkage: str) -> None:
    if linkage not in LINKAGES:
        raise UsageError(f"unknown linkage `{linkage}`", hint=f"one of {', '.join(LINKAGES)}")


def _components(joined: list[list[bool]]) -> tuple[int, ...]:
    n = len(joined)
    assignment = [-1] * n
    clusters = 0
    for start in range(n):
        if assignment[start] >= 0:
            continue
        assignment[start] = clusters
        waiting = [start]
        while waiting:
            row = joined[waiting.pop()]
            for other in range(n):
                if row[other] and assignment[other] < 0:
                    assignment[other] = clusters
                    waiting.append(other)
        clusters += 1
    return tuple(assignment)


def _led(joined: list[list[bool]]) -> tuple[int, ...]:
    leaders: list[int] = []
    assignment: list[int] = []
    for row, similar in enumerate(joined):
        cluster = next((number for number, leader in enumerate(leaders) if similar[leader]), len(leaders))
        if cluster == len(leaders):
            leaders.append(row)
        assignment.append(cluster)
    return tuple(assignment)


def _average_merges(similarity: Float64Array) -> list[_Merge]:
    """Return all n - 1 merges of the average linkage, from the most similar down; the first pair wins a tie."""
    n = len(similarity)
    # Sums between clusters are kept, not means: they add up without weights, -inf marks what is gone.
    sums = similarity.astype(np.float64)
    np.fill_diagonal(sums, -np.inf)
    means = sums.copy()
    sizes = np.ones(n)
    merges: list[_Merge] = []
    level = np.inf
    for _ in range(n - 1):
        first, second = divmod(int(means.argmax()), n)
        # Mean similarities of successive merges never rise; rounding must not make them.
        level = min(level, float(means[first, second]))
        merges.append(_Merge(level, first, second))
        sums[first] += sums[second]
        sums[:, first] = sums[first]
        sums[second] = sums[:, second] = -np.inf
        sizes[first] += sizes[second]
        means[first] = sums[first] / (sizes * sizes[first])
        means[:, first] = means[first]
        means[second] = means[:, second] = -np.inf
    return merges


def _partition(merges: Sequence[_Merge], n: int, threshold: float) -> tuple[int, ...]:
    smallest = list(range(n))
    for merge in merges:
        if merge.similarity < threshold - _ROUNDING:
            break
        smallest = [merge.first if member == merge.second else member for member in smallest]
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(member, len(numbers)) for member in smallest)


def _are_connected(joined: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each (k, k) matrix of (m, k, k) whether all its rows are reached from the first."""
    reached = joined[:, 0, :].copy()
    reached[:, 0] = True
    while True:
        further = reached | (reached[:, :, None] & joined).any(axis=1)
        if np.array_equal(further, reached):
            return np.all(reached, axis=1)
        reached = further


def _average_joins_all(parts: Float64Array, enough: float) -> NDArray[np.bool_]:
    """Return for each (k, k) similarity of (m, k, k) whether the average linkage joins all its rows."""
    m, k, _ = parts.shape
    joins_all = np.zeros(m, dtype=np.bool_)
    undecided = np.arange(m)
    sums = parts.copy()
    sums[:, range(k), range(k)] = -np.inf
    sizes = np.ones((m, k))
    for _ in range(k - 1):
        means = sums / (sizes[:, :, None] * sizes[:, None, :])
        best = means.reshape(len(means), k * k).argmax(axis=1)
        first, second = np.divmod(best, k)
        rows = np.arange(len(best))
        # Merges never get more similar, so a first one below the threshold settles the subset.
        keep = means[rows, first, second] >= enough
        if not keep.all():
            undecided, sums, sizes = undecided[keep], sums[keep], sizes[keep]
            first, second = first[keep], second[keep]
            rows = np.arange(len(undecided))
        if len(undecided) == 0:
            break
        merged = sums[rows, first] + sums[rows, second]
        sums[rows, first, :] = merged
        sums[rows, :, first] = merged
        sums[rows, second, :] = -np.inf
        sums[rows, :, second] = -np.inf
        sizes[rows, first] += sizes[rows, second]
    joins_all[undecided] = True
    return joins_all
