"""Fits the model of meaning to pairs of answers, and applies it to subjects that it was not fitted to.

It sets no threshold and measures nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.answer_facts import answer_facts
from homogaudit.clustering.answer_pairs import AnswerPair
from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.meaning import TERMS, MeaningFit, pair_features, pair_terms, together

_C = 0.3
"""Inverse strength of the ridge penalty on standardised terms: for fifty terms and a thousand pairs."""
_FOLDS = 8
_REPEATS = 5


@dataclass(frozen=True, slots=True, eq=False)
class FittedMeaning:
    """A fitted model, and what it says of pairs of subjects that were held out.

    Attributes:
        intercept: Log-odds where all terms are 0.
        weights: Log-odds that a term adds, by its name.
        held_out: (n,) probabilities, each by models that saw no pair of its subject, averaged over repeats.
    """

    intercept: float
    weights: dict[str, float]
    held_out: NDArray[np.float64]


def subjects_of(pairs: Sequence[AnswerPair]) -> list[str]:
    """Return what each pair is held out with: its subject, or its question where none is named."""
    return [pair.subject or pair.question for pair in pairs]


def fit_meaning(pairs: Sequence[AnswerPair], embedder: Embedder, seed: int = 0) -> FittedMeaning:
    """Fit the model for an embedder by ridge-penalised logistic regression.

    Pairs of every source weigh the same in sum, because those that were written are harder than those that models
    draw, and more.

    Args:
        pairs: Of at least ten subjects or questions, of both meanings.
        embedder: Whose vectors it reads.
        seed: Of the folds.

    Raises:
        EmbedderError: The embedder fails.
    """
    rows = _rows(pairs, embedder)
    same = np.asarray([pair.same for pair in pairs])
    sources, source = np.unique([pair.source or "" for pair in pairs], return_inverse=True)
    weights = (len(pairs) / len(sources) / np.bincount(source))[source]
    subjects, subject = np.unique(subjects_of(pairs), return_inverse=True)
    held_out = np.zeros(len(pairs))
    for repeat in range(_REPEATS):
        fold = np.random.default_rng([seed, repeat]).permutation(len(subjects)) % _FOLDS
        for number in range(_FOLDS):
            apart = fold[subject] == number
            intercept, slopes = _logistic(rows[~apart], same[~apart], weights[~apart])
            held_out[apart] += 1 / (1 + np.exp(-(intercept + rows[apart] @ slopes))) / _REPEATS
    intercept, slopes = _logistic(rows, same, weights)
    return FittedMeaning(intercept, dict(zip(TERMS, slopes.tolist(), strict=True)), held_out)


def meaning_of_pairs(pairs: Sequence[AnswerPair], embedder: Embedder, fit: MeaningFit) -> NDArray[np.float64]:
    """Return (n,) what a model that is there already says of pairs.

    Raises:
        EmbedderError: The embedder fails.
    """
    slopes = np.asarray([fit.weights.get(term, 0.0) for term in TERMS])
    return 1 / (1 + np.exp(-(fit.intercept + _rows(pairs, embedder) @ slopes)))


def _logistic(
    rows: NDArray[np.float64], same: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return intercept and slopes of the terms as they are; they are standardised for the penalty alone."""
    # Imported here, because whoever reads a shipped model needs no scikit-learn.
    from sklearn.linear_model import LogisticRegression

    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(C=_C, max_iter=5000, tol=1e-8)
    model.fit((rows - mean) / spread, same, sample_weight=weights)
    slopes = np.asarray(model.coef_)[0] / spread
    return float(np.asarray(model.intercept_)[0] - mean @ slopes), slopes


def _rows(pairs: Sequence[AnswerPair], embedder: Embedder) -> NDArray[np.float64]:
    """Return (n, terms): what the model reads of each pair; each text is embedded once."""
    alone = [text for pair in pairs for text in (pair.a, pair.b)]
    beside = [together(pair.question, text) for pair in pairs for text in (pair.a, pair.b)]
    texts = list(dict.fromkeys([*alone, *beside]))
    place = {text: row for row, text in enumerate(texts)}
    vectors = embedder.embed(texts).astype(np.float64)

    def cosines(of: Sequence[str]) -> NDArray[np.float64]:
        found = vectors[[place[text] for text in of]]
        return np.clip((found[::2] * found[1::2]).sum(axis=1), -1.0, 1.0)

    rows: list[list[float]] = []
    for pair, near, near_alone in zip(pairs, cosines(beside), cosines(alone), strict=True):
        facts = (answer_facts(pair.question, text) for text in (pair.a, pair.b))
        features = pair_features(*facts, near=float(near), near_alone=float(near_alone))
        rows.append(list(pair_terms(features).values()))
    return np.asarray(rows)
