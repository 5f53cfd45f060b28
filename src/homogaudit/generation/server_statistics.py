"""What token statistics a server's log-probabilities give, and how far they went in one run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from homogaudit.generation.openai_format import ServerToken
from homogaudit.generation.top_k_entropy import TopKEntropy, top_k_entropy

_ROUNDING = 1e-6
"""Two spellings of one log-probability may differ by this."""


@dataclass(slots=True)
class BoundSums:
    """Bounds of the entropies of some tokens, summed, in nats.

    Attributes:
        low: Sum of their lower bounds.
        high: Sum of their upper bounds; meaningless where V is not known.
    """

    tokens: int = 0
    low: float = 0.0
    high: float = 0.0

    def add(self, found: Sequence[TopKEntropy]) -> None:
        """Count the bounds of one answer's tokens."""
        self.tokens += len(found)
        self.low += sum(x.low for x in found)
        self.high += sum(x.high or 0.0 for x in found)


@dataclass(slots=True)
class StatisticsPlan:
    """What token statistics can be had, and how they went.

    Attributes:
        k: Log-probabilities given of each token; 0 for that of the token alone.
        vocabulary: V; `None` where it is not known.
        is_unbiased: Whether samples are of the untempered and untruncated distribution.
        is_likeliest: Whether a token of a greedy answer is the likeliest one, as at temperature 0.
        greedy_fault: Why the greedy answer has none; empty where it may.
        missing: Answers without statistics, by reason.
    """

    k: int
    vocabulary: int | None
    is_unbiased: bool
    greedy_fault: str = ""
    sample_fault: str = ""
    missing: dict[str, int] = field(default_factory=dict[str, int])
    greedy: BoundSums = field(default_factory=lambda: BoundSums())
    samples: BoundSums = field(default_factory=lambda: BoundSums())
    is_likeliest: bool = True


def token_entropy(token: ServerToken, *, k: int, vocabulary: int | None, is_greedy: bool) -> TopKEntropy:
    """Return what the head of one token says of the entropy of the distribution that it was drawn from.

    `k` is how many log-probabilities the server gives of each token, and `is_greedy` whether this is the likeliest
    token rather than one that chance drew. The token has a head; V is `None` where it is not known.
    """
    # Where the drawn token is not among the k likeliest, vLLM puts it in the place of the last of them. Without the
    # last, a head is the same whatever was drawn, as the estimate wants it; a greedy token is always the first.
    head = token.head[: k if is_greedy else k - 1]
    return top_k_entropy(
        head,
        token.logprob,
        in_head=bool(head) and token.logprob >= min(head) - _ROUNDING,
        vocabulary=vocabulary,
        is_complete=len(token.head) >= k,
    )
