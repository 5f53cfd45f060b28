"""From what a job says of an embedder to the embedder itself."""

from collections.abc import Collection
from pathlib import Path

from homogaudit.clustering.embedders import Embedder
from homogaudit.config.trust import is_url
from homogaudit.events import JobEmbedder


def load_embedder(embedder: JobEmbedder, key_origins: Collection[str], threads: int | None = None) -> Embedder:
    """Load an embedder: a GGUF file, a server, else a sentence-transformers model.

    Args:
        embedder: Where it lies.
        key_origins: The servers that may be told the key.
        threads: That it may take of the CPU, as the model may; `None` for as many as its library takes.

    Raises:
        EmbedderError: It cannot be loaded.
    """
    location = embedder.location
    if is_url(location):
        from homogaudit.clustering.server_embedder import ServerEmbedder

        return ServerEmbedder(embedder.name, location, prompt=embedder.prompt, key_origins=key_origins)
    if location.lower().endswith(".gguf"):
        from homogaudit.clustering.gguf_embedder import LlamaCppEmbedder

        return LlamaCppEmbedder(embedder.name, Path(location), prompt=embedder.prompt, threads=threads)
    from homogaudit.clustering.embedders import SentenceTransformersEmbedder

    if threads is not None:
        import torch

        torch.set_num_threads(threads)

    return SentenceTransformersEmbedder(embedder.name, location, revision=embedder.revision, prompt=embedder.prompt)
