"""The questions of the categories where a signal works, and of those where it points the wrong way.

Which categories these are is decided by the labels. To decide and to score on the same questions makes two zones out
of noise, so `held_out_zones` decides on one half and gives the zones of the other; `in_sample_zones` does as was
published.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import BoolArray, class_vector, score_vector
from homogaudit.statistics.auroc import placements
from homogaudit.statistics.bootstrap import Estimate

ZoneArray = NDArray[np.int8]
"""Shape (n,): 1 where a question lies in the effective zone, -1 in the blind one, 0 in none."""

_FEWEST = 2
"""Of each class in a category that gets a zone, as published."""

_REPEATS = 10
"""Splits into halves: one is a matter of luck."""

_Z = 1.959963984540054
"""Of a 95% interval."""


def in_sample_zones(scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None]) -> ZoneArray:
    """Return the zones by the published rule: effective where the mean score of incorrect answers is the higher one.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions; those with two of each class get a zone.

    Source: arXiv 2603.24124, experiment 1.
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    zones = np.zeros(vector.size, dtype=np.int8)
    for members in _members(labels, categories):
        values, wrong = vector[members], labels[members]
        zones[members] = 1 if values[wrong].mean() > values[~wrong].mean() else -1
    return zones


def held_out_zones(
    scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None], seed: int = 0
) -> Iterator[ZoneArray]:
    """Yield the zones of one half of the questions after the other, decided on the other half, ten times over.

    In the deciding half a category is effective where its AUROC is above 0.5, and blind below; it needs two of each
    class there. Halves are drawn within category and class.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions.
        seed: Of the halves.

    Yields:
        Shape (n,); 0 outside the half, and without a zone. Two in a row are of one split.
    """
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    groups = _members(labels, categories)
    generator = np.random.default_rng(seed)
    for _ in range(_REPEATS):
        is_first = _half(labels, groups, generator)
        for scored in (is_first, ~is_first):
            zones = np.zeros(vector.size, dtype=np.int8)
            for members in groups:
                deciding = members[~scored[members]]
                wrong = labels[deciding]
                if min(int(wrong.sum()), int((~wrong).sum())) >= _FEWEST:
                    found = placements(vector[deciding], wrong).auroc
                    zones[members[scored[members]]] = np.sign(found - 0.5)
            yield zones


def zone_auroc(scores: ArrayLike, positive: ArrayLike, parts: Sequence[BoolArray]) -> Estimate:
    """Return the AUROC within each of some sets of questions, averaged with the number of pairs as weight.

    Only answers of one set are compared: the zones of one half depend on the labels of the other.

    Args:
        scores: Shape (n,), higher = more uncertain; NaN where a question has none.
        positive: Shape (n,), True for an incorrect answer.
        parts: Each of shape (n,); of `held_out_zones` two in a row are the halves of one split.

    Returns:
        With DeLong's variance of one split, so that the interval is rather too wide than too narrow; n counts the
        questions of a split.

    Raises:
        UndefinedStatisticError: No set holds both classes.
    """
    vector = np.asarray(scores, dtype=np.float64)
    labels = class_vector(positive, vector.size)
    won = variance = pairs = 0.0
    questions = 0
    splits = max(len(parts) // 2, 1)
    for part in parts:
        kept = part & ~np.isnan(vector)
        values, wrong = vector[kept], labels[kept]
        positives = int(wrong.sum())
        of_part = positives * (wrong.size - positives)
        questions += wrong.size
        if not of_part:
            continue
        pairs += of_part
        placed = placements(values, wrong)
        won += of_part * placed.auroc
        # The widest that there is where a class has one member.
        variance += (of_part * (placed.se if min(positives, wrong.size - positives) >= _FEWEST else 0.5)) ** 2
    if not pairs:
        raise UndefinedStatisticError("no question of this zone is answered wrongly, or none rightly")
    value = won / pairs
    # The variances are of sums over all splits, and a split has so much of the pairs.
    margin = _Z * math.sqrt(variance * splits) / pairs
    return Estimate(value, max(value - margin, 0.0), min(value + margin, 1.0), round(questions / splits))


def _members(labels: BoolArray, categories: Sequence[str | None]) -> list[NDArray[np.intp]]:
    """Return the questions of each category that has two of each class."""
    if len(categories) != labels.size:
        raise ValueError(f"expected {labels.size} categories, not {len(categories)}")
    found: dict[str, list[int]] = {}
    for question, name in enumerate(categories):
        if name is not None:
            found.setdefault(name, []).append(question)
    groups = [np.array(found[name]) for name in sorted(found)]
    return [x for x in groups if min(int(labels[x].sum()), int((~labels[x]).sum())) >= _FEWEST]


def _half(labels: BoolArray, groups: Sequence[NDArray[np.intp]], generator: np.random.Generator) -> BoolArray:
    """Return which questions are in the first half, drawn within category and class."""
    is_first = np.zeros(labels.size, dtype=np.bool_)
    for members in groups:
        for of_class in (members[labels[members]], members[~labels[members]]):
            # An odd one falls to either half.
            size = (of_class.size + int(generator.integers(2))) // 2
            is_first[generator.permutation(of_class)[:size]] = True
    return is_first
