"""What a signal of one question reads: its draws, what was derived from them, and what of it is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.entailment import PairScores
from homogaudit.errors import UndefinedStatisticError
from homogaudit.labels.verdict import NO_ANSWER
from homogaudit.records import Clustering, Generation, SampleSet

Float64Array = NDArray[np.float64]


class ImportanceModel(Protocol):
    """What tells how much of an answer's meaning each of its words carries."""

    def __call__(self, question: str, words: Sequence[str]) -> NDArray[np.floating]:
        """Return (words,) weights >= 0, not all 0, of any scale; `" ".join(words)` is the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A value that does not exist, and why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class SignalInputs:
    """Everything that the signals of one question read.

    Attributes:
        sample_set: The draws.
        expected_samples: N. Sampled signals are defined only where all N samples hold an answer, because values at
            different N do not compare.
        clusterings: Of the valid samples, by the name of their method.
        sample_embeddings: (valid samples, d) in their order, `None` where nothing was embedded.
        greedy_embedding: (d,) of the greedy answer, `None` where it was not embedded.
        token_texts: The text of each answer token of the greedy answer, as it stands in the answer (white space
            included); `None` where it is not known. Only ids are stored.
        importance: What weighs the words of the greedy answer, `None` where there is nothing to weigh them with.
        pair_scores: Of an NLI model, `None` where there is none.
        call_p_true: P(True) that the model gave its own greedy answer, from `p_true_from_logprobs`; `Unavailable` where
            the call came to nothing, `None` where it was not made.
        call_verbalized: The confidence in [0, 1] that it put into words, from `parse_confidence`; as before.
    """

    sample_set: SampleSet
    expected_samples: int
    clusterings: Mapping[str, Clustering] = field(default_factory=dict[str, Clustering])
    sample_embeddings: NDArray[np.floating] | None = None
    greedy_embedding: NDArray[np.floating] | None = None
    token_texts: Sequence[str] | None = None
    importance: ImportanceModel | None = None
    pair_scores: PairScores | None = None
    call_p_true: float | Unavailable | None = None
    call_verbalized: float | Unavailable | None = None

    @property
    def greedy(self) -> Generation:
        """The greedy answer.

        Raises:
            UndefinedStatisticError: There is none.
        """
        if self.sample_set.greedy is None:
            raise UndefinedStatisticError("there is no greedy answer")
        return self.sample_set.greedy

    def assignment(self, clustering: str) -> tuple[int, ...]:
        """Return the cluster numbers under a clustering that is known to be there."""
        return self.clusterings[clustering].assignment


def answer_logprobs(generation: Generation) -> Float64Array | None:
    """Return ln p of each answer token of a draw, `None` where not recorded or where the answer has no token."""
    logprobs = generation.statistics.of_answer(generation.statistics.logprobs)
    return None if logprobs is None or len(logprobs) == 0 else logprobs.astype(np.float64)


def answer_logits(generation: Generation) -> Float64Array | None:
    """Return the raw logit of each answer token of a draw, `None` as in `answer_logprobs`."""
    logits = generation.statistics.of_answer(generation.statistics.logits)
    return None if logits is None or len(logits) == 0 else logits.astype(np.float64)


def _no_greedy(inputs: SignalInputs) -> str | None:
    greedy = inputs.sample_set.greedy
    if greedy is None:
        return "there is no greedy answer"
    return None if greedy.is_valid else NO_ANSWER[greedy.state]


def _no_entropies(inputs: SignalInputs) -> str | None:
    statistics = inputs.greedy.statistics
    entropies = statistics.of_answer(statistics.entropies)
    if entropies is None:
        return "token entropies were not recorded"
    if len(entropies) == 0:
        return "the greedy answer has no answer token"
    # A comparison with NaN is false: a ratio over it would read as most confident.
    return None if np.isfinite(entropies).all() else "a token entropy is not a finite number"


def _no_logprobs(inputs: SignalInputs) -> str | None:
    statistics = inputs.greedy.statistics
    if statistics.logprobs is None:
        return "token log-probabilities were not recorded"
    return None if answer_logprobs(inputs.greedy) is not None else "the greedy answer has no answer token"


def _no_token_count(inputs: SignalInputs) -> str | None:
    statistics = inputs.greedy.statistics
    arrays = (
        statistics.answer_mask,
        statistics.token_ids,
        statistics.entropies,
        statistics.logprobs,
        statistics.logits,
    )
    return "the number of answer tokens was not recorded" if all(array is None for array in arrays) else None


def _no_token_texts(inputs: SignalInputs) -> str | None:
    return "the texts of the answer's tokens are not known" if inputs.token_texts is None else None


def _no_importance(inputs: SignalInputs) -> str | None:
    return "there is nothing to weigh the answer's words with" if inputs.importance is None else None


def _too_few_samples(inputs: SignalInputs) -> str | None:
    valid = inputs.sample_set.valid_count
    if inputs.expected_samples < 2:
        return "no answers were sampled" if not valid else "one sample says nothing about the spread of answers"
    if valid < inputs.expected_samples:
        return f"{valid} of {inputs.expected_samples} samples hold an answer"
    return None


def _no_sample_logprobs(inputs: SignalInputs) -> str | None:
    valid = inputs.sample_set.valid_samples
    with_logprobs = sum(answer_logprobs(sample) is not None for sample in valid)
    if with_logprobs < len(valid):
        return f"{with_logprobs} of {len(valid)} samples have token log-probabilities"
    return None


def _no_sample_logits(inputs: SignalInputs) -> str | None:
    valid = inputs.sample_set.valid_samples
    with_logits = sum(answer_logits(sample) is not None for sample in valid)
    return f"{with_logits} of {len(valid)} samples have raw token logits" if with_logits < len(valid) else None


def _no_sample_embeddings(inputs: SignalInputs) -> str | None:
    return "the samples were not embedded" if inputs.sample_embeddings is None else None


def _no_greedy_embedding(inputs: SignalInputs) -> str | None:
    return "the greedy answer was not embedded" if inputs.greedy_embedding is None else None


def _no_pair_scores(inputs: SignalInputs) -> str | None:
    return "there is no NLI model" if inputs.pair_scores is None else None


def _no_clustering(name: str) -> Callable[[SignalInputs], str | None]:
    def missing(inputs: SignalInputs) -> str | None:
        return None if name in inputs.clusterings else f"there is no `{name}` clustering"

    return missing


def _no_call(value: float | Unavailable | None) -> str | None:
    if isinstance(value, Unavailable):
        return value.reason
    return "the model was not asked" if value is None else None


NEEDS: Mapping[str, Callable[[SignalInputs], str | None]] = MappingProxyType(
    {
        "greedy_answer": _no_greedy,
        "token_count": _no_token_count,
        "token_entropies": _no_entropies,
        "token_logprobs": _no_logprobs,
        "token_texts": _no_token_texts,
        "importance": _no_importance,
        "samples": _too_few_samples,
        "sample_logprobs": _no_sample_logprobs,
        "sample_logits": _no_sample_logits,
        "sample_embeddings": _no_sample_embeddings,
        "greedy_embedding": _no_greedy_embedding,
        "clustering_jaccard": _no_clustering("jaccard"),
        "clustering_embedding": _no_clustering("embedding"),
        "clustering_meaning": _no_clustering("meaning"),
        "clustering_answer": _no_clustering("answer"),
        "clustering_entailment": _no_clustering("entailment"),
        "pair_scores": _no_pair_scores,
        "call_p_true": lambda inputs: _no_call(inputs.call_p_true),
        "call_verbalized": lambda inputs: _no_call(inputs.call_verbalized),
    }
)
"""What a signal may need: a check that returns why it is missing, `None` where it is there. Checks run in the order in
which a signal names its needs, each on what those before it found."""

TOKEN_ARRAY_NEEDS = frozenset({"token_count", "token_entropies", "token_logprobs", "sample_logprobs", "sample_logits"})
"""The needs that read stored token arrays: where a run keeps none, a signal with one of them can be computed only while
its answers are drawn."""
