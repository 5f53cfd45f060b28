import os
import zlib
from collections.abc import Sequence
from pathlib import Path

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


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data, or a skip where it is absent."""
    default = Path(__file__).parents[2].parent / "shared" / "reference"
    folder = Path(os.environ.get("HOMOGAUDIT_REFERENCE") or default)
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}; set HOMOGAUDIT_REFERENCE")
    return folder
