"""How strongly two signals depend on each other: Pearson, Spearman, distance correlation, HSIC, mutual information.

The last three are above 0 by chance, so each comes with its mean and its p under permutations of one signal against the
other; all three see the same permutations. Nothing here knows labels: dependence says nothing about which signal works.

A permutation costs O(n^2) for the distance covariance, O(n r^2) for HSIC with kernels of numerical rank r (some tens),
and one sort for the mutual information.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.codec import Count, Share, Signed
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray, score_vector
from homogaudit.statistics.auroc import Z_95, midranks

MOST_QUESTIONS = 2_000
"""Beyond this a seeded subset is taken: what the tests show no longer changes, and pairs cost n^2."""

PERMUTATIONS = 1_000

CHUNK = 64
"""Permutations held at once."""

CHOLESKY_TOLERANCE = 1e-10
"""Mean error of a kernel's diagonal at which its low-rank form stops."""

_ROUNDING = 1e-13
"""How far from 1 float64 may leave a perfect correlation; two swapped ranks of 10,000 are a hundred times as far."""

Permutations = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation with its 95% interval (by Fisher's z) and two-sided p.

    At 1 and -1 there is neither: z is infinite there, so that both would claim certainty from however few questions.

    Attributes:
        low: `None` at 1 and -1.
        high: `None` at 1 and -1.
        p: `None` at 1 and -1.
    """

    value: Signed
    low: Signed | None
    high: Signed | None
    p: Share | None
    n: Count


@dataclass(frozen=True, slots=True)
class Permuted:
    """A measure of dependence against its permutations.

    Attributes:
        value: On the data.
        chance: Mean over the permutations: what independent signals give on as many questions.
        p: (1 + permutations that reach the value) / (1 + permutations).
    """

    value: float
    chance: float
    p: Share


@dataclass(frozen=True, slots=True)
class Dependence:
    """How two signals depend on each other.

    Attributes:
        n: Questions used, at most 2,000.
        pearson: Linear dependence.
        distance_correlation: Between 0 and 1; 0 in the limit for independent signals only.
        hsic: Biased estimate, Gaussian kernels of median width; comparable between pairs only by its p.
        mutual_information: In bits, plug-in over Freedman-Diaconis bins.
    """

    n: int
    pearson: Correlation
    distance_correlation: Permuted
    hsic: Permuted
    mutual_information: Permuted


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = score_vector(first), score_vector(second)
    if a.size != b.size:
        raise ValueError(f"expected two signals on the same questions, not {a.size} and {b.size}")
    if a.size < 4:
        raise UndefinedStatisticError(
            f"`{a.size}` questions have both scores", "the dependence of two signals needs at least 4"
        )
    for name, scores in (("first", a), ("second", b)):
        if np.ptp(scores) == 0:
            raise UndefinedStatisticError(f"the {name} signal is constant", "dependence needs two signals that vary")
    return a, b


def pearson(first: ArrayLike, second: ArrayLike) -> Correlation:
    """Return Pearson's correlation of two signals.

    Args:
        first: Shape (n,), finite.
        second: Shape (n,), finite, on the same questions.

    Raises:
        UndefinedStatisticError: There are fewer than 4 questions, a signal is constant or not finite.

    Source:
        Fisher (1921) for the interval.
    """
    a, b = _pair(first, second)
    return _pearson(a, b)


def _pearson(a: FloatArray, b: FloatArray) -> Correlation:
    return _tested(_correlation(_standard(a), _standard(b)), a.size, lambda _: 1.0)


def _tested(value: float, n: int, spread: Callable[[float], float]) -> Correlation:
    """Return a correlation with its p and the interval whose variance, by Fisher's z, is `spread` / (n - 3)."""
    # scipy.special and not scipy.stats, whose import takes longer than many a report.
    from scipy.special import betainc

    if 1 - abs(value) < _ROUNDING:
        return Correlation(math.copysign(1.0, value), None, None, None, n)
    half = Z_95 * math.sqrt(spread(value) / (n - 3))
    low, high = math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)
    # Of independent signals (1 + r) / 2 has this beta distribution, which is Student's t of r.
    shape = n / 2 - 1
    return Correlation(value, low, high, float(2 * betainc(shape, shape, (1 - abs(value)) / 2)), n)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    value = float(np.dot(a / np.linalg.norm(a), b / np.linalg.norm(b)))
    return max(-1.0, min(1.0, value))


def spearman(first: ArrayLike, second: ArrayLike) -> Correlation:
    """Return Spearman's rank correlation of two signals, ties at their mean rank.

    Args:
        first: Shape (n,), finite.
        second: Shape (n,), finite, on the same questions.

    Raises:
        UndefinedStatisticError: There are fewer than 4 questions, a signal is constant or not finite.

    Source:
        Spearman (1904); the interval is that of Bonett and Wright (2000), "Sample size requirements for estimating
        Pearson, Kendall and Spearman correlations"; the p by Student's t.
    """
    a, b = _pair(first, second)
    return _tested(_correlation(midranks(a), midranks(b)), a.size, lambda value: 1 + value**2 / 2)


def dependence(first: ArrayLike, second: ArrayLike, permutations: int = PERMUTATIONS, seed: int = 0) -> Dependence:
    """Return four measures of the dependence of two signals, on at most 2,000 questions.

    Args:
        first: Shape (n,), finite; leave out questions for which either is undefined.
        second: Shape (n,), finite, on the same questions.
        permutations: How many.
        seed: Of the subset and of the permutations.

    Raises:
        UndefinedStatisticError: There are fewer than 4 questions, a signal is constant or not finite.

    Source:
        Szekely, Rizzo and Bakirov (2007), "Measuring and testing dependence by correlation of distances"; Gretton et
        al. (2005), "Measuring statistical dependence with Hilbert-Schmidt norms"; Freedman and Diaconis (1981), "On
        the histogram as a density estimator".
    """
    a, b = _pair(first, second)
    generator = np.random.default_rng(seed)
    if a.size > MOST_QUESTIONS:
        chosen = generator.choice(a.size, MOST_QUESTIONS, replace=False)
        a, b = _pair(a[chosen], b[chosen])
    measures = (_distance_correlations(a, b), _hsics(a, b), _mutual_informations(a, b))
    identity = np.arange(a.size)[None, :]
    observed = [float(measure(identity)[0]) for measure in measures]
    drawn: list[list[FloatArray]] = [[] for _ in measures]
    for start in range(0, permutations, CHUNK):
        rows = np.tile(identity, (min(CHUNK, permutations - start), 1))
        chunk = generator.permuted(rows, axis=1)
        for measure, values in zip(measures, drawn, strict=True):
            values.append(measure(chunk))
    found = [_permuted(value, np.concatenate(values)) for value, values in zip(observed, drawn, strict=True)]
    return Dependence(int(a.size), _pearson(a, b), *found)


def _permuted(value: float, drawn: FloatArray) -> Permuted:
    # Permutations of tied scores repeat the value itself up to rounding.
    reached = int(np.count_nonzero(drawn >= value * (1 - 1e-9)))
    return Permuted(value, float(drawn.mean()), (1 + reached) / (1 + drawn.size))


def _standard(scores: FloatArray) -> FloatArray:
    """Return the scores with mean 0 and range 1, which none of the measures notices and rounding does."""
    scaled = (scores - scores.min()) / np.ptp(scores)
    return scaled - scaled.mean()


def _distance_sums(scores: FloatArray) -> FloatArray:
    """Return for each question the sum of its distances to all, by one sort."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    below = np.cumsum(ranked) - ranked
    ranks = np.arange(ranked.size)
    sums = np.empty(ranked.size)
    sums[order] = ranked * ranks - below + (ranked.sum() - ranked - below) - ranked * (ranked.size - 1 - ranks)
    return sums


def _distance_correlations(first: FloatArray, second: FloatArray) -> Callable[[Permutations], FloatArray]:
    """Return the function from permutations of the second signal to distance correlations."""
    a, b = _standard(first), _standard(second)
    n = a.size
    sums_a, sums_b = _distance_sums(a), _distance_sums(b)

    def variance(scores: FloatArray, sums: FloatArray) -> float:
        squares = 2 * n * float(scores @ scores) - 2 * float(scores.sum()) ** 2
        return squares / n**2 - 2 * float(sums @ sums) / n**3 + float(sums.sum()) ** 2 / n**4

    scale = math.sqrt(variance(a, sums_a) * variance(b, sums_b))

    def measure(permutations: Permutations) -> FloatArray:
        covariance = _distance_products(a, b[permutations]) / n**2 - 2 * (sums_b[permutations] @ sums_a) / n**3
        covariance += float(sums_a.sum()) * float(sums_b.sum()) / n**4
        return np.sqrt(np.maximum(covariance, 0) / scale)

    return measure


def _distance_products(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the sum over all pairs of |a_i - a_j| |b_i - b_j| for each row of `second`.

    On at most 2,000 questions all pairs take no longer than the O(n log n) of Huo and Szekely (2016).

    Args:
        first: Shape (n,).
        second: Shape (rows, n).
    """
    # |x - y| is 2 max(x, y) - x - y, and only the first term depends on which x meets which y.
    total = -second @ _distance_sums(first)
    # So many at once stay in a core's cache.
    own, at_once = 16, 8
    for start in range(0, first.size, own):
        # Each pair once: those before `start` are done, and the upper triangle holds those among themselves.
        distances = 2 * np.triu(np.abs(first[start : start + own, None] - first[start:])).ravel()
        for row in range(0, len(second), at_once):
            rows = second[row : row + at_once]
            larger = np.maximum(rows[:, start : start + own, None], rows[:, None, start:])
            total[row : row + at_once] += larger.reshape(len(rows), -1) @ distances
    return 2 * total


def _hsics(first: FloatArray, second: FloatArray) -> Callable[[Permutations], FloatArray]:
    """Return the function from permutations of the second signal to HSIC, (1/n^2) tr(K H L H)."""
    a, b = _kernel_factor(_standard(first)), _kernel_factor(_standard(second))
    centered = (a - a.mean(axis=0)).T

    def measure(permutations: Permutations) -> FloatArray:
        return np.array([np.sum((centered @ b[row]) ** 2) for row in permutations]) / first.size**2

    return measure


def _kernel_factor(scores: FloatArray) -> FloatArray:
    """Return U of shape (n, r) with U U^T the Gaussian kernel of median width, by pivoted Cholesky.

    A smooth kernel of one variable has a numerical rank of some tens whatever n is.
    """
    ranked = np.sort(scores)
    distances = np.concatenate([ranked[i:] - ranked[i - 1] for i in range(1, ranked.size)])
    # More than half of the pairs may be tied: the median of the others is then the width.
    width = float(np.median(distances)) or float(np.median(distances[distances > 0]))
    factor = np.zeros((scores.size, 32))
    left = np.ones(scores.size)
    rank = 0
    while rank < scores.size and left.mean() > CHOLESKY_TOLERANCE:
        if rank == factor.shape[1]:
            factor = np.concatenate([factor, np.zeros_like(factor)], axis=1)
        pivot = int(np.argmax(left))
        column = np.exp(-0.5 * ((scores - scores[pivot]) / width) ** 2) - factor[:, :rank] @ factor[pivot, :rank]
        factor[:, rank] = column / math.sqrt(left[pivot])
        left = np.maximum(left - factor[:, rank] ** 2, 0)
        rank += 1
    return factor[:, :rank]


def _mutual_informations(first: FloatArray, second: FloatArray) -> Callable[[Permutations], FloatArray]:
    """Return the function from permutations of the second signal to plug-in mutual information in bits."""
    a, b = _freedman_diaconis(first), _freedman_diaconis(second)
    n, columns = a.size, int(b.max()) + 1
    counts = np.arange(n + 1, dtype=np.float64)
    # c log2 c for every count, 0 for 0.
    information = counts * np.log2(np.maximum(counts, 1))
    constant = math.log2(n) - (information[np.bincount(a)].sum() + information[np.bincount(b)].sum()) / n

    def measure(permutations: Permutations) -> FloatArray:
        cells = np.sort(a * columns + b[permutations], axis=1)
        values = np.empty(permutations.shape[0])
        for row, ranked in enumerate(cells):
            starts = np.flatnonzero(np.diff(ranked, prepend=-1, append=-1))
            values[row] = information[np.diff(starts)].sum() / n
        return np.maximum(values + constant, 0)

    return measure


def _freedman_diaconis(scores: FloatArray) -> NDArray[np.intp]:
    """Return each question's bin; at most as many bins as questions.

    Where the middle half of the scores is equal the rule has no width and Sturges' number of bins stands in.
    """
    low, high = np.quantile(scores, (0.25, 0.75))
    width = 2 * float(high - low) / np.cbrt(scores.size)
    span = float(np.ptp(scores))
    # Compared before dividing: outliers beside a narrow middle ask for more bins than a float holds.
    wanted = math.log2(scores.size) + 1 if width == 0 else (span / width if width * scores.size > span else math.inf)
    bins = min(scores.size, math.ceil(min(wanted, scores.size)))
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
