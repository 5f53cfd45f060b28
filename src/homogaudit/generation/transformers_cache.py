"""The cache of a batch: blocks of rows that end at the same cell, padded on the left, with spare cells behind.

It knows keys and values and nothing of tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, DummyLayer, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

_SPARE_CELLS = 32
"""Cells that a new block has room for: a row is copied once in as many steps where no sequence joins or ends."""


@dataclass(slots=True, eq=False)
class Block:
    """Sequences in one cache, which only ever grow.

    Attributes:
        lengths: Tokens of each row; the rest of its cells, on the left, is padding.
    """

    cache: Cache
    lengths: list[int]
    width: int


@dataclass(frozen=True, slots=True)
class Row:
    """A sequence: the first `length` tokens of a row, whatever was appended to the row since."""

    block: Block
    row: int
    length: int

    @property
    def end(self) -> int:
        """The cell behind its last token."""
        return self.block.width - self.block.lengths[self.row] + self.length


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one block that go to the rows `targets` of another, up to the cell `end`."""

    block: Block
    end: int
    rows: Tensor
    targets: Tensor


class RoomyLayer(DynamicLayer):
    """Keys and values with spare cells behind them, so that a step appends in place instead of copying all.

    It keeps every cell: a sliding window forgets some that a fork still needs, and the mask hides them anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self._key_room: Tensor | None = None
        self._value_room: Tensor | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        self._key_room, self.keys = _appended(self._key_room, key_states, start)
        self._value_room, self.values = _appended(self._value_room, value_states, start)
        return self.keys, self.values

    def fill(self, parts: Sequence[Part], layer: int, width: int) -> None:
        """Take rows of other blocks, the last cell of each at the right end of `width`."""
        first: Any = parts[0].block.cache.layers[layer]
        if first.keys is None:
            return
        self.lazy_initialization(first.keys, first.values)
        rooms: list[Tensor] = []
        for name in ("keys", "values"):
            like: Tensor = getattr(first, name)
            rows = sum(len(part.rows) for part in parts)
            # Zeros, because a hidden cell still meets a weight of 0, and 0 x NaN is NaN.
            room = like.new_zeros(rows, like.shape[1], width + _SPARE_CELLS, like.shape[3])
            for part in parts:
                source: Tensor = getattr(part.block.cache.layers[layer], name)
                kept = min(width, part.end)
                room[part.targets, :, width - kept : width] = source[part.rows, :, part.end - kept : part.end]
            rooms.append(room)
        self._key_room, self._value_room = rooms
        self.keys, self.values = (room[:, :, :width] for room in rooms)


def _appended(room: Tensor | None, states: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Return a buffer with `states` written at cell `start`, and the part of it that is in use."""
    end = start + states.shape[2]
    if room is None or end > room.shape[2]:
        larger = states.new_zeros(*states.shape[:2], end + _SPARE_CELLS, states.shape[3])
        if room is not None:
            larger[:, :, :start] = room[:, :, :start]
        room = larger
    room[:, :, start:end] = states
    return room, room[:, :, :end]


def can_batch(model: Any) -> bool:
    """Whether every layer's cache is keys and values alone, which can be copied, padded and cut."""
    if model._is_stateful:
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer) for layer in layers
    )


def new_cache(config: Any) -> Cache:
    """Return an empty cache for a model for which `can_batch` holds."""
    layers = DynamicCache(config=config).layers
    return Cache(layers=[DummyLayer() if type(layer) is DummyLayer else RoomyLayer() for layer in layers])


def filled_layers(cache: Cache) -> list[RoomyLayer]:
    """Return the layers that hold keys and values; some share those of another layer and hold none."""
    return [layer for layer in cache.layers if isinstance(layer, RoomyLayer) and layer.keys is not None]


def crop(cache: Cache, width: int) -> None:
    """Cut every layer to its first `width` cells."""
    for layer in filled_layers(cache):
        surplus = layer.get_seq_length() - width
        if surplus > 0:
            layer.crop(-surplus)
