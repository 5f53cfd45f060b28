"""Signals that join how likely answers are with how alike they are: CoCoA, SAR and Semantic Energy.

They know token statistics and embeddings, not how either was made. Log-probabilities are in nats.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.graph import SAME_MEANING, pair_scores
from homogaudit.signals.inputs import SignalInputs, answer_logits, answer_logprobs

Float64Array = NDArray[np.float64]

_SAR_TEMPERATURE = 0.001
"""t, what the relevance of other answers is divided by: lm-polygraph 0.7 after arXiv 2307.01379."""
_ROUNDING = 1e-12
"""A mean of cosines equal to the threshold may come out this much below it in double precision."""


def cocoa(uncertainty: float, greedy_similarity: NDArray[np.floating]) -> float:
    """Return an uncertainty of the greedy answer times its mean distance from the samples.

    Args:
        uncertainty: Minus the mean (lm-polygraph's `CocoaPPL`) or the sum (`CocoaMSP`) of the answer's token
            log-probabilities, or its mean token entropy (`CocoaMTE`).
        greedy_similarity: (n,) similarity in [0, 1] of the greedy answer with each sample.

    Source: Vashurin et al., arXiv 2502.04964; lm-polygraph 0.7.
    """
    return uncertainty * float(np.mean(1.0 - greedy_similarity))


def sar(
    logprobs: Sequence[NDArray[np.floating]],
    similarity: NDArray[np.floating],
    relevance: Sequence[NDArray[np.floating]] | None = None,
) -> float:
    """Return SAR, the mean surprise of answers that are carried by the likelihood of similar ones.

    An answer's E is the sum of -ln p over its tokens, weighted by their relevance; its surprise is
    -ln(exp(-E_i) + sum over j != i of exp(-E_j) similarity_ij / 0.001).

    Args:
        logprobs: ln p of the tokens of each of n answers, none of them empty.
        similarity: (n, n) in [0, 1]; row i is of answer i.
        relevance: One weight >= 0 a token, scaled here to sum to 1 in each answer; equal weights where left out, or
            where those of an answer are all 0.

    Source: Duan et al., arXiv 2307.01379; lm-polygraph 0.7 `SAR`.
    """
    given = [np.ones(len(tokens)) for tokens in logprobs] if relevance is None else relevance
    energies = np.array([_weighted(tokens, weights) for tokens, weights in zip(logprobs, given, strict=True)])
    others = similarity / _SAR_TEMPERATURE
    np.fill_diagonal(others, 1.0)
    with np.errstate(divide="ignore"):
        carried = np.log(others) - energies
    # Summed in logarithms, so that very unlikely answers do not vanish to ln 0.
    return -float(np.logaddexp.reduce(carried, axis=1).mean())


def cocoa_signal(inputs: SignalInputs) -> float:
    """Return CoCoA of the greedy answer's negative log-likelihood and its cosines with the samples."""
    logprobs = answer_logprobs(inputs.greedy)
    if logprobs is None:
        raise UndefinedStatisticError("token log-probabilities were not recorded")
    return cocoa(-float(logprobs.mean()), np.maximum(_greedy_similarity(inputs), 0.0)) + 0.0


def sar_signal(inputs: SignalInputs) -> float:
    """Return SAR of the samples with equal token weights and the pair scores of their embeddings."""
    return sar(
        _of_samples([answer_logprobs(sample) for sample in inputs.sample_set.valid_samples]), pair_scores(inputs)
    )


def semantic_energy(inputs: SignalInputs) -> float:
    """Return the energy of the greedy answer's cluster: (1/N) sum over its samples of the mean of -logit.

    The cluster is that of the embedding clustering whose samples have the highest mean cosine with the greedy answer.

    Raises:
        UndefinedStatisticError: That mean lies below the clustering's threshold: no sample says what the answer says.

    Source: Ma et al., arXiv 2508.14496.
    """
    clustering = inputs.clusterings["embedding"]
    assignment = np.asarray(clustering.assignment)
    cosines = _greedy_similarity(inputs)
    nearness = np.array([cosines[assignment == cluster].mean() for cluster in range(clustering.clusters)])
    nearest = int(nearness.argmax())
    threshold = SAME_MEANING if clustering.method.threshold is None else clustering.method.threshold
    if nearness[nearest] < threshold - _ROUNDING:
        raise UndefinedStatisticError("the greedy answer belongs to no cluster of the samples")
    logits = _of_samples([answer_logits(sample) for sample in inputs.sample_set.valid_samples])
    energies = [-float(of_tokens.mean()) for of_tokens in logits]
    return sum(energies[row] for row in np.flatnonzero(assignment == nearest)) / len(energies)


def _weighted(logprobs: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    total = float(weights.sum())
    return -float(logprobs @ weights) / total if total > 0.0 else -float(logprobs.mean())


def _greedy_similarity(inputs: SignalInputs) -> Float64Array:
    """Return (n,) cosines of the greedy answer with each valid sample."""
    if inputs.sample_embeddings is None or inputs.greedy_embedding is None:
        raise UndefinedStatisticError("the answers were not embedded")
    return cosine_similarity(np.vstack([inputs.greedy_embedding[None, :], inputs.sample_embeddings]))[0, 1:]


def _of_samples(arrays: Sequence[Float64Array | None]) -> list[Float64Array]:
    """Return the arrays of all samples, refusing one that is missing or not finite."""
    found: list[Float64Array] = []
    for array in arrays:
        if array is None or not np.isfinite(array).all():
            raise UndefinedStatisticError("a sample has token statistics that are missing or not finite")
        found.append(array)
    return found
