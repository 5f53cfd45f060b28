import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, t

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import clopper_pearson, grouped_interval, questions_needed, wilson


@settings(max_examples=60)
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
        clopper_pearson(0, 0)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (1, 0), (0, -1)])
def test_impossible_counts_are_refused(k: int, n: int):
    with pytest.raises(ValueError, match="0 <= k <= n"):
        wilson(k, n)


@settings(max_examples=60)
@given(n=st.integers(1, 5000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_interval_is_that_of_scipy(n: int, share: float, confidence: float):
    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(confidence, method="exact")
    found = clopper_pearson(k, n, confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-10)


def test_no_single_cluster_needs_72_questions_to_exclude_five_percent():
    # At k = 0 the upper end is 1 - 0.025^(1/m), below 0.05 where m > ln 0.025 / ln 0.95 = 71.9.
    assert questions_needed(0, (0.05, 0.20)) == 72


@pytest.mark.parametrize("rate", [0.05, 0.20])
def test_a_rate_equal_to_a_bound_is_never_settled(rate: float):
    assert questions_needed(rate, (0.05, 0.20)) is None


def test_more_than_a_million_questions_are_no_plan():
    assert questions_needed(0.0501, (0.05, 0.20)) is None
    assert questions_needed(0.04, (0.05, 0.20), weight=1000) is None


def test_questions_that_resemble_each_other_are_needed_in_greater_number():
    assert questions_needed(0, (0.05, 0.20), weight=2.5) == 180


def test_a_grouped_interval_is_that_of_the_effective_number_of_questions():
    # Four groups of ten with 2, 4, 4 and 10 hits: rate 0.5, deviations -3, -1, -1, 5, so that the variance is
    # 4/3 * 36 / 1600 = 0.03, 0.25 / 0.03 = 8.33 questions, times (t_39 / t_3)^2 = (2.0227 / 3.1824)^2 = 0.404.
    hits = [place < count for count in (2, 4, 4, 10) for place in range(10)]
    groups = [name for name in "abcd" for _ in range(10)]
    effective = 0.25 / 0.03 * (t.ppf(0.975, 39) / t.ppf(0.975, 3)) ** 2
    ends = beta.ppf([0.025, 0.975], [effective / 2, effective / 2 + 1], [effective / 2 + 1, effective / 2])
    found = grouped_interval(hits, groups)
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-9)


@pytest.mark.parametrize("hits", [[False] * 40, [True] * 40, [place % 10 < 3 for place in range(40)]])
def test_groups_that_do_not_vary_leave_the_interval_of_independent_questions(hits: list[bool]):
    groups = [place // 10 for place in range(40)]
    assert grouped_interval(hits, groups) == clopper_pearson(sum(hits), 40)


def test_one_group_gives_no_interval():
    with pytest.raises(UndefinedStatisticError, match="`1` groups"):
        grouped_interval([True, False], ["a", "a"])


def coverage(rate: float, groups: int, worlds: int) -> tuple[float, float, float]:
    """Return how often Wilson's, the exact and the grouped interval hold the rate, with 20 questions a group.

    Questions of a group have a correlation of 0.1: the rate of a group is beta with a + b = 1 / 0.1 - 1.
    """
    generator = np.random.default_rng([groups, round(1000 * rate)])
    names = [group for group in range(groups) for _ in range(20)]
    held = np.zeros(3)
    for _ in range(worlds):
        rates = generator.beta(9 * rate, 9 * (1 - rate), groups)
        hits = generator.random(20 * groups) < np.repeat(rates, 20)
        k, n = int(hits.sum()), hits.size
        for place, found in enumerate((wilson(k, n), clopper_pearson(k, n), grouped_interval(hits, names))):
            held[place] += found.low <= rate <= found.high
    return tuple(held / worlds)


def test_the_grouped_interval_covers_where_that_of_independent_questions_does_not():
    by_wilson, exact, grouped = coverage(0.2, 10, 400)
    # Four standard errors of a share of 400 around 0.95 are 0.044.
    assert by_wilson < 0.85 and exact < 0.85
    assert grouped > 0.906


EVERY_RATE = [(rate, groups) for rate in (0.03, 0.05, 0.1, 0.2, 0.3, 0.5) for groups in (5, 8, 10, 20, 40)]


@pytest.mark.parametrize(
    ("rate", "groups", "worlds"),
    [(0.03, 20, 200), (0.5, 5, 200), *(pytest.param(*x, 2000, marks=pytest.mark.slow) for x in EVERY_RATE)],
)
def test_the_grouped_interval_covers_at_every_rate_and_number_of_groups(rate: float, groups: int, worlds: int):
    by_wilson, _, grouped = coverage(rate, groups, worlds)
    assert by_wilson < 0.92
    # Lowest where no hit at all is likely: there the groups show no variance. Four errors of 200 worlds are 0.06.
    assert grouped > (0.91 if worlds == 2000 else 0.89)
