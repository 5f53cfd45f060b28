"""An embedder in a GGUF file, through llama.cpp."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.embedders import unit_rows
from homogaudit.errors import EmbedderError

_TOKENS = 512
"""What most embedders take; a longer text is cut there."""


class LlamaCppEmbedder:
    """A GGUF embedding model. Tokens are pooled as the file says, by their mean where it says nothing.

    Args:
        name: Name under which its embeddings are kept.
        path: The GGUF file.
        prompt: Put before every text.
        threads: `None` takes llama.cpp's default.
        gpu_layers: Layers on the GPU; all of them for -1.

    Raises:
        EmbedderError: The file does not load, or pools in a way that gives no embedding.
    """

    def __init__(
        self, name: str, path: Path, *, prompt: str = "", threads: int | None = None, gpu_layers: int = -1
    ) -> None:
        self._name = name
        self._prompt = prompt
        # Imported here, so that other embedders need no llama.cpp.
        import llama_cpp

        try:
            self._model: Any = llama_cpp.Llama(
                str(path),
                embedding=True,
                n_ctx=_TOKENS,
                n_batch=_TOKENS,
                # An encoder reads a whole text in one micro-batch.
                n_ubatch=_TOKENS,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=gpu_layers,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError, AssertionError) as error:
            raise EmbedderError(
                f"embedder `{name}` cannot be loaded from `{path}`: {error}", "give a GGUF file that llama.cpp reads"
            ) from error
        if self._model.pooling_type() == llama_cpp.LLAMA_POOLING_TYPE_RANK:
            raise EmbedderError(f"`{name}` is a reranker, no embedder", "choose an embedding model")

    @property
    def name(self) -> str:
        """Name under which its embeddings are kept."""
        return self._name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) float32 rows of length 1; each text passes by itself, so that no other one changes it.

        Raises:
            EmbedderError: The model fails, or gives numbers that are not finite.
        """
        return unit_rows([self._pooled(text) for text in texts], self._model.n_embd(), self._name)

    def _pooled(self, text: str) -> NDArray[np.float64]:
        try:
            # Without a token there is nothing to pool.
            found = self._model.embed((self._prompt + text) or " ", normalize=False, truncate=True)
        except (ValueError, RuntimeError) as error:
            raise EmbedderError(f"embedder `{self._name}` failed: {error}", "try another embedder") from error
        rows = np.asarray(found, dtype=np.float64)
        return rows.mean(axis=0) if rows.ndim == 2 else rows
