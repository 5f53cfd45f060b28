"""The default clusterings, their sweeps, and the clustering of one question.

Knows one question at a time; rates over questions are statistics.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.entailment import PairScores, entailment_assignment
from homogaudit.clustering.linkage import LINKAGES, are_single_clusters, cluster_counts_by_threshold, link
from homogaudit.clustering.meaning import shipped_fit
from homogaudit.clustering.similarity import answer_similarity, cosine_similarity, jaccard_similarity
from homogaudit.errors import UsageError
from homogaudit.events import Scoring
from homogaudit.records import Clustering, ClusteringMethod, SampleSet

Float64Array = NDArray[np.float64]

PRIMARIES = ("meaning", "embedding")
"""The similarity whose clustering the verdict reads: the first that a run has, or else the run's first one."""

JACCARD_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""0.1 only because published sweeps begin there."""

EMBEDDING_THRESHOLDS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
MEANING_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Probabilities, around an even chance."""

SAMPLE_SIZES = (3, 5, 7, 10)
SUBSET_DRAWS = 200

_ANSWER = ClusteringMethod("answer", "single", None)

_EQUAL = 1.0
"""Threshold of a method that has none: its similarity is 1 where two answers are equal."""


def choose_methods(
    *,
    embedder: str | None,
    numeric: bool,
    specifications: Sequence[str] = (),
    nli: str | None = None,
    meaning: bool = True,
    meaning_model: str | None = None,
) -> tuple[ClusteringMethod, ...]:
    """Return the clusterings of a run.

    `jaccard` always, `embedding` with an embedder, `meaning` with one that a model of meaning was fitted for,
    `entailment` with an NLI model, `answer` for numeric questions.

    Args:
        embedder: Name of the embedder, `None` where there is none.
        numeric: Whether the questions are answered with numbers.
        specifications: `SIMILARITY[=THRESHOLD][/LINKAGE]`, for example `jaccard=0.2/leader`; each takes the place of
            the default of its similarity.
        nli: Key of the NLI model, `None` where there is none.
        meaning: Whether the embedder can embed, or similarities in meaning came with the answers.
        meaning_model: Key of the model that is asked about the pairs that `meaning` leaves open, `None` for none.

    Raises:
        UsageError: A specification cannot be read, or asks for an embedder or an NLI model that is not there.
    """
    methods = {"jaccard": ClusteringMethod("jaccard", "single", 0.40)}
    if embedder is not None:
        methods["embedding"] = ClusteringMethod("embedding", "average", 0.85, embedder)
        if meaning and (fit := shipped_fit(embedder)) is not None:
            key = fit.key(embedder, meaning_model)
            methods["meaning"] = ClusteringMethod("meaning", "average", fit.threshold, key)
    if nli is not None:
        methods["entailment"] = ClusteringMethod("entailment", "single", 0.50, nli)
    if numeric:
        methods["answer"] = _ANSWER
    asked: set[str] = set()
    for specification in specifications:
        method = _parse(specification, methods | {"answer": _ANSWER})
        if method.similarity in asked:
            raise UsageError(f"two clusterings of `{method.similarity}`", "one a similarity; score again for another")
        asked.add(method.similarity)
        methods[method.similarity] = method
    return tuple(methods.values())


def methods_of(scoring: Scoring, specifications: Sequence[str] = ()) -> tuple[ClusteringMethod, ...]:
    """Return the clusterings that suit a scoring's judge, embedder and NLI model.

    Args:
        scoring: Its own clusterings are not looked at.
        specifications: As `choose_methods` takes them.

    Raises:
        UsageError: As `choose_methods`.
    """
    embedder, nli = scoring.embedder_source, scoring.nli_source
    fit = shipped_fit(embedder.key) if embedder else None
    came = bool(embedder and fit and embedder.meaning == fit.key(embedder.key))
    return choose_methods(
        embedder=embedder.key if embedder else None,
        numeric=scoring.judge == "numeric",
        specifications=specifications,
        nli=nli.clustering_key if nli else None,
        meaning=bool(embedder and embedder.location) or came,
        meaning_model=scoring.meaning_source.clustering_key if scoring.meaning_source else None,
    )


def _parse(specification: str, defaults: Mapping[str, ClusteringMethod]) -> ClusteringMethod:
    """Return the method behind one specification; what it leaves out is the default's."""
    head, _, linkage = specification.partition("/")
    similarity, _, threshold = head.partition("=")
    if similarity == "embedding" and similarity not in defaults:
        raise UsageError(f"`{specification}` needs an embedder", "name one with `--embedder`")
    if similarity == "entailment" and similarity not in defaults:
        raise UsageError(f"`{specification}` needs an NLI model", "name one with `--nli`")
    if similarity == "meaning" and similarity not in defaults:
        raise UsageError(f"`{specification}` needs an embedder that it was fitted for", "see `homogaudit calibrate`")
    if similarity not in defaults:
        raise UsageError(f"unknown similarity `{similarity}`", "one of jaccard, embedding, meaning, entailment, answer")
    default = defaults[similarity]
    if linkage and linkage not in LINKAGES:
        raise UsageError(f"unknown linkage `{linkage}`", f"one of {', '.join(LINKAGES)}")
    if similarity == "entailment" and linkage not in ("", "single"):
        raise UsageError("`entailment` has single linkage", "two answers entail each other or they do not")
    if threshold and default.threshold is None:
        raise UsageError(f"`{similarity}` takes no threshold", "it joins equal answers")
    try:
        value = float(threshold) if threshold else default.threshold
    except ValueError:
        value = math.nan
    if value is not None and not 0 < value <= 1:
        raise UsageError(f"the threshold of `{specification}` must lie between 0 and 1", "for example `jaccard=0.4`")
    return replace(default, threshold=value, linkage=linkage or default.linkage)


def primary_of(names: Iterable[str]) -> str | None:
    """Return the clustering that the verdict reads, of the names of a run's clusterings in its order."""
    found = list(names)
    return next((name for name in PRIMARIES if name in found), next(iter(found), None))


def sweep_thresholds(method: ClusteringMethod) -> tuple[float, ...]:
    """Return the thresholds across which a method's SCR is reported; empty where it has no threshold."""
    grids = {"jaccard": JACCARD_THRESHOLDS, "embedding": EMBEDDING_THRESHOLDS, "meaning": MEANING_THRESHOLDS}
    return grids.get(method.similarity, ()) if method.threshold is not None else ()


def similarity_matrix(
    answers: Sequence[str], method: ClusteringMethod, embeddings: NDArray[np.floating] | None = None
) -> Float64Array:
    """Return the similarity of every pair of answers under a method.

    Args:
        answers: n answers.
        method: Only its similarity matters here.
        embeddings: (n, d), needed by `embedding`.

    Returns:
        (n, n) float64, symmetric.

    Raises:
        UsageError: The similarity is not known.
        ValueError: `embedding` without one embedding an answer.
    """
    match method.similarity:
        case "jaccard":
            return jaccard_similarity(answers)
        case "answer":
            return answer_similarity(answers)
        case "embedding":
            if embeddings is None or len(embeddings) != len(answers):
                given = 0 if embeddings is None else len(embeddings)
                raise ValueError(f"{len(answers)} answers need as many embeddings, not {given}")
            return cosine_similarity(embeddings)
        case other:
            raise UsageError(f"unknown similarity `{other}`", hint="one of jaccard, embedding, answer")


def cluster_question(
    sample_set: SampleSet,
    method: ClusteringMethod,
    embeddings: NDArray[np.floating] | None = None,
    pair_scores: PairScores | None = None,
    similarity: Float64Array | None = None,
) -> Clustering | None:
    """Cluster the valid samples of one question.

    Args:
        sample_set: The draws of the question.
        method: How.
        embeddings: (valid samples, d) in their order, needed by `embedding`.
        pair_scores: Of an NLI model, needed by `entailment`.
        similarity: (valid samples, valid samples), needed by `meaning`.

    Returns:
        The clustering, `None` with fewer than two valid samples: one answer agrees with itself whatever it is.

    Raises:
        UsageError: The similarity or the linkage is not known.
        ValueError: `embedding` without one embedding a valid sample, `entailment` without a model's scores,
            `meaning` without similarities.
    """
    answers = [sample.answer for sample in sample_set.valid_samples]
    if len(answers) < 2:
        return None
    if method.similarity == "entailment":
        if pair_scores is None:
            raise ValueError("`entailment` needs the scores of an NLI model")
        assignment = entailment_assignment(answers, pair_scores, _threshold(method))
        return Clustering(sample_set.question.id, method, assignment)
    if method.similarity != "meaning":
        similarity = similarity_matrix(answers, method, embeddings)
    elif similarity is None:
        raise ValueError("`meaning` needs the similarities of the answers")
    assignment = link(similarity, _threshold(method), method.linkage)
    return Clustering(sample_set.question.id, method, assignment)


def cluster_counts_of_first_k(
    similarities: Float64Array, method: ClusteringMethod, sizes: Sequence[int] = SAMPLE_SIZES
) -> NDArray[np.intp]:
    """Return the number of clusters of the first k samples of each question, for each k.

    Kept to reproduce published numbers; it depends on the order of the draws.

    Args:
        similarities: (q, n, n) of the valid samples in their order.
        method: Its linkage and threshold count.
        sizes: The k.

    Returns:
        Shape (q, sizes); 0 where there are fewer than k samples (a real count is at least 1).
    """
    counts = np.zeros((len(similarities), len(sizes)), dtype=np.intp)
    for column, k in enumerate(sizes):
        if k <= similarities.shape[1]:
            first = similarities[:, :k, :k]
            counts[:, column] = cluster_counts_by_threshold(first, method.linkage, (_threshold(method),))[:, 0]
    return counts


def single_cluster_share_of_subsets(
    similarities: Float64Array,
    method: ClusteringMethod,
    sizes: Sequence[int] = SAMPLE_SIZES,
    *,
    draws: int = SUBSET_DRAWS,
    seed: int = 0,
) -> Float64Array:
    """Return the share of k-subsets of each question's samples that form one cluster, for each k.

    Its mean over questions is the mean SCR over random k-subsets. The subsets depend on (n, k, seed) alone, so that
    every question of a run is read at the same sample numbers; where there are no more than `draws` k-subsets all of
    them are taken, which is the same mean without the noise.

    Args:
        similarities: (q, n, n) of the valid samples.
        method: Its linkage and threshold count.
        sizes: The k.
        draws: Random subsets a size.
        seed: Seed of the draws.

    Returns:
        Shape (q, sizes), in [0, 1]; NaN where there are fewer than k samples.
    """
    n = similarities.shape[1]
    threshold = _threshold(method)
    shares = np.full((len(similarities), len(sizes)), np.nan)
    for column, k in enumerate(sizes):
        if k <= n:
            subsets = _subsets(n, k, draws, seed)
            shares[:, column] = are_single_clusters(similarities, subsets, threshold, method.linkage).mean(axis=1)
    return shares


@lru_cache(maxsize=64)
def _subsets(n: int, k: int, draws: int, seed: int) -> NDArray[np.intp]:
    """Return (m, k) ascending row numbers: all k-subsets where they are few, else `draws` random ones."""
    if math.comb(n, k) <= draws:
        subsets = np.asarray(list(combinations(range(n), k)), dtype=np.intp)
    else:
        random = np.random.default_rng([seed, n, k])
        order = np.argsort(random.random((draws, n)), axis=1)
        subsets = np.sort(order[:, :k], axis=1).astype(np.intp)
    subsets.flags.writeable = False
    return subsets


def _threshold(method: ClusteringMethod) -> float:
    return _EQUAL if method.threshold is None else method.threshold
