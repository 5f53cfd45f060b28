"""The frozen records that every package shares. They hold facts; they compute nothing expensive and do no I/O."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering_method import ClusteringMethod

GREEDY = -1
"""The sample index of the greedy answer; samples count from 0."""

CHOICE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Before the choices of a question, in their order."""

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided 95% interval unless its owner says otherwise."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a question file.

    Attributes:
        id: Unique in the file; taken from it, or a hash of the text.
        answers: Reference answers, any of which is correct.
        incorrect_answers: Reference answers known to be wrong.
        passages: Texts that the answer can be grounded in.
        extra: Keys of the file that the project does not know, kept for export.
        context: A text that stands before the question in the user's turn; `None` where the model is not told one.
        system: The question's own system prompt, before that of the run.
        choices: Options that are asked below the question, with letters; empty where they are not asked.
    """

    id: str
    text: str
    category: str | None = None
    answers: tuple[str, ...] = ()
    incorrect_answers: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: str | None = None
    system: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """The whole user's turn: the context, the text, and the choices with their letters."""
        lettered = (f"{letter}. {choice}" for letter, choice in zip(CHOICE_LETTERS, self.choices, strict=False))
        text = "\n".join([self.text, *lettered])
        return f"{self.context}\n\n{text}" if self.context else text


def collapse(text: str) -> str:
    """Return `text` in Unicode NFC with every run of white space as one space: equal texts ask the same."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def make_question_id(text: str, context: str = "") -> str:
    """Return the stable id of a question that came without one.

    `q-` and the first 12 hexadecimal digits of the SHA-256 of the collapsed text: the same on every machine and
    wherever the question stands in its file.

    Args:
        text: Of the question.
        context: What tells it from another question of the same text; empty where there is none.
    """
    told = collapse(text) + (f"\0{collapse(context)}" if context else "")
    return "q-" + hashlib.sha256(told.encode()).hexdigest()[:12]


def random_rank(seed: int, question_id: str) -> bytes:
    """Return what sorts questions randomly: a digest of the seed and each one's id, the same on every version."""
    return hashlib.sha256(f"{seed} {question_id}".encode()).digest()


def questions_digest(questions: Sequence[Question]) -> str:
    """Return the SHA-256 of everything that draws and labels read of some questions, in their order."""
    texts = [
        # What a question does not have is left out, so that digests of before there was such a thing still hold.
        [q.id, q.text, q.category, q.answers, q.incorrect_answers]
        + [{"context": q.context, "system": q.system, "choices": q.choices}] * bool(q.context or q.system or q.choices)
        for q in questions
    ]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are drawn; every sampler is set, no library default applies.

    The defaults are those of METHODS: ten i.i.d. samples of the untruncated distribution at T = 1.
    """

    samples: int = 10
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 100
    greedy_max_tokens: int = 100
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a question becomes a prompt.

    Attributes:
        mode: `chat` renders the model's template, `base` writes `Q: ...` and `A:`, `auto` takes chat where the
            model has a template.
        system: The system prompt; empty for none. Chat mode only.
        template: A Jinja template that replaces the model's own; sees `question`, `system` and `messages`.
        thinking: Whether to leave thinking on where the template can turn it off.
        think_open: Marker that opens a thinking block.
        think_close: Marker that closes a thinking block. The default pair stands for those of every known family.
        all_switches: Whether thinking is switched by every name that templates read for it; runs that were begun by
            version 0.1.0 go on with the two names that it knew.
    """

    mode: str = "auto"
    system: str = "Answer briefly and directly in 1-2 sentences."
    template: str | None = None
    thinking: bool = False
    think_open: str = "<think>"
    think_close: str = "</think>"
    all_switches: bool = False


class GenerationState(StrEnum):
    """What became of one draw."""

    VALID = "valid"
    EMPTY = "empty"
    THINKING_UNCLOSED = "thinking_unclosed"
    ERROR = "error"


@dataclass(frozen=True, slots=True, eq=False)
class TokenStatistics:
    """Statistics of the untempered next-token distribution over the full vocabulary, in nats.

    Every array has one row a generated token, end-of-text left out; one that was not recorded is `None`.

    Attributes:
        token_ids: int32 ids.
        entropies: float32, H_t = -sum p ln p.
        logprobs: float32, ln p of the chosen token.
        logits: float32, raw logit of the chosen token.
        answer_mask: bool, True for tokens of the answer (not thinking, not special); `None` when all are.
    """

    token_ids: NDArray[np.int32] | None = None
    entropies: Float32Array | None = None
    logprobs: Float32Array | None = None
    logits: Float32Array | None = None
    answer_mask: NDArray[np.bool_] | None = None

    def of_answer(self, array: Float32Array | None) -> Float32Array | None:
        """Return the rows of `array` that belong to the answer, `None` where it was not recorded."""
        if array is None or self.answer_mask is None:
            return array
        return array[self.answer_mask]


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One drawn answer, greedy (`sample_index == GREEDY`) or sampled.

    Attributes:
        text: Raw text, thinking included; of a draw that failed the reason.
        answer: What follows the thinking, stripped; empty when there is no answer.
        finish_reason: `stop`, `length`, or `None` where it was not recorded.
        tokens: Tokens generated, thinking included, end-of-text left out; `None` where it was not recorded.
        seconds: Wall time from the start of the draw to its end, in a batch with others; `None` if unknown.
    """

    question_id: str
    sample_index: int
    text: str
    answer: str
    state: GenerationState
    finish_reason: str | None = None
    tokens: int | None = None
    statistics: TokenStatistics = field(default_factory=TokenStatistics)
    seconds: float | None = None

    @property
    def is_valid(self) -> bool:
        """No error and a non-empty answer; one cut at the limit is valid."""
        return self.state is GenerationState.VALID

    @property
    def is_truncated(self) -> bool:
        """Whether the draw was cut at `max_tokens`."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True, eq=False)
class LateSamples(Sequence[Generation]):
    """The samples of one question, read whenever they are asked for.

    Attributes:
        size: How many there were; what is drawn later is left out.
        valid_count: How many of them hold an answer.
        read: Returns those of a position.
    """

    size: int
    valid_count: int
    position: int
    read: Callable[[int], Sequence[Generation]]

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Generation: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Generation]: ...
    def __getitem__(self, index: int | slice) -> Generation | Sequence[Generation]:
        return self.read(self.position)[: self.size][index]

    def __iter__(self) -> Iterator[Generation]:
        return iter(self[:])


@dataclass(frozen=True, slots=True, eq=False)
class SampleSet:
    """All draws of one question, samples in the order of their index."""

    question: Question
    greedy: Generation | None
    samples: Sequence[Generation]

    @property
    def valid_samples(self) -> list[Generation]:
        """The samples that hold an answer, in the order of their index."""
        return [sample for sample in self.samples if sample.is_valid]

    @property
    def valid_count(self) -> int:
        """How many samples hold an answer."""
        if isinstance(self.samples, LateSamples):
            return self.samples.valid_count
        return sum(sample.is_valid for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Clustering:
    """The clusters of one question's valid samples.

    Attributes:
        assignment: Cluster number of each valid sample in the order of its index, numbered from 0 by first
            appearance.
    """

    question_id: str
    method: ClusteringMethod
    assignment: tuple[int, ...]

    @property
    def clusters(self) -> int:
        """D(q), the number of clusters."""
        return len(set(self.assignment))


class LabelValue(StrEnum):
    """What a judge says of an answer; only the first two enter AUROC."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    AMBIGUOUS = "ambiguous"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Label:
    """A judge's verdict on one answer with its reason in words: the greedy one, or that of `sample_index`."""

    question_id: str
    judge: str
    value: LabelValue
    reason: str = ""
    sample_index: int = GREEDY


@dataclass(frozen=True, slots=True)
class SignalValue:
    """One signal on one question, oriented so that higher is more uncertain.

    Attributes:
        value: `None` where it is not defined for this question.
        seconds: What computing it cost beyond what was there already.
    """

    question_id: str
    signal: str
    value: float | None
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What the model said when it was asked about its own greedy answer.

    Attributes:
        kind: `p_true` or `verbalized`.
        value: P(True), or the confidence in [0, 1] that it put into words; `None` where there is none.
        text: Its reply; empty where only the probabilities of the next token were read.
        tokens: Prompt and reply together.
    """

    question_id: str
    kind: str
    value: float | None
    reason: str = ""
    text: str = ""
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ResourceCost:
    """What one question cost in something that signals are computed from and share.

    Attributes:
        resource: A key of `signals.signal.RESOURCES`.
        seconds: Wall time; of answers drawn together each has the share of its tokens.
        tokens: Written by the model, and for a call those of its prompt too; 0 where no model wrote.
    """

    question_id: str
    resource: str
    seconds: float
    tokens: int = 0
