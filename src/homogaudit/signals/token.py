"""Signals read from the tokens of the greedy answer: they cost nothing beyond the draw itself.

Token statistics are of the untempered distribution, in nats; thinking and special tokens are left out.
"""

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import SignalInputs, answer_logprobs

Float64Array = NDArray[np.float64]

_HIGH = 2.0
"""A token is of high entropy above this many times the answer's mean."""
_ROUNDING = 1e-6
"""Entropies are stored in float32: a token is above the limit where it is so by more than their last digit."""


def token_entropy_mean(inputs: SignalInputs) -> float:
    """Return the mean entropy over the answer tokens."""
    return float(_entropies(inputs).mean())


def token_entropy_max(inputs: SignalInputs) -> float:
    """Return the largest entropy over the answer tokens."""
    return float(_entropies(inputs).max())


def token_entropy_std(inputs: SignalInputs) -> float:
    """Return the standard deviation (ddof 0) of the entropies of the answer tokens."""
    return float(_entropies(inputs).std())


def high_entropy_ratio(inputs: SignalInputs) -> float:
    """Return the share of answer tokens whose entropy is above twice the answer's mean."""
    return high_entropy_share(_entropies(inputs))


def high_entropy_share(entropies: Float64Array) -> float:
    """Return the share of entropies above twice their mean; one at exactly twice the mean is not above it."""
    return float((entropies > _HIGH * entropies.mean() * (1 + _ROUNDING)).mean())


def negative_log_likelihood(inputs: SignalInputs) -> float:
    """Return minus the mean log-probability of the answer tokens."""
    # 0 - x, because the negative of a sure answer's 0 would print as -0.
    return 0.0 - float(_logprobs(inputs).mean())


def perplexity(inputs: SignalInputs) -> float:
    """Return the exponential of the negative log-likelihood."""
    with np.errstate(over="ignore"):
        return float(np.exp(-_logprobs(inputs).mean()))


def response_length(inputs: SignalInputs) -> float:
    """Return the number of answer tokens, from whatever array is there.

    Raises:
        UndefinedStatisticError: No array was recorded.
    """
    statistics = inputs.greedy.statistics
    if statistics.answer_mask is not None:
        return float(statistics.answer_mask.sum())
    for array in (statistics.token_ids, statistics.entropies, statistics.logprobs, statistics.logits):
        if array is not None:
            return float(len(array))
    raise UndefinedStatisticError("the number of answer tokens was not recorded")


def _entropies(inputs: SignalInputs) -> Float64Array:
    """Return the entropies of the answer tokens, in float64 so that sums over long answers keep their digits."""
    statistics = inputs.greedy.statistics
    entropies = statistics.of_answer(statistics.entropies)
    if entropies is None:
        raise UndefinedStatisticError("token entropies were not recorded")
    return entropies.astype(np.float64)


def _logprobs(inputs: SignalInputs) -> Float64Array:
    logprobs = answer_logprobs(inputs.greedy)
    if logprobs is None:
        raise UndefinedStatisticError("token log-probabilities were not recorded")
    return logprobs
