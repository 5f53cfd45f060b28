"""SelfCheck: whether the samples say what the greedy answer says, by embeddings."""

import numpy as np

from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs

__all__ = ["SELFCHECK_SAMPLES", "selfcheck_embedding"]

SELFCHECK_SAMPLES = 5
"""k, the samples that the greedy answer is compared with; the first k in their order."""


def selfcheck_embedding(inputs: SignalInputs) -> float:
    """Return 1 minus the mean cosine of the greedy answer with the first 5 samples, all of them where N is smaller.

    Source: arXiv 2303.08896, with sentence embeddings in place of BERTScore.
    """
    if inputs.sample_embeddings is None or inputs.greedy_embedding is None:
        raise UndefinedStatisticError("the answers were not embedded")
    first = inputs.sample_embeddings[:SELFCHECK_SAMPLES]
    similarity = cosine_similarity(np.vstack([inputs.greedy_embedding[None, :], first]))
    return 1.0 - float(similarity[0, 1:].mean())
