"""The generator for GGUF files: slots and context that fit into memory, and layers on the GPU."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from homogaudit.config.machine import machine_memory
from homogaudit.errors import ModelError
from homogaudit.generation.batched_sampler import SPARE_SEQUENCES, NoRoomError
from homogaudit.generation.devices import llama_devices
from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import MAX_SEQUENCES, LlamaSequences
from homogaudit.generation.local_generator import (
    MEMORY_SHARE,
    WARM_UP_STEPS,
    LocalGenerator,
    Preparation,
    common_prefix,
    draws_of_one,
    warm_up,
)
from homogaudit.generation.slot_choice import (
    CPU_SLOTS,
    GPU_SLOTS,
    STEPS,
    best_slots,
    measure_speeds,
)
from homogaudit.records import Decoding

_CPU_STEP_COST = 4.0
_GPU_STEP_COST = 100.0
"""What a step costs whatever its width (reading the weights, starting kernels), in tokens of matrix products: on two
CPU cores a step of one sequence takes as long as four more sequences add; a GPU is idle below about a hundred."""

_STRETCH = 2
"""Times the best number of slots that are taken where they hold all answers: a last wave of a few is slow."""

_UNKNOWN_MEMORY = 4 << 30
"""Bytes to plan with where the system does not say what is free."""


@dataclass(frozen=True, slots=True)
class _Cache:
    """Cells, and whether all sequences share them or each has a stream of its own."""

    cells: int
    is_unified: bool


@dataclass(frozen=True, slots=True)
class _Lengths:
    """What is to be drawn, in tokens.

    Attributes:
        draws: Answers of a question.
        longest: Prompt.
        prefix: Leading tokens that all prompts share.
        answer: Of an answer at most.
        greedy: Of a greedy answer at most.
        asking: That asking about one greedy answer adds.
    """

    draws: int
    longest: int
    prefix: int
    answer: int
    greedy: int
    asking: int

    def unified(self, slots: int) -> _Cache:
        """Return what `slots` answers need: answers apart, prompts once a question, the prefix once."""
        questions = -(-slots // self.draws) + 1
        length = max(self.answer, WARM_UP_STEPS)
        answers = slots * length + questions * max(0, self.greedy - length)
        cells = self.prefix + questions * (self.longest - self.prefix + self.asking) + answers
        return _Cache(_rounded(cells), is_unified=True)

    def streams(self, slots: int) -> _Cache:
        """Return what `slots` answers need where each stream holds all that a sequence may become."""
        length = self.longest + max(self.answer, WARM_UP_STEPS, self.greedy, self.asking)
        return _streams(slots, length)


def _streams(slots: int, length: int) -> _Cache:
    """Return a stream of so many tokens for each sequence that `slots` answers need."""
    return _Cache((slots + SPARE_SEQUENCES) * _rounded(length), is_unified=False)


def _rounded(cells: int) -> int:
    """Return cells in the portions that llama.cpp reserves."""
    return -(-cells // 256) * 256


class LlamaCppGenerator(LocalGenerator[LlamaModel]):
    """Draws answers from a GGUF file."""

    _sequences: LlamaSequences | None = None

    def _load(self, path: Path, gpu_layers: int | None) -> LlamaModel:
        self._model = LlamaModel(path, gpu_layers=gpu_layers)
        self._size, self._train_context = self._model.size, self._model.train_context
        return self._model

    @property
    def logits_share(self) -> float:
        """Share of a token's matrix products that compute its logits."""
        return self._model.logits_share

    def _device_text(self) -> str:
        gpus = [device for device in llama_devices() if device.is_gpu]
        if self._model.gpu_layers and gpus:
            layers = min(self._model.gpu_layers, self._model.layers + 1)
            return f"{gpus[0].description or gpus[0].name} ({layers} of {self._model.layers + 1} layers)"
        return self._cpu_text()

    def _engine_details(self) -> dict[str, str | int]:
        return {
            "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
            "model": self._model.description,
            "gpu_layers": min(self._model.gpu_layers, self._model.layers + 1),
        }

    def _prepare(
        self, requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding, asking: int
    ) -> Preparation:
        lengths = _Lengths(
            draws=draws_of_one(requests),
            longest=max(len(tokens) for tokens in prompts),
            prefix=common_prefix(prompts),
            answer=decoding.max_tokens,
            greedy=decoding.greedy_max_tokens,
            asking=asking,
        )
        total = sum(len(request.sample_indexes) + len(request.later) for request in requests)
        can_fork = not self._model.is_recurrent or self._batching_is_sound(prompts[0])
        slots = self._choose_slots(lengths, total, prompts) if can_fork else 1
        wanted = slots
        warnings: list[str] = []
        if not can_fork:
            warnings.append("this recurrent model answers differently in a batch: one answer is drawn at a time")
        while True:
            cache = self._cache(lengths, slots)
            try:
                sequences = self._open_sequences(slots, cache, can_fork=can_fork)
                break
            except ModelError:
                # Fewer slots first: layers on the GPU are worth more than answers at the same time.
                if slots > 1:
                    slots //= 2
                elif self._model.offload_less():
                    slots = wanted
                else:
                    raise
        if self._model.gives_up_layers:
            warnings.append(f"memory holds only part of the model on the GPU: {self._device_text()}")
        seconds = warm_up(sequences, prompts[0], slots) if can_fork else None
        memory = self._memory_bytes(slots, cache.cells)
        return Preparation(sequences, slots, wanted, lengths.prefix, cache.cells, memory, seconds, tuple(warnings))

    def _open_reading(self, prompts: Sequence[Sequence[int]]) -> tuple[LlamaSequences, int]:
        prefix = 0 if self._model.is_recurrent else common_prefix(prompts)
        cache = _Cache(_rounded(2 * max(map(len, prompts)) + 1), is_unified=True)
        return self._open_sequences(2, cache, can_fork=not self._model.is_recurrent), prefix

    def close(self) -> None:
        """Free cache and weights."""
        self._free_cache()
        self._model.close()

    def _free_cache(self) -> None:
        if self._sequences:
            self._sequences.close()
            self._sequences = None

    def _open_sequences(self, slots: int, cache: _Cache, *, can_fork: bool) -> LlamaSequences:
        self._free_cache()
        self._sequences = LlamaSequences(
            self._model,
            sequences=slots + SPARE_SEQUENCES,
            cells=cache.cells,
            threads=self._threads,
            can_fork=can_fork,
            is_unified=cache.is_unified,
        )
        return self._sequences

    def _cache(self, lengths: _Lengths, slots: int) -> _Cache:
        """Return a stream for each sequence where memory allows it, and a unified cache otherwise.

        On a GPU every fork would be a copy of all layers, which takes about as long as a step; recurrent states are no
        cells.
        """
        streams = lengths.streams(slots)
        if self._model.is_recurrent or self._model.gpu_layers or not self._fits(slots, streams):
            return lengths.unified(slots)
        return streams

    def _fits(self, slots: int, cache: _Cache) -> bool:
        memory = machine_memory().available or _UNKNOWN_MEMORY
        if self._model.gpu_layers:
            memory = min(memory, *(d.memory_free or memory for d in llama_devices() if d.is_gpu))
        return self._memory_bytes(slots, cache.cells) - self._model.size <= MEMORY_SHARE * memory

    def _choose_slots(self, lengths: _Lengths, total: int, prompts: Sequence[Sequence[int]]) -> int:
        limit = min(MAX_SEQUENCES - SPARE_SEQUENCES, max(1, total))
        if self._slots:
            return min(self._slots, limit)
        most = GPU_SLOTS if self._model.gpu_layers else CPU_SLOTS
        candidates = [n for n in most if n <= limit and self._fits(n, lengths.unified(n))]
        if self._model.is_recurrent:
            # What such a model holds of a sequence is no row of cells, and cannot be put together from two.
            candidates = []
        slots = self._measured_slots(lengths, total, prompts, candidates)
        if slots is None:
            slots = min(self._best_slots(lengths, most[-1]), most[-1])
        if limit <= _STRETCH * slots and not self._cache(lengths, limit).is_unified:
            slots = limit
        slots = min(slots, limit)
        while slots > 1 and not self._fits(slots, lengths.unified(slots)):
            slots -= 1
        return slots

    def _measured_slots(
        self, lengths: _Lengths, total: int, prompts: Sequence[Sequence[int]], candidates: Sequence[int]
    ) -> int | None:
        """Return the fastest number of slots, kept or measured now; `None` where that is not worth its time."""
        if not candidates:
            return None
        prompt = max(prompts, key=len)
        most = max(candidates)
        is_unified = self._cache(lengths, most).is_unified
        # What is measured for one length holds for lengths near it.
        length = 1 << (len(prompt) + lengths.answer).bit_length()
        kind = "unified" if is_unified else "streams"
        key = f"{self._device_text()}, {self._engine_details()}, {length} tokens, {kind}"
        kept = self._kept_slots.find(key)
        if kept is None and self._kept_slots.is_worth_measuring(candidates, total * lengths.answer):
            written = lengths.answer // 2
            steps = len(candidates) * STEPS
            together = len(prompt) + (most + 1) * (written + steps)
            cache = (
                _Cache(_rounded(together), is_unified=True)
                if is_unified
                else _streams(most, len(prompt) + written + steps)
            )
            try:
                sequences = self._open_sequences(most, cache, can_fork=True)
                kept = best_slots(measure_speeds(sequences, prompt, written, candidates))
            except (ModelError, NoRoomError):
                return None
            self._kept_slots.keep(key, kept)
        return kept

    def _best_slots(self, lengths: _Lengths, most: int) -> int:
        """Return the number of slots that draws the most tokens a second, where it is not measured.

        With streams that is `most`. In a unified cache every sequence attends over the cells of all, so a step of s
        sequences with answers of mean length l costs w + s + r s^2 l (in tokens of matrix products; r is what one cell
        adds), and s / cost is largest at s = sqrt(w / (r l)).
        """
        if not self._cache(lengths, most).is_unified:
            return most
        step_cost = _GPU_STEP_COST if self._model.gpu_layers else _CPU_STEP_COST
        # A live answer is on average half as long as a finished one.
        mean_length = max(1.0, lengths.answer / 2)
        return max(1, round((step_cost / (self._model.attention_share_per_cell * mean_length)) ** 0.5))

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
            cache = _Cache(2 * len(tokens) + 4 * steps + 256, is_unified=True)
            sequences = self._open_sequences(width, cache, can_fork=True)
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
