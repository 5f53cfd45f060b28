import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import (
    brier_score,
    calibrate_out_of_fold,
    ece_by_chance,
    expected_calibration_error,
)


class Score(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is the score itself, so that only its calibration is fitted."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return X[:, 0] > 0


def probabilities(seed: int, n: int = 200, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(n), digits)
    return p, rng.random(n) < p


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("digits", [1, 2, 12])
def test_ece_is_that_of_scikit_learns_quantile_bins(seed: int, digits: int):
    p, positive = probabilities(seed, digits=digits)
    observed, predicted = calibration_curve(positive, p, n_bins=10, strategy="quantile")
    # The bins' sizes, which scikit-learn does not return, from its rule: up to and with each inner quantile.
    edges = np.percentile(p, np.linspace(0, 100, 11))[1:-1]
    sizes = np.bincount(np.searchsorted(edges, p), minlength=10)
    expected = sizes[sizes > 0] @ np.abs(observed - predicted) / p.size
    assert expected_calibration_error(p, positive) == pytest.approx(expected, abs=1e-12)


def test_ece_by_hand():
    # Ten bins of one question each: |0.05 - 0|, |0.15 - 0|, ... and |0.95 - 1| for the last.
    p = np.arange(10) / 10 + 0.05
    positive = np.arange(10) == 9
    assert expected_calibration_error(p, positive) == pytest.approx((p[:9].sum() + 0.05) / 10)


def test_a_constant_probability_has_the_gap_to_the_rate():
    assert expected_calibration_error(np.full(40, 0.7), np.arange(40) < 10) == pytest.approx(0.45)


@pytest.mark.parametrize("seed", range(5))
def test_brier_score_is_that_of_scikit_learn(seed: int):
    p, positive = probabilities(seed)
    assert brier_score(p, positive) == pytest.approx(brier_score_loss(positive, p), abs=1e-12)


@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_scores_that_are_not_probabilities_are_refused(bad: float):
    p = np.linspace(0, 1, 20)
    p[3] = bad
    for figure in (expected_calibration_error, brier_score, ece_by_chance):
        with pytest.raises(UndefinedStatisticError, match="is not a probability"):
            figure(p, np.arange(20) < 10)


def test_fewer_questions_than_bins_have_no_ece():
    with pytest.raises(UndefinedStatisticError, match="`9` questions for `10` bins"):
        expected_calibration_error(np.full(9, 0.5), np.arange(9) < 4)
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        brier_score([], [])
    with pytest.raises(UndefinedStatisticError, match="`9` questions for `10` bins"):
        ece_by_chance(np.full(9, 0.5), np.arange(9) < 4, draws=50)


@pytest.mark.parametrize(("method", "name"), [("platt", "sigmoid"), ("isotonic", "isotonic")])
@pytest.mark.parametrize("seed", range(3))
def test_calibration_out_of_fold_is_that_of_scikit_learn(method: str, name: str, seed: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(150) < 0.4
    scores = np.round(3000 + 40 * (rng.normal(size=150) + positive), 0)
    found = calibrate_out_of_fold(scores, positive, method, seed=seed)
    expected = np.empty(150)
    for training, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(scores, positive):
        # Shifted: scikit-learn's solver starts from a slope of 0 and does not like a mean of 3000.
        inputs = (scores[:, None] - 3000) / 40
        model = CalibratedClassifierCV(Score(), method=name, cv=2, ensemble=False)
        model.fit(inputs[training], positive[training])
        expected[held_out] = model.predict_proba(inputs[held_out])[:, 1]
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-4)
    assert found.brier == pytest.approx(brier_score_loss(positive, found.probabilities), abs=1e-12)
    assert found.ece == expected_calibration_error(found.probabilities, positive)


def test_classes_that_do_not_overlap_stay_below_certainty_with_platt():
    positive = np.arange(40) >= 20
    found = calibrate_out_of_fold(np.arange(40.0), positive, "platt")
    assert 0 < found.probabilities.min() < 0.1
    assert 0.9 < found.probabilities.max() < 1


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_constant_scores_give_the_error_rate_of_the_training_folds(method):
    positive = np.arange(50) % 5 < 2
    found = calibrate_out_of_fold(np.full(50, 7.0), positive, method)
    # Platt's targets pull (n * rate) towards one half by about two questions in forty.
    np.testing.assert_allclose(found.probabilities, 0.4, atol=0.01)


def test_a_question_is_not_fitted_on_itself():
    rng = np.random.default_rng(6)
    scores, positive = rng.normal(size=60), np.arange(60) % 2 == 0
    first = calibrate_out_of_fold(scores, positive, "platt").probabilities
    scores[7] += 3
    second = calibrate_out_of_fold(scores, positive, "platt").probabilities
    fold = next(
        held_out
        for _, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(scores, positive)
        if 7 in held_out
    )
    unchanged = [i for i in fold if i != 7]
    np.testing.assert_array_equal(first[unchanged], second[unchanged])


def test_fewer_of_a_class_than_folds_are_refused():
    with pytest.raises(UndefinedStatisticError, match="`4` incorrect and `6` correct"):
        calibrate_out_of_fold(np.arange(10.0), np.arange(10) < 4, "platt")
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        calibrate_out_of_fold([math.nan] * 10, np.arange(10) < 5, "isotonic")


def test_the_ece_by_chance_is_that_of_labels_drawn_from_the_probabilities():
    # Twenty coin flips are one bin: the ECE is |heads - 10| / 20, by the binomial distribution.
    found = ece_by_chance(np.full(20, 0.5), np.arange(20) < 20, draws=20_000, seed=9)
    gaps = np.abs(np.arange(21) - 10) / 20
    order = np.argsort(gaps, kind="stable")
    reached = np.cumsum(binom.pmf(np.arange(21), 20, 0.5)[order])
    assert (found.low, found.high) == tuple(gaps[order][np.searchsorted(reached, x)] for x in (0.025, 0.975))


def test_an_ece_lies_where_chance_puts_it_where_the_probabilities_hold_and_above_where_not():
    rng = np.random.default_rng(10)
    inside = {shift: 0 for shift in (0.0, 0.15)}
    for shift in inside:
        for world in range(200):
            p = rng.uniform(0.1, 0.8, 200)
            positive = rng.random(200) < p + shift
            inside[shift] += expected_calibration_error(p, positive) <= ece_by_chance(p, positive, 200, world).high
    # 97.5% by construction, and four standard errors of 200 worlds.
    assert inside[0.0] >= 186
    assert inside[0.15] <= 40


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=10, max_size=60), st.randoms())
def test_the_order_of_the_file_does_not_change_the_ece(questions, random):
    p, positive = np.array([x / 10 for x, _ in questions]), np.array([y for _, y in questions])
    order = list(range(p.size))
    random.shuffle(order)
    moved = expected_calibration_error(p[order], positive[order])
    assert moved == pytest.approx(expected_calibration_error(p, positive), abs=1e-12)
