"""Sequences of tokens in the cache of one llama.cpp context.

Two layouts: one buffer that all sequences share, where forks cost nothing but every token looks at the cells of all; or
a stream for each sequence, where a fork copies and a token sees its own cells alone.
"""

import ctypes
import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import ModelError
from homogaudit.generation.batched_sampler import NoRoomError
from homogaudit.generation.llama_model import LlamaModel

MAX_SEQUENCES = 256
"""`LLAMA_MAX_SEQ` of llama.cpp."""


class LlamaSequences:
    """The sequences of one llama.cpp context, `MAX_SEQUENCES` at most.

    `cells` are the tokens that all of them may hold together. In a unified cache shared prefixes count once; otherwise
    each sequence has a stream with an equal part of the cells, which llama.cpp rounds up to 256.

    Raises:
        ModelError: The context does not fit into memory.
    """

    def __init__(
        self,
        model: LlamaModel,
        *,
        sequences: int,
        cells: int,
        threads: int,
        can_fork: bool = True,
        is_unified: bool = True,
    ) -> None:
        self._model = model
        self.is_unified = is_unified
        self.can_fork = can_fork
        # A recurrent state knows nothing of the tokens that led to it.
        self.can_cut = not model.is_recurrent
        self.vocabulary, self.ends, self.piece = model.vocabulary, model.ends, model.piece
        self._batch_size = max(512, sequences)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = self._batch_size
        parameters.n_seq_max = sequences
        parameters.n_outputs_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.no_perf = True
        parameters.kv_unified = is_unified
        # A sliding-window cache forgets cells that a fork still needs.
        parameters.swa_full = True
        self._context: Any = llama_cpp.llama_init_from_model(model.pointer, parameters)
        if not self._context:
            raise ModelError(
                f"no memory for a context of {cells} tokens and {sequences} sequences",
                "lower `--slots` or `--max-tokens`",
            )
        self._memory: Any = llama_cpp.llama_get_memory(self._context)
        self._streams: dict[int, int] = {}
        self._free_streams = list(range(sequences))
        # Our own arrays behind the batch: filling them through numpy costs nothing, element access by ctypes does.
        size = self._batch_size
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._sequence_counts = np.ones(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._wants_logits = np.zeros(size, np.int8)
        self._sequence_pointers = self._sequences.ctypes.data + 4 * np.arange(size, dtype=np.uintp)

    def close(self) -> None:
        """Free the cache."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def prefill(self, sequence: int, tokens: Sequence[int], position: int) -> NDArray[np.float32]:
        """Append `tokens` at `position`; return the logits (V,) after the last one."""
        for start in range(0, len(tokens), self._batch_size):
            part = tokens[start : start + self._batch_size]
            count = len(part)
            self._tokens[:count] = part
            self._positions[:count] = np.arange(position + start, position + start + count)
            self._sequences[:count] = self._stream(sequence)
            self._wants_logits[:count] = 0
            self._wants_logits[count - 1] = 1
            self._decode(count)
        return self._logits(1)[0]

    def step(
        self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Append one token to each sequence; return (B, V) logits, valid until the next call.

        Streams that do not stand side by side in ascending order are computed one after the other, which is slow:
        `arrange` sees to it.
        """
        count = len(sequences)
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        self._sequences[:count] = [self._stream(sequence) for sequence in sequences.tolist()]
        self._wants_logits[:count] = 1
        self._decode(count)
        return self._logits(count)

    def arrange(self, sequences: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the order in which a step of these sequences takes least; close the gaps between their streams."""
        count = len(sequences)
        if self.is_unified:
            return np.arange(count)
        numbers = sequences.tolist()
        streams = {self._stream(number): number for number in numbers}
        gaps = sorted(set(range(count)).difference(streams), key=lambda stream: stream not in self._free_streams)
        for gap, stray in zip(gaps, sorted(stream for stream in streams if stream >= count), strict=True):
            if gap not in self._free_streams:
                # Something that is not part of the step: it goes to the end, where there is room behind a stray.
                waiting = next(number for number, stream in self._streams.items() if stream == gap)
                beyond = max(self._free_streams, default=-1)
                if beyond < count:
                    continue
                self._move(waiting, beyond)
            self._move(streams[stray], gap)
        return np.argsort([self._streams[number] for number in numbers])

    def _move(self, sequence: int, stream: int) -> None:
        """Let a sequence lie in another stream, which is free."""
        before = self._streams[sequence]
        llama_cpp.llama_memory_seq_cp(self._memory, before, stream, -1, -1)
        llama_cpp.llama_memory_seq_rm(self._memory, before, -1, -1)
        self._free_streams.remove(stream)
        self._free_streams.append(before)
        heapq.heapify(self._free_streams)
        self._streams[sequence] = stream

    def _stream(self, sequence: int) -> int:
        """Return the stream that holds a sequence, for a new one the first that is free; itself in a unified cache."""
        if self.is_unified:
            return sequence
        if sequence not in self._streams:
            self._streams[sequence] = heapq.heappop(self._free_streams)
        return self._streams[sequence]

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        """Let the empty `target` hold what `source` does, or the first `length` tokens of it."""
        end = -1 if length is None or not self.can_cut else length
        if self.is_unified:
            llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, end)
            return
        # Only whole streams are copied.
        stream = self._stream(target)
        llama_cpp.llama_memory_seq_cp(self._memory, self._stream(source), stream, -1, -1)
        if end >= 0:
            llama_cpp.llama_memory_seq_rm(self._memory, stream, end, -1)

    def duplicate(self, source: int, targets: Iterable[int]) -> None:
        """Give each of the empty `targets` cells of its own in a unified cache, with what those of `source` hold.

        Raises:
            NoRoomError: The cache is full.
        """
        size = llama_cpp.llama_state_seq_get_size(self._context, llama_cpp.llama_seq_id(source))
        state = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, state, size, llama_cpp.llama_seq_id(source))
        for target in targets:
            if not llama_cpp.llama_state_seq_set_data(self._context, state, size, llama_cpp.llama_seq_id(target)):
                raise NoRoomError

    def free(self, sequence: int) -> None:
        """Give the cells of a sequence back."""
        stream = sequence
        if not self.is_unified:
            if sequence not in self._streams:
                return
            stream = self._streams.pop(sequence)
            heapq.heappush(self._free_streams, stream)
        llama_cpp.llama_memory_seq_rm(self._memory, stream, -1, -1)

    def _decode(self, count: int) -> None:
        def pointer(array: NDArray[Any], kind: Any) -> Any:
            return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))

        batch = llama_cpp.llama_batch(
            n_tokens=count,
            token=pointer(self._tokens, ctypes.c_int32),
            embd=None,
            pos=pointer(self._positions, ctypes.c_int32),
            n_seq_id=pointer(self._sequence_counts, ctypes.c_int32),
            seq_id=pointer(self._sequence_pointers, ctypes.POINTER(ctypes.c_int32)),
            logits=pointer(self._wants_logits, ctypes.c_int8),
        )
        status = llama_cpp.llama_decode(self._context, batch)
        if status == 1:
            raise NoRoomError
        if status:
            raise ModelError(f"llama.cpp failed to decode a batch of {count} tokens (status {status})")

    def _logits(self, rows: int) -> NDArray[np.float32]:
        pointer = llama_cpp.llama_get_logits(self._context)
        if not pointer:
            raise ModelError("the model gives no logits", "choose a text-generation model")
        return np.ctypeslib.as_array(pointer, shape=(rows, self.vocabulary))
