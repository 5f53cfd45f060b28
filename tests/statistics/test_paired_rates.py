import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import (
    RateDifference,
    difference_questions_needed,
    p_below,
    p_equivalent_rates,
    rate_difference,
)


def outcomes(only_first: int, only_second: int, n: int, both: int = 0) -> tuple[list[bool], list[bool]]:
    neither = n - only_first - only_second - both
    first = [True] * only_first + [False] * only_second + [True] * both + [False] * neither
    second = [False] * only_first + [True] * only_second + [True] * both + [False] * neither
    return first, second


def difference(only_first: int, only_second: int, n: int) -> RateDifference:
    return rate_difference(*outcomes(only_first, only_second, n))


def test_the_interval_is_that_of_a_published_example():
    # Fagerland, Lydersen and Laake (2014), "Recommended tests and confidence intervals for paired binomial
    # proportions", Statistics in Medicine 33: airway hyper-responsiveness of 21 children before and after.
    found = difference(1, 7, 21)
    assert found.value == pytest.approx(-0.286, abs=5e-4)
    assert (found.low, found.high) == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))


def score_by_search(only_first: int, only_second: int, n: int, bound: float) -> float:
    """Tango's statistic with the nuisance rate found by searching the multinomial likelihood."""

    def loss(rate: float) -> float:
        cells = ((only_first, rate + bound), (only_second, rate), (n - only_first - only_second, 1 - 2 * rate - bound))
        return -sum(count * math.log(share) for count, share in cells if count)

    edge = 1e-12
    rate = minimize_scalar(
        loss, bounds=(max(0.0, -bound) + edge, (1 - bound) / 2 - edge), method="bounded", options={"xatol": 1e-12}
    ).x
    return (only_first - only_second - n * bound) / math.sqrt(n * (2 * rate + bound - bound**2))


@pytest.mark.parametrize(("only_first", "only_second", "n"), [(57, 2, 200), (3, 9, 40), (10, 10, 790), (1, 0, 12)])
@pytest.mark.parametrize("bound", [-0.3, -0.05, 0.05, 0.2])
def test_the_one_sided_p_is_that_of_the_likelihood_searched_by_number(only_first, only_second, n, bound):
    found = p_below(difference(only_first, only_second, n), bound)
    assert found == pytest.approx(norm.cdf(score_by_search(only_first, only_second, n, bound)), rel=1e-4, abs=1e-12)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
def test_the_interval_holds_zero_where_the_uncorrected_mcnemar_test_finds_nothing(only_first, only_second, others):
    n = only_first + only_second + others
    if not n:
        return
    found = difference(only_first, only_second, n)
    assert -1 <= found.low <= found.value <= found.high <= 1
    if only_first + only_second:
        p = statsmodels_mcnemar([[0, only_first], [only_second, 0]], exact=False, correction=False).pvalue
        assert (found.low <= 0 <= found.high) == (p >= 0.05)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 200), st.floats(0.01, 0.3))
def test_the_tests_agree_with_the_intervals(only_first, only_second, others, margin):
    first, second = outcomes(only_first, only_second, only_first + only_second + others)
    found, narrow = rate_difference(first, second), rate_difference(first, second, confidence=0.90)
    assert (p_equivalent_rates(found, margin) <= 0.05) == (-margin <= narrow.low and narrow.high <= margin)
    assert (p_below(found, margin) <= 0.025) == (found.high <= margin)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 100))
def test_runs_that_change_places_mirror_the_interval(only_first, only_second, others):
    n = only_first + only_second + others
    found, mirrored = difference(only_first, only_second, n), difference(only_second, only_first, n)
    np.testing.assert_allclose([found.low, found.high], [-mirrored.high, -mirrored.low], atol=1e-9)
    assert p_equivalent_rates(found) == pytest.approx(p_equivalent_rates(mirrored), abs=1e-12)


def test_no_discordant_question_has_an_interval_by_hand():
    # With no discordant pair the statistic at d is n d / sqrt(n (|d| + d^2 - 2 d^2 + ...)): q = 0 above, so
    # n d / sqrt(n d (1 - d)) = z gives d = z^2 / (n + z^2), for n = 100 3.8415 / 103.8415.
    found = difference(0, 0, 100)
    assert (found.low, found.high) == (pytest.approx(-0.036993, abs=1e-6), pytest.approx(0.036993, abs=1e-6))


def test_rates_at_both_ends_have_an_interval_that_ends_there():
    found = difference(12, 0, 12)
    assert (found.value, found.high) == (1, 1)
    assert 0.5 < found.low < 1


def test_the_rates_on_both_sides_of_the_question_do_not_matter():
    few, many = rate_difference(*outcomes(5, 2, 50)), rate_difference(*outcomes(5, 2, 50, both=40))
    assert few == many


def test_a_difference_needs_questions():
    with pytest.raises(UndefinedStatisticError, match="0"):
        rate_difference([], [])


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
def test_a_margin_lies_between_nothing_and_everything(margin):
    with pytest.raises(ValueError, match="margin"):
        p_equivalent_rates(difference(1, 2, 10), margin)


@pytest.mark.parametrize(
    ("only_first", "only_second", "bound"), [(0, 0, 0.05), (6, 4, 0.05), (3, 10, 0.02), (20, 20, 0.1), (24, 4, 0.05)]
)
def test_as_many_questions_as_are_needed_show_a_difference_in_four_of_five_samples(only_first, only_second, bound):
    found = difference(only_first, only_second, 200)
    needed = difference_questions_needed(found, bound)
    assert needed is not None
    shares = [only_first / 200, only_second / 200, 1 - (only_first + only_second) / 200]
    drawn = np.random.default_rng(5).multinomial(needed, shares, 1_000)
    is_below = found.value < bound
    shown = 0
    for counts in np.unique(drawn, axis=0):
        p = p_below(difference(int(counts[0]), int(counts[1]), needed), bound)
        times = int((drawn == counts).all(axis=1).sum())
        shown += times if (p <= 0.025 if is_below else p >= 0.975) else 0
    # Where no question is discordant every sample is the same one, and shows it.
    assert shown == 1_000 if not only_first + only_second else 740 <= shown <= 860


def test_a_difference_that_is_the_bound_needs_no_number_and_none_discordant_needs_what_the_formula_says():
    assert difference_questions_needed(difference(10, 0, 200), 0.05) is None
    # z^2 / (n + z^2) is 0.05 at n = 19 z^2 = 72.99.
    assert difference_questions_needed(difference(0, 0, 20), 0.05) == 73
