import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from scipy.stats import wilcoxon as scipy_wilcoxon

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import holm, mcnemar, wilcoxon


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04; the running maximum makes the last .06.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_holm_never_passes_one():
    np.testing.assert_allclose(holm([0.6, 0.4, 1.0]), [1.0, 1.0, 1.0])


def test_holm_of_nothing_and_of_one():
    assert holm([]).shape == (0,)
    assert holm([0.03]).tolist() == [0.03]


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_holm_refuses_what_is_not_a_p_value(bad: float):
    with pytest.raises(UndefinedStatisticError, match="not a p value"):
        holm([0.2, bad])


def test_holm_refuses_a_matrix():
    with pytest.raises(ValueError, match="vector of p values"):
        holm([[0.1, 0.2]])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float], random):
    p = np.array(p_values)
    adjusted = holm(p)
    # Holm (1979): go up the sorted p values while p_(i) <= level / (m - i); the first failure stops.
    rejected = np.zeros(p.size, dtype=bool)
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (p.size - step) > 0.05:
            break
        rejected[index] = True
    assert ((adjusted <= 0.05) == rejected).all()
    assert (adjusted >= p).all()
    order = list(range(p.size))
    random.shuffle(order)
    np.testing.assert_array_equal(holm(p[order]), adjusted[order])


def discordant(only_first: int, only_second: int, both: int = 7) -> tuple[list[bool], list[bool]]:
    first = [True] * only_first + [False] * only_second + [True] * both
    second = [False] * only_first + [True] * only_second + [True] * both
    return first, second


@pytest.mark.parametrize(("b", "c"), [(0, 1), (3, 9), (12, 12), (20, 4)])
def test_mcnemar_is_the_binomial_test_below_25_discordant_pairs(b: int, c: int):
    found = mcnemar(*discordant(b, c))
    # Two-sided p of a symmetric binomial: twice the smaller tail, at most 1.
    expected = min(1.0, 2 * binom.cdf(min(b, c), b + c, 0.5))
    assert (found.n, found.only_first, found.only_second, found.method) == (b + c + 7, b, c, "exact")
    assert found.p == pytest.approx(expected, abs=1e-12)


def test_mcnemar_is_the_corrected_chi_square_from_25_discordant_pairs():
    # (|20 - 10| - 1)^2 / 30 = 2.7; the upper tail of a chi-square of one degree at 2.7 is erfc(sqrt(2.7 / 2)).
    found = mcnemar(*discordant(20, 10))
    assert found.method == "chi_square"
    assert found.p == pytest.approx(math.erfc(math.sqrt(1.35)), abs=1e-12)
    assert mcnemar(*discordant(13, 12)).method == "chi_square"
    assert mcnemar(*discordant(14, 14)).p == 1.0


def test_mcnemar_without_discordant_pairs_shows_nothing():
    assert mcnemar([True, False], [True, False]).p == 1.0


def test_mcnemar_needs_questions_and_pairs():
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        mcnemar([], [])
    with pytest.raises(ValueError, match="class labels"):
        mcnemar([True, False], [True])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_does_not_care_which_comes_first(pairs: list[tuple[bool, bool]]):
    first, second = zip(*pairs, strict=True)
    assert mcnemar(first, second).p == mcnemar(second, first).p


def test_wilcoxon_is_exact_for_few_pairs_without_ties():
    a, b = np.array([1.1, 2.3, 3.7, 1.9, 5.2, 0.4]), np.array([1.0, 2.5, 3.2, 1.0, 3.9, 0.0])
    ranks = np.array([1, 2, 4, 5, 6, 3])  # of |0.1 -0.2 0.5 0.9 1.3 0.4|; only the second is negative
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=6)]
    expected = 2 * np.mean(np.array(sums) <= 2)
    found = wilcoxon(a, b)
    assert (found.n, found.rank_sum_positive, found.rank_sum_negative) == (6, 19.0, 2.0)
    assert found.p == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_wilcoxon_of_counts_with_ties_is_that_of_scipy(seed: int):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(1, 11, 60), rng.integers(1, 11, 60)
    expected = scipy_wilcoxon(a, b, zero_method="wilcox", method="approx")
    found = wilcoxon(a, b)
    assert found.n == np.count_nonzero(a != b)
    assert min(found.rank_sum_positive, found.rank_sum_negative) == expected.statistic
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


def test_wilcoxon_of_equal_pairs_is_undefined():
    with pytest.raises(UndefinedStatisticError, match="none of `3` pairs differs"):
        wilcoxon([1, 2, 3], [1, 2, 3])
