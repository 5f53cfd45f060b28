"""From what a job says of an embedder to the embedder itself."""

from pathlib import Path

from homogaudit.clustering.embedders import Embedder
from homogaudit.events import JobEmbedder

__all__ = ["load_embedder"]


def load_embedder(embedder: JobEmbedder) -> Embedder:
    """Load an embedder: a GGUF file, a server, else a sentence-transformers model.

    Raises:
        EmbedderError: It cannot be loaded.
    """
    location = embedder.location
    if location.startswith(("http://", "https://")):
        from homogaudit.clustering.server_embedder import ServerEmbedder

        return ServerEmbedder(embedder.name, location, prompt=embedder.prompt)
    if location.lower().endswith(".gguf"):
        from homogaudit.clustering.gguf_embedder import LlamaCppEmbedder

        return LlamaCppEmbedder(embedder.name, Path(location), prompt=embedder.prompt)
    from homogaudit.clustering.embedders import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(embedder.name, location, revision=embedder.revision, prompt=embedder.prompt)
