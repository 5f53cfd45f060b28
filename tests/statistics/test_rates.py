import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import questions_needed, wilson


@settings(deadline=None, max_examples=60)
@given(n=st.integers(1, 5000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_interval_is_that_of_scipy(n: int, share: float, confidence: float):
    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(confidence, method="wilson")
    rate = wilson(k, n, confidence)
    assert (rate.value, rate.k, rate.n) == (k / n, k, n)
    assert rate.low == pytest.approx(expected.low, abs=1e-12)
    assert rate.high == pytest.approx(expected.high, abs=1e-12)


def test_wilson_ends_are_exact_at_none_and_all():
    assert wilson(0, 37).low == 0.0
    assert wilson(37, 37).high == 1.0


def test_a_rate_over_no_questions_is_undefined():
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        wilson(0, 0)
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        questions_needed(0, 0, 0.05)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (1, 0), (0, -1)])
def test_impossible_counts_are_refused(k: int, n: int):
    with pytest.raises(ValueError, match="0 <= k <= n"):
        wilson(k, n)


@pytest.mark.parametrize("n", [1, 20, 72, 73, 500])
def test_no_single_cluster_needs_73_questions_to_exclude_five_percent(n: int):
    # At k = 0 the upper end is z^2 / (m + z^2), below 0.05 where m > 19 z^2 = 72.99.
    assert questions_needed(0, n, 0.05) == 73


@pytest.mark.parametrize(("k", "n", "level"), [(2, 60, 0.05), (5, 60, 0.05), (13, 20, 0.5), (10, 359, 0.05)])
def test_questions_needed_are_the_first_at_which_scipy_excludes_the_level(k: int, n: int, level: float):
    def holds(m: int) -> bool:
        ends = binomtest(round(k / n * m), m).proportion_ci(0.95, method="wilson")
        return ends.low <= level <= ends.high

    needed = questions_needed(k, n, level)
    assert needed is not None
    assert needed > n
    assert all(holds(m) for m in range(n, needed))
    assert not holds(needed)


def test_lucky_rounding_below_the_present_number_is_not_advice():
    # 10 of 359 does not exclude 0.05, but 341 questions would round to 9 of 341, which does.
    ends = binomtest(9, 341).proportion_ci(0.95, method="wilson")
    assert ends.high < 0.05
    needed = questions_needed(10, 359, 0.05)
    assert needed is not None
    assert needed > 359


def test_a_rate_equal_to_the_level_is_never_settled():
    assert questions_needed(3, 60, 0.05) is None


def test_more_than_a_million_questions_are_no_plan():
    assert questions_needed(50_001, 1_000_000, 0.05) is None
