"""What a signal reads: the draws of one question, what was derived from them, and what of it is missing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Clustering, Generation, GenerationState, SampleSet

__all__ = ["NEEDS", "SignalInputs", "answer_logprobs"]

Float64Array = NDArray[np.float64]


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
    """

    sample_set: SampleSet
    expected_samples: int
    clusterings: Mapping[str, Clustering] = field(default_factory=dict[str, Clustering])
    sample_embeddings: NDArray[np.floating] | None = None
    greedy_embedding: NDArray[np.floating] | None = None

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


_NO_ANSWER = {
    GenerationState.EMPTY: "the greedy answer is empty",
    GenerationState.THINKING_UNCLOSED: "the greedy answer never came out of its thinking",
    GenerationState.ERROR: "the greedy answer failed",
}


def _no_greedy(inputs: SignalInputs) -> str | None:
    greedy = inputs.sample_set.greedy
    if greedy is None:
        return "there is no greedy answer"
    return None if greedy.is_valid else _NO_ANSWER[greedy.state]


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


def _too_few_samples(inputs: SignalInputs) -> str | None:
    valid = len(inputs.sample_set.valid_samples)
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


def _no_sample_embeddings(inputs: SignalInputs) -> str | None:
    return "the samples were not embedded" if inputs.sample_embeddings is None else None


def _no_greedy_embedding(inputs: SignalInputs) -> str | None:
    return "the greedy answer was not embedded" if inputs.greedy_embedding is None else None


def _no_clustering(name: str) -> Callable[[SignalInputs], str | None]:
    def missing(inputs: SignalInputs) -> str | None:
        return None if name in inputs.clusterings else f"there is no `{name}` clustering"

    return missing


NEEDS: Mapping[str, Callable[[SignalInputs], str | None]] = MappingProxyType(
    {
        "greedy_answer": _no_greedy,
        "token_entropies": _no_entropies,
        "token_logprobs": _no_logprobs,
        "samples": _too_few_samples,
        "sample_logprobs": _no_sample_logprobs,
        "sample_embeddings": _no_sample_embeddings,
        "greedy_embedding": _no_greedy_embedding,
        "clustering_jaccard": _no_clustering("jaccard"),
        "clustering_embedding": _no_clustering("embedding"),
        "clustering_answer": _no_clustering("answer"),
    }
)
"""What a signal may need: a check that returns why it is missing, `None` where it is there. Checks run in the order in
which a signal names its needs, each on what those before it found."""
