"""Signals read from the graph of the samples: its nodes are answers, its edges how similar two answers are.

The functions take matrices as lm-polygraph's estimators do and give the same numbers; the signals build their matrix
from embeddings, as a stand-in for an entailment model: similarity is the cosine, cut off below 0.
"""

import math

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.linkage import link
from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs

Float64Array = NDArray[np.float64]

SAME_MEANING = 0.85
"""Cosine from which two answers count as entailing each other: the threshold of the embedding clustering."""
_SMALL_EIGENVALUE = 0.9
"""Eigenvectors below this eigenvalue describe the graph: lm-polygraph 0.7 after arXiv 2305.19187."""
_HEAT = 0.3
"""Diffusion time t of the heat kernel: lm-polygraph 0.7 after arXiv 2405.20003."""
_NO_EIGENVALUE = 1e-8
"""Eigenvalues are known to this: one nearer to 0, or to the limit above, counts as equal to it on every processor."""
"""Eigenvalues up to this count as 0: lm-polygraph 0.7."""
_ROUNDING = 1e-9
"""Distance from an exact value that is rounding: questions whose answers are all alike must tie."""


def num_semantic_sets(entailment: NDArray[np.floating], contradiction: NDArray[np.floating]) -> float:
    """Return the number of connected components where answers are joined if they entail more than they contradict.

    Args:
        entailment: (n, n), entry (i, j) for "i entails j".
        contradiction: (n, n), entry (i, j) for "i contradicts j".

    Source: Lin et al., arXiv 2305.19187; lm-polygraph 0.7 `NumSemSets`.
    """
    entails = entailment > contradiction
    return float(max(link((entails & entails.T).astype(np.float64), 1.0, "single")) + 1)


def eigenvalue_laplacian(similarity: NDArray[np.floating]) -> float:
    """Return the sum over the eigenvalues of the normalised Laplacian of max(0, 1 - eigenvalue).

    Args:
        similarity: (n, n) in [0, 1] with ones on the diagonal; made symmetric here.

    Returns:
        1 where all answers are alike, n where no two are.

    Source: Lin et al., arXiv 2305.19187; lm-polygraph 0.7 `EigValLaplacian`.
    """
    values = np.linalg.eigvalsh(_normalised_laplacian(similarity))
    return _snapped(float(np.maximum(0.0, 1.0 - values).sum()), 1.0)


def degree(similarity: NDArray[np.floating]) -> float:
    """Return 1 - mean similarity over all n x n pairs, that of an answer with itself included.

    Args:
        similarity: (n, n) in [0, 1].

    Source: Lin et al., arXiv 2305.19187; lm-polygraph 0.7 `DegMat`.
    """
    return 1.0 - float(similarity.mean())


def eccentricity(similarity: NDArray[np.floating]) -> float:
    """Return how far the answers lie from their centre in the space of the Laplacian's small eigenvectors.

    Args:
        similarity: (n, n) in [0, 1] with ones on the diagonal; made symmetric here.

    Returns:
        0 where all answers are alike; near a whole number's square root, because an eigenvector has length 1.

    Source: Lin et al., arXiv 2305.19187; lm-polygraph 0.7 `Eccentricity`.
    """
    values, vectors = np.linalg.eigh(_normalised_laplacian(similarity))
    kept = vectors[:, values < _SMALL_EIGENVALUE - _NO_EIGENVALUE]
    return _snapped(float(np.linalg.norm(kept - kept.mean(axis=0))), 0.0)


def kernel_language_entropy(entailment: NDArray[np.floating], contradiction: NDArray[np.floating]) -> float:
    """Return the von Neumann entropy of the heat kernel of the graph, over ln n.

    An edge weighs entailment + neutral / 2 in both directions, neutral being what is neither entailment nor
    contradiction.

    Args:
        entailment: (n, n), entry (i, j) for "i entails j"; n >= 2.
        contradiction: (n, n), entry (i, j) for "i contradicts j".

    Returns:
        In (0, 1]; above 0 even where all answers are alike, because the diffusion stops at time 0.3.

    Source: Nikitin et al., arXiv 2405.20003; lm-polygraph 0.7 `KernelLanguageEntropy`.
    """
    entails = entailment + entailment.T
    weights = entails + (2.0 - entails - (contradiction + contradiction.T)) / 2.0
    values, vectors = np.linalg.eigh(np.diag(weights.sum(axis=0)) - weights)
    kernel = (vectors * np.exp(-_HEAT * values)) @ vectors.T
    length = np.sqrt(np.diag(kernel))
    spectrum = np.linalg.eigvalsh(kernel / np.outer(length, length) / len(kernel))
    spectrum = spectrum[spectrum > _NO_EIGENVALUE]
    return float(-(spectrum * np.log(spectrum)).sum()) / math.log(len(kernel))


def pair_scores(inputs: SignalInputs) -> Float64Array:
    """Return (n, n) similarities in [0, 1] of the valid samples: their cosines, cut off below 0."""
    if inputs.sample_embeddings is None:
        raise UndefinedStatisticError("the samples were not embedded")
    return np.maximum(cosine_similarity(inputs.sample_embeddings), 0.0)


def num_semantic_sets_signal(inputs: SignalInputs) -> float:
    """Return the number of semantic sets, where a cosine of at least 0.85 stands for entailment both ways."""
    same = (pair_scores(inputs) >= SAME_MEANING).astype(np.float64)
    return num_semantic_sets(same, 1.0 - same)


def eigenvalue_laplacian_signal(inputs: SignalInputs) -> float:
    """Return the sum of the eigenvalues over the samples' pair scores."""
    return eigenvalue_laplacian(pair_scores(inputs))


def degree_signal(inputs: SignalInputs) -> float:
    """Return the mean distance over the samples' pair scores."""
    return degree(pair_scores(inputs))


def eccentricity_signal(inputs: SignalInputs) -> float:
    """Return the eccentricity over the samples' pair scores, to six decimals.

    It lies near 0 or a whole number's square root. What is left beyond that is rounding of float32 embeddings, by
    which questions would be ranked.
    """
    return round(eccentricity(pair_scores(inputs)), 6)


def kernel_language_entropy_signal(inputs: SignalInputs) -> float:
    """Return the kernel language entropy, where what is not similar contradicts: nothing is neutral."""
    scores = pair_scores(inputs)
    return kernel_language_entropy(scores, 1.0 - scores)


def _normalised_laplacian(similarity: NDArray[np.floating]) -> Float64Array:
    symmetric = (similarity + similarity.T) / 2.0
    scale = 1.0 / np.sqrt(symmetric.sum(axis=1))
    return np.eye(len(symmetric)) - symmetric * np.outer(scale, scale)


def _snapped(value: float, exact: float) -> float:
    return exact if abs(value - exact) < _ROUNDING else value
