"""What the pipeline asks of any generator: draws in, finished answers out, one step at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homogaudit.questions.prompts import Prompt
from homogaudit.records import Decoding, Generation


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """The draws of one question that are still missing.

    Attributes:
        sample_indexes: Ascending; `GREEDY` first where the greedy answer is missing.
        later: Those that may be drawn once these are there, by `Drawing.draw_later`.
    """

    question_id: str
    prompt: Prompt
    sample_indexes: tuple[int, ...]
    later: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratorFacts:
    """What a loaded generator is and runs on.

    Attributes:
        device: For people, for example `CPU (2 threads)`.
        slots: Answers drawn at the same time.
        context: Tokens of context that all slots have together.
        memory_bytes: Estimate of weights, cache and logits.
        mode: `chat` or `base`.
        seconds_per_step: Time of one step with every slot in use, measured; `None` before `draw`.
        details: Versions, layers on the GPU, and what else belongs into the provenance.
        warnings: What did not go as planned, for example fewer layers on the GPU for lack of memory.
        seconds_per_single_step: Time of one step with one slot in use, measured: that of one answer after the other.
    """

    device: str
    slots: int
    context: int
    memory_bytes: int
    mode: str
    seconds_per_step: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    seconds_per_single_step: float | None = None


@dataclass(slots=True)
class SamplerCounts:
    """What drawing has cost so far.

    Attributes:
        passes: Tokens of branches forwarded; samples with the same prefix share one.
        tokens: Answer tokens drawn, all samples together.
        model_seconds: Time inside the model, for answers.
        prompt_seconds: The part of it that went to prompts.
        seconds: All of the time, that of follow-ups too.
        asking_seconds: The part of it that went to follow-ups.
    """

    passes: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    steps: int = 0
    model_seconds: float = 0.0
    prompt_seconds: float = 0.0
    seconds: float = 0.0
    asking_seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class NextTokens:
    """Some of the tokens that a model may write next.

    Attributes:
        logprobs: ln p of each over the full vocabulary, untempered, nats.
        reason: Why nothing is known of them; empty where something is.
    """

    texts: tuple[str, ...]
    logprobs: NDArray[np.float64]
    prompt_tokens: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Something to ask about a greedy answer as soon as it is there.

    Attributes:
        kind: What the reply is known by.
        prompt: Whatever of it is still in the cache, from drawing the answer, is not computed again.
        limit: Most tokens of a greedy reply; 0 where only the next token is asked for.
        words: Whose tokens are read of the next one, as `Generator.next_tokens` takes them.
    """

    kind: str
    prompt: Prompt
    limit: int = 0
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FollowUpReply:
    """What came of a `FollowUp`.

    Attributes:
        tokens: Computed for it: those of the prompt that were not in the cache, and those written.
        seconds: That it took; of steps shared with answers, its share.
    """

    question_id: str
    kind: str
    said: NextTokens | Generation
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What is to be asked about greedy answers.

    Attributes:
        about: Returns what is to be asked about one of them.
        longest: Tokens of the longest reply.
    """

    about: Callable[[Generation], Sequence[FollowUp]]
    longest: int


class Drawing(Protocol):
    """Draws in progress; pausing is not calling `step`."""

    @property
    def counts(self) -> SamplerCounts:
        """What the drawing has cost so far."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether every requested draw is finished."""
        ...

    @property
    def live(self) -> int:
        """Answers being drawn now."""
        ...

    def step(self) -> list[Generation]:
        """Advance every live answer by one token; return those that finished."""
        ...

    def draw_later(self, question_id: str) -> None:
        """Draw what a request has left for later, as soon as there is room; its other draws are finished."""
        ...

    def take_replies(self) -> list[FollowUpReply]:
        """Return what was said to follow-ups since the last call, each behind its greedy answer."""
        ...

    def live_texts(self) -> dict[tuple[str, int], str]:
        """Return the text so far of every answer being drawn, by (question id, sample index)."""
        ...

    def live_tokens(self) -> list[int]:
        """Return how many tokens each answer has that is being drawn, where that is known."""
        ...

    def take_started(self) -> list[str]:
        """Return the ids of the questions whose first draw has started since the last call."""
        ...


class Generator(Protocol):
    """A loaded model that can draw answers."""

    @property
    def facts(self) -> GeneratorFacts:
        """What it is and runs on; slots, context and speed are known once `draw` was called."""
        ...

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        """Render the prompt of one question, with a system prompt of its own before the run's."""
        ...

    def follow_up_prompt(self, question: str, answer: str, follow_up: str, system: str | None = None) -> Prompt | None:
        """Render what goes on with `follow_up` after the model's `answer`; `None` where that cannot be rendered."""
        ...

    def draw(self, requests: Iterable[DrawRequest], decoding: Decoding, follow_ups: FollowUps | None = None) -> Drawing:
        """Start to draw; nothing runs before the first `step`. The requests are read once, at any time.

        `follow_ups` are asked beside the answers as far as the engine can and has room; what got no reply is to be
        asked when the drawing is done.
        """
        ...

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens | None]:
        """Yield, for each prompt, the tokens that spell one of `words` in any case, white space around it or not.

        `None` stands for a moment in which nothing came, so that whoever iterates can stop. Not while a drawing is in
        progress: they use the same cache.
        """
        ...

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the bytes that each token stands for."""
        ...

    def close(self) -> None:
        """Free the model's memory."""
        ...
