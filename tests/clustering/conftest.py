import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray


class HashingEmbedder:
    """A small real embedder: counts of character trigrams in hashed bins, rows of length 1."""

    name = "hashing"

    def __init__(self, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            padded = f"  {text} "
            for start in range(len(padded) - 2):
                # crc32, because hash() differs from process to process.
                row[zlib.crc32(padded[start : start + 3].encode()) % self.dimensions] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def hashing_embedder() -> HashingEmbedder:
    return HashingEmbedder()
