"""The generator for Hugging Face models in safetensors: device and number format, and slots that fit into memory.

Nothing is pickled and no code of the model's folder is run; nothing is downloaded here.
"""

import gc
import importlib.metadata
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from homogaudit.errors import ModelError
from homogaudit.generation.batched_sampler import DeviceMemoryError
from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.local_generator import (
    MEMORY_SHARE,
    LocalGenerator,
    Preparation,
    StepSeconds,
    common_prefix,
    draws_of_one,
    warm_up,
)
from homogaudit.generation.torch_statistics import TorchTokenSampler
from homogaudit.generation.transformers_cache import can_batch
from homogaudit.generation.transformers_folder import check_folder
from homogaudit.generation.transformers_loading import best_device, free_memory, load_model, load_tokens
from homogaudit.generation.transformers_sequences import BatchedSequences, SerialSequences
from homogaudit.generation.transformers_tokens import ModelTokens
from homogaudit.records import Decoding

_CPU_SLOTS = 32
_GPU_SLOTS = 128
"""Wider steps gain little: a core is busy with the products of a few dozen rows, a GPU with those of a hundred."""

_LOGIT_COPIES = 6
"""Rows of float32 logits alive at once: the model's, their float32, shifted, weights, a product, a sorted copy."""

_PROBE_TOKENS = 32
_PROBE_DIVERGENCE = 0.1
"""Nats between a sequence alone and in a padded batch: half precision gives thousandths, a wrong mask several nats."""

_TOGETHER = 8
"""Prompts in one pass where they are only read."""

_NO_LIMIT = 1 << 30


class TransformersGenerator(LocalGenerator[ModelTokens]):
    """Draws answers from a Hugging Face model: a folder with configuration, safetensors weights and tokenizer."""

    def _load(self, path: Path, gpu_layers: int | None) -> ModelTokens:
        check_folder(path)
        torch.set_num_threads(self._threads)
        # The flag that keeps a GGUF file's layers off the GPU keeps a whole model off it here.
        self._device = torch.device("cpu" if gpu_layers == 0 else best_device())
        self._model: Any = load_model(path, self._device)
        self._number_format = str(self._model.dtype).removeprefix("torch.")
        self._config: Any = self._model.config.get_text_config(decoder=True)
        self._size = sum(p.numel() * p.element_size() for p in self._model.parameters())
        self._train_context = int(getattr(self._config, "max_position_embeddings", None) or _NO_LIMIT)
        return load_tokens(path, self._model)

    @property
    def logits_share(self) -> float:
        """Share of a token's matrix products that compute its logits."""
        return self._model.get_output_embeddings().weight.numel() / self._model.num_parameters()

    def _device_text(self) -> str:
        match self._device.type:
            case "cuda":
                return f"{torch.cuda.get_device_name(self._device)} ({self._number_format})"
            case "mps":
                return f"Apple GPU ({self._number_format})"
            case _:
                return self._cpu_text(self._number_format)

    def _engine_details(self) -> dict[str, str | int]:
        return {
            "transformers": importlib.metadata.version("transformers"),
            "torch": importlib.metadata.version("torch"),
            "model": str(self._config.model_type),
            "number_format": self._number_format,
        }

    def _prepare(
        self, requests: Sequence[DrawRequest], prompts: Sequence[Sequence[int]], decoding: Decoding, asking: int
    ) -> Preparation:
        draws = draws_of_one(requests)
        total = sum(len(request.sample_indexes) + len(request.later) for request in requests)
        longest = max(prompts, key=len)
        cells = len(longest) + max(decoding.max_tokens, decoding.greedy_max_tokens, asking)
        warnings: tuple[str, ...] = ()
        sequences: BatchedSequences | SerialSequences
        seconds: StepSeconds | None = None
        prefix, slots, wanted = 0, 1, 1
        bytes_per_cell = self._probe(prompts[0])
        if bytes_per_cell is None:
            warnings = ("this model's cache cannot be shared by a batch: one answer is drawn at a time",)
            sequences = SerialSequences(self._model, self._tokens)
        else:
            prefix = common_prefix(prompts)
            wanted = self._choose_slots(total, cells * bytes_per_cell)
            slots, seconds = self._warm_up(longest, wanted)
            to_come = [tokens for request, tokens in zip(requests, prompts, strict=True) if request.sample_indexes]
            sequences = BatchedSequences(
                self._model, self._tokens, prompts=to_come, prefix=prefix, together=max(1, slots // max(1, draws))
            )
        memory = self._size + slots * self._slot_bytes(cells * (bytes_per_cell or 0))
        sampler = TorchTokenSampler(decoding)
        return Preparation(sequences, slots, wanted, prefix, slots * cells, memory, seconds, warnings, sampler)

    def _open_reading(self, prompts: Sequence[Sequence[int]]) -> tuple[BatchedSequences | SerialSequences, int]:
        if self._probe(prompts[0]) is None:
            return SerialSequences(self._model, self._tokens), 0
        prefix = common_prefix(prompts)
        return BatchedSequences(self._model, self._tokens, prompts=prompts, prefix=prefix, together=_TOGETHER), prefix

    def close(self) -> None:
        """Free cache and weights."""
        self._model = None
        self._free_cache()

    def _free_cache(self) -> None:
        self._drawing = None
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _probe(self, prompt: Sequence[int]) -> int | None:
        """Return the bytes of cache that a token takes, or `None` where sequences must be drawn one at a time.

        Whether the model says the same alone, padded, forked and in a batch is tried rather than believed: masks and
        positions differ between architectures.
        """
        if not can_batch(self._model):
            return None
        long = list(prompt[-_PROBE_TOKENS:])
        short = long[len(long) // 2 :]
        batched = BatchedSequences(self._model, self._tokens, prompts=[long, short], together=2)
        try:
            first = [batched.prefill(0, long, 0), batched.prefill(1, short, 0)]
            batched.fork(0, 2)
            rows = batched.step(
                np.array([2, 1], np.int32), np.array([long[0]] * 2, np.int32), np.array([len(long), len(short)])
            )
        except DeviceMemoryError:
            raise ModelError("the device has no memory for a single answer", "choose a smaller model") from None
        # An architecture that has no use for this cache says so in as many ways as there are architectures.
        except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError, IndexError):
            return None
        for tokens, after_prompt, after_step in zip((long, short), first, rows, strict=True):
            alone = SerialSequences(self._model, self._tokens)
            # Each in one pass from the start, which no cache can spoil.
            for sequence, (whole, found) in enumerate(((tokens, after_prompt), ([*tokens, long[0]], after_step))):
                expected = alone.prefill(sequence, whole, 0)
                if not _divergence(expected, found) < _PROBE_DIVERGENCE:
                    return None
        return batched.bytes_per_cell

    def _choose_slots(self, total: int, cache_bytes: int) -> int:
        """Return how many answers are drawn at the same time: what is useful on the device, and fits its memory."""
        limit = max(1, total)
        if self._slots:
            return min(self._slots, limit)
        slots = min(_CPU_SLOTS if self._device.type == "cpu" else _GPU_SLOTS, limit)
        fitting = int(MEMORY_SHARE * free_memory(self._device) / self._slot_bytes(cache_bytes))
        return max(1, min(slots, fitting))

    def _slot_bytes(self, cache_bytes: int) -> int:
        # The cache twice: where sequences join or end, the rows of the others are copied.
        return 2 * cache_bytes + _LOGIT_COPIES * 4 * self._tokens.vocabulary

    def _warm_up(self, prompt: Sequence[int], slots: int) -> tuple[int, StepSeconds]:
        """Return the slots that fit, at most `slots`, and the seconds of a step."""
        while True:
            try:
                return slots, warm_up(BatchedSequences(self._model, self._tokens), prompt, slots)
            except DeviceMemoryError:
                if slots == 1:
                    raise ModelError(
                        "the device has no memory for a single answer",
                        "close what else uses it, or choose a smaller model",
                    ) from None
            slots //= 2


def _divergence(expected: torch.Tensor, found: torch.Tensor) -> float:
    """Return the Kullback-Leibler divergence of two rows of logits in nats."""
    reference, other = (torch.log_softmax(row.double().cpu(), dim=0) for row in (expected, found))
    value = (reference.exp() * (reference - other)).nansum().item()
    return value if math.isfinite(value) else math.inf
