import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from homogaudit.cascade.weighted import fit_logistic, weighted_aurocs, weighted_quantiles


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 6))
def test_weighted_aurocs_agree_with_scikit_learn(seed: int, n: int, levels: int):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, size=(3, n)).astype(float)
    weights = generator.integers(0, 3, size=(3, n)).astype(float)
    positive = generator.random(n) < 0.5
    found = weighted_aurocs(scores, weights * positive, weights * ~positive)
    for row in range(3):
        repeated = np.repeat(np.arange(n), weights[row].astype(int))
        if len(set(positive[repeated])) < 2:
            assert np.isnan(found[row])
        else:
            assert found[row] == pytest.approx(roc_auc_score(positive[repeated], scores[row][repeated]))


def test_weighted_quantiles_are_those_of_the_repeated_values():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(2, 30))
    weights = generator.integers(0, 4, size=(2, 30)).astype(float)
    levels = np.array([[0.0, 0.1, 0.5, 0.9, 1.0]] * 2)
    found = weighted_quantiles(values, weights, levels)
    for row in range(2):
        repeated = np.repeat(values[row], weights[row].astype(int))
        known = np.quantile(repeated, levels[row, 1:], method="inverted_cdf")
        assert found[row, 1:] == pytest.approx(known)
        assert found[row, 0] <= repeated.min()


def drawn(seed: int, n: int, separation: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    positive = (generator.random(n) < 0.4).astype(float)
    inputs = generator.normal(size=(2, n, len(separation))) + positive[:, None] * np.array(separation)
    return inputs, positive, generator.integers(0, 3, size=(2, n)).astype(float)


def test_the_fit_agrees_with_scikit_learn_where_all_weights_are_positive():
    inputs, positive, weights = drawn(0, 200, (1.0, 0.7, 0.5))
    found = fit_logistic(inputs, positive, weights)
    for row in range(2):
        model = LogisticRegression(tol=1e-10, max_iter=1000).fit(inputs[row], positive, sample_weight=weights[row])
        assert (model.coef_ > 0).all()
        assert found[row, 1:] == pytest.approx(model.coef_[0], abs=1e-4)
        assert found[row, 0] == pytest.approx(model.intercept_[0], abs=1e-4)


def test_classes_that_do_not_overlap_have_a_finite_fit():
    inputs, positive, weights = drawn(1, 60, (12.0,))
    found = fit_logistic(inputs, positive, weights)
    model = LogisticRegression(tol=1e-10, max_iter=1000).fit(inputs[0], positive, sample_weight=weights[0])
    assert found[0, 1] == pytest.approx(model.coef_[0, 0], abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_signal_that_points_the_wrong_way_has_weight_zero(seed: int):
    inputs, positive, weights = drawn(seed, 150, (0.8, -0.9, 0.1))

    def loss(fitted: np.ndarray) -> float:
        odds = fitted[0] + inputs[0] @ fitted[1:]
        return float(weights[0] @ (np.logaddexp(0, odds) - positive * odds) + fitted[1:] @ fitted[1:] / 2)

    found = fit_logistic(inputs, positive, weights)[0]
    bounded = minimize(
        loss, np.zeros(4), method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * 3, options={"ftol": 1e-14}
    )
    assert found[2] == 0
    assert found == pytest.approx(bounded.x, abs=1e-3)
    assert loss(found) <= bounded.fun + 1e-9
