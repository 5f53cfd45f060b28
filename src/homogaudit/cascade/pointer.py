"""The pointer model: how far free features alone point to wrong answers, by logistic regression.

Twenty features are read from the greedy answer's token entropies and from the words of question and answer; the
question's embedding, reduced to 64 components, may join them. Words are English: in another language question words and
hedges are 0 and say nothing. It does not know labels' origin, and fits nothing on the questions that it scores.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.token import high_entropy_share
from homogaudit.statistics.arrays import FloatArray, class_vector, require_classes, score_matrix
from homogaudit.statistics.auroc import delong, logit_interval
from homogaudit.statistics.folds import stratified_folds
from homogaudit.statistics.logistic_regression import fit_logistic_regression

FREE_FEATURES = (
    "entropy_mean",
    "entropy_max",
    "entropy_min",
    "entropy_std",
    "entropy_median",
    "entropy_first",
    "entropy_high_ratio",
    "question_characters",
    "question_words",
    "answer_characters",
    "answer_words",
    "asks_what",
    "asks_who",
    "asks_when",
    "asks_where",
    "asks_why",
    "asks_how",
    "asks_yes_no",
    "answer_hedges",
    "answer_negations",
)
"""In the order of `free_features`.

Entropies of the greedy answer's tokens in nats: mean, largest, smallest, standard deviation (ddof 0), median, that of
the first token, and the share above twice the mean. Lengths of question and answer in characters and words, as
ln(1 + x). How the question asks, at most one of seven, 1 or 0: the first question word in it (`which` counts as what,
`whose` and `whom` as who), yes or no where it begins with an auxiliary verb. Share of the answer's words that are
hedges and that are negations."""

COMPONENTS = 64
"""Of the question embeddings (arXiv 2603.24124)."""

FOLDS = 5
REPEATS = 10
"""Splits into folds: one split moves the AUROC of some hundred questions by more than a hundredth."""

_WORD = re.compile(r"[a-z']+")
_ASKED = {
    "what": "what",
    "which": "what",
    "who": "who",
    "whom": "who",
    "whose": "who",
    "when": "when",
    "where": "where",
    "why": "why",
    "how": "how",
}
_ASKS = ("what", "who", "when", "where", "why", "how", "yes_no")
_AUXILIARY = frozenset(
    "is are was were am do does did has have had can could will would shall should may might must isn't aren't wasn't "
    "weren't don't doesn't didn't can't won't".split()
)
_HEDGES = frozenset(
    "may might could possibly perhaps probably likely unlikely maybe generally usually often typically sometimes "
    "commonly seems seem appears appear suggests suggest believed considered reportedly allegedly supposedly arguably "
    "approximately roughly around about unclear uncertain unsure think believe depends".split()
)
_NEGATIONS = frozenset("no not never none nothing nobody neither nor cannot without".split())
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})


@dataclass(frozen=True, slots=True)
class PointerModel:
    """A pointer model on held-out folds.

    Attributes:
        auroc: Mean over five held-out folds, ten times over, with the interval of a cross-validated AUROC.
        coefficients: Of the features in units of their standard deviation, fitted on all questions: description only.
        components: Of the question embeddings that joined, 0 without.
    """

    auroc: HeldOutValue
    n: int
    positives: int
    features: tuple[str, ...]
    coefficients: tuple[float, ...]
    components: int


def free_features(question: str, answer: str, entropies: ArrayLike) -> FloatArray:
    """Return the 20 features of one question, shape (20,), as `FREE_FEATURES` names them.

    Args:
        question: Its text.
        answer: The greedy answer.
        entropies: Of the answer's tokens, in nats, shape (tokens,).

    Raises:
        UndefinedStatisticError: There is no token, or an entropy is not finite.
    """
    tokens = np.asarray(entropies, dtype=np.float64)
    if tokens.ndim != 1:
        raise ValueError(f"expected a vector of entropies, not shape {tokens.shape}")
    if not tokens.size or not np.isfinite(tokens).all():
        raise UndefinedStatisticError(
            f"no finite entropies of `{tokens.size}` tokens", "the free features need every token's entropy"
        )
    mean = float(tokens.mean())
    words = _words(answer)
    asked = _asked(question)
    return np.array(
        [
            mean,
            tokens.max(),
            tokens.min(),
            tokens.std(),
            np.median(tokens),
            tokens[0],
            high_entropy_share(tokens),
            math.log1p(len(question)),
            math.log1p(len(question.split())),
            math.log1p(len(answer)),
            math.log1p(len(answer.split())),
            *(float(asked == kind) for kind in _ASKS),
            sum(word in _HEDGES for word in words) / max(len(words), 1),
            sum(word in _NEGATIONS or word.endswith("n't") for word in words) / max(len(words), 1),
        ]
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.translate(_APOSTROPHES).lower())


def _asked(question: str) -> str | None:
    words = _words(question)
    if words and words[0] in _AUXILIARY:
        return "yes_no"
    return next((_ASKED[word] for word in words if word in _ASKED), None)


def pointer_model(
    features: ArrayLike, positive: ArrayLike, embeddings: NDArray[np.floating] | None = None, seed: int = 0
) -> PointerModel:
    """Fit and score the pointer model in five stratified folds, split ten times.

    Features are standardised and embeddings reduced on the training folds only.

    Args:
        features: Shape (n, 20), rows of `free_features`.
        positive: Shape (n,), True for an incorrect answer.
        embeddings: Of the questions, shape (n, d), or `None`.
        seed: Of the folds.

    Raises:
        UndefinedStatisticError: A value is not finite, or a class has fewer than two questions a fold.

    Source:
        arXiv 2603.24124 for the model. The interval: LeDell, Petersen and van der Laan (2015), "Computationally
        efficient confidence intervals for cross-validated area under the ROC curve estimates", with DeLong's variance
        in each fold.
    """
    inputs = _finite(features, "features")
    if inputs.shape[1] != len(FREE_FEATURES):
        raise ValueError(f"expected {len(FREE_FEATURES)} features, not shape {inputs.shape}")
    labels = class_vector(positive, inputs.shape[0])
    require_classes(labels, 2 * FOLDS, "a held-out pointer model")
    vectors = None if embeddings is None else _finite(embeddings, "question embeddings")
    if vectors is not None and vectors.shape[0] != labels.size:
        raise ValueError(f"expected {labels.size} embeddings, not shape {vectors.shape}")
    values: list[float] = []
    variances: list[float] = []
    generator = np.random.default_rng(seed)
    for _ in range(REPEATS):
        fold = stratified_folds(labels, FOLDS, generator)
        for number in range(FOLDS):
            held_out = np.flatnonzero(fold == number)
            scores, _ = _fit(inputs, labels, vectors, np.flatnonzero(fold != number), held_out)
            found = delong(scores, labels[held_out])
            values.append(found.value)
            variances.append(found.se**2)
    value = float(np.mean(values))
    # Repeats only smooth the mean: it has the variance of the folds of one.
    interval = logit_interval(value, math.sqrt(float(np.mean(variances)) / FOLDS))
    every = np.arange(labels.size)
    _, coefficients = _fit(inputs, labels, vectors, every, every[:1])
    return PointerModel(
        auroc=HeldOutValue(value, interval.low, interval.high),
        n=labels.size,
        positives=int(np.count_nonzero(labels)),
        features=FREE_FEATURES,
        coefficients=tuple(float(x) for x in coefficients[: len(FREE_FEATURES)]),
        components=coefficients.size - len(FREE_FEATURES),
    )


def _finite(values: ArrayLike, what: str) -> FloatArray:
    matrix = score_matrix(values)
    undefined = int(np.count_nonzero(np.isnan(matrix).any(axis=1)))
    if undefined:
        raise UndefinedStatisticError(f"`{undefined}` questions have {what} that are NaN", "leave these questions out")
    return matrix


def _fit(
    inputs: FloatArray,
    labels: NDArray[np.bool_],
    vectors: FloatArray | None,
    training: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> tuple[FloatArray, FloatArray]:
    """Return the log-odds of the questions held out and the coefficients."""
    known, unknown = inputs[training], inputs[held_out]
    if vectors is not None:
        axes = _principal_axes(vectors[training])
        known = np.hstack([known, vectors[training] @ axes])
        unknown = np.hstack([unknown, vectors[held_out] @ axes])
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    # Of a constant input rounding may leave so much: it is then about 0 for every question.
    deviation[deviation <= len(known) * np.finfo(np.float64).eps * np.abs(mean)] = 1.0
    model = fit_logistic_regression((known - mean) / deviation, labels[training].astype(np.float64), ridge=1.0)
    return model.log_odds((unknown - mean) / deviation), model.slopes


def _principal_axes(vectors: FloatArray) -> FloatArray:
    """Return the first principal axes of vectors of shape (n, d) as columns."""
    count = min(COMPONENTS, vectors.shape[1], len(vectors) - 1)
    centered = vectors - vectors.mean(axis=0)
    if len(vectors) < vectors.shape[1]:
        return np.linalg.svd(centered, full_matrices=False)[2][:count].T
    return np.linalg.eigh(centered.T @ centered)[1][:, : -count - 1 : -1]
