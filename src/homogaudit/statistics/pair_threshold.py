"""A similarity threshold from pairs of texts whose meanings are known to be the same or to differ.

It knows similarities, not texts or embedders. Pairs of one question share its texts, so that whole questions are
drawn and held out. A threshold over pairs is not one over clusters: the average linkage compares a mean of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import BoolArray, FloatArray
from homogaudit.statistics.bootstrap import (
    Estimate,
    percentile_interval,
    question_weights,
    weighted_aurocs,
)
from homogaudit.statistics.rates import Rate, wilson

MOST_SPLIT = 0.30
"""Share of the pairs of one meaning that a threshold of `meaning` may leave apart."""

MOST_MERGED = 0.05
"""Share of the pairs of different meaning that a threshold may merge."""

FOLDS = 10
FEWEST_DIFFERENT = 40
"""With fewer pairs of different meaning 5% of them is a pair or two."""
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class PairThreshold:
    """The lowest threshold that merges few pairs of different meaning, and what it is worth.

    Attributes:
        threshold: A pair merges where its similarity is at least this.
        interval: 95%, questions resampled.
        false_merges: Pairs of different meaning that merge, on the pairs that the threshold was set by.
        false_splits: Pairs of one meaning that do not merge, on the same pairs.
        held_out_false_merges: The same, each question judged by a threshold that the other folds set. The intervals
            of all four rates take pairs for independent; those of one question share texts, so they are too narrow.
        held_out_false_splits: So for pairs of one meaning.
    """

    threshold: float
    interval: Interval | None
    false_merges: Rate
    false_splits: Rate
    held_out_false_merges: Rate
    held_out_false_splits: Rate


def pair_threshold(
    similarity: ArrayLike,
    same: ArrayLike,
    question: Sequence[str],
    *,
    most_merged: float = MOST_MERGED,
    draws: int = _DRAWS,
    seed: int = 0,
) -> PairThreshold:
    """Return the threshold that merges at most a share of the pairs of different meaning.

    It lies halfway between the least similar pair that may merge and the next one, so that it is the lowest such
    threshold up to the gap between two pairs.

    Args:
        similarity: (n,) at most 1.
        same: (n,) bool, whether a pair has one meaning.
        question: (n,) what a pair belongs to, its question or its subject; at least ten different ones.
        most_merged: The share, between 0 and 1.
        draws: Of the bootstrap.
        seed: Of draws and folds.

    Raises:
        UndefinedStatisticError: Too few pairs or questions, or no threshold parts enough of the different pairs.
    """
    scores = np.asarray(similarity, dtype=np.float64)
    positive = np.asarray(same, dtype=np.bool_)
    names, group = np.unique(np.asarray(question, dtype=np.str_), return_inverse=True)
    if (~positive).sum() < FEWEST_DIFFERENT or not positive.any() or len(names) < FOLDS:
        raise UndefinedStatisticError(
            f"a threshold needs {FEWEST_DIFFERENT} pairs of different meaning, one of the same, and {FOLDS} questions"
        )
    ones = np.ones(len(names), dtype=np.int32)
    threshold = _threshold(scores, positive, ones[group], most_merged)
    if np.isnan(threshold):
        raise UndefinedStatisticError(
            f"more than {most_merged:.0%} of the pairs of different meaning have cosine 1, so no threshold parts them"
        )
    drawn = [
        _threshold(scores, positive, row[group], most_merged)
        for chunk in question_weights(len(names), draws, seed)
        for row in chunk
    ]
    merged = scores >= threshold
    held_out = np.zeros(len(scores), dtype=np.bool_)
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    for number in range(FOLDS):
        apart: BoolArray = fold[group] == number
        # Where the other folds set no threshold, nothing of this one merges.
        held_out[apart] = scores[apart] >= _threshold(scores, positive, (~apart).astype(np.int32), most_merged)
    return PairThreshold(
        threshold=threshold,
        interval=percentile_interval(np.asarray(drawn)),
        false_merges=_share(merged[~positive]),
        false_splits=_share(~merged[positive]),
        held_out_false_merges=_share(held_out[~positive]),
        held_out_false_splits=_share(~held_out[positive]),
    )


def threshold_of_splits(similarity: ArrayLike, same: ArrayLike, most_split: float = MOST_SPLIT) -> float:
    """Return the highest similarity at which at most a share of the pairs of one meaning do not merge.

    Args:
        similarity: (n,).
        same: (n,) bool, at least one of them.
        most_split: The share.
    """
    scores = np.sort(np.asarray(similarity, dtype=np.float64)[np.asarray(same, dtype=np.bool_)])
    return float(scores[int(most_split * len(scores))])


def interval_of_splits(
    similarity: ArrayLike,
    same: ArrayLike,
    group: Sequence[str],
    most_split: float = MOST_SPLIT,
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Return the 95% percentile interval of `threshold_of_splits`, whole groups resampled; `None` where it has none.

    Args:
        similarity: (n,).
        same: (n,) bool, at least one of them.
        group: (n,) what a pair belongs to: pairs of one subject are alike.
        most_split: The share.
        draws: Of the bootstrap.
        seed: Of the draws.

    Source:
        Field and Welsh (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3).
    """
    scores, positive, weights = _drawn(similarity, same, group, draws, seed)
    order = np.argsort(scores[positive], kind="stable")
    below = np.cumsum(weights[1:, positive][:, order], axis=1)
    # The same place as in the data: after so many pairs, each counted as often as it was drawn.
    places = (below <= (most_split * below[:, -1:]).astype(np.intp)).sum(axis=1)
    drawn = places[below[:, -1] > 0]
    return percentile_interval(scores[positive][order][drawn])


@dataclass(frozen=True, slots=True)
class PairSeparation:
    """How well a similarity tells pairs of one meaning from pairs of different ones; intervals are 95%.

    Attributes:
        auroc: Probability that a pair of one meaning is more similar than one of different meanings, ties by half.
        false_merges: Share of the pairs of different meaning that merge at the threshold.
        false_splits: Share of the pairs of one meaning that do not.
    """

    auroc: Estimate
    false_merges: Estimate
    false_splits: Estimate


def pair_separation(
    similarity: ArrayLike,
    same: ArrayLike,
    group: Sequence[str],
    threshold: float,
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> PairSeparation:
    """Return AUROC, false merges and false splits, whole groups resampled.

    Args:
        similarity: (n,) of the pairs, nothing of which was fitted to their groups.
        same: (n,) bool, whether a pair has one meaning; both classes.
        group: (n,) what a pair belongs to: pairs of one subject are alike.
        threshold: A pair merges where its similarity is at least this.
        draws: Of the bootstrap.
        seed: Of the draws.

    Source:
        Field and Welsh (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3).
    """
    scores, positive, weights = _drawn(similarity, same, group, draws, seed)
    merged = scores >= threshold
    return PairSeparation(
        _estimate(weighted_aurocs(scores, positive, weights), len(scores)),
        grouped_share(merged[~positive], [x for x, y in zip(group, positive, strict=True) if not y], draws, seed),
        grouped_share(~merged[positive], [x for x, y in zip(group, positive, strict=True) if y], draws, seed),
    )


def auroc_gain(
    similarity: ArrayLike,
    other: ArrayLike,
    same: ArrayLike,
    group: Sequence[str],
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return the AUROC of one similarity minus that of another on the same pairs, whole groups resampled together."""
    scores, positive, weights = _drawn(similarity, same, group, draws, seed)
    others = np.asarray(other, dtype=np.float64)
    return _estimate(
        weighted_aurocs(scores, positive, weights) - weighted_aurocs(others, positive, weights), len(scores)
    )


def grouped_share(found: ArrayLike, group: Sequence[str], draws: int = _DRAWS, seed: int = 0) -> Estimate:
    """Return the share of what is found, at least one pair, with its interval over whole groups."""
    values = np.asarray(found, dtype=np.float64)
    _, _, weights = _drawn(values, np.ones(len(values)), group, draws, seed)
    with np.errstate(invalid="ignore"):
        return _estimate((weights * values).sum(axis=1) / weights.sum(axis=1), len(values))


def _drawn(
    similarity: ArrayLike, same: ArrayLike, group: Sequence[str], draws: int, seed: int
) -> tuple[FloatArray, BoolArray, NDArray[np.integer]]:
    """Return scores, classes, and (1 + draws, n) weights: those of the data themselves, then of each draw."""
    names, place = np.unique(np.asarray(group, dtype=np.str_), return_inverse=True)
    chunks = [np.ones((1, len(names)), dtype=np.int32), *question_weights(len(names), draws, seed)]
    weights = np.concatenate(chunks)[:, place]
    return np.asarray(similarity, dtype=np.float64), np.asarray(same, dtype=np.bool_), weights


def _estimate(values: FloatArray, n: int) -> Estimate:
    """Return the first value with the percentile interval of the others."""
    interval = percentile_interval(values[1:])
    return Estimate(float(values[0]), interval and interval.low, interval and interval.high, n)


def _share(found: BoolArray) -> Rate:
    return wilson(int(found.sum()), len(found))


def _threshold(scores: FloatArray, positive: BoolArray, weights: NDArray[np.integer], most_merged: float) -> float:
    """Return the threshold under weights of the pairs; NaN where even similarity 1 merges too many."""
    taken = ~positive & (weights > 0)
    levels, place = np.unique(scores[taken], return_inverse=True)
    counts = np.bincount(place, weights=weights[taken].astype(np.float64), minlength=len(levels))
    # Pairs that merge at each level, from the highest down; the first level of too many stays below the threshold.
    merging = np.cumsum(counts[::-1])[::-1]
    too_many = np.flatnonzero(merging > most_merged * counts.sum())
    level = float(levels[too_many[-1]])
    next_higher = float(levels[too_many[-1] + 1]) if too_many[-1] + 1 < len(levels) else 1.0
    return (level + next_higher) / 2 if level < 1.0 else float("nan")
