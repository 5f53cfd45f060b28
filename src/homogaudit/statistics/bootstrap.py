"""Percentile bootstrap over questions, or over categories, with 95% intervals.

A draw is a vector of weights: how often each question was drawn. Every signal is sorted once, and a draw's AUROC
follows from its weights in sorted order by one cumulative sum, in integers and so exactly. All signals of a call
share the weights, and two calls with the same seed and number of questions draw the same ones, so that figures can
be compared draw by draw. Draws are made in chunks: memory does not grow with their number times that of the questions.

It does not know what a signal or a category means, and refits nothing inside a draw.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.codec import Count
from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, score_matrix, score_vector

DRAWS = 10_000
"""The Monte Carlo error of a 95% end is then about 2% of the interval's width."""

FEWEST_CATEGORIES = 5
"""Fewer clusters give intervals that are far too narrow."""

CHUNK_WEIGHTS = 1 << 20
"""Weights held at once: 1 MiB. Fewer cost more in calls than they save by fitting into a cache."""

FEWEST_DRAWS = 16
"""Drawn at once of however many questions: what is done for all draws of a chunk has to be worth its calls."""

_MOST_SIDE_BY_SIDE = 20_000
"""Questions whose weights in all draws of a chunk are summed side by side: of more, one draw alone fills a cache."""

_FEW_GROUPS = 4
"""Positives in a group of equal ones from which on it takes less time to add them up than to look each up."""

_MOST_REMEMBERED = 1 << 25
"""Weights of a call that are kept for the next one: 32 MiB, 3,300 questions in 10,000 draws."""

WeightArray = NDArray[np.uint8]
"""A question is not drawn 256 times: how often it is has a mean of 1, and then a chance below 1e-500."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean or another estimate over `n` questions.

    Attributes:
        low: Lower end of the 95% interval, `None` where the data give none.
        high: Upper end of it.
    """

    value: float
    low: float | None
    high: float | None
    n: Count


@dataclass(frozen=True, slots=True, eq=False)
class _SortedSignal:
    """A signal prepared for weighted AUROCs.

    Attributes:
        positives: Indices of the positive questions.
        negatives: Indices of the negative questions by rising score.
        below: For each positive the number of negatives with a lower score.
        not_above: For each positive the number of negatives with a lower or equal score.
    """

    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]
    below: NDArray[np.intp]
    not_above: NDArray[np.intp]

    @property
    def has_no_ties(self) -> bool:
        """Whether no positive has the score of a negative."""
        return np.array_equal(self.below, self.not_above)


def _sorted_signal(scores: FloatArray, positive: BoolArray) -> _SortedSignal | None:
    """Prepare a signal; `None` where it is constant or has one class, so that no interval exists."""
    defined = ~np.isnan(scores)
    positives = np.flatnonzero(defined & positive)
    negatives = np.flatnonzero(defined & ~positive)
    if not positives.size or not negatives.size or np.ptp(scores[defined]) == 0:
        return None
    return _sorted(scores, positives, negatives)


def _sorted(scores: FloatArray, positives: NDArray[np.intp], negatives: NDArray[np.intp]) -> _SortedSignal:
    # Sorted too, so that the look-ups in the cumulative sum move forward through memory.
    positives = positives[np.argsort(scores[positives], kind="stable")]
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    return _SortedSignal(
        positives=positives,
        negatives=negatives,
        below=np.searchsorted(scores[negatives], scores[positives], side="left"),
        not_above=np.searchsorted(scores[negatives], scores[positives], side="right"),
    )


def question_weights(questions: int, draws: int, seed: int) -> Iterator[WeightArray]:
    """Yield chunks of shape (draws of the chunk, questions): how often each question was drawn."""
    if questions * draws <= _MOST_REMEMBERED:
        yield from _remembered_weights(questions, draws, seed)
    else:
        yield from _drawn_weights(questions, draws, seed)


@lru_cache(maxsize=4)
def _remembered_weights(questions: int, draws: int, seed: int) -> tuple[WeightArray, ...]:
    """Return all chunks: the figures of one report ask for the same ones again and again."""
    chunks = tuple(_drawn_weights(questions, draws, seed))
    for chunk in chunks:
        chunk.flags.writeable = False
    return chunks


def _drawn_weights(questions: int, draws: int, seed: int) -> Iterator[WeightArray]:
    generator = np.random.default_rng(seed)
    rows = _draws_at_once(questions)
    counted = max(1, CHUNK_WEIGHTS // max(questions, 1))
    for start in range(0, draws, rows):
        weights = np.empty((min(rows, draws - start), questions), dtype=np.uint8)
        for first in range(0, len(weights), counted):
            part = weights[first : first + counted]
            # Every draw counts in places of its own, so that one pass counts them all.
            places = generator.integers(0, questions, part.shape)
            places += questions * np.arange(len(part))[:, None]
            part[:] = np.bincount(places.ravel(), minlength=part.size).reshape(part.shape)
        yield weights


def _draws_at_once(questions: int) -> int:
    """Return how many draws a chunk has."""
    return max(FEWEST_DRAWS, CHUNK_WEIGHTS // max(questions, 1))


def _aurocs(signal: _SortedSignal, weights: NDArray[np.signedinteger]) -> FloatArray:
    """Return one AUROC a draw, NaN where a class was not drawn.

    Args:
        signal: The signal.
        weights: Shape (questions, draws): a question's weights lie side by side, so that a look-up copies a row.
    """
    positives = np.take(weights, signal.positives, axis=0)
    cumulative = _running_sums(np.take(weights, signal.negatives, axis=0))
    # Twice the number of pairs won, a tie counting one: an integer.
    won = np.take(cumulative, signal.below, axis=0)
    won += won if signal.has_no_ties else np.take(cumulative, signal.not_above, axis=0)
    wins = np.einsum("ij,ij->j", won, positives, dtype=np.int32 if weights.dtype == np.int16 else np.int64)
    pairs = positives.sum(axis=0, dtype=weights.dtype).astype(np.float64) * cumulative[-1]
    return np.divide(wins, 2 * pairs, out=np.full(wins.size, np.nan), where=pairs > 0)


def weighted_aurocs(scores: FloatArray, positive: BoolArray, weights: NDArray[np.integer]) -> FloatArray:
    """Return one AUROC a draw, NaN where a class was not drawn; scores that are all equal have 0.5.

    Args:
        scores: Shape (n,), no NaN, of both classes.
        positive: Shape (n,).
        weights: Shape (draws, n), how often each was drawn.
    """
    return _aurocs_under(weights)(_sorted(scores, np.flatnonzero(positive), np.flatnonzero(~positive)))


def _aurocs_under(weights: NDArray[np.integer]) -> Callable[[_SortedSignal], FloatArray]:
    """Return what gives the AUROCs of a signal under the weights of a chunk, shape (draws, questions)."""
    if weights.shape[1] > _MOST_SIDE_BY_SIDE:
        return partial(_aurocs_one_by_one, weights=weights)
    return partial(_aurocs, weights=_by_question(weights))


def _aurocs_one_by_one(signal: _SortedSignal, weights: NDArray[np.integer]) -> FloatArray:
    """Return what `_aurocs` does, for weights of shape (draws, questions)."""
    cumulative = np.zeros(signal.negatives.size + 1, dtype=np.int64)
    found = np.full(len(weights), np.nan)
    has_no_ties, below, not_above = signal.has_no_ties, signal.below, signal.not_above
    # Positives of the same score win the same pairs. Where these are few they are counted together.
    starts = np.flatnonzero(np.diff(below + not_above, prepend=-1))
    is_summed = starts.size < signal.positives.size / _FEW_GROUPS
    if is_summed:
        below, not_above = below[starts], not_above[starts]
    for draw, of_questions in enumerate(weights):
        positives = np.take(of_questions, signal.positives)
        if is_summed:
            positives = np.add.reduceat(positives, starts, dtype=np.int64)
        np.cumsum(np.take(of_questions, signal.negatives), out=cumulative[1:])
        won = np.take(cumulative, below)
        won += won if has_no_ties else np.take(cumulative, not_above)
        pairs = float(positives.sum()) * float(cumulative[-1])
        if pairs > 0:
            found[draw] = np.dot(won, positives) / (2 * pairs)
    return found


def _by_question(weights: NDArray[np.integer]) -> NDArray[np.signedinteger]:
    """Return the weights of a chunk as shape (questions, draws), in the narrowest type that holds twice their sum.

    Twice the pairs of a draw, at most half its squared weight, then fit into the next wider one.
    """
    heaviest = int(weights.sum(axis=1, dtype=np.int64).max())
    dtype = np.int16 if 2 * heaviest <= np.iinfo(np.int16).max else np.int32
    return np.ascontiguousarray(weights.T, dtype=dtype)


def _running_sums(rows: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    """Return the sums of the first 0 to m rows, shape (m + 1, draws).

    In blocks of about sqrt(m) rows, all at once: NumPy's own cumulative sum goes down one column after the other.
    """
    m, draws = rows.shape
    size = math.isqrt(m) + 1
    sums = np.zeros((size, size, draws), dtype=rows.dtype)
    flat = sums.reshape(size * size, draws)
    flat[1 : m + 1] = rows
    for row in range(1, size):
        sums[:, row] += sums[:, row - 1]
    for block in range(1, size):
        sums[block] += sums[block - 1, -1]
    return flat[: m + 1]


def auroc_draws(
    scores: ArrayLike, positive: ArrayLike, draws: int = DRAWS, seed: int = 0
) -> tuple[FloatArray | None, ...]:
    """Return the AUROC of every signal in every draw, NaN in one that lacks a class; arguments as `bootstrap_auroc`.

    Two calls with the same seed and number of questions draw the same questions.

    Returns:
        Shape (draws,) a signal; `None` where the scores are constant or of one class.
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    return _drawn_aurocs([_sorted_signal(row, labels) for row in matrix], question_weights(labels.size, draws, seed))


def _auroc_intervals(
    signals: Sequence[_SortedSignal | None], chunks: Iterator[WeightArray]
) -> tuple[Interval | None, ...]:
    return tuple(drawn if drawn is None else percentile_interval(drawn) for drawn in _drawn_aurocs(signals, chunks))


def _drawn_aurocs(
    signals: Sequence[_SortedSignal | None], chunks: Iterator[WeightArray]
) -> tuple[FloatArray | None, ...]:
    if all(signal is None for signal in signals):
        return (None,) * len(signals)
    drawn: list[list[FloatArray]] = [[] for _ in signals]
    for weights in chunks:
        aurocs = _aurocs_under(weights)
        for signal, values in zip(signals, drawn, strict=True):
            if signal is not None:
                values.append(aurocs(signal))
    return tuple(np.concatenate(values) if values else None for values in drawn)


def percentile_interval(values: FloatArray) -> Interval | None:
    """Return the 2.5th and 97.5th percentiles of the defined draws, `None` without any."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return Interval(low=float(low), high=float(high))


def bootstrap_auroc(
    scores: ArrayLike, positive: ArrayLike, draws: int = DRAWS, seed: int = 0
) -> tuple[Interval | None, ...]:
    """Return the interval of every signal's AUROC, questions resampled with replacement.

    Draws in which a signal has only one class are left out for that signal, not drawn again. Classes that do not
    overlap give the interval [1, 1] or [0, 0], which says nothing about more questions.

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question, which that signal then leaves
            out.
        positive: Shape (n,), True for the positive class.
        draws: How many resamples.
        seed: Of the resampling.

    Returns:
        One a signal; `None` where the scores are constant or of one class.

    Raises:
        UndefinedStatisticError: A score is infinite.

    Source:
        Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    signals = [_sorted_signal(row, labels) for row in matrix]
    return _auroc_intervals(signals, question_weights(labels.size, draws, seed))


def bootstrap_auroc_by_category(
    scores: ArrayLike,
    positive: ArrayLike,
    categories: Sequence[str | None],
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Interval | None, ...]:
    """Return the interval of every signal's AUROC, whole categories resampled with replacement.

    Questions of one category tend to be answered alike; then this interval is the honest one, and wider. A question
    without a category is a category of its own.

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question.
        positive: Shape (n,), True for the positive class.
        categories: The category of each of the n questions.
        draws: How many resamples.
        seed: Of the resampling.

    Returns:
        One a signal; `None` where the scores are constant or of one class, or where the questions that have a score
        are of fewer than 5 named categories.

    Raises:
        UndefinedStatisticError: A score is infinite.

    Source:
        Field and Welsh (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3).
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    if len(categories) != labels.size:
        raise ValueError(f"expected {labels.size} categories, not {len(categories)}")
    indices: dict[str | int, int] = {}
    # An unnamed question is keyed by its position, which no name can equal.
    keys = [position if name is None else name for position, name in enumerate(categories)]
    category = np.array([indices.setdefault(key, len(indices)) for key in keys], dtype=np.intp)
    named = np.array([name is not None for name in categories], dtype=np.bool_)
    signals = [
        _sorted_signal(row, labels) if np.unique(category[named & ~np.isnan(row)]).size >= FEWEST_CATEGORIES else None
        for row in matrix
    ]
    return _auroc_intervals(signals, _category_weights(category, len(indices), draws, seed))


def _category_weights(category: NDArray[np.intp], categories: int, draws: int, seed: int) -> Iterator[WeightArray]:
    """Yield chunks of weights in which all questions of a category have the same weight."""
    rows = _draws_at_once(category.size)
    for weights in question_weights(categories, draws, seed):
        for start in range(0, weights.shape[0], rows):
            yield np.take(weights[start : start + rows], category, axis=1)


def bootstrap_cohens_d(
    scores: ArrayLike, positive: ArrayLike, draws: int = DRAWS, seed: int = 0
) -> tuple[Interval | None, ...]:
    """Return the interval of every signal's Cohen's d, questions resampled with replacement.

    Draws in which a class has fewer than two questions or nothing varies within the classes are left out.

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question, which that signal then leaves
            out.
        positive: Shape (n,), True for the positive class.
        draws: How many resamples.
        seed: Of the resampling.

    Returns:
        One a signal; `None` where Cohen's d is undefined.

    Raises:
        UndefinedStatisticError: A score is infinite.
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    rows = [row for row, signal in enumerate(matrix) if _has_cohens_d(signal, labels)]
    intervals: list[Interval | None] = [None] * matrix.shape[0]
    if rows:
        positives = _ClassScores.of(matrix[rows], labels)
        negatives = _ClassScores.of(matrix[rows], ~labels)
        chunks = question_weights(labels.size, draws, seed)
        drawn = np.concatenate([_cohens_ds(positives, negatives, weights) for weights in chunks])
        for column, row in enumerate(rows):
            intervals[row] = percentile_interval(drawn[:, column])
    return tuple(intervals)


def _has_cohens_d(signal: FloatArray, positive: BoolArray) -> bool:
    defined = ~np.isnan(signal)
    classes = signal[defined & positive], signal[defined & ~positive]
    return min(map(len, classes)) >= 2 and any(np.ptp(values) > 0 for values in classes)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """The weighted moments of one class, each of shape (draws, signals).

    Attributes:
        count: Questions drawn that have a score.
        mean: Of the scores, NaN where none was drawn.
        squares: Sum of squared deviations from `mean`.
    """

    count: FloatArray
    mean: FloatArray
    squares: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _ClassScores:
    """The scores of one class as deviations from their median, ready to be multiplied with weights.

    The median keeps the sums of squares accurate in draws without an outlier, and exact for equal scores.

    Attributes:
        members: Which questions are of the class, their numbers in rising order.
        median: Shape (signals,).
        powers: Shape (members, 3 * signals): deviations to the power of 0, of 1 and of 2; 0 where there is no score.
    """

    members: NDArray[np.intp]
    median: FloatArray
    powers: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray, members: BoolArray) -> "_ClassScores":
        """Take the class `members` from a matrix of signals by questions."""
        scores = matrix[:, members].T
        median = np.nanmedian(scores, axis=0)
        deviations = np.nan_to_num(scores - median)
        powers = np.concatenate([~np.isnan(scores), deviations, deviations**2], axis=1)
        return cls(np.flatnonzero(members), median, powers)

    def moments(self, weights: FloatArray) -> _Moments:
        """Return the moments under `weights`, shape (draws, n)."""
        count, total, about_median = np.split(weights[:, self.members] @ self.powers, 3, axis=1)
        offset = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
        squares = about_median - count * offset**2
        # What is left of equal scores after the subtraction is rounding.
        return _Moments(count, self.median + offset, np.where(squares > 1e-12 * about_median, squares, 0.0))


def _cohens_ds(positives: _ClassScores, negatives: _ClassScores, weights: WeightArray) -> FloatArray:
    """Return Cohen's d of shape (draws, signals), NaN where it is undefined."""
    exact = weights.astype(np.float64)
    a, b = positives.moments(exact), negatives.moments(exact)
    defined = (a.count >= 2) & (b.count >= 2) & (a.squares + b.squares > 0)
    undefined = np.full(defined.shape, np.nan)
    variance = np.divide(a.squares + b.squares, a.count + b.count - 2, out=undefined.copy(), where=defined)
    return np.divide(a.mean - b.mean, np.sqrt(variance), out=undefined, where=defined)


def bootstrap_mean(values: ArrayLike, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Return the interval of a mean over questions, as `bootstrap_means` gives it, for values of shape (n,)."""
    return bootstrap_means(score_vector(values)[None], draws, seed)[0]


def bootstrap_means(values: ArrayLike, draws: int = DRAWS, seed: int = 0) -> tuple[Interval, ...]:
    """Return the intervals of means over the same questions, questions resampled with replacement.

    Args:
        values: Shape (means, n), finite.
        draws: How many resamples.
        seed: Of the resampling.

    Raises:
        UndefinedStatisticError: There are fewer than two questions, or a value is not finite.
    """
    matrix = np.stack([score_vector(row) for row in np.asarray(values, dtype=np.float64)])
    questions = matrix.shape[1]
    if questions < 2:
        raise UndefinedStatisticError(
            f"the interval of a mean over `{questions}` questions", "an interval needs at least two questions"
        )
    # Around the first value, so that equal values give their own mean to the last bit.
    first = matrix[:, 0]
    deviations = (matrix - first[:, None]).T
    drawn = np.concatenate([weights @ deviations / questions for weights in question_weights(questions, draws, seed)])
    intervals = (percentile_interval(column) for column in drawn.T)
    return tuple(
        Interval(low=float(start) + found.low, high=float(start) + found.high)
        for start, found in zip(first, intervals, strict=True)
        if found is not None
    )
