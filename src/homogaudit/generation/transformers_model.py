"""The generator for Hugging Face models in safetensors: device and number format, slots, prompts, batched sampling.

Nothing is pickled and no code of the model's folder is run; nothing is downloaded here.
"""

import dataclasses
import gc
import importlib.metadata
import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from homogaudit.config.machine import physical_cores
from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.batched_sampler import BatchedSampler, DeviceMemoryError
from homogaudit.generation.generator import DrawRequest, GeneratorFacts, NextTokens
from homogaudit.generation.marker_tokens import adopt_markers
from homogaudit.generation.planning import StepSeconds, check_lengths, common_prefix, warm_up
from homogaudit.generation.torch_statistics import TorchTokenSampler
from homogaudit.generation.transformers_cache import can_batch
from homogaudit.generation.transformers_folder import check_folder
from homogaudit.generation.transformers_loading import best_device, free_memory, load_model, load_tokens
from homogaudit.generation.transformers_sequences import BatchedSequences, SerialSequences
from homogaudit.questions.prompts import Prompt, PromptRenderer
from homogaudit.records import Decoding, Prompting

__all__ = ["TransformersGenerator"]

_CPU_SLOTS = 32
_GPU_SLOTS = 128
"""Wider steps gain little: a core is busy with the products of a few dozen rows, a GPU with those of a hundred."""

_MEMORY_SHARE = 0.5
"""Share of the free memory that cache and logits may take: the embedder and the user need the rest."""

_LOGIT_COPIES = 6
"""Rows of float32 logits alive at once: the model's, their float32, shifted, weights, a product, a sorted copy."""

_PROBE_TOKENS = 32
_PROBE_DIVERGENCE = 0.1
"""Nats between a sequence alone and in a padded batch: half precision gives thousandths, a wrong mask several nats."""

_TOGETHER = 8
"""Prompts in one pass where they are only read."""

_NO_LIMIT = 1 << 30


class TransformersGenerator:
    """Draws answers from a Hugging Face model.

    Args:
        folder: Configuration, safetensors weights and tokenizer.
        prompting: How questions become prompts.
        now: The run's date, so that a resumed run renders the same prompts.
        threads: CPU threads; `None` for the physical cores.
        slots: Answers drawn at the same time; `None` to choose from device, model and memory.
        device: A torch device; `None` for CUDA, else Apple's GPU, else the CPU.
        share_prefixes: Whether equal prefixes of samples share a pass; off only to measure it.

    Raises:
        ModelError: The folder cannot be loaded.
        ConfigError: The prompt template cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        prompting: Prompting,
        *,
        now: datetime,
        threads: int | None = None,
        slots: int | None = None,
        device: str | None = None,
        share_prefixes: bool = True,
    ) -> None:
        check_folder(folder)
        self._prompting = prompting
        self._threads = threads or physical_cores()
        torch.set_num_threads(self._threads)
        self._slots = slots
        self._share_prefixes = share_prefixes
        self._device = torch.device(device or best_device())
        self._model: Any = load_model(folder, self._device)
        self._number_format = str(self._model.dtype).removeprefix("torch.")
        self._config: Any = self._model.config.get_text_config(decoder=True)
        self._tokens = load_tokens(folder, self._model)
        self._size = sum(p.numel() * p.element_size() for p in self._model.parameters())
        self._train_context = int(getattr(self._config, "max_position_embeddings", None) or _NO_LIMIT)
        self._drawing: BatchedSampler | None = None
        self.chat_template = self._tokens.chat_template
        self._renderer = PromptRenderer(
            prompting,
            chat_template=self.chat_template,
            bos_token=self._tokens.bos_text,
            eos_token=self._tokens.eos_text,
            now=now,
            has_token=self._tokens.has_token,
        )
        self.thinking = self._renderer.thinking
        adopt_markers(self._tokens, self.thinking)
        self._facts = GeneratorFacts(
            self._device_text(), 0, 0, self._size, self._renderer.mode, details=self._details()
        )

    @property
    def facts(self) -> GeneratorFacts:
        """What it is and runs on; slots, context and speed are known once `draw` was called."""
        if self._drawing is None or self._drawing.slots >= self._facts.slots:
            return self._facts
        slots = self._drawing.slots
        warning = f"memory ran out: {slots} answer{'s are' if slots > 1 else ' is'} drawn at a time from here on"
        return dataclasses.replace(self._facts, slots=slots, warnings=(*self._facts.warnings, warning))

    def _device_text(self) -> str:
        match self._device.type:
            case "cuda":
                return f"{torch.cuda.get_device_name(self._device)} ({self._number_format})"
            case "mps":
                return f"Apple GPU ({self._number_format})"
            case _:
                return f"CPU ({self._threads} thread{'s' if self._threads != 1 else ''}, {self._number_format})"

    def _details(self) -> dict[str, str | int]:
        return {
            "transformers": importlib.metadata.version("transformers"),
            "torch": importlib.metadata.version("torch"),
            "model": str(self._config.model_type),
            "number_format": self._number_format,
            "vocabulary": self._tokens.vocabulary,
            "train_context": self._train_context,
            "threads": self._threads,
        }

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        """Render the prompt of one question, with a system prompt of its own before the run's."""
        return self._renderer.render(question, system)

    def draw(self, requests: Sequence[DrawRequest], decoding: Decoding) -> BatchedSampler:
        """Choose the slots for `requests` and start to draw.

        Raises:
            ContextTooShortError: A prompt and its answer exceed the context that the model was trained for.
            ModelError: There is no memory for a single answer.
        """
        prompts = [self._tokens.prompt_tokens(request.prompt) for request in requests]
        check_lengths(requests, prompts, decoding, self._train_context)
        draws = max(len(request.sample_indexes) for request in requests)
        total = sum(len(request.sample_indexes) for request in requests)
        longest = max(prompts, key=len)
        cells = len(longest) + max(decoding.max_tokens, decoding.greedy_max_tokens)
        warnings: list[str] = []
        sequences: BatchedSequences | SerialSequences
        seconds: StepSeconds | None = None
        prefix, slots = 0, 1
        bytes_per_cell = self._probe(prompts[0])
        if bytes_per_cell is None:
            warnings.append("this model's cache cannot be shared by a batch: one answer is drawn at a time")
            sequences = SerialSequences(self._model, self._tokens)
        else:
            prefix = common_prefix(prompts)
            wanted = slots = self._choose_slots(total, cells * bytes_per_cell)
            slots, seconds = self._warm_up(longest, slots)
            if slots < wanted:
                warnings.append(f"memory holds {slots} answers at a time, not {wanted}")
            to_come = [tokens for request, tokens in zip(requests, prompts, strict=True) if request.sample_indexes]
            sequences = BatchedSequences(
                self._model, self._tokens, prompts=to_come, prefix=prefix, together=max(1, slots // max(1, draws))
            )
        self._facts = dataclasses.replace(
            self._facts,
            warnings=tuple(warnings),
            slots=slots,
            context=slots * cells,
            memory_bytes=self._size + slots * self._slot_bytes(cells * (bytes_per_cell or 0)),
            seconds_per_step=seconds.full if seconds else None,
            seconds_per_single_step=seconds.single if seconds else None,
        )
        self._drawing = BatchedSampler(
            sequences,
            requests,
            prompts,
            decoding=decoding,
            prompting=self._prompting,
            slots=slots,
            prefix=prefix,
            share_prefixes=self._share_prefixes,
            sampler=TorchTokenSampler(decoding),
        )
        return self._drawing

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens]:
        """Yield, for each prompt, the tokens that spell one of `words` in any case, white space around it or not.

        Raises:
            ContextTooShortError: A prompt exceeds the context that the model was trained for.
            ModelError: There is no memory for the longest prompt.
        """
        tokenized = [self._tokens.prompt_tokens(prompt) for prompt in prompts]
        longest = max(map(len, tokenized), default=0)
        if longest > self._train_context:
            raise ContextTooShortError(
                f"a prompt of {longest} tokens exceeds the model's context of {self._train_context}"
            )
        if not tokenized:
            return
        spelled = {number: text for number, text in self._vocabulary() if text.strip().casefold() in words}
        ids = np.fromiter(spelled, np.intp, len(spelled))
        prefix = 0
        sequences: BatchedSequences | SerialSequences = SerialSequences(self._model, self._tokens)
        try:
            if self._probe(tokenized[0]) is not None:
                prefix = common_prefix(tokenized)
                sequences = BatchedSequences(
                    self._model, self._tokens, prompts=tokenized, prefix=prefix, together=_TOGETHER
                )
            if prefix:
                sequences.prefill(0, tokenized[0][:prefix], 0)
            for tokens in tokenized:
                begun = time.perf_counter()
                if prefix:
                    sequences.fork(0, 1)
                # In float64: a sum over 262,144 terms keeps its digits.
                logits = sequences.prefill(1, tokens[prefix:], prefix).cpu().numpy().astype(np.float64)
                sequences.free(1)
                top = logits.max()
                logprobs = logits[ids] - (top + np.log(np.exp(logits - top).sum()))
                yield NextTokens(tuple(spelled.values()), logprobs, len(tokens), time.perf_counter() - begun)
        except DeviceMemoryError:
            raise ModelError(f"no memory for a prompt of {longest} tokens", "choose a smaller model") from None

    def _vocabulary(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of every token that is text by itself."""
        for number in range(self._tokens.vocabulary):
            try:
                yield number, self._tokens.piece(number).decode()
            except UnicodeDecodeError:
                continue

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return the bytes that each token stands for."""
        return {number: self._tokens.piece(number) for number in ids}

    def close(self) -> None:
        """Free cache and weights."""
        self._drawing = None
        self._model = None
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
        fitting = int(_MEMORY_SHARE * free_memory(self._device) / self._slot_bytes(cache_bytes))
        return max(1, min(slots, fitting))

    def _slot_bytes(self, cache_bytes: int) -> int:
        # The cache twice: where sequences join or end, the rows of the others are copied.
        return 2 * cache_bytes + _LOGIT_COPIES * 4 * self._tokens.vocabulary

    def _warm_up(self, prompt: Sequence[int], slots: int) -> tuple[int, StepSeconds]:
        """Return the slots that fit, at most `slots`, and the seconds of a step.

        Raises:
            ModelError: There is no memory for a single answer.
        """
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
