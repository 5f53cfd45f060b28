"""Where a signal works: AUROC by category, whether it differs by category at all, effective and blind zones.

The table is description only: with many small categories some AUROC is always far from 0.5. What may be concluded
comes from Cochran's test first, then from the zones. A question without a category (`None`) enters none.

It does not know what the categories mean, nor how they were made; they must not be made from the labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.codec import Count, Share
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, score_vector
from homogaudit.statistics.auroc import delong, placements
from homogaudit.statistics.tests import holm

FEWEST_IN_TABLE = 10
"""Questions of a category in the table."""

FEWEST_IN_ZONE = 20
"""Questions of a category that can be a zone."""

FEWEST_OF_CLASS = 5
"""Of each class in a category that can be a zone."""

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
        statistic: Cochran's Q: squared deviations of the categories' AUROCs from their mean, each weighted by the
            inverse of its variance; a chi-square with categories - 1 degrees of freedom where none differs.
        p: Of that distribution.
        tested: Categories with at least 10 questions and two of each class.
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


def category_difference(scores: ArrayLike, positive: ArrayLike, categories: Sequence[str | None]) -> CategoryDifference:
    """Test whether a signal's AUROC differs by category at all.

    Every category is ranked by itself, because one whose scores are higher as a whole is no difference in AUROC. The
    variances are DeLong's; their two components are pooled over the categories, as a dozen questions give none of
    their own to rely on.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        categories: Of each of the n questions; those with at least 10 questions and two of each class are tested.

    Raises:
        UndefinedStatisticError: Fewer than two categories can be tested, nothing varies in them, or a score is not
            finite.

    Source:
        Cochran (1954), "The combination of estimates from different experiments", Biometrics 10; DeLong, DeLong and
        Clarke-Pearson (1988) for the variances.
    """
    from scipy.special import chdtrc

    tested = [category for category in _split(scores, positive, categories) if category.has(FEWEST_IN_TABLE, 2)]
    if len(tested) < 2:
        raise UndefinedStatisticError(
            f"`{len(tested)}` categories with {FEWEST_IN_TABLE} questions and two of each class",
            "a difference needs at least two",
        )
    placed = [placements(category.scores, category.positive) for category in tested]
    aurocs = np.array([x.auroc for x in placed])
    variances = _pooled_variances([x.positives for x in placed]) + _pooled_variances([x.negatives for x in placed])
    if not np.all(variances):
        raise UndefinedStatisticError(
            "the classes do not overlap in any category", "a difference needs AUROCs that have a variance"
        )
    weights = 1 / variances
    mean = float(weights @ aurocs) / float(weights.sum())
    statistic = float(weights @ (aurocs - mean) ** 2)
    n = sum(category.positive.size for category in tested)
    return CategoryDifference(statistic, float(chdtrc(len(tested) - 1, statistic)), len(tested), n)


def _pooled_variances(placed: Sequence[FloatArray]) -> FloatArray:
    """Return by category the variance of the mean placement of a class, from all categories' spread about their own."""
    sizes = np.array([x.size for x in placed])
    squares = sum(float(((x - x.mean()) ** 2).sum()) for x in placed)
    return squares / (sizes - 1).sum() / sizes


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
