import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import paired_aurocs, paired_means


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    shared = rng.gamma(4, 1, 60)
    return shared + rng.normal(1, 0.3, 60), shared + rng.normal(0, 0.3, 60)


def test_means_differ_as_scipys_bootstrap_of_pairs_says(pairs):
    first, second = pairs
    found = paired_means(first, second)
    assert found.difference.value == pytest.approx(first.mean() - second.mean())
    assert (found.first, found.second) == (pytest.approx(first.mean()), pytest.approx(second.mean()))
    for estimate, statistic in (
        (found.difference, lambda a, b, axis: a.mean(axis) - b.mean(axis)),
        (found.ratio, lambda a, b, axis: a.mean(axis) / b.mean(axis)),
    ):
        other = scipy_bootstrap(
            pairs, statistic, paired=True, method="percentile", n_resamples=9999, rng=np.random.default_rng(1)
        ).confidence_interval
        width = other.high - other.low
        assert (estimate.low, estimate.high) == (
            pytest.approx(other.low, abs=0.06 * width),
            pytest.approx(other.high, abs=0.06 * width),
        )


def test_equal_pairs_differ_by_nothing_and_have_no_interval():
    found = paired_means([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], draws=50)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, None, None)
    assert found.ratio is not None and (found.ratio.value, found.ratio.low) == (1, None)


def test_a_mean_of_nothing_has_no_ratio():
    assert paired_means([0.0, 0.0], [1.0, 2.0], draws=50).ratio is None


def test_a_difference_of_means_needs_two_questions():
    with pytest.raises(UndefinedStatisticError, match="1"):
        paired_means([1.0], [2.0])


def test_aurocs_differ_as_a_bootstrap_with_scikit_learn_says():
    rng = np.random.default_rng(2)
    n = 80
    labels = rng.random((2, n)) < 0.4
    scores = rng.normal(size=(2, n)) + labels * np.array([[1.2], [0.2]])
    # Each run leaves other questions without a label.
    scores[0, :10] = math.nan
    scores[1, 5:20] = math.nan
    (found,) = paired_aurocs(scores[:1], scores[1:], labels, draws=2000)
    assert found is not None
    counted = ~np.isnan(scores)

    def values(chosen: np.ndarray) -> list[float]:
        kept = [chosen[own[chosen]] for own in counted]
        return [roc_auc_score(labels[run][x], scores[run][x]) for run, x in enumerate(kept)]

    whole = values(np.arange(n))
    assert (found.first, found.second) == (pytest.approx(whole[0]), pytest.approx(whole[1]))
    assert found.difference.n == n - 5
    drawn = np.array([np.subtract(*values(rng.integers(0, n, n))) for _ in range(1000)])
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert found.difference.low == pytest.approx(low, abs=0.03)
    assert found.difference.high == pytest.approx(high, abs=0.03)
    assert found.p == pytest.approx(2 * min((drawn <= 0).mean(), (drawn >= 0).mean()), abs=0.02)
    assert found.p_equivalent == pytest.approx((drawn >= 0.05).mean(), abs=0.03)


def test_equal_runs_have_no_difference_and_are_equivalent():
    scores, labels = np.array([[0.1, 0.4, 0.2, 0.9, 0.5]]), np.array([[True, False, True, False, True]] * 2)
    (found,) = paired_aurocs(scores, scores, labels, draws=200)
    assert found is not None
    assert (found.difference.value, found.difference.low, found.p) == (0, None, 1)
    assert found.p_equivalent < 0.05


@pytest.mark.parametrize("scores", [[0.5] * 6, [math.nan] * 4 + [0.1, 0.2], [0.1, math.nan, 0.3, math.nan, 0.4, 0.5]])
def test_a_signal_that_ranks_nothing_in_a_run_is_not_compared(scores):
    labels = [[True, True, False, False, False, False], [True, False, True, False, True, False]]
    other = [0.3, 0.1, 0.8, 0.7, 0.2, 0.4]
    assert paired_aurocs([scores], [other], labels, draws=50) == (None,)
