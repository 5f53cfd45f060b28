"""The mean of paired losses against Student's test by SciPy, and how often it says too much."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.mean_loss import mean_loss


def test_bound_and_p_are_those_of_scipy_over_the_losses_and_one_of_1():
    losses = np.random.default_rng(3).uniform(-0.4, 0.5, 60)
    found = mean_loss(losses, 0.05)
    tested = ttest_1samp(np.append(losses, 1.0), 0.05, alternative="less")
    assert found.value == pytest.approx(losses.mean(), abs=1e-12)
    assert found.p == pytest.approx(tested.pvalue, abs=1e-12)
    assert found.high == pytest.approx(tested.confidence_interval(0.95).high, abs=1e-12)
    assert found.n == 60


def test_no_loss_on_any_question_is_no_proof_before_there_are_as_many_as_the_exact_test_needs():
    # Where one question in twenty lost everything, none of 52 would show it with probability 0.95 ** 52 = 0.069.
    assert mean_loss(np.zeros(40)).p > 0.05
    assert mean_loss(np.zeros(60)).p < 0.05


def test_losing_everything_everywhere_is_no_small_loss():
    assert mean_loss([1.0, 1.0]).p == 1


def test_nothing_to_compare_and_impossible_losses_are_refused():
    with pytest.raises(UndefinedStatisticError):
        mean_loss([])
    with pytest.raises(ValueError, match="at most 1"):
        mean_loss([1.5])


@pytest.mark.parametrize("n", [15, 50, 100])
def test_a_loss_of_the_margin_passes_at_most_one_time_in_twenty_also_where_it_is_rare_and_whole(n: int):
    random = np.random.default_rng(1)
    passed = [mean_loss((random.random(n) < 0.05).astype(float), 0.05).p < 0.05 for _ in range(2000)]
    # Student's test of the losses alone passes 46%, 8% and 11% of them.
    assert np.mean(passed) < 0.06
