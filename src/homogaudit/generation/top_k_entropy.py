"""Entropy of a next-token distribution of which only the k likeliest tokens are known: bounds, and an estimate.

Pure functions on log-probabilities in nats; they know nothing of servers. The log-probabilities must be those of the
untempered distribution over the full vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SUPPRESSED = -1e3
"""Servers write minus infinity as -9999 or the like; no token that was kept is so unlikely."""

_NO_REST = 1e-6
"""A rest of probability below this is rounding."""

_LIKELY_LAST = 1e-3
"""Where the k-th token is likelier than this, a softmax over the full vocabulary leaves more than `_NO_REST` to it."""


@dataclass(frozen=True, slots=True)
class TopKEntropy:
    """What the head of a distribution says of its entropy, in nats.

    Attributes:
        low: Lower bound, H_head - r ln p_k.
        high: Upper bound, H_head + r ln(M / r); `None` where the size of the vocabulary is not known.
        estimate: H_head, and -ln p(token) where the drawn token is not in the head: unbiased over tokens drawn at
            T = 1 without truncation.
    """

    low: float
    high: float | None
    estimate: float


def top_k_entropy(
    head: Sequence[float] | NDArray[np.floating],
    logprob: float,
    *,
    in_head: bool,
    vocabulary: int | None = None,
    is_complete: bool = True,
) -> TopKEntropy:
    """Return the bounds of a distribution's entropy, and its estimate from the token that was drawn.

    With r the probability outside the head and M the number of tokens there. r is taken as 0 where it is rounding.

    Args:
        head: ln p of the k likeliest tokens, in any order; may be empty.
        logprob: ln p of the drawn token.
        in_head: Whether the drawn token is one of them.
        vocabulary: V; `None` where it is not known.
        is_complete: Whether `head` lacks none of the k likeliest. Where it does, a token outside may be as likely as
            the likeliest.
    """
    logs = np.asarray(head, np.float64)
    if not len(logs):
        return TopKEntropy(0.0, None if vocabulary is None else math.log(vocabulary), -logprob)
    probabilities = np.exp(logs)
    rest = max(0.0, 1.0 - float(probabilities.sum()))
    of_head = float(-(probabilities * logs).sum()) + 0.0
    estimate = of_head if in_head else of_head - logprob
    if rest == 0.0:
        return TopKEntropy(of_head, of_head, estimate)
    likeliest_outside = float(logs.min()) if is_complete else min(float(logs.max()), math.log(rest))
    outside = None if vocabulary is None else max(1, vocabulary - len(logs))
    high = None if outside is None else of_head + rest * math.log(outside / rest)
    return TopKEntropy(of_head - rest * likeliest_outside, high, estimate)


def is_truncated(head: Sequence[float]) -> bool:
    """Whether a head shows that tokens were cut off before the probabilities were normalised."""
    if not head:
        return False
    if min(head) <= _SUPPRESSED:
        return True
    rest = 1.0 - math.fsum(math.exp(value) for value in head)
    return rest < _NO_REST and math.exp(min(head)) > _LIKELY_LAST
