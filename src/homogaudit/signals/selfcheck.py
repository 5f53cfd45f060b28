"""SelfCheck: whether the samples say what the greedy answer says, by embeddings or by an NLI model."""

import numpy as np

from homogaudit.clustering.entailment import CONTRADICTION
from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs

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


def selfcheck_nli(inputs: SignalInputs) -> float:
    """Return the mean probability that one of the first 5 samples contradicts the greedy answer, sample as premise.

    Source: arXiv 2303.08896 (NLI), with the answer whole and neutral as a third outcome.
    """
    if inputs.pair_scores is None:
        raise UndefinedStatisticError("there is no NLI model")
    first = inputs.sample_set.valid_samples[:SELFCHECK_SAMPLES]
    scores = inputs.pair_scores([(sample.answer, inputs.greedy.answer) for sample in first])
    return float(scores[:, CONTRADICTION].astype(np.float64).mean())
