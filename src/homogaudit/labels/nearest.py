"""The `nearest` judge: which reference answers a free answer means, by embeddings and a few plain comparisons.

It compares each side's references with the answer and weighs the differences; the weights and the margin were fitted
on answers labelled by hand (`labels/nearest.toml`, made by `labels/nearest_fit.py`). It knows no facts: an answer that
says what no reference says is as near to either side, and mostly gets no label.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.written_numbers import in_digits
from homogaudit.labels.overlap import FUNCTION_WORDS
from homogaudit.labels.verdict import Verdict
from homogaudit.records import Generation, LabelValue, Question

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""From texts to rows of length 1."""

_DENIAL = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|nor|cannot|without|myth|misconception|false|untrue|unable|impossible)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
_LEAD = re.compile(r"\W*(yes|no|true|false)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LEFT_OUT = FUNCTION_WORDS | {"not", "no"}
_ENDINGS = ("ing", "ies", "ied", "ed", "es", "s", "ly")


@dataclass(frozen=True, slots=True)
class Side:
    """How an answer stands to the references of one side; each from 0 to 1, `yes` and `number` from -1.

    Attributes:
        cosine: With the most similar reference.
        yes: Share of references that begin with the answer's yes or no, less that with the other one.
        denial: Share of references that deny something where the answer does, and do not where it does not.
        number: 1 where a reference has the answer's numbers, -0.5 where all with numbers have others.
        own: Share of the answer's new words that only this side has.
        new: Overlap of the answer's new words with those of the reference that shares most; new are those that the
            question does not have.
    """

    cosine: float
    yes: float
    denial: float
    number: float
    own: float
    new: float


@dataclass(frozen=True, slots=True)
class NearestWeights:
    """What `nearest` decides by: a weight for each difference between the sides, and the margin of their sum."""

    weights: Side
    margin: float


def judge_nearest(question: Question, greedy: Generation, embed: Embed, weights: NearestWeights) -> Verdict:
    """Label an answer by the side of reference answers that it means.

    The weighted differences between the correct and the incorrect references are added; a sum of at least the margin
    decides, less is `no_match`. A question without references of one kind has nothing to compare with.

    Args:
        question: With `answers` and `incorrect_answers`.
        greedy: A valid answer; one that was cut is judged as it stands.
        embed: The embedder for which `weights` were fitted.
        weights: From `weights_of`.
    """
    if not question.answers or not question.incorrect_answers:
        return Verdict(LabelValue.NO_MATCH, "nearest: the question has no incorrect answers to compare with")
    correct, incorrect = compare(question, greedy.answer, embed)
    total = weighted(correct, incorrect, weights.weights)
    sides = f"correct {correct.cosine:.2f} against {incorrect.cosine:.2f}"
    if abs(total) < weights.margin:
        return Verdict(LabelValue.NO_MATCH, f"nearest: {sides}, too close to tell ({total:+.1f})")
    value = LabelValue.CORRECT if total > 0 else LabelValue.INCORRECT
    return Verdict(value, f"nearest: {sides} ({total:+.1f})")


def weighted(correct: Side, incorrect: Side, weights: Side) -> float:
    """Return the sum of the differences between two sides, each times its weight; positive for the correct one."""
    sides, others = asdict(correct), asdict(incorrect)
    return sum((sides[name] - others[name]) * weight for name, weight in asdict(weights).items())


def compare(question: Question, answer: str, embed: Embed) -> tuple[Side, Side]:
    """Return how an answer stands to the correct and to the incorrect references."""
    sides = (question.answers, question.incorrect_answers)
    rows = embed([answer, *sides[0], *sides[1]])
    cosines = rows[1:] @ rows[0]
    count = len(sides[0])
    return (
        side_of(question.text, answer, sides[0], sides[1], cosines[:count]),
        side_of(question.text, answer, sides[1], sides[0], cosines[count:]),
    )


def side_of(
    question: str, answer: str, references: Sequence[str], others: Sequence[str], cosines: NDArray[np.float32]
) -> Side:
    """Return how an answer stands to some references.

    Args:
        question: Its text, whose words tell nothing.
        answer: The text to judge.
        references: At least one.
        others: Those of the other side.
        cosines: Of the answer with each reference.
    """
    asked = _words(question)
    new = _words(answer) - asked
    words = [_words(reference) - asked for reference in references]
    own = frozenset[str]().union(*words) - frozenset[str]().union(*map(_words, others))
    denies = _DENIAL.search(answer) is not None
    return Side(
        cosine=float(cosines.max()),
        yes=_yes(answer, references),
        denial=float(np.mean([(_DENIAL.search(reference) is not None) == denies for reference in references])),
        number=_number(_numbers(answer) - _numbers(question), [_numbers(x) - _numbers(question) for x in references]),
        own=len(new & own) / max(1, len(new)),
        new=max(len(new & theirs) / max(1, len(new | theirs)) for theirs in words),
    )


@lru_cache(maxsize=1)
def _resource() -> dict[str, NearestWeights]:
    text = files("homogaudit.labels").joinpath("nearest.toml").read_text(encoding="utf-8")
    return {
        name: NearestWeights(Side(**entry["weights"]), entry["margin"]) for name, entry in tomllib.loads(text).items()
    }


def fitted_embedders() -> Collection[str]:
    """Return the names of the embedders that the judge was fitted for."""
    return _resource().keys()


def weights_of(embedder: str) -> NearestWeights | None:
    """Return what was fitted for an embedder by its name, `None` where nothing was."""
    return _resource().get(embedder)


@lru_cache(maxsize=1 << 14)
def _words(text: str) -> frozenset[str]:
    """Return the stems of the content words of a text; numbers are words."""
    return frozenset(_stem(word) for word in _WORD.findall(in_digits(text).lower()) if word not in _LEFT_OUT)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _yes(answer: str, references: Sequence[str]) -> float:
    said = _lead(answer)
    leads = [_lead(reference) for reference in references]
    return 0.0 if said is None else (leads.count(said) - leads.count(not said)) / len(leads)


def _lead(text: str) -> bool | None:
    found = _LEAD.match(text)
    return None if found is None else found[1].lower() in ("yes", "true")


def _number(said: frozenset[str], numbers: Sequence[frozenset[str]]) -> float:
    if not said:
        return 0.0
    return max(1.0 if said <= theirs else (-0.5 if theirs else 0.0) for theirs in numbers)


@lru_cache(maxsize=1 << 14)
def _numbers(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(in_digits(text)))
