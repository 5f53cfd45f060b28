"""Where a signal works: AUROC by category, whether it differs by category at all, effective and blind zones.

The table is description only: with many small categories some AUROC is always far from 0.5. What may be concluded
comes from the permutation test first, then from the zones. A question without a category (`None`) enters none.

It does not know what the categories mean, nor how they were made; they must not be made from the labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.codec import Count, Share
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, score_vector
from homogaudit.statistics.auroc import delong, placements
from homogaudit.statistics.tests import holm

__all__ = [
    "CategoryAuroc",
    "CategoryDifference",
    "CategoryZone",
    "Zone",
    "auroc_by_category",
    "category_difference",
    "category_zones",
]

FEWEST_IN_TABLE = 10
"""Questions of a category in the table."""

FEWEST_IN_ZONE = 20
"""Questions of a category that can be a zone."""

FEWEST_OF_CLASS = 5
"""Of each class in a category that can be a zone."""

PERMUTATIONS = 2_000
"""Of the test whether AUROC differs at all."""

ZONE_PERMUTATIONS = 10_000
"""Holm over 38 categories must be able to reach 0.05."""

FOLDS = 5
REPEATS = 20
"""Splits of a category into folds: one split of 20 questions is a matter of luck."""

CHUNK_LABELS = 1 << 22
"""Permuted labels held at once: 32 MiB."""

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class CategoryAuroc:
    """A signal's AUROC in one category, as description.

    Attributes:
        n: Questions.
        positives: Of these, in the positive class.
        auroc: Ties half.
        interval: DeLong's; `None` where the category gives it no width.
    """

    n: int
    positives: int
    auroc: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class CategoryDifference:
    """Whether AUROC differs by category at all.

    Attributes:
        statistic: Squared deviations of the categories' AUROCs from their mean, each weighted by the inverse of its
            variance under equal distributions: in the order of a chi-square with categories - 1 degrees of freedom.
        p: (1 + permutations that reach it) / (1 + permutations).
        tested: Categories with both classes and at least 10 questions.
        n: Questions in them.
    """

    statistic: float
    p: Share
    tested: Count
    n: Count


class Zone(StrEnum):
    """What is shown of a signal in a category."""

    EFFECTIVE = "effective"
    BLIND = "blind"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class CategoryZone:
    """Whether a signal works inside one category.

    Attributes:
        zone: `effective` where it is shown to tell incorrect answers there, `blind` where it is shown to point the
            wrong way, else `undecided`.
        n: Questions.
        positives: Of these, in the positive class.
        held_out_auroc: On held-out folds, the signal turned as its training folds say; at 0.5 or below the decision
            does not carry over.
        training_effective: Share of the training folds that say "effective".
        p: By permutation of the category's labels, deciding anew each time.
        p_holm: Holm's over all categories tested.
    """

    zone: Zone
    n: Count
    positives: Count
    held_out_auroc: Share
    training_effective: Share
    p: Share
    p_holm: Share


@dataclass(frozen=True, slots=True, eq=False)
class _Category:
    name: str
    scores: FloatArray
    positive: BoolArray

    @property
    def positives(self) -> int:
        return int(np.count_nonzero(self.positive))

    def has(self, questions: int, of_class: int) -> bool:
        return self.positive.size >= questions and min(self.positives, self.positive.size - self.positives) >= of_class


def _split(scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None]) -> list[_Category]:
    """Return the named categories in the order of their names."""
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    if len(categories) != labels.size:
        raise ValueError(f"expected {labels.size} categories, not {len(categories)}")
    members: dict[str, list[int]] = {}
    for question, name in enumerate(categories):
        if name is not None:
            members.setdefault(name, []).append(question)
    return [_Category(name, vector[members[name]], labels[members[name]]) for name in sorted(members)]


def auroc_by_category(
    scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None]
) -> dict[str, CategoryAuroc]:
    """Return the AUROC of every category with at least 10 questions and both classes, by name.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions.

    Raises:
        UndefinedStatisticError: A score is not finite.
    """
    return {
        category.name: _category_auroc(category)
        for category in _split(scores, positive, categories)
        if category.has(FEWEST_IN_TABLE, 1)
    }


def _category_auroc(category: _Category) -> CategoryAuroc:
    n, positives = category.positive.size, category.positives
    if min(positives, n - positives) < 2:
        return CategoryAuroc(n, positives, placements(category.scores, category.positive).auroc, None)
    found = delong(category.scores, category.positive)
    return CategoryAuroc(n, positives, found.value, Interval(found.low, found.high) if found.se > 0 else None)


def category_difference(
    scores: ArrayLike,
    positive: ArrayLike,
    categories: Sequence[str | None],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> CategoryDifference:
    """Test whether a signal's AUROC differs by category at all.

    Scores are first ranked inside their category, because a category whose scores are higher as a whole is no
    difference in AUROC. Then the ranks are permuted over the categories, among the incorrect and among the correct
    answers apart, so that every category keeps its error rate.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions; those with at least 10 questions and both classes are tested.
        permutations: How many.
        seed: Of the permutations.

    Raises:
        UndefinedStatisticError: Fewer than two categories can be tested, or a score is not finite.

    Source:
        Mann and Whitney (1947) for the variance of an AUROC under equal distributions.
    """
    from scipy.stats import rankdata

    tested = [category for category in _split(scores, positive, categories) if category.has(FEWEST_IN_TABLE, 1)]
    if len(tested) < 2:
        raise UndefinedStatisticError(
            f"`{len(tested)}` categories with {FEWEST_IN_TABLE} questions and both classes",
            "a difference needs at least two",
        )
    ranks = [(rankdata(category.scores) - 0.5) / category.scores.size for category in tested]
    # Dense ranks over all categories, as integers: ties survive the permutation.
    levels = np.unique(np.concatenate(ranks), return_inverse=True)[1]
    labels = np.concatenate([category.positive for category in tested])
    number = np.repeat(np.arange(len(tested)), [category.positive.size for category in tested])
    incorrect, correct = levels[labels], levels[~labels]
    own_incorrect, own_correct = number[labels], number[~labels]
    generator = np.random.default_rng(seed)
    statistic = _dispersion(incorrect, own_incorrect, correct, own_correct)
    drawn = [
        _dispersion(generator.permutation(incorrect), own_incorrect, generator.permutation(correct), own_correct)
        for _ in range(permutations)
    ]
    reached = int(np.count_nonzero(np.array(drawn) >= statistic * (1 - 1e-9)))
    return CategoryDifference(statistic, (1 + reached) / (1 + permutations), len(tested), labels.size)


def _dispersion(
    incorrect: NDArray[np.intp],
    own_incorrect: NDArray[np.intp],
    correct: NDArray[np.intp],
    own_correct: NDArray[np.intp],
) -> float:
    """Return the weighted dispersion of the categories' AUROCs from integer scores and category numbers by class."""
    span = int(max(incorrect.max(), correct.max())) + 1
    positives, negatives = np.bincount(own_incorrect), np.bincount(own_correct)
    # One sort for all categories: a key orders by category first.
    ranked = np.sort(own_correct * span + correct)
    keys = own_incorrect * span + incorrect
    not_above = np.searchsorted(ranked, keys, side="left") + np.searchsorted(ranked, keys, side="right")
    earlier = np.cumsum(negatives) - negatives
    wins = np.bincount(own_incorrect, weights=not_above / 2 - earlier[own_incorrect])
    aurocs = wins / (positives * negatives)
    precision = 12 * positives * negatives / (positives + negatives + 1)
    mean = float(precision @ aurocs) / float(precision.sum())
    return float(precision @ (aurocs - mean) ** 2)


def category_zones(
    scores: ArrayLike,
    positive: ArrayLike,
    categories: Sequence[str | None],
    permutations: int = ZONE_PERMUTATIONS,
    seed: int = 0,
) -> dict[str, CategoryZone]:
    """Return for every category that is large enough whether the signal works in it.

    The category is split into 5 folds, 20 times. On each four folds an AUROC above 0.5 decides "effective", below
    "blind"; the fold left out counts for or against that decision, each pair of an incorrect and a correct answer once.
    The p is that of the sum under permutations of the labels inside the category. Holm runs over the categories.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions; those with at least 20 questions and 5 of each class are tested.
        permutations: How many.
        seed: Of the folds and the permutations.

    Returns:
        By name; empty where no category is large enough.

    Raises:
        UndefinedStatisticError: A score is not finite.
    """
    tested = [
        category for category in _split(scores, positive, categories) if category.has(FEWEST_IN_ZONE, FEWEST_OF_CLASS)
    ]
    generator = np.random.default_rng(seed)
    found = [_cross_fitted(category, permutations, generator) for category in tested]
    adjusted = holm([x.p for x in found])
    return {
        category.name: CategoryZone(
            zone=_zone(x, p_holm),
            n=category.positive.size,
            positives=category.positives,
            held_out_auroc=x.held_out,
            training_effective=x.training_effective,
            p=x.p,
            p_holm=p_holm,
        )
        for category, x, p_holm in zip(tested, found, adjusted.tolist(), strict=True)
    }


@dataclass(frozen=True, slots=True)
class _CrossFitted:
    held_out: float
    training_effective: float
    p: float


def _zone(found: _CrossFitted, p_holm: float) -> Zone:
    if p_holm >= LEVEL:
        return Zone.UNDECIDED
    return Zone.EFFECTIVE if found.training_effective > 0.5 else Zone.BLIND


def _margins(scores: FloatArray, members: FloatArray) -> FloatArray:
    """Return half of how many members of each set lie below each question less those above, shape (n, sets)."""
    order = np.argsort(scores, kind="stable")
    below = np.concatenate([np.zeros((1, members.shape[1])), np.cumsum(members[order], axis=0)])
    ranked = scores[order]
    not_above = below[np.searchsorted(ranked, scores, side="left")]
    not_above += below[np.searchsorted(ranked, scores, side="right")]
    return (not_above - below[-1]) / 2


def _cross_fitted(category: _Category, permutations: int, generator: np.random.Generator) -> _CrossFitted:
    """Decide on training folds, count on held-out ones, and compare with permuted labels.

    Over the questions of one set the pairs won beyond half are the sum over its positives of how much more often they
    win than lose against the whole set, halved: what pairs of positives give cancels. So one product of labels with
    such margins gives every fold of every permutation.
    """
    n = category.positive.size
    folds = np.stack([generator.permutation(np.arange(n) % FOLDS) for _ in range(REPEATS)])
    # Columns: each fold of each repeat; 1 where the question is held out.
    outside = (folds[:, None, :] == np.arange(FOLDS)[None, :, None]).reshape(REPEATS * FOLDS, n).T.astype(np.float64)
    margins = _margins(category.scores, outside)
    held_out = margins * outside
    training = (_margins(category.scores, np.ones((n, 1))) - margins) * (1 - outside)

    def decided(labels: FloatArray) -> tuple[FloatArray, FloatArray]:
        decisions = np.sign(np.round(labels @ training, 6))
        return decisions, np.einsum("ij,ij->i", decisions, labels @ held_out)

    labels = category.positive.astype(np.float64)
    decisions, observed = decided(labels[None, :])
    pairs = float(((labels @ outside) * ((1 - labels) @ outside)).sum())
    rows = max(1, CHUNK_LABELS // (n + REPEATS * FOLDS))
    reached = 0
    for start in range(0, permutations, rows):
        drawn = generator.permuted(np.tile(labels, (min(rows, permutations - start), 1)), axis=1)
        reached += int(np.count_nonzero(decided(drawn)[1] >= observed[0] - 1e-6))
    return _CrossFitted(
        held_out=0.5 + float(observed[0]) / pairs if pairs else 0.5,
        training_effective=float(np.mean((decisions[0] + 1) / 2)),
        p=(1 + reached) / (1 + permutations),
    )
