"""What the generators of local models share: prompts, lengths, the start of drawing, facts, and next tokens.

It knows the tokens of a model and sequences behind the `SequenceModel` protocol; loading, devices, and how many answers
fit into memory are each engine's own.
"""

import contextlib
import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from homogaudit.config.machine import physical_cores
from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.asking import Asker, NextTokenReader, shared_length
from homogaudit.generation.batched_sampler import BatchedSampler, NoRoomError, SequenceModel
from homogaudit.generation.generator import DrawRequest, FollowUps, GeneratorFacts, NextTokens
from homogaudit.generation.slot_choice import KeptSlots
from homogaudit.questions.prompts import Prompt, PromptRenderer
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting

if TYPE_CHECKING:
    from homogaudit.generation.llama_model import LlamaModel
    from homogaudit.generation.torch_statistics import TorchTokenSampler
    from homogaudit.generation.transformers_tokens import ModelTokens

MEMORY_SHARE = 0.5
"""Share of the free memory that cache and logits may take: the embedder and the user need the rest."""

WARM_UP_STEPS = 3
"""Steps timed before drawing; the context has room for them even where answers are shorter."""

Tokens = TypeVar("Tokens", bound="LlamaModel | ModelTokens")


@dataclass(frozen=True, slots=True)
class StepSeconds:
    """Seconds of one step with every slot in use, and with one."""

    full: float
    single: float


@dataclass(frozen=True, slots=True)
class Preparation:
    """What an engine has made ready for a drawing.

    Attributes:
        wanted: Slots that it would have taken with more memory.
        prefix: Leading tokens that all prompts share.
        context: Tokens of context that all slots have together.
        memory_bytes: Estimate of weights, cache and logits.
        seconds: Of a step, measured; `None` where that was not possible.
        sampler: Chooses tokens; `None` for the one on the CPU.
    """

    sequences: SequenceModel
    slots: int
    wanted: int
    prefix: int
    context: int
    memory_bytes: int
    seconds: StepSeconds | None
    warnings: tuple[str, ...]
    sampler: "TorchTokenSampler | None" = None


class LocalGenerator(ABC, Generic[Tokens]):
    """Draws answers from a model on this machine.

    Prompts are rendered with the run's date, `now`, so that a resumed run renders the same. `gpu_layers` is `None` for
    as many as fit; of a folder 0 alone means something: none. `threads` are the physical cores by default, and `slots`,
    answers drawn at the same time, are chosen from device, model and memory: for a GGUF file whose answers share one
    cache they are measured, and kept in `kept_slots`.

    Raises:
        ModelError: The model cannot be loaded.
        ConfigError: The prompt template cannot be used.
    """

    _size: int
    """Bytes of the weights; `_load` sets both."""
    _train_context: int

    def __init__(
        self,
        path: Path,
        prompting: Prompting,
        *,
        now: datetime,
        gpu_layers: int | None = None,
        threads: int | None = None,
        slots: int | None = None,
        kept_slots: KeptSlots | None = None,
    ) -> None:
        self._prompting = prompting
        self._kept_slots = kept_slots or KeptSlots(path)
        self._threads = threads or physical_cores()
        self._slots = slots
        self._tokens = tokens = self._load(path, gpu_layers)
        self._drawing: BatchedSampler | None = None
        self._readers: dict[frozenset[str], NextTokenReader] = {}
        self.chat_template = tokens.chat_template
        self._renderer = self._make_renderer(now)
        self.thinking = self._renderer.thinking
        # The parser must see every control token that is part of a marker, and answers end where the family ends them.
        for text in self.thinking.shown:
            tokens.show_marker(text)
        for text in self.thinking.ends_message:
            tokens.set_end(text, ends=False)
        for text in self.thinking.ends_answer:
            tokens.set_end(text, ends=True)
        self._facts = self._facts_at_first()

    def renew(self, now: datetime) -> None:
        """Be as if newly loaded, for another run of the same prompting with this date; the cache is freed."""
        self._free_cache()
        self._drawing = None
        self._renderer = self._make_renderer(now)
        self._facts = self._facts_at_first()

    def _make_renderer(self, now: datetime) -> PromptRenderer:
        return PromptRenderer(
            self._prompting,
            chat_template=self.chat_template,
            bos_token=self._tokens.bos_text,
            eos_token=self._tokens.eos_text,
            now=now,
            has_token=self._tokens.has_token,
        )

    def _facts_at_first(self) -> GeneratorFacts:
        return GeneratorFacts(self._device_text(), 0, 0, self._size, self._renderer.mode, details=self._details())

    @property
    def facts(self) -> GeneratorFacts:
        """What it is and runs on; slots, context and speed are known once `draw` was called."""
        if self._drawing is None or self._drawing.slots >= self._facts.slots:
            return self._facts
        slots = self._drawing.slots
        warning = f"memory ran out: {slots} answer{'s are' if slots > 1 else ' is'} drawn at a time from here on"
        return dataclasses.replace(self._facts, slots=slots, warnings=(*self._facts.warnings, warning))

    def _cpu_text(self, *details: str) -> str:
        """Return the CPU as people read it."""
        threads = f"{self._threads} thread{'s' if self._threads != 1 else ''}"
        return f"CPU ({', '.join((threads, *details))})"

    def _details(self) -> dict[str, str | int]:
        """Return what belongs into the provenance."""
        return {
            **self._engine_details(),
            "vocabulary": self._tokens.vocabulary,
            "train_context": self._train_context,
            "threads": self._threads,
        }

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        """Render the prompt of one question, with a system prompt of its own before the run's."""
        return self._renderer.render(question, system)

    def follow_up_prompt(self, question: str, answer: str, follow_up: str, system: str | None = None) -> Prompt | None:
        """Render what goes on with `follow_up` after the model's `answer`; `None` where the template has no place."""
        return self._renderer.render_follow_up(question, answer, follow_up, system)

    def draw(
        self,
        requests: Iterable[DrawRequest],
        decoding: Decoding,
        follow_ups: FollowUps | None = None,
        *,
        share_prefixes: bool = True,
    ) -> BatchedSampler:
        """Choose the slots for `requests` and start to draw; `share_prefixes` is off only to measure what it saves.

        Raises:
            ContextTooShortError: A prompt and its answer exceed the context that the model was trained for.
            ModelError: There is no memory for a single answer.
        """
        requests = list(requests)
        prompts = [self._tokens.prompt_tokens(request.prompt) for request in requests]
        check_lengths(requests, prompts, decoding, self._train_context)
        asker = None if follow_ups is None else self._asker(follow_ups)
        asking = 0 if asker is None else _asking_cells(asker, requests, prompts, decoding)
        ready = self._prepare(requests, prompts, decoding, asking)
        warnings = list(ready.warnings)
        if ready.slots < ready.wanted:
            warnings.append(f"memory holds {ready.slots} answers at a time, not {ready.wanted}")
        # Named anew: the engine may have had to give up layers on the GPU.
        self._facts = dataclasses.replace(
            self._facts,
            device=self._device_text(),
            warnings=tuple(warnings),
            details=self._details(),
            slots=ready.slots,
            context=ready.context,
            memory_bytes=ready.memory_bytes,
            seconds_per_step=ready.seconds.full if ready.seconds else None,
            seconds_per_single_step=ready.seconds.single if ready.seconds else None,
        )
        self._drawing = BatchedSampler(
            ready.sequences,
            requests,
            prompts,
            decoding=decoding,
            prompting=self._prompting,
            slots=ready.slots,
            prefix=ready.prefix,
            share_prefixes=share_prefixes,
            sampler=ready.sampler,
            asker=asker,
        )
        return self._drawing

    def _asker(self, follow_ups: FollowUps) -> Asker:
        return Asker(follow_ups, self._tokens.prompt_tokens, self._reader, self._train_context)

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens]:
        """Yield, for each prompt, the tokens that spell one of `words` in any case, white space around it or not.

        Raises:
            ContextTooShortError: A prompt exceeds the context that the model was trained for.
            ModelError: There is no memory for the longest prompt.
        """
        tokenized = [self._tokens.prompt_tokens(prompt) for prompt in prompts]
        if not tokenized:
            return
        longest = max(map(len, tokenized))
        if longest > self._train_context:
            raise ContextTooShortError(
                f"a prompt of {longest} tokens exceeds the model's context of {self._train_context}"
            )
        reader = self._reader(frozenset(words))
        try:
            sequences, prefix = self._open_reading(tokenized)
            if prefix:
                sequences.prefill(0, tokenized[0][:prefix], 0)
            for tokens in tokenized:
                begun = time.perf_counter()
                if prefix:
                    sequences.fork(0, 1)
                row = sequences.prefill(1, tokens[prefix:], prefix)
                logprobs = reader.logprobs(row)
                sequences.free(1)
                yield NextTokens(reader.texts, logprobs, len(tokens), time.perf_counter() - begun)
        except NoRoomError:
            raise ModelError(f"no memory for a prompt of {longest} tokens", "choose a smaller model") from None

    def _reader(self, words: frozenset[str]) -> NextTokenReader:
        """Return what reads the tokens that spell one of some words; looked up once: a vocabulary has 150,000."""
        if words not in self._readers:
            spelled = {x: text for x, text in self._texts() if text.strip().casefold() in words}
            self._readers[words] = NextTokenReader(tuple(spelled.values()), np.fromiter(spelled, np.intp, len(spelled)))
        return self._readers[words]

    def _texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of every token that is text by itself."""
        for number in range(self._tokens.vocabulary):
            with contextlib.suppress(UnicodeDecodeError):
                yield number, self._tokens.piece(number).decode()

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the bytes that each token stands for."""
        return {number: self._tokens.piece(number) for number in ids}

    @abstractmethod
    def _load(self, path: Path, gpu_layers: int | None) -> Tokens:
        """Load the model and return its tokens.

        Raises:
            ModelError: It cannot be loaded.
        """

    @abstractmethod
    def close(self) -> None:
        """Free cache and weights."""

    @abstractmethod
    def _free_cache(self) -> None:
        """Free what the last drawing took beside the weights."""

    @property
    @abstractmethod
    def logits_share(self) -> float:
        """Share of a token's matrix products that compute its logits, which of a prompt only the last token needs."""

    @abstractmethod
    def _device_text(self) -> str:
        """Return what the model runs on, for people."""

    @abstractmethod
    def _engine_details(self) -> dict[str, str | int]:
        """Return versions, the model's own description, and how it lies on the device."""

    @abstractmethod
    def _prepare(
        self, requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding, asking: int
    ) -> Preparation:
        """Choose slots that fit into memory and open sequences for them; `prompts` are the requests' token ids.

        `asking` are the tokens that asking about one greedy answer adds, 0 where nothing is asked.

        Raises:
            ModelError: There is no memory for a single answer.
        """

    @abstractmethod
    def _open_reading(self, prompts: Sequence[Sequence[int]]) -> tuple[Any, int]:
        """Return sequences 0 and 1 for prompts that are only read, and how many leading tokens are to be shared.

        Raises:
            ModelError: There is no memory for the longest prompt.
        """


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all prompts share, leaving each at least one of its own.

    With a single prompt there is nothing to share: 0.
    """
    if len(prompts) < 2:
        return 0
    shared = shared_length(min(map(list, prompts)), max(map(list, prompts)))
    return max(0, min(shared, min(map(len, prompts)) - 1))


def draws_of_one(requests: Sequence[DrawRequest]) -> int:
    """Return how many answers of a question are drawn together: where some may come later, of the shortest request."""
    counts = [len(request.sample_indexes) for request in requests if request.sample_indexes]
    return min(counts) if any(request.later for request in requests) else max(counts)


def _asking_cells(
    asker: Asker, requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding
) -> int:
    """Return how many tokens asking about one greedy answer adds to the cache at most, the answer's own included."""
    request, prompt = max(zip(requests, prompts, strict=True), key=lambda pair: len(pair[1]))
    example = Generation(request.question_id, GREEDY, ".", ".", GenerationState.VALID)
    asked = asker.about(example)
    added = sum(len(x.tokens) - shared_length(prompt, x.tokens) + x.follow_up.limit for x in asked)
    return added + decoding.greedy_max_tokens if asked else 0


def check_lengths(
    requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding, room: int
) -> None:
    """Check that every prompt and its answer fit the context that the model was trained for.

    Raises:
        ContextTooShortError: A prompt and its answer exceed `room`.
        ModelError: A prompt has no tokens.
    """
    longest = max(decoding.max_tokens, decoding.greedy_max_tokens)
    too_long = tuple(x.question_id for x, y in zip(requests, prompts, strict=True) if len(y) + longest > room)
    for request, tokens in zip(requests, prompts, strict=True):
        if not tokens:
            raise ModelError(f"the prompt of question `{request.question_id}` has no tokens")
        if len(tokens) + longest > room:
            raise ContextTooShortError(
                f"the prompt of question `{request.question_id}` has {len(tokens)} tokens; with {longest} for "
                f"the answer it exceeds the model's context of {room}",
                "lower `--max-tokens`, or leave the question out",
                too_long,
            )


def warm_up(sequences: SequenceModel, prompt: Sequence[int], slots: int) -> StepSeconds:
    """Return what a step takes; the caches are warm and the cells free afterwards.

    Raises:
        NoRoomError: The cache does not hold so many.
    """

    def measure(live: int, position: int) -> float:
        numbers = np.arange(live, dtype=np.int32)
        seconds: list[float] = []
        for step in range(position, position + WARM_UP_STEPS):
            begun = time.perf_counter()
            sequences.step(numbers, np.full(live, prompt[-1], np.int32), np.full(live, step, np.int32))
            seconds.append(time.perf_counter() - begun)
        return min(seconds)

    live = slots
    try:
        sequences.prefill(0, prompt, 0)
        for sequence in range(1, slots):
            sequences.fork(0, sequence)
        full = measure(slots, len(prompt))
        if slots == 1:
            return StepSeconds(full, full)
        # The cells of the others have room for what one writes on.
        while live > 1:
            live -= 1
            sequences.free(live)
        return StepSeconds(full, measure(1, len(prompt) + WARM_UP_STEPS))
    finally:
        for sequence in range(live):
            sequences.free(sequence)
