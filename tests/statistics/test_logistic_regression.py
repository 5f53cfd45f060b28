import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from homogaudit.statistics.logistic_regression import fit_logistic_regression


@pytest.mark.parametrize("ridge", [0.0, 1.0, 30.0])
def test_slopes_and_intercept_are_scikit_learns(ridge: float):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(200, 6))
    labels = generator.random(200) < 1 / (1 + np.exp(1 - inputs @ [2, -1, 0.5, 0, 0, 0]))
    found = fit_logistic_regression(inputs, labels.astype(float), ridge)
    known = LogisticRegression(C=1 / ridge if ridge else np.inf, max_iter=1000).fit(inputs, labels)
    np.testing.assert_allclose(found.slopes, known.coef_[0], atol=1e-9)
    assert found.intercept == pytest.approx(known.intercept_[0], abs=1e-9)
    np.testing.assert_allclose(found.log_odds(inputs[:5]), known.decision_function(inputs[:5]), atol=1e-9)


def test_a_target_between_the_classes_is_a_share_of_either():
    # Three quarters at every input: ln(3) and no slope.
    found = fit_logistic_regression(np.linspace(-1, 1, 9)[:, None], np.full(9, 0.75))
    assert found.intercept == pytest.approx(np.log(3), abs=1e-3)
    assert found.slopes[0] == pytest.approx(0, abs=1e-6)
