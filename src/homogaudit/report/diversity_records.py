"""What the answers to a question differ by, as frozen records; they compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from homogaudit.codec import Count
from homogaudit.report.figure import Figure
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate


@dataclass(frozen=True, slots=True)
class DistinctClusters:
    """How many clusters k samples show."""

    k: Annotated[Count, Figure("samples")]
    distinct_clusters: Annotated[
        Estimate,
        Figure(
            "distinct clusters",
            "How many clusters k of a question's N samples are expected to show, drawn without replacement, averaged "
            "over questions: what k draws tell, whatever N is. It goes on telling where hardly any question has one "
            "cluster. It is of the clustering that is named, so it does not equal the figures of NoveltyBench, which "
            "has a classifier of its own.",
            places=2,
            formula="sum over clusters c of 1 - C(N - n_c, k) / C(N, k)",
            unit="1 to k",
            source="Hurlbert 1971, Ecology 52:577-586 (rarefaction)",
        ),
    ]


@dataclass(frozen=True, slots=True)
class ClusteringDiversity:
    """How diverse the answers are by one clustering.

    Attributes:
        distinct_clusters: By rising k.
    """

    distinct_clusters: tuple[DistinctClusters, ...] | Undefined
    vendi_score: Annotated[
        Estimate | Undefined,
        Figure(
            "Vendi score",
            "The effective number of different answers to a question by the similarities of the clustering, without a "
            "threshold: 1 where all are alike, N where none has anything in common with another, averaged over "
            "questions. The similarities of `meaning` are no kernel, so that it has none.",
            places=2,
            formula="exp(-sum of l ln l over the eigenvalues l of K / N)",
            unit="1 to N",
            source="Friedman & Dieng 2023, TMLR, The Vendi Score",
        ),
    ]


@dataclass(frozen=True, slots=True)
class WordingDiversity:
    """How diverse the wording of the answers is; no clustering and no embedder enters."""

    distinct_1: Annotated[
        Estimate | Undefined,
        Figure(
            "distinct-1",
            "Different words over all words of a question's answers, averaged over questions: higher is more diverse. "
            "It falls with the length of the answers, so compare only runs whose answers are about as long.",
            unit="0 to 1",
            source="Li et al. 2016, arXiv 1510.03055",
        ),
    ]
    distinct_2: Annotated[
        Estimate | Undefined,
        Figure(
            "distinct-2",
            "As distinct-1, of pairs of neighbouring words. Questions all of whose answers are single words have none.",
            unit="0 to 1",
            source="Li et al. 2016, arXiv 1510.03055",
        ),
    ]
    self_bleu: Annotated[
        Estimate | Undefined,
        Figure(
            "self-BLEU",
            "BLEU of each answer to a question against all others, averaged over answers and then over questions: 1 "
            "where all are one text, lower is more diverse. Of at most 2,000 questions, drawn by seed.",
            unit="0 to 1",
            source="Zhu et al. 2018, arXiv 1802.01886; BLEU-4 as NLTK computes it, with smoothing `method1`",
        ),
    ]
    compression_ratio: Annotated[
        Estimate | Undefined,
        Figure(
            "compression ratio",
            "Bytes of a question's answers over the bytes that gzip makes of them, averaged over questions: higher is "
            "more alike. Short answers hardly compress, so compare only runs whose answers are about as long.",
            places=2,
            unit="above 0",
            source="Shaib et al. 2024, arXiv 2403.00553",
        ),
    ]


@dataclass(frozen=True, slots=True)
class Diversity:
    """Figures of diversity that go on telling where hardly any question has one cluster.

    Attributes:
        clusterings: By name of the clustering.
        wording: Of the texts alone.
    """

    clusterings: Mapping[str, ClusteringDiversity]
    wording: WordingDiversity | Undefined
