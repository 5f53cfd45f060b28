"""Signals read from the spread of the samples: semantic entropies over clusters, and SINdex.

They know clusters and embeddings, not how either was made. Entropies are in nats.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs, answer_logprobs

_SINDEX_DISTANCE = 0.05
"""Mean cosine distance up to which an answer joins a cluster: arXiv 2503.05980."""
_ROUNDING = 1e-12
"""A mean distance equal to the limit may come out this much above it in double precision."""


def semantic_entropy(assignment: Sequence[int]) -> float:
    """Return the discrete semantic entropy of one question: -sum p_c ln p_c with p_c = n_c / N.

    Args:
        assignment: Cluster number of each of N samples; numbers matter only by equality.

    Returns:
        Nats, exactly 0.0 where there is one cluster. Whole numbers up to two logarithms, ln N - ln(prod n_c^n_c) / N:
        partitions of N samples with the same entropy tie, as one of four and six of one do with four of two and two of
        one.

    Source: Farquhar et al., Nature 630 (2024); arXiv 2302.09664.
    """
    n = len(assignment)
    return (math.log(n**n) - math.log(math.prod(size**size for size in Counter(assignment).values()))) / n


def rao_semantic_entropy(assignment: Sequence[int], mean_logprobs: Sequence[float]) -> float:
    """Return the likelihood-weighted semantic entropy: p_c proportional to the sum of exp(mean ln p) over its samples.

    Args:
        assignment: Cluster number of each of N samples.
        mean_logprobs: Mean token log-probability of each, nats.

    Returns:
        Nats, exactly 0.0 where there is one cluster.

    Source: arXiv 2302.09664, length-normalised, over the clusters that were drawn.
    """
    # Shifted by the largest, so that a very unlikely set of answers does not vanish to 0 / 0.
    largest = max(mean_logprobs)
    members: dict[int, list[float]] = {}
    for cluster, mean_logprob in zip(assignment, mean_logprobs, strict=True):
        members.setdefault(cluster, []).append(math.exp(mean_logprob - largest))
    if len(members) == 1:
        return 0.0
    # Exact sums, so that the order of the samples does not reach the last bit.
    weights = [math.fsum(own) for own in members.values()]
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    return -math.fsum(share * math.log(share) for share in shares if share > 0.0)


def semantic_entropy_of(clustering: str) -> Callable[[SignalInputs], float]:
    """Return the signal that is the discrete semantic entropy over a clustering."""

    def compute(inputs: SignalInputs) -> float:
        return semantic_entropy(inputs.assignment(clustering))

    return compute


def semantic_entropy_rao_of(clustering: str) -> Callable[[SignalInputs], float]:
    """Return the signal that is the likelihood-weighted semantic entropy over a clustering."""

    def compute(inputs: SignalInputs) -> float:
        means: list[float] = []
        for sample in inputs.sample_set.valid_samples:
            logprobs = answer_logprobs(sample)
            if logprobs is None or not np.isfinite(logprobs).all():
                raise UndefinedStatisticError("a sample has no finite token log-probabilities")
            means.append(float(logprobs.mean()))
        return rao_semantic_entropy(inputs.assignment(clustering), means)

    return compute


def sindex(inputs: SignalInputs) -> float:
    """Return SINdex, the entropy of clusters weighted by how close their answers lie.

    One pass in sample order: an answer joins the first cluster to whose members its mean cosine distance is at most
    0.05. Then -sum p' ln p', where p' is the share of the cluster times the mean pairwise cosine inside it (1 for one
    answer), not renormalised; so it is above 0 on one cluster of answers that are not identical.

    Source: arXiv 2503.05980.
    """
    if inputs.sample_embeddings is None:
        raise UndefinedStatisticError("the samples were not embedded")
    similarity = cosine_similarity(inputs.sample_embeddings)
    clusters: list[list[int]] = []
    for row in range(len(similarity)):
        for members in clusters:
            if 1.0 - similarity[row, members].mean() <= _SINDEX_DISTANCE + _ROUNDING:
                members.append(row)
                break
        else:
            clusters.append([row])
    total = 0.0
    for members in clusters:
        weight = len(members) / len(similarity) * _mean_pairwise(similarity, members)
        total -= weight * math.log(weight)
    # Identical answers give -1 ln 1, a negative zero.
    return total + 0.0


def _mean_pairwise(similarity: NDArray[np.float64], members: list[int]) -> float:
    size = len(members)
    if size == 1:
        return 1.0
    inside = similarity[np.ix_(members, members)]
    return float(inside[np.triu_indices(size, 1)].mean())
