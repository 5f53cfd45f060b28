"""Linkages: from a similarity matrix and a threshold to clusters. A pair joins where similarity >= threshold.

Knows nothing of texts. `average` is its own small agglomeration (UPGMA) instead of scikit-learn's or SciPy's: one
pass gives the merges for every threshold, many small matrices are decided at once, and the comparison with the
threshold is `>=` where scikit-learn's is strict. Without ties the partitions are scikit-learn's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UsageError

Float64Array = NDArray[np.float64]

LINKAGES = ("single", "average", "leader")

_CELLS = 1 << 16
"""Similarities of subsets held at once: 0.5 MiB, which stays in a core's cache."""

_ROUNDING = 1e-12
"""A mean of similarities equal to the threshold may come out this much below it: thousands of double roundings, and
a thousandth of a thousandth of what float32 embeddings resolve."""


@dataclass(frozen=True, slots=True, eq=False)
class _Merges:
    """The n - 1 merges of each of q matrices, from the most similar down; a cluster is named by its smallest member.

    Attributes:
        similarity: Shape (q, n - 1), the mean similarity at which two clusters join.
        first: Shape (q, n - 1), the cluster that stays.
        second: Shape (q, n - 1), the one that joins it.
    """

    similarity: Float64Array
    first: NDArray[np.intp]
    second: NDArray[np.intp]


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
    if linkage == "average" and len(similarity):
        return _partition(_average_merges(similarity[None]), threshold)[0]
    joined = cast(list[list[bool]], (similarity >= threshold).tolist())
    return _components(joined) if linkage == "single" else _led(joined)


def partitions(similarities: Float64Array, threshold: float, linkage: str) -> list[tuple[int, ...]]:
    """Return what `link` gives for each of (q, n, n) matrices.

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    if linkage == "average":
        return _partition(_average_merges(similarities), threshold)
    return [link(similarity, threshold, linkage) for similarity in similarities]


def cluster_counts_by_threshold(
    similarities: Float64Array, linkage: str, thresholds: Sequence[float]
) -> NDArray[np.intp]:
    """Return the number of clusters of each question at each threshold.

    Args:
        similarities: (q, n, n), each symmetric.
        linkage: As in `link`.
        thresholds: Any order.

    Returns:
        Shape (q, thresholds).

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    if linkage == "leader":
        counts = [[len(set(link(matrix, level, linkage))) for level in thresholds] for matrix in similarities]
        return np.asarray(counts, dtype=np.intp).reshape(len(similarities), len(thresholds))
    if linkage == "average":
        merged, enough = _average_merges(similarities).similarity, np.asarray(thresholds) - _ROUNDING
    else:
        merged, enough = _spanning_similarities(similarities), np.asarray(thresholds)
    return similarities.shape[1] - (merged[:, :, None] >= enough).sum(axis=1)


def are_single_clusters(
    similarities: Float64Array, subsets: NDArray[np.intp], threshold: float, linkage: str
) -> NDArray[np.bool_]:
    """Return for each question and each subset of its rows whether they form one cluster.

    The same as linking each subset by itself, done for many at once.

    Args:
        similarities: (q, n, n), each symmetric.
        subsets: (m, k) row numbers, k >= 1, each row ascending.
        threshold: As in `link`.
        linkage: As in `link`.

    Returns:
        (q, m) bool.

    Raises:
        UsageError: The linkage is not known.
    """
    _check(linkage)
    q, n, _ = similarities.shape
    m, k = subsets.shape
    if k == 1 or not q:
        return np.ones((q, m), dtype=np.bool_)
    enough = threshold - _ROUNDING if linkage == "average" else threshold
    # Where all pairs join, or none does, no linkage can tell the subsets apart: most questions of a homogenized model.
    pairs = similarities[:, *_pairs(n)]
    together = pairs.min(axis=1) >= enough
    joined = np.repeat(together[:, None], m, axis=1)
    undecided = np.flatnonzero(~together & (pairs.max(axis=1) >= enough))
    at_once = max(1, _CELLS // (m * k * k))
    for start in range(0, undecided.size, at_once):
        places = undecided[start : start + at_once]
        parts: Float64Array = similarities[places[:, None, None, None], subsets[:, :, None], subsets[:, None, :]]
        joined[places] = _single(parts.reshape(-1, k, k), enough, linkage).reshape(-1, m)
    return joined


def _single(similarities: Float64Array, enough: float, linkage: str) -> NDArray[np.bool_]:
    """Return whether the rows of each of (q, k, k) matrices form one cluster, k >= 2."""
    near = similarities >= enough
    diagonal = range(near.shape[1])
    near[:, diagonal, diagonal] = True
    single = np.logical_and.reduce(near, axis=(1, 2))
    near[:, diagonal, diagonal] = False
    # A row that is near no other stays alone, whatever the linkage.
    uncertain = np.flatnonzero(~single & np.logical_and.reduce(np.logical_or.reduce(near, axis=2), axis=1))
    single[uncertain] = _weakest_joins(similarities[uncertain], linkage) >= enough
    return single


def _weakest_joins(similarities: Float64Array, linkage: str) -> Float64Array:
    """Return the similarity up to which the rows of each of (q, k, k) matrices form one cluster, k >= 2."""
    if linkage == "leader":
        return similarities[:, 0, 1:].min(axis=1)
    if linkage == "single":
        return _spanning_similarities(similarities).min(axis=1)
    return _average_merges(similarities).similarity[:, -1]


@lru_cache(maxsize=64)
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of each pair once in an (n, n) matrix."""
    return np.triu_indices(n, 1)


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


def _average_merges(similarities: Float64Array) -> _Merges:
    """Return all merges of the average linkage of each of (q, n, n) matrices.

    Pairs of clusters that tie join at once, with all that their ties connect, so that the order of the rows decides
    nothing: the variable-group linkage of Fernandez and Gomez (2008), "Solving non-uniqueness in agglomerative
    hierarchical clustering using multidendrograms". Without ties it is UPGMA.
    """
    q, n, _ = similarities.shape
    # Sums between clusters are kept, not means: they add up without weights, -inf marks what is gone.
    sums = similarities.astype(np.float64)
    sums[:, range(n), range(n)] = -np.inf
    means = sums.copy()
    sizes = np.ones((q, n))
    rows = np.arange(q)
    level = np.full(q, np.inf)
    tied = np.zeros((q, n, n), dtype=np.bool_)
    merges = _Merges(np.empty((q, n - 1)), *(np.empty((q, n - 1), dtype=np.intp) for _ in range(2)))
    for step in range(n - 1):
        # Where nothing tied is left the next level begins. Levels never rise; rounding must not make them.
        done = np.flatnonzero(~tied.any(axis=(1, 2)))
        level[done] = np.minimum(level[done], means[done].max(axis=(1, 2)))
        tied[done] = means[done] >= level[done, None, None] - _ROUNDING
        first, second = np.divmod(tied.reshape(q, n * n).argmax(axis=1), n)
        merges.similarity[:, step], merges.first[:, step], merges.second[:, step] = level, first, second
        joined = sums[rows, first] + sums[rows, second]
        sizes[rows, first] += sizes[rows, second]
        connected = tied[rows, first] | tied[rows, second]
        connected[rows, first] = connected[rows, second] = False
        mean = joined / (sizes * sizes[rows, first][:, None])
        for matrices, row, gone in ((sums, joined, -np.inf), (means, mean, -np.inf), (tied, connected, False)):
            matrices[rows, first] = row
            matrices[rows, :, first] = row
            matrices[rows, second] = gone
            matrices[rows, :, second] = gone
    return merges


def _spanning_similarities(similarities: Float64Array) -> Float64Array:
    """Return the n - 1 similarities along a largest spanning tree of each of (q, n, n) matrices, in no order.

    At a threshold the components of the single linkage are the pieces of that tree (Gower and Ross 1969).
    """
    q, n, _ = similarities.shape
    rows = np.arange(q)
    nearest = similarities[:, 0].astype(np.float64)
    nearest[:, 0] = -np.inf
    outside = np.ones((q, n), dtype=np.bool_)
    outside[:, 0] = False
    found = np.empty((q, n - 1))
    for step in range(n - 1):
        joining = nearest.argmax(axis=1)
        found[:, step] = nearest[rows, joining]
        outside[rows, joining] = False
        nearest = np.where(outside, np.maximum(nearest, similarities[rows, joining]), -np.inf)
    return found


def _partition(merges: _Merges, threshold: float) -> list[tuple[int, ...]]:
    """Return the cluster numbers of each question at a threshold, numbered from 0 by first appearance."""
    q, steps = merges.similarity.shape
    smallest = np.tile(np.arange(steps + 1), (q, 1))
    for step in range(steps):
        joins = merges.similarity[:, step] >= threshold - _ROUNDING
        moved = joins[:, None] & (smallest == merges.second[:, step, None])
        smallest = np.where(moved, merges.first[:, step, None], smallest)
    found: list[tuple[int, ...]] = []
    for members in smallest.tolist():
        numbers: dict[int, int] = {}
        found.append(tuple(numbers.setdefault(member, len(numbers)) for member in members))
    return found
