"""How answers are clustered; apart from the other records because those bring NumPy."""

from dataclasses import dataclass

ASKED = "+asked:"
"""Stands in an `embedder` before the key of a model that was asked about pairs of answers."""

ASKED_FROM = "@"
"""Stands after that key before the probability from which a pair has one meaning, where that is not an even chance."""


@dataclass(frozen=True, slots=True)
class ClusteringMethod:
    """A similarity, a linkage and a threshold: a pair joins where similarity >= threshold.

    Attributes:
        similarity: `jaccard`, `embedding`, `meaning`, `answer` or `entailment`.
        linkage: `single`, `average` or `leader`.
        threshold: `None` where the similarity is an equality.
        embedder: Name of the embedder behind `embedding`; of `meaning` with all else that its similarity depends on.
    """

    similarity: str
    linkage: str
    threshold: float | None
    embedder: str | None = None

    @property
    def name(self) -> str:
        """The name that reports use: the similarity alone where one embedder is meant."""
        return self.similarity

    @property
    def asked(self) -> str | None:
        """Name of the model that was asked about pairs of answers, `None` where none was."""
        return (self.embedder or "").partition(ASKED)[2].partition("#")[0] or None

    @property
    def asked_key(self) -> str:
        """Key of that model; empty where none was."""
        asked = (self.embedder or "").partition(ASKED)[2]
        name, mark, digest = asked.rpartition("#")
        return name + mark + digest.partition(ASKED_FROM)[0]

    @property
    def key(self) -> str:
        """Everything that the result depends on, as one cache key."""
        parts = [self.similarity, self.linkage, "-" if self.threshold is None else repr(self.threshold)]
        return "|".join([*parts, self.embedder or "-"])
