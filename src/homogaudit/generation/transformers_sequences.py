"""The sequences of a transformers model, batched in one cache, or one at a time in the model's own.

A sequence is a row of a block. A step takes all its sequences as the rows of one block and appends to it in place;
where the sequences are others than last time, their rows are copied into a new block. Forking is therefore free, and a
block that nobody points to any more is gone. It moves tokens and logits; it knows nothing of questions or answers.
"""

import inspect
from collections import deque
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from homogaudit.errors import ModelError
from homogaudit.generation.batched_sampler import DeviceMemoryError
from homogaudit.generation.transformers_cache import Block, Part, RoomyLayer, Row, crop, filled_layers, new_cache
from homogaudit.generation.transformers_tokens import ModelTokens

_CACHE_NAMES = ("cache", "past_key_values", "cache_params", "state")
"""What models call what they remember of earlier tokens: from transformers 5.24 on, before, recurrent ones, RWKV."""

_INNER_STATES = ("recurrent_states", "conv1d_state")
"""What RecurrentGemma's layers keep in themselves, for the last sequence that they have seen."""


@contextmanager
def _memory_guard() -> Generator[None]:
    """Turn what the device says when it has no memory left into one error."""
    try:
        yield
        return
    except RuntimeError as error:
        said = ("out of memory", "can't allocate memory")
        if not isinstance(error, torch.OutOfMemoryError) and not any(words in str(error) for words in said):
            raise
    # Behind the block, where the traceback no longer holds the tensors of the failed pass.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise DeviceMemoryError


def _forward(model: Any, accepted: Collection[str], **arguments: Any) -> Any:
    """Call the model with those of `arguments` that it takes, for the logits after the last token."""
    arguments |= {"use_cache": True, "logits_to_keep": 1}
    with _memory_guard(), torch.inference_mode():
        return model(**{name: value for name, value in arguments.items() if name in accepted})


class _Sequences:
    """What both kinds of sequences share."""

    def __init__(self, model: Any, tokens: ModelTokens) -> None:
        self._model = model
        self._device: torch.device = model.device
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
        self._cache_name = next((name for name in _CACHE_NAMES if name in self._accepted), "")
        if not self._cache_name:
            # Without it every token would be drawn as if it were the first.
            raise ModelError(
                f"a model of the kind `{type(model).__name__}` takes no cache of earlier tokens",
                "it may need another version of transformers",
            )
        self.vocabulary, self.ends, self.piece = tokens.vocabulary, tokens.ends, tokens.piece

    def arrange(self, sequences: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the order in which a step of these sequences takes least: any."""
        return np.arange(len(sequences))

    def _tensor(self, values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.int64).to(self._device)


class BatchedSequences(_Sequences):
    """Sequences that step together and can be forked.

    The model is one that `can_batch`. `prompts` are the token ids of those to come, in order, so that `together` of
    them can be computed in one pass; `prefix` is the number of leading tokens that they share.
    """

    can_fork = can_cut = True

    def __init__(
        self,
        model: Any,
        tokens: ModelTokens,
        *,
        prompts: Sequence[Sequence[int]] = (),
        prefix: int = 0,
        together: int = 1,
    ) -> None:
        super().__init__(model, tokens)
        self._where: dict[int, Row] = {}
        self._prefix = tuple(prompts[0][:prefix]) if prompts else ()
        self._upcoming = deque(tuple(prompt[prefix:]) for prompt in prompts)
        self._together = together
        self._ready: dict[tuple[int, ...], tuple[Row, Tensor]] = {}

    @property
    def bytes_per_cell(self) -> int:
        """Bytes of keys and values of one token, over all layers; 0 while there is no sequence."""
        for where in self._where.values():
            tensors = [t for layer in filled_layers(where.block.cache) for t in (layer.keys, layer.values)]
            return sum(t.element_size() * t.shape[1] * t.shape[3] for t in tensors if t is not None)
        return 0

    def prefill(self, sequence: int, tokens: Sequence[int], position: int) -> Tensor:
        """Append `tokens` at `position`; return the logits (V,) after the last one.

        Raises:
            DeviceMemoryError: The device ran out of memory; nothing was changed.
        """
        wanted = tuple(tokens)
        if wanted not in self._ready:
            self._prefill_ahead(sequence, wanted)
        where, logits = self._ready.pop(wanted)
        self._where[sequence] = where
        return logits

    def _prefill_ahead(self, sequence: int, wanted: tuple[int, ...]) -> None:
        """Compute a prompt, and in the same pass those that will be asked for next."""
        past = self._where.get(sequence)
        prompts = [wanted]
        if self._upcoming and self._upcoming[0] == wanted and (past is None or past.length == len(self._prefix)):
            prompts = list(dict.fromkeys(list(self._upcoming)[: self._together]))
        try:
            block, logits = self._append_behind(past, prompts)
        except DeviceMemoryError:
            if len(prompts) == 1:
                raise
            self._together = 1
            prompts = [wanted]
            block, logits = self._append_behind(past, prompts)
        while self._upcoming and self._upcoming[0] in prompts:
            self._upcoming.popleft()
        for row, prompt in enumerate(prompts):
            self._ready[prompt] = (Row(block, row, block.lengths[row]), logits[row])

    def _append_behind(self, past: Row | None, prompts: Sequence[tuple[int, ...]]) -> tuple[Block, Tensor]:
        """Forward several prompts behind one sequence.

        Padding must not come between a row's tokens: a shorter prompt takes the end of what lies before it along
        and computes it again.
        """
        if past is None:
            return self._append(prompts, None)
        longest = max(map(len, prompts))
        again = [min(longest - len(prompt), past.length) if len(prompts) > 1 else 0 for prompt in prompts]
        tokens = [
            self._prefix[past.length - more :] + prompt if more else prompt
            for more, prompt in zip(again, prompts, strict=True)
        ]
        return self._append(tokens, [Row(past.block, past.row, past.length - more) for more in again])

    def step(self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> Tensor:
        """Append one token to each sequence; return (B, V) logits.

        Raises:
            DeviceMemoryError: The device ran out of memory; nothing was changed.
        """
        numbers = sequences.tolist()
        block, logits = self._append(tokens[:, None].tolist(), [self._where[number] for number in numbers])
        for row, number in enumerate(numbers):
            self._where[number] = Row(block, row, block.lengths[row])
        return logits

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        """Make the empty `target` a copy of `source`, or of its first `length` tokens.

        Cells are copied when one of them goes on.
        """
        where = self._where[source]
        self._where[target] = where if length is None else Row(where.block, where.row, length)

    def free(self, sequence: int) -> None:
        """Forget a sequence."""
        self._where.pop(sequence, None)

    def _append(self, tokens: Sequence[Sequence[int]], past: Sequence[Row] | None) -> tuple[Block, Tensor]:
        """Forward tokens behind the rows of `past`.

        Rows that go on from something have equally many tokens, at least one.

        Returns:
            The block that holds the result, and the logits (rows, V).
        """
        block = self._block_of(past) if past else Block(new_cache(self._model.config), [0] * len(tokens), 0)
        longest = max(map(len, tokens))
        lengths = [length + len(row) for length, row in zip(block.lengths, tokens, strict=True)]
        # Any token and any position may stand in the padding: nothing attends to it.
        padded = [[0] * (longest - len(row)) + list(row) for row in tokens]
        positions = [
            [0] * (longest - len(row)) + list(range(end - len(row), end))
            for end, row in zip(lengths, tokens, strict=True)
        ]
        width = block.width + longest
        try:
            output = _forward(
                self._model,
                self._accepted,
                input_ids=self._tensor(padded),
                attention_mask=self._mask(lengths, width),
                position_ids=self._tensor(positions),
                **{self._cache_name: block.cache},
            )
        except DeviceMemoryError:
            # Some layers have the new tokens and some have not.
            crop(block.cache, block.width)
            raise
        block.lengths, block.width = lengths, width
        return block, output.logits[:, -1, :].float()

    def _mask(self, lengths: Sequence[int], width: int) -> Tensor | None:
        """Return which cells of each row hold tokens, (rows, width); `None` where all do."""
        if min(lengths) == width:
            return None
        return (torch.arange(width)[None, :] >= width - torch.tensor(lengths)[:, None]).long().to(self._device)

    def _block_of(self, rows: Sequence[Row]) -> Block:
        """Return a block whose rows are these and end where they end: their own, or a copy of them."""
        own = rows[0].block
        lengths = [row.length for row in rows]
        if all(row.block is own and row.row == number for number, row in enumerate(rows)) and lengths == own.lengths:
            return own
        groups: dict[tuple[int, int], list[int]] = {}
        for number, row in enumerate(rows):
            groups.setdefault((id(row.block), row.end), []).append(number)
        parts = [
            Part(rows[numbers[0]].block, end, self._tensor([rows[n].row for n in numbers]), self._tensor(numbers))
            for (_, end), numbers in groups.items()
        ]
        width = max(lengths)
        cache = new_cache(self._model.config)
        with _memory_guard():
            for number, layer in enumerate(cache.layers):
                if isinstance(layer, RoomyLayer):
                    layer.fill(parts, number, width)
        return Block(cache, lengths, width)


class SerialSequences(_Sequences):
    """Sequences that step one after the other, each in the model's own cache, for caches that cannot be copied."""

    can_fork = can_cut = False

    def __init__(self, model: Any, tokens: ModelTokens) -> None:
        super().__init__(model, tokens)
        self._past: dict[int, Any] = {}
        self._inner = [(x, name) for x in model.modules() for name in _INNER_STATES if hasattr(x, name)]
        self._states: dict[int, list[Tensor | None]] = {}

    def prefill(self, sequence: int, tokens: Sequence[int], position: int) -> Tensor:
        """Append `tokens` at `position`; return the logits (V,) after the last one.

        Raises:
            DeviceMemoryError: The device ran out of memory.
        """
        cache = self._past.get(sequence)
        if self._inner:
            # Such a model returns no cache, so it is given one to write to.
            cache = DynamicCache(config=self._model.config) if cache is None else cache
            states = self._states.get(sequence, [None] * len(self._inner))
            for (module, name), state in zip(self._inner, states, strict=True):
                setattr(module, name, state)
        output = _forward(
            self._model,
            self._accepted,
            input_ids=self._tensor([list(tokens)]),
            position_ids=self._tensor([list(range(position, position + len(tokens)))]),
            **{self._cache_name: cache},
        )
        self._past[sequence] = getattr(output, self._cache_name, cache)
        if self._inner:
            self._states[sequence] = [getattr(module, name) for module, name in self._inner]
        return output.logits[0, -1].float()

    def step(self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> Tensor:
        """Append one token to each sequence; return (B, V) logits.

        Raises:
            DeviceMemoryError: The device ran out of memory.
        """
        rows = zip(sequences.tolist(), tokens.tolist(), positions.tolist(), strict=True)
        return torch.stack([self.prefill(sequence, (token,), position) for sequence, token, position in rows])

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        """Not possible: `can_fork` is false."""
        raise NotImplementedError

    def free(self, sequence: int) -> None:
        """Forget a sequence."""
        self._past.pop(sequence, None)
        self._states.pop(sequence, None)
