import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mutual_info_score
from sklearn.metrics.pairwise import rbf_kernel

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import dependence, pearson, spearman


def centered(matrix: np.ndarray) -> np.ndarray:
    return matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean()


def textbook_distance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Szekely et al. (2007), definition 3, from both n x n matrices."""
    x, y = (centered(np.abs(v[:, None] - v[None, :])) for v in (a, b))
    return math.sqrt((x * y).mean() / math.sqrt((x * x).mean() * (y * y).mean()))


def textbook_hsic(a: np.ndarray, b: np.ndarray) -> float:
    kernels = []
    for v in (a, b):
        distances = pdist(v[:, None])
        width = np.median(distances) or np.median(distances[distances > 0])
        kernels.append(rbf_kernel(v[:, None], gamma=1 / (2 * width**2)))
    return float((centered(kernels[0]) * centered(kernels[1])).mean())


def textbook_mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    codes = []
    for v in (a, b):
        edges = np.histogram_bin_edges(v, "fd")
        # As numpy's histogram counts: the last bin holds its right edge.
        codes.append(np.minimum(np.searchsorted(edges, v, side="right"), edges.size - 1))
    return mutual_info_score(*codes) / math.log(2)


def pair(seed: int, n: int, levels: int | None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 0.3 * a**2 + rng.exponential(size=n)
    return (a, b) if levels is None else (np.round(a * levels), np.round(b * levels))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [33, 64, 400])
@pytest.mark.parametrize("levels", [None, 1, 5])
def test_measures_are_those_of_the_textbooks(seed: int, n: int, levels: int | None):
    a, b = pair(seed, n, levels)
    found = dependence(a, b, permutations=1)
    assert found.n == n
    assert found.pearson.value == pytest.approx(pearsonr(a, b).statistic, abs=1e-12)
    assert found.pearson.p == pytest.approx(pearsonr(a, b).pvalue, abs=1e-12)
    assert found.distance_correlation.value == pytest.approx(textbook_distance_correlation(a, b), abs=1e-10)
    assert found.hsic.value == pytest.approx(textbook_hsic(a, b), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [33, 400])
def test_mutual_information_is_that_of_scikit_learn(seed: int, n: int):
    a, b = pair(seed, n, None)
    found = dependence(a, b, permutations=1)
    assert found.mutual_information.value == pytest.approx(textbook_mutual_information(a, b), abs=1e-10)


def test_every_permutation_has_the_value_of_permuted_data():
    a, b = pair(5, 70, 3)
    generator = np.random.default_rng(12)
    drawn = generator.permuted(np.tile(np.arange(70), (20, 1)), axis=1)
    found = dependence(a, b, permutations=20, seed=12)
    for measure, textbook in (
        (found.distance_correlation, textbook_distance_correlation),
        (found.hsic, textbook_hsic),
    ):
        values = np.array([textbook(a, b[order]) for order in drawn])
        assert measure.chance == pytest.approx(values.mean(), rel=1e-6)
        assert measure.p == (1 + np.count_nonzero(values >= textbook(a, b) - 1e-12)) / 21


def test_equal_signals_have_distance_correlation_one_and_the_entropy_of_their_bins():
    a = np.repeat(np.arange(4.0), 16)
    found = dependence(a, a, permutations=99)
    assert found.distance_correlation.value == pytest.approx(1.0, abs=1e-12)
    assert found.distance_correlation.p == 0.01
    # Four values of equal mass in bins of their own: log2(4) bits.
    assert found.mutual_information.value == pytest.approx(2.0, abs=1e-12)


def test_a_curve_without_correlation_is_found():
    a = np.random.default_rng(1).uniform(-1, 1, 300)
    found = dependence(a, a**2, permutations=199)
    assert abs(found.pearson.value) < 0.2
    assert found.distance_correlation.p == found.hsic.p == found.mutual_information.p == 1 / 200


def test_independent_signals_are_at_their_chance_level():
    rng = np.random.default_rng(2)
    found = dependence(rng.normal(size=300), rng.normal(size=300), permutations=199)
    for measure in (found.distance_correlation, found.hsic, found.mutual_information):
        assert measure.p > 0.05
        assert measure.value < 2 * measure.chance
        # All three are above 0 by chance, which is why they come with their chance level.
        assert measure.chance > 0


def test_many_questions_are_thinned_to_a_seeded_subset():
    a, b = pair(3, 2500, None)
    first, again, other = (dependence(a, b, permutations=1, seed=seed) for seed in (1, 1, 2))
    assert first.n == 2000
    assert first == again
    assert first.hsic.value != other.hsic.value


def test_outliers_and_a_tied_middle_half_have_bins():
    a, b = pair(4, 200, None)
    a[0] = 1e12
    b[:150] = 0.0
    found = dependence(a, b, permutations=19)
    for measure in (found.distance_correlation, found.hsic, found.mutual_information):
        assert math.isfinite(measure.value)
    assert found.hsic.value == pytest.approx(textbook_hsic(a, b), rel=1e-4)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=4, max_size=40), st.floats(0.01, 100))
def test_the_unit_of_a_signal_does_not_matter(points: list[tuple[int, int]], scale: float):
    a, b = (np.array(v, dtype=float) for v in zip(*points, strict=True))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return
    first, second = dependence(a, b, permutations=1), dependence(b, scale * a + 3, permutations=1)
    assert first.distance_correlation.value == pytest.approx(second.distance_correlation.value, abs=1e-6)
    assert first.hsic.value == pytest.approx(second.hsic.value, abs=1e-8)


def test_constant_few_or_unequal_signals_are_refused():
    with pytest.raises(UndefinedStatisticError, match="the second signal is constant"):
        dependence([1.0, 2.0, 3.0, 4.0], [1.0] * 4)
    with pytest.raises(UndefinedStatisticError, match="`3` questions"):
        pearson([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        pearson([1.0, 2.0, math.nan, 3.0], [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="same questions"):
        dependence([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0])


def test_pearsons_interval_is_fishers():
    a, b = pair(7, 100, None)
    found = pearson(a, b)
    z, half = np.arctanh(pearsonr(a, b).statistic), 1.959963984540054 / math.sqrt(97)
    assert (found.low, found.high) == (pytest.approx(np.tanh(z - half)), pytest.approx(np.tanh(z + half)))


@pytest.mark.parametrize("levels", [None, 1, 5])
def test_spearman_is_that_of_scipy(levels: int | None):
    a, b = pair(7, 60, levels)
    found, scipy = spearman(a, b), spearmanr(a, b)
    assert found.value == pytest.approx(scipy.statistic, abs=1e-12)
    assert found.p == pytest.approx(scipy.pvalue, abs=1e-12)
    assert found.n == 60


def test_the_interval_of_spearman_is_that_of_bonett_and_wright():
    # Ranks 1 2 3 4 5 6 7 against 2 1 4 3 6 5 7: 1 - 6 * 6 / (7 * 48) = 0.892857; its error is
    # sqrt((1 + 0.797194 / 2) / 4) = 0.591307, and tanh(1.436195 -+ 1.959964 * 0.591307) are the ends.
    found = spearman(np.arange(7.0), np.array([2.0, 1, 4, 3, 6, 5, 7]))
    assert found.value == pytest.approx(0.892857, abs=1e-6)
    assert (found.low, found.high) == (pytest.approx(0.2698, abs=1e-3), pytest.approx(0.9888, abs=1e-3))


@pytest.mark.parametrize("n", [4, 6, 101])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_perfect_correlation_has_no_interval_and_no_p(n: int, sign: float):
    ranks = spearman(np.arange(n), sign * np.arange(n) ** 3)
    assert (ranks.value, ranks.low, ranks.high, ranks.p, ranks.n) == (sign, None, None, None, n)
    # A third is no binary fraction, so that rounding may leave this line short of 1.
    line = pearson(np.arange(n), sign * np.arange(n) / 3)
    assert (line.value, line.low, line.high, line.p, line.n) == (sign, None, None, None, n)


def test_a_nearly_perfect_correlation_has_its_interval():
    # Two neighbours of 1,000 changed: 1 - 6 * 2 / (1000 * 999999).
    second = np.arange(1000.0)
    second[:2] = 1.0, 0.0
    found = spearman(np.arange(1000.0), second)
    assert found.value == pytest.approx(1 - 12 / 999_999_000, abs=1e-12)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high < 1


@pytest.mark.parametrize("second", [[1.0, 1, 1, 1], [1.0, 2, 3, math.nan]])
def test_spearman_of_a_constant_or_undefined_signal_is_undefined(second: list[float]):
    with pytest.raises(UndefinedStatisticError):
        spearman([1.0, 2, 3, 4], second)
