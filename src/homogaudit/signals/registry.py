"""Every signal by name, with what `homogaudit explain` says of it, and their computation for one question.

All are oriented so that higher is more uncertain. Whether one works is for statistics to say.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from homogaudit.errors import UndefinedStatisticError, UsageError
from homogaudit.records import SignalValue
from homogaudit.signals import token
from homogaudit.signals.inputs import NEEDS, SignalInputs
from homogaudit.signals.sampling import semantic_entropy_of, semantic_entropy_rao_of, sindex
from homogaudit.signals.selfcheck import selfcheck_embedding

__all__ = ["SIGNALS", "Signal", "SignalInputs", "compute_signals"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One uncertainty signal; higher is more uncertain.

    Attributes:
        name: As in reports and on the command line.
        boundary: The boundary it looks at: `B1` is the model's own uncertainty.
        cost_class: What one question costs beyond its greedy answer: `free`, `embed`, `call`, `samples` or `nli`.
        needs: Keys of `NEEDS`, checked in this order.
        definition: What it is, with its formula.
        source: Where the definition comes from.
        compute: Its value on one question whose needs are met; raises `UndefinedStatisticError` where it has none.
    """

    name: str
    boundary: str
    cost_class: str
    needs: tuple[str, ...]
    definition: str
    source: str
    compute: Callable[[SignalInputs], float]


_ENTROPY_SOURCE = "arXiv 2603.24124 (B1); token entropy as uncertainty: Malinin and Gales, arXiv 2002.07650"
_LIKELIHOOD_SOURCE = "Malinin and Gales, arXiv 2002.07650 (length-normalised likelihood); arXiv 2603.24124"
_SEMANTIC_ENTROPY_SOURCE = "Farquhar et al., Nature 630 (2024); Kuhn et al., arXiv 2302.09664"
_ENTROPY_NEEDS = ("greedy_answer", "token_entropies")
_LIKELIHOOD_NEEDS = ("greedy_answer", "token_logprobs")

_CLUSTERS = {
    "jaccard": "clusters of surface wording (Jaccard index of word bigrams)",
    "embedding": "clusters of meaning (cosine of sentence embeddings)",
    "answer": "groups of equal final numbers",
}


def _semantic_entropies(clustering: str, clusters: str) -> tuple[Signal, Signal]:
    needs = ("samples", f"clustering_{clustering}")
    return (
        Signal(
            f"semantic_entropy_{clustering}",
            "B1",
            "samples",
            needs,
            f"Entropy of the N sampled answers over {clusters}: -sum p_c ln p_c, where p_c is the share of the samples "
            "in cluster c. Exactly 0 where all samples form one cluster, at most ln N. Defined only where all N "
            "samples hold an answer.",
            _SEMANTIC_ENTROPY_SOURCE,
            semantic_entropy_of(clustering),
        ),
        Signal(
            f"semantic_entropy_{clustering}_rao",
            "B1",
            "samples",
            (*needs, "sample_logprobs"),
            f"Semantic entropy over {clusters} with likelihoods for shares: -sum p_c ln p_c, where p_c is proportional "
            "to the sum of exp(mean token log-probability) over the samples in cluster c. Exactly 0 where all samples "
            "form one cluster.",
            "Kuhn et al., arXiv 2302.09664 (length-normalised, over the clusters that were drawn)",
            semantic_entropy_rao_of(clustering),
        ),
    )


_ALL = (
    Signal(
        "token_entropy_mean",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Mean over the tokens of the greedy answer of H_t = -sum p ln p, the entropy in nats of the next-token "
        "distribution over the whole vocabulary. The primary signal: it needs no second answer.",
        _ENTROPY_SOURCE,
        token.token_entropy_mean,
    ),
    Signal(
        "token_entropy_max",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Largest H_t over the tokens of the greedy answer: how unsure the model was where it was least sure.",
        _ENTROPY_SOURCE,
        token.token_entropy_max,
    ),
    Signal(
        "token_entropy_std",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Standard deviation of H_t over the tokens of the greedy answer, dividing by their number (ddof 0).",
        _ENTROPY_SOURCE,
        token.token_entropy_std,
    ),
    Signal(
        "high_entropy_ratio",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Share of the tokens of the greedy answer with H_t above twice the answer's own mean. It measures how uneven "
        "the entropy is, not how high.",
        "arXiv 2603.24124 (B1)",
        token.high_entropy_ratio,
    ),
    Signal(
        "negative_log_likelihood",
        "B1",
        "free",
        _LIKELIHOOD_NEEDS,
        "-mean ln p(token) over the tokens of the greedy answer, in nats a token: how surprising the model finds its "
        "own answer.",
        _LIKELIHOOD_SOURCE,
        token.negative_log_likelihood,
    ),
    Signal(
        "perplexity",
        "B1",
        "free",
        _LIKELIHOOD_NEEDS,
        "exp(negative log-likelihood) of the greedy answer. It ranks questions as negative_log_likelihood does, so "
        "that their AUROCs are equal.",
        _LIKELIHOOD_SOURCE,
        token.perplexity,
    ),
    Signal(
        "response_length",
        "B1",
        "free",
        ("greedy_answer",),
        "Number of tokens of the greedy answer. A control: a signal that is no better than length has found length.",
        "arXiv 2603.24124 (length control)",
        token.response_length,
    ),
    *(signal for name, clusters in _CLUSTERS.items() for signal in _semantic_entropies(name, clusters)),
    Signal(
        "sindex",
        "B1",
        "samples",
        ("samples", "sample_embeddings"),
        "Entropy of embedding clusters weighted by their coherence: an answer joins the first cluster with a mean "
        "cosine distance of at most 0.05 to it; then -sum p' ln p', where p' is the cluster's share times the mean "
        "pairwise cosine inside it (1 for a single answer), not renormalised. Not 0 on one cluster of different "
        "answers.",
        "SINdex, arXiv 2503.05980",
        sindex,
    ),
    Signal(
        "selfcheck_embedding",
        "B1",
        "samples",
        ("greedy_answer", "samples", "sample_embeddings", "greedy_embedding"),
        "1 - mean cosine of the greedy answer's embedding with those of the first 5 samples: how far the samples are "
        "from saying the same.",
        "SelfCheckGPT, Manakul et al., arXiv 2303.08896 (with sentence embeddings)",
        selfcheck_embedding,
    ),
)

SIGNALS: Mapping[str, Signal] = MappingProxyType({signal.name: signal for signal in _ALL})


def compute_signals(inputs: SignalInputs, names: Iterable[str] | None = None) -> list[SignalValue]:
    """Compute signals on one question.

    A signal whose needs are missing, or that has no finite value, comes back as `None` with the reason.

    Args:
        inputs: What the signals read.
        names: Keys of `SIGNALS`; all where left out.

    Returns:
        One value a name, in their order, each with the seconds that it took.

    Raises:
        UsageError: A name is not known.
    """
    chosen = list(SIGNALS if names is None else names)
    for name in chosen:
        if name not in SIGNALS:
            near = get_close_matches(name, SIGNALS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(SIGNALS)}"
            raise UsageError(f"unknown signal `{name}`", hint=hint)
    return [_value(SIGNALS[name], inputs) for name in chosen]


def _value(signal: Signal, inputs: SignalInputs) -> SignalValue:
    question_id = inputs.sample_set.question.id
    started = time.perf_counter()
    for need in signal.needs:
        reason = NEEDS[need](inputs)
        if reason is not None:
            return SignalValue(question_id, signal.name, None, reason)
    try:
        value = signal.compute(inputs)
    except UndefinedStatisticError as error:
        return SignalValue(question_id, signal.name, None, error.message)
    seconds = time.perf_counter() - started
    if not math.isfinite(value):
        return SignalValue(question_id, signal.name, None, "the value is not a finite number", seconds)
    return SignalValue(question_id, signal.name, value, "", seconds)
