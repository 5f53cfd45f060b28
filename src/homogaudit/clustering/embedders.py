"""Embedders: from texts to unit vectors. One small protocol, and its implementation on sentence-transformers.

Knows nothing of models.toml, caches or run files: names are resolved and unique texts stored elsewhere.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import EmbedderError

Float32Array = NDArray[np.float32]

_OWN_MODULES = "sentence_transformers."

_SHORTEST = 0.5
"""Of the longest text in a batch: all are computed as if they were as long as that one."""


class Embedder(Protocol):
    """What turns texts into vectors whose cosine is their similarity."""

    @property
    def name(self) -> str:
        """Name under which its embeddings are kept."""
        ...

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Return (n, d) float32 rows of length 1, one a text; an empty text is a text."""
        ...


class SentenceTransformersEmbedder:
    """A sentence-transformers model, from a folder or from the local Hugging Face cache.

    Remote code stays off and weights are read from safetensors only: a model file is somebody else's. A text
    longer than the model's own limit is cut there by the model.

    Args:
        name: Name under which its embeddings are kept.
        path_or_id: A folder, or a Hugging Face id.
        device: Torch device; `None` lets sentence-transformers choose.
        revision: Branch, tag or commit of a Hugging Face id.
        prompt: Put before every text, for embedders that were trained with one.
        allow_download: Whether an id that is not in the local cache may be downloaded.
        batch_size: Texts in one forward pass.

    Raises:
        EmbedderError: The library or the model is missing, broken, or asks for code of its own.
    """

    def __init__(
        self,
        name: str,
        path_or_id: str | Path,
        *,
        device: str | None = None,
        revision: str | None = None,
        prompt: str = "",
        allow_download: bool = False,
        batch_size: int = 64,
    ) -> None:
        self._name = name
        self._batch_size = batch_size
        self._prompt = prompt or None
        source = str(path_or_id)
        folder = Path(source).expanduser()
        if folder.is_dir():
            _refuse_foreign_modules(name, folder)
            source = str(folder)
        elif isinstance(path_or_id, Path) or folder.is_absolute() or source.startswith((".", "~")):
            raise EmbedderError(
                f"embedder `{name}` not found at `{source}`", hint="give the folder of a sentence-transformers model"
            )
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise EmbedderError(
                f"embedder `{name}` needs sentence-transformers: {_one_line(error)}",
                hint="pip install sentence-transformers",
            ) from error
        try:
            self._model: Any = SentenceTransformer(
                source,
                device=device,
                revision=revision,
                local_files_only=not allow_download,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        # The libraries below raise nearly every class there is for a broken folder; each means the same to the user.
        except Exception as error:
            hint = "the folder needs modules.json, config.json and model.safetensors"
            if not folder.is_dir():
                hint = f"download it with `hf download {source}`, or give a folder that holds it"
            raise EmbedderError(
                f"embedder `{name}` cannot be loaded from `{source}`: {_one_line(error)}", hint=hint
            ) from error

    @property
    def name(self) -> str:
        """Name under which its embeddings are kept."""
        return self._name

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Return one unit vector a text.

        Args:
            texts: n texts.

        Returns:
            (n, d) float32, rows of length 1.

        Raises:
            EmbedderError: The model fails, or gives numbers that are not finite.
        """
        if not texts:
            # No rows, but of the model's width.
            return self._encoded([""])[:0]
        batches = batches_of_a_length([len(text) for text in texts], self._batch_size)
        rows = np.concatenate([self._encoded([texts[place] for place in batch]) for batch in batches])
        embeddings = np.empty_like(rows)
        embeddings[np.concatenate(batches)] = rows
        if not np.isfinite(embeddings).all():
            raise EmbedderError(
                f"embedder `{self._name}` gave numbers that are not finite", hint="try another device or precision"
            )
        return embeddings

    def _encoded(self, batch: list[str]) -> Float32Array:
        try:
            encoded = self._model.encode(
                batch,
                batch_size=self._batch_size,
                prompt=self._prompt,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        except Exception as error:
            raise EmbedderError(
                f"embedder `{self._name}` failed: {_one_line(error)}", hint="a smaller batch or another device may do"
            ) from error
        return np.asarray(encoded, dtype=np.float32)


def batches_of_a_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Return the places of texts in batches, the longest first: at most `most`, none shorter than half the longest.

    A few long texts then do not make the others of their batch as long as they are.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        batch = batches[-1] if batches else []
        if not batch or len(batch) == most or lengths[place] < _SHORTEST * lengths[batch[0]]:
            batches.append([place])
        else:
            batch.append(place)
    return batches


def unit_rows(rows: Sequence[NDArray[np.float64]], width: int, name: str) -> Float32Array:
    """Return (n, width) float32 rows of length 1; a row of zeros stays one.

    Raises:
        EmbedderError: A number is not finite.
    """
    if not len(rows):
        return np.zeros((0, width), dtype=np.float32)
    stacked = np.stack(rows)
    if not np.isfinite(stacked).all():
        raise EmbedderError(f"embedder `{name}` gave numbers that are not finite", "try another device or precision")
    lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    return (stacked / np.where(lengths == 0.0, 1.0, lengths)).astype(np.float32)


def _refuse_foreign_modules(name: str, folder: Path) -> None:
    """Refuse a folder whose modules.json names classes outside sentence-transformers; some versions import them."""
    listing = folder / "modules.json"
    if not listing.is_file():
        return
    try:
        modules = json.loads(listing.read_text(encoding="utf-8"))
        types = [str(cast(dict[str, object], module)["type"]) for module in modules]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EmbedderError(
            f"embedder `{name}` has a broken `{listing}`: {_one_line(error)}", hint="download the model again"
        ) from error
    for module_type in types:
        if not module_type.startswith(_OWN_MODULES):
            raise EmbedderError(
                f"embedder `{name}` asks for code of its own: `{module_type}`",
                hint="remote code is never run; choose an embedder without it",
            )


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
