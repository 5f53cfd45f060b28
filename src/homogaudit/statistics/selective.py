"""Answering only where a signal is low: accuracy at a coverage, risk-coverage curve, AURC, PRR.

Risk is the share of incorrect answers among the accepted questions; those with the lowest scores are accepted first.
Questions with equal scores are accepted in random order and every figure is the expectation over it, so that the
order of the file never matters. Without ties this is the plain order by score.

It knows scores and labels only. A score is not a probability (`calibration` makes one of it), and a risk read off the
curve is no promise (`risk_control` makes one).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics.arrays import (
    BoolArray,
    FloatArray,
    class_vector,
    require_classes,
    score_matrix,
    score_vector,
)
from homogaudit.statistics.bootstrap import DRAWS, WeightArray, percentile_interval, question_weights

COVERAGES = (0.3, 0.5, 0.8)
"""The coverages that a report shows (METHODS, Statistics)."""


@dataclass(frozen=True, slots=True)
class CoverageAccuracy:
    """The accuracy on the share of questions that a signal is surest of.

    Attributes:
        value: Expected share of correct answers among the accepted questions.
        coverage: The share asked for.
        accepted: How many are accepted, floor(n * coverage).
        threshold: Score of the last accepted question; those tied with it are accepted by lot.
        n: Questions.
    """

    value: float
    coverage: float
    accepted: int
    threshold: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve.

    Attributes:
        coverage: k / n for k from 1 to n, shape (n,).
        risk: Expected share of incorrect answers among the first k, shape (n,).
    """

    coverage: FloatArray
    risk: FloatArray


@dataclass(frozen=True, slots=True)
class SelectiveIntervals:
    """Bootstrap intervals of one signal.

    Attributes:
        accuracy: One a coverage; `None` where no draw accepts a question.
        aurc: Of the area under the risk-coverage curve.
        prr: Of the prediction-rejection ratio.
    """

    accuracy: tuple[Interval | None, ...]
    aurc: Interval
    prr: Interval


def _accepted(questions: int, coverage: float) -> int:
    if not 0 <= coverage <= 1:
        raise ValueError(f"expected a coverage between 0 and 1, not {coverage}")
    # Without the addition 100 * 0.29 gives 28.
    return int(questions * coverage + 1e-9)


def _expected_errors(scores: FloatArray, positive: BoolArray) -> FloatArray:
    """Return the expected number of incorrect answers among the first k, for k from 0 to n."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    errors = np.bincount(group, weights=positive, minlength=sizes.size)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    return np.interp(np.arange(scores.size + 1), ends, np.concatenate([[0.0], np.cumsum(errors)]))


def _checked(scores: ArrayLike, positive: ArrayLike) -> tuple[FloatArray, BoolArray]:
    vector = score_vector(scores)
    labels = class_vector(positive, vector.size)
    if not vector.size:
        raise UndefinedStatisticError("a risk over `0` questions", "it needs at least one question with a score")
    return vector, labels


def accuracy_at_coverage(scores: ArrayLike, positive: ArrayLike, coverage: float) -> CoverageAccuracy:
    """Return the accuracy on the floor(n * coverage) questions with the lowest scores.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.
        coverage: Between 0 and 1.

    Raises:
        UndefinedStatisticError: No question is accepted, or a score is not finite.
    """
    vector, labels = _checked(scores, positive)
    accepted = _accepted(vector.size, coverage)
    if accepted == 0:
        raise UndefinedStatisticError(
            f"`{coverage:g}` of `{vector.size}` questions is none", "a higher coverage or more questions give a figure"
        )
    return CoverageAccuracy(
        value=1 - float(_expected_errors(vector, labels)[accepted]) / accepted,
        coverage=coverage,
        accepted=accepted,
        threshold=float(np.partition(vector, accepted - 1)[accepted - 1]),
        n=vector.size,
    )


def risk_coverage_curve(scores: ArrayLike, positive: ArrayLike) -> RiskCoverage:
    """Return the risk at every coverage.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There are no questions, or a score is not finite.

    Source:
        El-Yaniv and Wiener (2010), "On the foundations of noise-free selective classification".
    """
    vector, labels = _checked(scores, positive)
    accepted = np.arange(1, vector.size + 1)
    return RiskCoverage(accepted / vector.size, _expected_errors(vector, labels)[1:] / accepted)


def aurc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean risk over k = 1 to n accepted questions.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There are no questions, or a score is not finite.

    Source:
        Geifman, Uziel and El-Yaniv (2019), "Bias-reduced uncertainty estimation for deep neural classifiers".
    """
    return float(risk_coverage_curve(scores, positive).risk.mean())


def prr(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the prediction-rejection ratio: 1 for the oracle, 0 for a random order, below 0 for a worse one.

    The area between the random and the signal's risk-coverage curve over that between the random and the oracle's,
    the whole curve being used.

    Args:
        scores: Shape (n,), finite, higher = more uncertain.
        positive: Shape (n,), True for an incorrect answer.

    Raises:
        UndefinedStatisticError: There is only one class, or a score is not finite.

    Source:
        Malinin and Gales (2021), "Uncertainty estimation in autoregressive structured prediction"; the areas are
        those of lm-polygraph (Fadeeva et al. 2023).
    """
    vector, labels = _checked(scores, positive)
    require_classes(labels, 1, "a prediction-rejection ratio")
    random = float(labels.mean())
    return (random - aurc(vector, labels)) / (random - aurc(labels, labels))


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """A signal prepared for weighted risks: its questions by rising score, in groups whose order does not matter.

    Equal scores are one group. Neighbouring groups of correct answers only, or of incorrect answers only, are one too:
    their order changes no risk, and merged they leave half as many groups or fewer.

    Attributes:
        order: Indices of the questions that have a score, by rising score.
        errors: 1 where the answer is incorrect, in that order.
        ends: Index behind the last question of each group.
    """

    order: NDArray[np.intp]
    errors: NDArray[np.int32]
    ends: NDArray[np.intp]


def _groups(scores: FloatArray, positive: BoolArray) -> _Groups | None:
    """Prepare a signal; `None` where it is constant or has one class, so that no interval exists."""
    defined = np.flatnonzero(~np.isnan(scores))
    classes = positive[defined]
    if not classes.any() or classes.all() or np.ptp(scores[defined]) == 0:
        return None
    order = defined[np.argsort(scores[defined], kind="stable")]
    ends = np.append(np.flatnonzero(np.diff(scores[order]) > 0) + 1, order.size)
    errors = positive[order].astype(np.int32)
    rates = np.add.reduceat(errors, np.append(0, ends[:-1])) / np.diff(ends, prepend=0)
    pure = (rates == 0) | (rates == 1)
    merged = pure[:-1] & pure[1:] & (rates[:-1] == rates[1:])
    return _Groups(order, errors, ends[np.append(~merged, True)])


@dataclass(frozen=True, slots=True, eq=False)
class _Harmonic:
    """Sums that give the mean risk without a loop over the accepted questions.

    The mean over k = 1 to n of (errors among the first k) / k counts an error at position p with H(n) - H(p - 1).

    Attributes:
        numbers: H(k) = 1 + 1/2 + ... + 1/k, for k from 0 to n.
        sums: H(0) + ... + H(k - 1), for k from 0 to n.
    """

    numbers: FloatArray
    sums: FloatArray

    @classmethod
    def of(cls, questions: int) -> "_Harmonic":
        """Compute the sums for up to `questions` accepted questions."""
        numbers = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, questions + 1))])
        return cls(numbers, np.concatenate([[0.0], np.cumsum(numbers[:-1])]))


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The figures of a chunk of draws: accuracy of shape (draws, coverages), the others (draws,)."""

    accuracy: FloatArray
    aurc: FloatArray
    prr: FloatArray


def _figures(groups: _Groups, weights: WeightArray, coverages: Sequence[float], harmonic: _Harmonic) -> _Drawn:
    """Return the figures of every draw, NaN where they are undefined."""
    drawn = np.take(weights, groups.order, axis=1)
    # How many questions, and how many errors, are drawn up to the end of each group, with a leading 0.
    accepted = np.zeros((drawn.shape[0], groups.ends.size + 1), dtype=np.int32)
    errors = np.zeros_like(accepted)
    accepted[:, 1:] = np.take(np.cumsum(drawn, axis=1, dtype=np.int32), groups.ends - 1, axis=1)
    errors[:, 1:] = np.take(np.cumsum(drawn * groups.errors, axis=1, dtype=np.int32), groups.ends - 1, axis=1)
    questions, wrong = accepted[:, -1], errors[:, -1]

    # The errors of a group lie anywhere among its positions with equal probability.
    sums = np.diff(np.take(harmonic.sums, accepted), axis=1) / np.maximum(np.diff(accepted, axis=1), 1)
    counted = np.einsum("ij,ij->i", np.diff(errors, axis=1), sums)
    oracle = harmonic.sums[questions] - harmonic.sums[questions - wrong]
    with np.errstate(divide="ignore", invalid="ignore"):
        area = (wrong * harmonic.numbers[questions] - counted) / questions
        best = (wrong * harmonic.numbers[questions] - oracle) / questions
        random = wrong / questions
        ratio = np.where((wrong > 0) & (wrong < questions), (random - area) / (random - best), np.nan)
    return _Drawn(_accuracies(accepted, errors, coverages), area, ratio)


def _accuracies(accepted: NDArray[np.int32], errors: NDArray[np.int32], coverages: Sequence[float]) -> FloatArray:
    """Return the expected accuracy of every draw on its first floor(n * coverage) questions, one column a coverage."""
    rows, ends = accepted.shape
    # Shifted apart, the rows are one sorted array and one search serves all draws.
    shift = np.arange(rows) * (int(accepted[:, -1].max()) + 1)
    keys = (accepted + shift[:, None]).ravel()
    starts = np.arange(rows) * ends
    accuracies = np.full((rows, len(coverages)), np.nan)
    for column, coverage in enumerate(coverages):
        wanted = np.floor(accepted[:, -1] * coverage + 1e-9)
        # The group in which the last accepted question lies: the first whose end is at or beyond it.
        group = np.searchsorted(keys, wanted + shift) - starts
        some = wanted > 0
        row, after, wanted = np.flatnonzero(some), group[some], wanted[some]
        before = after - 1
        size = accepted[row, after] - accepted[row, before]
        share = (wanted - accepted[row, before]) / size
        found = errors[row, before] + share * (errors[row, after] - errors[row, before])
        accuracies[row, column] = (wanted - found) / wanted
    return accuracies


def bootstrap_selective(
    scores: ArrayLike,
    positive: ArrayLike,
    coverages: Sequence[float] = COVERAGES,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[SelectiveIntervals | None, ...]:
    """Return the intervals of every signal's accuracies at coverage, AURC and PRR, questions resampled.

    The resamples are those of `bootstrap_auroc` for the same seed.

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question, which that signal then leaves
            out.
        positive: Shape (n,), True for an incorrect answer.
        coverages: Each between 0 and 1.
        draws: How many resamples.
        seed: Of the resampling.

    Returns:
        One a signal; `None` where the scores are constant or of one class.

    Raises:
        UndefinedStatisticError: A score is infinite.
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    for coverage in coverages:
        _accepted(labels.size, coverage)
    signals = [_groups(row, labels) for row in matrix]
    drawn: list[list[_Drawn]] = [[] for _ in signals]
    harmonic = _Harmonic.of(labels.size)
    if any(signal is not None for signal in signals):
        for weights in question_weights(labels.size, draws, seed):
            for signal, chunks in zip(signals, drawn, strict=True):
                if signal is not None:
                    chunks.append(_figures(signal, weights, coverages, harmonic))
    return tuple(_intervals(chunks, len(coverages)) if chunks else None for chunks in drawn)


def _intervals(chunks: Sequence[_Drawn], coverages: int) -> SelectiveIntervals | None:
    accuracy = np.concatenate([chunk.accuracy for chunk in chunks])
    area = percentile_interval(np.concatenate([chunk.aurc for chunk in chunks]))
    ratio = percentile_interval(np.concatenate([chunk.prr for chunk in chunks]))
    if area is None or ratio is None:
        return None
    return SelectiveIntervals(tuple(percentile_interval(accuracy[:, i]) for i in range(coverages)), area, ratio)
