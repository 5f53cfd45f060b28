"""The generator for GGUF files: sizes the context, renders prompts, and starts batched sampling."""

import contextlib
import dataclasses
import importlib.metadata
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from homogaudit.config.machine import machine_memory, physical_cores
from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.batched_sampler import BatchedSampler
from homogaudit.generation.devices import llama_devices
from homogaudit.generation.generator import DrawRequest, GeneratorFacts, NextTokens
from homogaudit.generation.llama_model import MAX_SEQUENCES, LlamaModel, LlamaSequences
from homogaudit.generation.marker_tokens import adopt_markers
from homogaudit.generation.planning import WARM_UP_STEPS, check_lengths, common_prefix, warm_up
from homogaudit.questions.prompts import Prompt, PromptRenderer
from homogaudit.records import Decoding, Prompting

__all__ = ["LlamaCppGenerator", "common_prefix"]

_CPU_STEP_COST = 4.0
_GPU_STEP_COST = 100.0
"""What a step costs whatever its width (reading the weights, starting kernels), in tokens of matrix products: on two
CPU cores a step of one sequence takes as long as four more sequences add; a GPU is idle below about a hundred."""

_MOST_SLOTS = 128
"""Wider steps gain little on any device and cost memory for logits."""

_MEMORY_SHARE = 0.5
"""Share of the available memory that cache and logits may take: the embedder and the user need the rest."""

_UNKNOWN_MEMORY = 4 << 30
"""Bytes to plan with where the system does not say what is free."""


class LlamaCppGenerator:
    """Draws answers from a GGUF file.

    Args:
        path: The model file.
        prompting: How questions become prompts.
        now: The run's date, so that a resumed run renders the same prompts.
        gpu_layers: Layers on the GPU; `None` for as many as fit.
        threads: CPU threads; `None` for the physical cores.
        slots: Answers drawn at the same time; `None` to choose from model, context and memory.
        share_prefixes: Whether equal prefixes of samples share a pass; off only to measure it.

    Raises:
        ModelError: The file cannot be loaded.
        ConfigError: The prompt template cannot be used.
    """

    def __init__(
        self,
        path: Path,
        prompting: Prompting,
        *,
        now: datetime,
        gpu_layers: int | None = None,
        threads: int | None = None,
        slots: int | None = None,
        share_prefixes: bool = True,
    ) -> None:
        self._model = LlamaModel(path, gpu_layers=gpu_layers)
        self._prompting = prompting
        self._threads = threads or physical_cores()
        self._slots = slots
        self._share_prefixes = share_prefixes
        self._sequences: LlamaSequences | None = None
        self.chat_template = self._model.chat_template
        self._renderer = PromptRenderer(
            prompting,
            chat_template=self.chat_template,
            bos_token=self._model.bos_text,
            eos_token=self._model.eos_text,
            now=now,
            has_token=self._model.has_token,
        )
        self.thinking = self._renderer.thinking
        adopt_markers(self._model, self.thinking)
        self.facts = GeneratorFacts(
            self._device(), 0, 0, self._model.size, self._renderer.mode, details=self._details()
        )

    def _device(self) -> str:
        gpus = [device for device in llama_devices() if device.is_gpu]
        if self._model.gpu_layers and gpus:
            layers = min(self._model.gpu_layers, self._model.layers + 1)
            return f"{gpus[0].description or gpus[0].name} ({layers} of {self._model.layers + 1} layers)"
        return f"CPU ({self._threads} thread{'s' if self._threads != 1 else ''})"

    def _details(self) -> dict[str, str | int]:
        return {
            "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
            "model": self._model.description,
            "vocabulary": self._model.vocabulary,
            "train_context": self._model.train_context,
            "threads": self._threads,
            "gpu_layers": min(self._model.gpu_layers, self._model.layers + 1),
        }

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        """Render the prompt of one question, with a system prompt of its own before the run's."""
        return self._renderer.render(question, system)

    def draw(self, requests: Sequence[DrawRequest], decoding: Decoding) -> BatchedSampler:
        """Size a context for `requests` and start to draw.

        Raises:
            ContextTooShortError: A prompt and its answer exceed the context that the model was trained for.
            ModelError: There is no memory for a single answer.
        """
        prompts = [self._model.prompt_tokens(request.prompt) for request in requests]
        check_lengths(requests, prompts, decoding, self._model.train_context)
        prefix = common_prefix(prompts)
        draws = max(len(request.sample_indexes) for request in requests)
        total = sum(len(request.sample_indexes) for request in requests)
        longest = max(len(tokens) for tokens in prompts)
        can_fork = not self._model.is_recurrent or self._batching_is_sound(prompts[0])
        wanted = slots = 1 if not can_fork else self._choose_slots(decoding, draws, total, longest, prefix)
        warnings: list[str] = []
        if not can_fork:
            warnings.append("this recurrent model answers differently in a batch: one answer is drawn at a time")
        while True:
            cells = _cells(decoding, slots, draws, longest, prefix)
            try:
                sequences = self._open_sequences(slots, cells, can_fork=can_fork)
                break
            except ModelError:
                # Fewer slots first: layers on the GPU are worth more than answers at the same time.
                if slots > 1:
                    slots //= 2
                elif self._model.offload_less():
                    slots = wanted
                else:
                    raise
        if slots < wanted:
            warnings.append(f"memory holds {slots} answers at a time, not {wanted}")
        if self._model.gives_up_layers:
            warnings.append(f"memory holds only part of the model on the GPU: {self._device()}")
        seconds = warm_up(sequences, prompts[0], slots) if can_fork else None
        self.facts = dataclasses.replace(
            self.facts,
            device=self._device(),
            warnings=tuple(warnings),
            details=self._details(),
            slots=slots,
            context=cells,
            memory_bytes=self._memory_bytes(slots, cells),
            seconds_per_step=seconds.full if seconds else None,
            seconds_per_single_step=seconds.single if seconds else None,
        )
        return BatchedSampler(
            sequences,
            requests,
            prompts,
            decoding=decoding,
            prompting=self._prompting,
            slots=slots,
            prefix=prefix,
            share_prefixes=self._share_prefixes,
        )

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens]:
        """Yield, for each prompt, the tokens that spell one of `words` in any case, white space around it or not.

        Raises:
            ContextTooShortError: A prompt exceeds the context that the model was trained for.
            ModelError: There is no memory for the longest prompt.
        """
        tokenized = [self._model.prompt_tokens(prompt) for prompt in prompts]
        longest = max(map(len, tokenized), default=0)
        if longest > self._model.train_context:
            raise ContextTooShortError(
                f"a prompt of {longest} tokens exceeds the model's context of {self._model.train_context}"
            )
        spelled = {number: text for number, text in self._vocabulary() if text.strip().casefold() in words}
        ids = np.fromiter(spelled, np.intp, len(spelled))
        prefix = 0 if self._model.is_recurrent else common_prefix(tokenized)
        cells = -(-(2 * longest + 1) // 256) * 256
        sequences = self._open_sequences(2, cells, can_fork=not self._model.is_recurrent)
        if prefix:
            sequences.prefill(0, tokenized[0][:prefix], 0)
        for tokens in tokenized:
            begun = time.perf_counter()
            if prefix:
                sequences.fork(0, 1)
            # In float64: a sum over 262,144 terms keeps its digits.
            logits = sequences.prefill(1, tokens[prefix:], prefix).astype(np.float64)
            sequences.free(1)
            top = logits.max()
            logprobs = logits[ids] - (top + np.log(np.exp(logits - top).sum()))
            yield NextTokens(tuple(spelled.values()), logprobs, len(tokens), time.perf_counter() - begun)

    def _vocabulary(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of every token that is text by itself."""
        for number in range(self._model.vocabulary):
            with contextlib.suppress(UnicodeDecodeError):
                yield number, self._model.piece(number).decode()

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the bytes that each token stands for."""
        return {number: self._model.piece(number) for number in ids}

    def close(self) -> None:
        """Free cache and weights."""
        if self._sequences:
            self._sequences.close()
            self._sequences = None
        self._model.close()

    def _open_sequences(self, slots: int, cells: int, *, can_fork: bool) -> LlamaSequences:
        if self._sequences:
            self._sequences.close()
            self._sequences = None
        self._sequences = LlamaSequences(
            self._model, sequences=slots + 2, cells=cells, threads=self._threads, can_fork=can_fork
        )
        return self._sequences

    def _choose_slots(self, decoding: Decoding, draws: int, total: int, longest: int, prefix: int) -> int:
        limit = min(MAX_SEQUENCES - 2, max(1, total))
        if self._slots:
            return min(self._slots, limit)
        slots = min(self._best_slots(decoding), limit)
        memory = machine_memory().available or _UNKNOWN_MEMORY
        if self._model.gpu_layers:
            memory = min(memory, *(d.memory_free or memory for d in llama_devices() if d.is_gpu))
        while slots > 1:
            cells = _cells(decoding, slots, draws, longest, prefix)
            if self._memory_bytes(slots, cells) - self._model.size <= _MEMORY_SHARE * memory:
                break
            slots -= 1
        return slots

    def _best_slots(self, decoding: Decoding) -> int:
        """Return the number of slots that draws the most tokens a second.

        Every sequence attends over the cells of all, so a step of s sequences with answers of mean length l costs
        w + s + r s^2 l (in tokens of matrix products; r is what one cell adds), and s / cost is largest at
        s = sqrt(w / (r l)).
        """
        step_cost = _GPU_STEP_COST if self._model.gpu_layers else _CPU_STEP_COST
        # A live answer is on average half as long as a finished one.
        mean_length = max(1.0, decoding.max_tokens / 2)
        best = (step_cost / (self._model.attention_share_per_cell * mean_length)) ** 0.5
        return max(1, min(round(best), _MOST_SLOTS))

    def _memory_bytes(self, slots: int, cells: int) -> int:
        # Logits once in llama.cpp and twice in the token sampler.
        logits = 3 * 4 * slots * self._model.vocabulary
        return self._model.size + cells * self._model.cache_bytes_per_token + logits

    def _batching_is_sound(self, tokens: Sequence[int]) -> bool:
        """Whether a recurrent model gives forked sequences the answers that it gives alone.

        Some recurrent and hybrid architectures mix up the states of a batch; equal greedy prompts tell.
        """
        steps = 8
        texts: list[list[int]] = []
        for width in (1, 3):
            sequences = self._open_sequences(width, 2 * len(tokens) + 4 * steps + 256, can_fork=True)
            logits = sequences.prefill(0, tokens, 0)
            first = int(logits.argmax())
            for sequence in range(1, width):
                sequences.fork(0, sequence)
            answers = [[first] for _ in range(width)]
            for position in range(len(tokens), len(tokens) + steps):
                rows = sequences.step(
                    np.arange(width, dtype=np.int32),
                    np.array([answer[-1] for answer in answers], np.int32),
                    np.full(width, position, np.int32),
                )
                for answer, row in zip(answers, rows, strict=True):
                    answer.append(int(row.argmax()))
            texts += answers
        return all(text == texts[0] for text in texts)


def _cells(decoding: Decoding, slots: int, draws: int, longest: int, prefix: int) -> int:
    """Return the cells that `slots` answers need: answers apart, prompts once a question, the prefix once."""
    questions = -(-slots // draws) + 1
    length = max(decoding.max_tokens, WARM_UP_STEPS)
    answers = slots * length + questions * max(0, decoding.greedy_max_tokens - length)
    cells = prefix + questions * (longest - prefix) + answers
    return -(-cells // 256) * 256
