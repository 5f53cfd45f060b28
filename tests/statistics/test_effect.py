import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import cohens_d


@pytest.mark.parametrize("seed", range(10))
def test_cohens_d_follows_from_the_t_statistic_of_scipy(seed: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(50) < 0.3
    positive[:4] = [True, True, False, False]
    scores = rng.exponential(size=50) + positive
    a, b = scores[positive], scores[~positive]
    # Student's t with pooled variance is d / sqrt(1/n_a + 1/n_b).
    expected = ttest_ind(a, b).statistic * math.sqrt(1 / a.size + 1 / b.size)
    assert cohens_d(scores, positive) == pytest.approx(expected, rel=1e-12)


def test_cohens_d_by_hand():
    # Means 3 and 1, variances 2 and 2, pooled 2: d = 2 / sqrt 2.
    assert cohens_d([2, 4, 0, 2], [True, True, False, False]) == pytest.approx(math.sqrt(2))


def test_cohens_d_without_spread_within_the_classes_is_undefined():
    with pytest.raises(UndefinedStatisticError, match="do not vary"):
        cohens_d([0.1, 0.1, 0.1, 0.3, 0.3, 0.3], [True] * 3 + [False] * 3)


def test_cohens_d_needs_two_of_each_class():
    with pytest.raises(UndefinedStatisticError, match="`1` incorrect and `2` correct"):
        cohens_d([1.0, 2.0, 3.0], [True, False, False])


def test_cohens_d_refuses_nan():
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        cohens_d([1.0, math.nan, 3.0, 4.0], [True, True, False, False])
