"""Whether two answers to one question say the same, by a guarded embedding: how near they are, and what contradicts.

Nearness alone cannot tell: answers that differ in one number or one name are nearer to each other than paraphrases. So
a small logistic model reads both, with weights that were fitted on pairs of answers labelled by hand. It knows texts
and vectors; where vectors and weights come from is known elsewhere.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.answer_facts import AnswerFacts, answer_facts
from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.clustering_method import ASKED

Float64Array = NDArray[np.float64]

PATH = Path(__file__).with_name("meaning.json")
"""What the package ships, by the fingerprint of an embedder's files; `homogaudit.launch.pair_measures` writes it."""

FEATURES = {
    "together": "cosine of the two texts `question answer`",
    "alone": "cosine of the two answers",
    "words": "Jaccard index of their words",
    "content": "Jaccard index of their content words, those of the question left out",
    "shared": "content words in common over those of the shorter answer",
    "numbers_agree": "1 where they share a number, in the same or in a convertible unit",
    "numbers_differ": "1 where both hold numbers and share none",
    "number_in_one": "1 where one alone holds a number",
    "names_agree": "1 where a name of one is in the other",
    "names_differ": "1 where each has a name that the other has not",
    "name_in_one": "1 where one alone has a name that the other has not",
    "negation": "1 where one alone denies something",
    "stances_differ": "1 where one says yes and the other no, or one alone denies what a yes-or-no question asks",
    "stances_agree": "1 where both say yes or both say no",
    "choices_differ": "1 where each repeats a content word of the question that the other does not",
    "opposites": "1 where a word of one is the opposite of a word of the other",
    "each_adds": "1 where each has a content word that the other has not",
    "added_by_both": "ln(1 + content words that the answer with fewer such words adds)",
    "length_ratio": "|ln(words of one / words of the other)|",
    "shorter": "ln(words of the shorter one)",
}
"""What the model reads of a pair; each is the same in both orders."""

TERMS = (
    *FEATURES,
    *(f"each_adds*{name}" for name in FEATURES if name != "each_adds"),
    *(f"shared*{name}" for name in FEATURES if name != "each_adds"),
    "negation*words",
    "negation*content",
)
"""The terms of the log-odds: the features, and products of two, because what a feature weighs depends on whether each
answer adds something and on how much they share."""

_FACTORS = {term: tuple(term.split("*")) for term in TERMS}


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


@dataclass(frozen=True, slots=True)
class MeaningFit:
    """A fitted model for the vectors of one embedder.

    Attributes:
        threshold: Probability from which a pair counts as one meaning, as calibrated.
        intercept: Log-odds where all features are 0.
        weights: Log-odds that a term adds, by its name in `TERMS`.
        pairs_sha256: Of the file of pairs that it was fitted to.
        open_from: From which probability on, and
        open_to: below which one, a pair is open, so that another model is asked; outside of it the model errs on one
            held-out pair in ten.
    """

    threshold: float
    intercept: float
    weights: Mapping[str, float]
    pairs_sha256: str = ""
    open_from: float = 0.28
    open_to: float = 0.80

    def __post_init__(self) -> None:
        """Check that each weight has its term."""
        if unknown := self.weights.keys() - set(TERMS):
            raise ValueError(f"unknown terms {sorted(unknown)}")

    @property
    def digest(self) -> str:
        """Names the model itself, whatever its threshold: eight hexadecimal digits."""
        text = json.dumps([self.intercept, dict(sorted(self.weights.items()))])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def key(self, embedder: str, asked: str | None = None) -> str:
        """Return what the similarities depend on.

        Args:
            embedder: Key of the embedder.
            asked: Key of the model that is asked about open pairs, `None` for none.
        """
        return f"{embedder}+meaning:{self.digest}" + (f"{ASKED}{asked}" if asked else "")

    def is_open(self, probability: float) -> bool:
        """Whether a pair is left to another model."""
        return self.open_from <= probability < self.open_to

    def probability_asked(self, log_odds: float, yes_from: float = 0.5) -> float:
        """Return the probability of an open pair from the log-odds of yes.

        Args:
            log_odds: ln P(yes) - ln P(no).
            yes_from: The probability of yes that gives the threshold.
        """
        odds = log_odds - _log_odds(yes_from) + _log_odds(self.threshold)
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, odds))))

    def probability(self, features: Mapping[str, float]) -> float:
        """Return the probability that a pair with these features has one meaning."""
        terms = pair_terms(features)
        odds = self.intercept + sum(weight * terms[name] for name, weight in self.weights.items())
        return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, odds))))


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, MeaningFit]:
    stored: Mapping[str, Mapping[str, Any]] = json.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: MeaningFit(fit["threshold"], fit["intercept"], fit["weights"], fit["pairs_sha256"])
        for name, fit in stored.items()
    }


def forget_shipped() -> None:
    """Read what is shipped anew: it was written again."""
    _shipped.cache_clear()


def fitted_embedders() -> tuple[str, ...]:
    """Return a key of each embedder that a model is shipped for."""
    return tuple(f"any#{files}" for files in _shipped())


def shipped_fit(embedder_key: str) -> MeaningFit | None:
    """Return the model for an embedder by the fingerprint of its files, whatever its name; `None` without one."""
    return _shipped().get(embedder_key.partition("#")[2])


def together(question: str, answer: str) -> str:
    """Return the text that is embedded to see an answer with its question."""
    return f"{question.strip()} {answer.strip()}"


def pair_features(first: AnswerFacts, second: AnswerFacts, *, near: float, near_alone: float) -> dict[str, float]:
    """Return the features of a pair of answers to one question.

    Args:
        first: What one answer asserts.
        second: What the other does.
        near: Cosine of the texts that `together` gives.
        near_alone: Cosine of the answers.
    """
    agree = any(x.agrees(y) for x in first.numbers for y in second.numbers)
    own_names, other_names = first.names - second.content, second.names - first.content
    added = min(len(first.content - second.content), len(second.content - first.content))
    shorter = min(first.length, second.length)
    return {
        "together": near,
        "alone": near_alone,
        "words": _jaccard(first.words, second.words),
        "content": _jaccard(first.content, second.content),
        "shared": len(first.content & second.content) / max(1, min(len(first.content), len(second.content))),
        "numbers_agree": float(agree),
        "numbers_differ": float(bool(first.numbers and second.numbers) and not agree),
        "number_in_one": float(bool(first.numbers) != bool(second.numbers)),
        "names_agree": float(bool(first.names & second.content or second.names & first.content)),
        "names_differ": float(bool(own_names and other_names)),
        "name_in_one": float(bool(own_names) != bool(other_names)),
        "negation": float(first.denies != second.denies),
        "stances_differ": float(first.stance * second.stance < 0),
        "stances_agree": float(first.stance * second.stance > 0),
        "choices_differ": float(bool(first.chosen - second.chosen and second.chosen - first.chosen)),
        "opposites": float(first.opposes(second)),
        "each_adds": float(added > 0),
        "added_by_both": math.log1p(added),
        "length_ratio": math.log(max(first.length, second.length) / shorter),
        "shorter": math.log(shorter),
    }


def pair_terms(features: Mapping[str, float]) -> dict[str, float]:
    """Return the value of each of `TERMS` for a pair with these features."""
    return {term: math.prod(features[name] for name in names) for term, names in _FACTORS.items()}


def meaning_similarity(
    question: str,
    answers: Sequence[str],
    vectors_together: NDArray[np.floating],
    vectors_alone: NDArray[np.floating],
    fit: MeaningFit,
) -> Float64Array:
    """Return the probability of each pair of answers to one question that they say the same.

    Args:
        question: The question.
        answers: n answers; two that are equal but for white space around them say the same.
        vectors_together: (n, d), of the texts that `together` gives.
        vectors_alone: (n, d), of the answers.
        fit: For the embedder of these vectors.

    Returns:
        (n, n) float64 in [0, 1], symmetric, ones on the diagonal.
    """
    near, near_alone = cosine_similarity(vectors_together), cosine_similarity(vectors_alone)
    facts = [answer_facts(question, answer) for answer in answers]
    found = np.eye(len(answers))
    for row in range(len(answers)):
        for column in range(row):
            if answers[row].strip() == answers[column].strip():
                probability = 1.0
            else:
                probability = fit.probability(
                    pair_features(
                        facts[row],
                        facts[column],
                        near=float(near[row, column]),
                        near_alone=float(near_alone[row, column]),
                    )
                )
            found[row, column] = found[column, row] = probability
    return found


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the Jaccard index; two empty sets are equal."""
    return len(first & second) / len(first | second) if first or second else 1.0
