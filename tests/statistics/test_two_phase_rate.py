import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.two_phase_rate import two_phase_rate


def test_the_estimate_counts_each_reversal_for_as_many_as_were_not_sampled():
    # 10 of 100 stayed open and count; 2 of 20 sampled ones came round: 10% + 10%.
    found = two_phase_rate(10, 100, 2, 20)
    assert (found.value, found.k, found.n) == (pytest.approx(0.20), 20, 100)
    assert found.low < 0.20 < found.high


def test_nothing_seen_of_few_sampled_ones_leaves_what_these_may_have_missed():
    # Nothing in 6 sampled ones at a rate of reversals b has probability (1 - b)^6, and 2.5% where b is this.
    found = two_phase_rate(0, 20, 0, 6)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 6), abs=1e-5)


def test_where_all_are_sampled_the_interval_is_the_exact_one():
    exact = binomtest(15, 100).proportion_ci(method="exact")
    found = two_phase_rate(12, 100, 3, 100)
    assert (found.value, found.k) == (0.15, 15)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_without_reversals_in_a_large_sample_it_is_hardly_wider():
    exact = binomtest(118, 790).proportion_ci(method="exact")
    found = two_phase_rate(118, 790, 0, 395)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-3)


def test_the_ends_are_those_rates_at_which_the_tail_of_outcomes_holds_2_5_percent():
    open_ones, n, reversals, sampled = 9, 60, 1, 18
    a, r = np.meshgrid(np.arange(n + 1), np.arange(sampled + 1), indexing="ij")

    def largest(rate: float, *, is_low: bool) -> float:
        weight = 1 / 1.5 if is_low else 1.5
        order = a / n + weight * r / sampled - (open_ones / n + weight * reversals / sampled)
        tail = order >= -1e-9 if is_low else order <= 1e-9
        return max(
            float((binom.pmf(a, n, rate - b) * binom.pmf(r, sampled, b))[tail].sum()) for b in np.linspace(0, rate, 400)
        )

    found = two_phase_rate(open_ones, n, reversals, sampled)
    assert largest(found.low, is_low=True) == pytest.approx(0.025, abs=5e-4)
    assert largest(found.high, is_low=False) == pytest.approx(0.025, abs=5e-4)


@pytest.mark.parametrize("runs", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_the_interval_holds_the_rate_in_95_percent_of_runs(runs):
    random = np.random.default_rng(20261129)
    missed = total = 0
    for n in (60, 300, 790):
        sampled = math.ceil(0.3 * n)
        for rate in (0.01, 0.15, 0.40):
            for reversed_share in (0, 0.005, 0.04):
                # Four in five of those that do not count seem not to, and some of these come round.
                b = min(0.8 * (1 - rate) * reversed_share, 0.9 * rate)
                a = rate - b
                in_sample = random.multinomial(sampled, [a, b, 1 - a - b], size=runs)
                others = random.binomial(n - sampled, a, size=runs)
                found = [
                    two_phase_rate(int(x[0] + more), n, int(x[1]), sampled)
                    for x, more in zip(in_sample, others, strict=True)
                ]
                outside = sum(not x.low <= rate <= x.high for x in found)
                print(
                    f"n {n:3} SCR {rate:4.0%} reversals {reversed_share:5.1%}: missed {outside / runs:5.2%}, mean "
                    f"estimate {np.mean([x.value for x in found]):6.2%}"
                )
                assert outside / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
                missed, total = missed + outside, total + runs
    assert missed / total <= 0.05


def test_numbers_that_no_sample_gives_are_refused():
    for numbers in ((5, 10, 0, 11), (9, 10, 2, 3), (-1, 10, 0, 3), (1, 10, 4, 3)):
        with pytest.raises(ValueError, match="no outcome"):
            two_phase_rate(*numbers)
    with pytest.raises(UndefinedStatisticError, match="without a sampled question"):
        two_phase_rate(1, 10, 0, 0)
