import math

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import PairedDeLong, compare_with_primary, delong_paired, equivalence


def textbook_paired(a: np.ndarray, b: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """DeLong et al. (1988), equations 5 to 8, pair by pair: the difference and its two-sided p."""
    kernels = []
    for scores in (a, b):
        x, y = scores[positive][:, None], scores[~positive][None, :]
        kernels.append((x > y) + 0.5 * (x == y))
    v10 = np.stack([kernel.mean(axis=1) for kernel in kernels])
    v01 = np.stack([kernel.mean(axis=0) for kernel in kernels])
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    se = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    delta = kernels[0].mean() - kernels[1].mean()
    return delta, float(2 * norm.sf(abs(delta / se)))


def signals(seed: int, rows: int = 5, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    scores = rng.integers(0, 9, (rows, n)) + positive * rng.integers(0, 4, (rows, n)).astype(float)
    return scores, positive


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("primary", [0, 2])
def test_every_signal_is_compared_as_the_textbook_does(seed: int, primary: int):
    scores, positive = signals(seed)
    scores[3, :20] = math.nan
    scores[1, 50:60] = math.nan
    found = compare_with_primary(scores, positive, primary)
    others = [row for row in range(5) if row != primary]
    p_values = []
    for row, comparison in zip(others, found, strict=True):
        both = ~np.isnan(scores[row]) & ~np.isnan(scores[primary])
        a, b, y = scores[row, both], scores[primary, both], positive[both]
        delta, p = textbook_paired(a, b, y)
        assert comparison.difference is not None
        assert (comparison.n, comparison.positives) == (both.sum(), y.sum())
        assert comparison.difference.delta == pytest.approx(delta, abs=1e-12)
        assert comparison.difference.delta == pytest.approx(roc_auc_score(y, a) - roc_auc_score(y, b), abs=1e-12)
        assert comparison.difference.p == pytest.approx(p, abs=1e-10)
        assert comparison.difference == delong_paired(a, b, y)
        p_values.append(p)
    # Holm never falls below Bonferroni at the smallest p, nor below Benjamini and Hochberg anywhere.
    adjusted = [comparison.p_holm for comparison in found]
    assert min(adjusted) == pytest.approx(min(1.0, 4 * min(p_values)), abs=1e-9)
    assert (np.array(adjusted) >= false_discovery_control(p_values) - 1e-9).all()


def test_a_signal_that_cannot_be_tested_has_a_reason_and_no_part_in_holm():
    scores, positive = signals(1, rows=3)
    scores[2, positive] = math.nan
    first, second = compare_with_primary(scores, positive)
    assert second.difference is None
    assert second.p_holm is None
    assert second.reason is not None
    assert "`0` incorrect" in second.reason
    assert first.difference is not None
    assert first.p_holm == first.difference.p


def test_perfect_against_constant_scores_has_a_reason():
    positive = np.array([True, True, False, False])
    (found,) = compare_with_primary([[1.0] * 4, [4.0, 3.0, 2.0, 1.0]], positive)
    assert found.difference is None
    assert found.reason is not None
    assert "without variance" in found.reason


def test_a_family_of_the_primary_alone_is_empty():
    assert compare_with_primary([[1.0, 2.0, 3.0, 4.0]], [True, False, True, False]) == ()


def test_infinite_scores_are_refused():
    with pytest.raises(UndefinedStatisticError, match="infinite"):
        compare_with_primary([[1.0, math.inf], [1.0, 2.0]], [True, False])


def difference(delta: float, se: float) -> PairedDeLong:
    return PairedDeLong(delta=delta, se=se, z=0, p=1, low=-1, high=1)


@pytest.mark.parametrize("delta", [-0.08, -0.02, 0.0, 0.03])
def test_equivalence_is_two_one_sided_normal_tests(delta: float):
    found = equivalence(difference(delta, 0.02))
    assert found.p_non_inferior == pytest.approx(norm.sf((delta + 0.05) / 0.02), abs=1e-12)
    assert found.p_non_superior == pytest.approx(norm.cdf((delta - 0.05) / 0.02), abs=1e-12)
    assert found.p_equivalent == max(found.p_non_inferior, found.p_non_superior)


def test_at_the_margin_non_inferiority_has_p_one_half():
    assert equivalence(difference(-0.1, 0.02), margin=0.1).p_non_inferior == 0.5


def test_equal_rankings_are_equivalent():
    assert equivalence(difference(0.0, 0.0)).p_equivalent == 0.0


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ValueError, match="margin above 0"):
        equivalence(difference(0.0, 0.1), margin=0.0)
