"""The generator for GGUF files: slots and context that fit into memory, and layers on the GPU."""

import importlib.metadata
from collections.abc import Callable, Sequence
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

_STREAM_SLOTS = 64
"""Slots that have a stream of their own each, at most. A step takes a constant and as much again for each slot, so that
more are never slower: up to 10% are left to gain at 32, 3% at 64. But what is being written is lost in a kill, and the
first question is whole only when as many answers are. Nothing of that has to be measured."""

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
        # What the last drawing took is free for this one.
        self._free_cache()
        free = self._free_memory()
        whole = max(total, len(requests) * (decoding.samples + 1))
        slots = self._choose_slots(lengths, total, whole, prompts, free) if can_fork else 1
        wanted = slots
        warnings: list[str] = []
        if not can_fork:
            warnings.append("this recurrent model answers differently in a batch: one answer is drawn at a time")
        while True:
            cache = self._cache(lengths, slots, free)
            try:
                sequences = self._open_sequences(slots, cache, can_fork=can_fork)
                break
            except ModelError:
                # Fewer slots first: layers on the GPU are worth more than answers at the same time.
                if slots > 1:
                    slots //= 2
                elif self._model.offload_less():
                    slots, free = wanted, self._free_memory()
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

    def _cache(self, lengths: _Lengths, slots: int, free: int) -> _Cache:
        """Return a stream for each sequence where memory allows it, and a unified cache otherwise."""
        streams = lengths.streams(slots)
        return streams if self._can_stream and self._fits(slots, streams, free) else lengths.unified(slots)

    @property
    def _can_stream(self) -> bool:
        """Whether a sequence may have a stream of its own.

        On a GPU every fork would be a copy of all layers, which takes about as long as a step; recurrent states are no
        cells.
        """
        return not self._model.is_recurrent and not self._model.gpu_layers

    def _free_memory(self) -> int:
        """Return the bytes that are free where cache and logits are to lie."""
        memory = machine_memory().available or _UNKNOWN_MEMORY
        if self._model.gpu_layers:
            memory = min(memory, *(d.memory_free or memory for d in llama_devices() if d.is_gpu))
        return memory

    def _fits(self, slots: int, cache: _Cache, free: int) -> bool:
        return self._memory_bytes(slots, cache.cells) - self._model.size <= MEMORY_SHARE * free

    def _most_slots(self, cache: Callable[[int], _Cache], limit: int, free: int) -> int:
        """Return how many slots memory holds, `limit` at most; 0 where it holds none."""
        return next((slots for slots in range(limit, 0, -1) if self._fits(slots, cache(slots), free)), 0)

    def _choose_slots(
        self, lengths: _Lengths, total: int, whole: int, prompts: Sequence[Sequence[int]], free: int
    ) -> int:
        """Return how many answers are drawn at the same time, of `total` that are left of a run of about `whole`.

        With streams what is left counts as a limit alone, so that a resumed run draws as it did before.
        """
        limit = min(MAX_SEQUENCES - SPARE_SEQUENCES, max(1, total))
        if self._slots:
            return min(self._slots, limit)
        widths = GPU_SLOTS if self._model.gpu_layers else CPU_SLOTS
        ceiling, best = max(limit, widths[-1]), self._best_unified(lengths)
        together = self._most_slots(lengths.unified, ceiling, free)
        apart = self._most_slots(lengths.streams, limit, free) if self._can_stream else 0
        # A unified cache may hold more slots than there is room for streams, but is slow with more than a few.
        if apart >= max(1, min(limit, together, best)):
            # Rounds that are alike: a last one of a few answers takes nearly as long as the others.
            rounds = -(-whole // _STREAM_SLOTS)
            return min(apart, -(-whole // rounds))
        candidates = [slots for slots in widths if slots <= together]
        if self._model.is_recurrent:
            # What such a model holds of a sequence is no row of cells, and cannot be put together from two.
            candidates = []
        slots = self._measured_slots(lengths, total, prompts, candidates) or min(best, widths[-1])
        return max(1, apart, min(slots, limit, together))

    def _measured_slots(
        self, lengths: _Lengths, total: int, prompts: Sequence[Sequence[int]], candidates: Sequence[int]
    ) -> int | None:
        """Return the best number of slots in a unified cache, kept or measured now.

        `None` where that is not worth its time.
        """
        if not candidates:
            return None
        prompt = max(prompts, key=len)
        most = candidates[-1]
        # What is measured for one length holds for lengths near it.
        length = 1 << (len(prompt) + lengths.answer).bit_length()
        key = f"{self._device_text()}, {self._engine_details()}, {length} tokens, unified"
        kept = self._kept_slots.find(key)
        if kept is None and self._kept_slots.is_worth_measuring(candidates, total * lengths.answer):
            written = lengths.answer // 2
            cells = len(prompt) + (most + 1) * (written + len(candidates) * STEPS)
            try:
                sequences = self._open_sequences(most, _Cache(_rounded(cells), is_unified=True), can_fork=True)
                kept = best_slots(measure_speeds(sequences, prompt, written, candidates))
            except (ModelError, NoRoomError):
                return None
            self._kept_slots.keep(key, kept)
        return kept

    def _best_unified(self, lengths: _Lengths) -> int:
        """Return the number of slots that draws the most tokens a second from a unified cache, before any is measured.

        Every sequence attends over the cells of all, so a step of s sequences with answers of mean length l costs
        w + s + r s^2 l (in tokens of matrix products; r is what one cell adds), and s / cost is largest at
        s = sqrt(w / (r l)).
        """
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
