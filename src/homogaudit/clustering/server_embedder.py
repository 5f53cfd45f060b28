"""An embedder behind an OpenAI-compatible `/v1/embeddings`."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.embedders import unit_rows
from homogaudit.errors import EmbedderError, EngineError, ModelError
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, parse_addresses
from homogaudit.generation.server_errors import RefusedError
from homogaudit.generation.server_keys import api_key
from homogaudit.generation.server_models import listed_models

_BATCH = 64
"""Texts in one request; some servers take no more."""


class ServerEmbedder:
    """A served embedding model. The key comes from the environment only.

    Args:
        name: Name under which its embeddings are kept.
        location: `URL[#MODEL]`, the base URL such as `http://localhost:8000/v1`; without a model the only one served.
        prompt: Put before every text.
        policy: When to try again.
        key_origins: The servers that may be told the key, see `api_key`.

    Raises:
        EmbedderError: The server does not answer, or serves several models and none is named.
    """

    def __init__(
        self,
        name: str,
        location: str,
        *,
        prompt: str = "",
        policy: RetryPolicy | None = None,
        key_origins: Collection[str] | None = None,
    ) -> None:
        self._name = name
        self._prompt = prompt
        address = parse_addresses(location)[0]
        self._url = address.url
        self._loop = LoopThread()
        self._client = OpenAIClient(address, key=api_key(address.url, key_origins), policy=policy)
        self._model = address.model or self._only_model()

    @property
    def name(self) -> str:
        """Name under which its embeddings are kept."""
        return self._name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) float32 rows of length 1.

        Raises:
            EmbedderError: The server refuses, or answers with other than one finite vector a text.
        """
        # The interface refuses an empty text.
        asked = [(self._prompt + text) or " " for text in texts]
        parts = [self._vectors(asked[start : start + _BATCH]) for start in range(0, len(asked), _BATCH)]
        rows = [row for part in parts for row in part]
        if len({len(row) for row in rows}) > 1:
            raise self._broken("vectors of different lengths")
        return unit_rows(rows, len(rows[0]) if rows else 0, self._name)

    def _vectors(self, texts: Sequence[str]) -> list[NDArray[np.float64]]:
        payload = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        found = self._ask("POST", "embeddings", payload)
        try:
            by_index = {int(entry["index"]): np.asarray(entry["embedding"], np.float64) for entry in found["data"]}
            rows = [by_index[index] for index in range(len(texts))]
        except (KeyError, TypeError, ValueError):
            raise self._broken("something else than one vector a text") from None
        if len(by_index) != len(texts) or any(row.ndim != 1 or not row.size for row in rows):
            raise self._broken("something else than one vector a text")
        return rows

    def _only_model(self) -> str:
        names = list(listed_models(self._ask("GET", "models", {})))
        if len(names) == 1:
            return names[0]
        listed = ", ".join(names[:5]) or "none"
        raise EmbedderError(f"`{self._url}` serves several models or none: {listed}", f"write `{self._url}#MODEL`")

    def _ask(self, method: str, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        request = self._client.get(path) if method == "GET" else self._client.post(path, payload)
        try:
            return self._loop.run(request)
        except RefusedError as error:
            raise EmbedderError(
                f"`{self._url}` refuses to embed: {error.reason}", "does it serve embeddings?"
            ) from error
        except (EngineError, ModelError) as error:
            raise EmbedderError(error.message, error.hint) from error

    def _broken(self, what: str) -> EmbedderError:
        return EmbedderError(f"`{self._url}` answers with {what}", "does it serve embeddings?")
