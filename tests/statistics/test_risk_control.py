import numpy as np
import pytest
from scipy.stats import binom

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import risk_bound, wilson


def graded(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores between 0 and 1 that are the probability of an incorrect answer."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    return scores, rng.random(n) < scores


def test_the_threshold_passes_the_binomial_test_on_the_calibration_half():
    scores, positive = graded()
    found = risk_bound(scores, positive, target=0.3)
    calibration = np.random.default_rng(0).permutation(600)[300:]
    accepted = calibration[scores[calibration] <= found.threshold]
    errors = int(positive[accepted].sum())
    assert found.calibration == wilson(errors, accepted.size)
    assert found.accepted_share == wilson(accepted.size, 300)
    # P(X <= errors) where each accepted answer is wrong with the target's probability, term by term.
    assert found.p == pytest.approx(binom.pmf(np.arange(errors + 1), accepted.size, 0.3).sum(), abs=1e-12)
    assert found.p <= 0.05


def test_the_tests_run_from_strict_to_loose_until_one_fails():
    scores, positive = graded()
    order = np.random.default_rng(0).permutation(600)
    held_out, calibration = order[:300], order[300:]
    # Half of 0.3 passes first with 19 questions: P(X <= 2 of 19) = 0.046, P(X <= 2 of 18) = 0.060. Every 5% of 300
    # questions is every 15th score; 15 are too few, so the second is the first.
    assert binom.cdf(2, 19, 0.3) < 0.05 < binom.cdf(2, 18, 0.3)
    passed = None
    for threshold in np.sort(scores[held_out])[29::15]:
        accepted = calibration[scores[calibration] <= threshold]
        if binom.pmf(np.arange(positive[accepted].sum() + 1), accepted.size, 0.3).sum() > 0.05:
            break
        passed = threshold
    assert passed is not None
    assert risk_bound(scores, positive, target=0.3).threshold == passed


def test_the_held_out_half_is_the_other_one_and_its_labels_decide_nothing():
    scores, positive = graded()
    held_out = np.random.default_rng(0).permutation(600)[:300]
    flipped = positive.copy()
    flipped[held_out] = ~flipped[held_out]
    first, second = (risk_bound(scores, labels, target=0.3) for labels in (positive, flipped))
    assert (first.threshold, first.p, first.calibration) == (second.threshold, second.p, second.calibration)
    accepted = held_out[scores[held_out] <= first.threshold]
    assert first.held_out == wilson(int(positive[accepted].sum()), accepted.size)
    assert second.held_out == wilson(int((~positive[accepted]).sum()), accepted.size)


def test_a_looser_target_accepts_more():
    scores, positive = graded(2000)
    thresholds = [risk_bound(scores, positive, target).threshold for target in (0.2, 0.3, 0.4)]
    assert thresholds == sorted(thresholds)
    # The risk up to a threshold t is t / 2.
    assert all(t / 2 <= target for t, target in zip(thresholds, (0.2, 0.3, 0.4), strict=True))


def test_without_errors_everything_is_accepted():
    scores = np.random.default_rng(1).random(200)
    found = risk_bound(scores, np.zeros(200, dtype=bool), target=0.1)
    assert found.accepted_share.k >= 98
    assert found.calibration.k == 0


def test_ties_at_a_threshold_are_accepted_together():
    scores = np.repeat([0.0, 1.0], [300, 300])
    positive = scores > 0
    found = risk_bound(scores, positive, target=0.2)
    assert (found.threshold, found.calibration.k) == (0.0, 0)
    assert found.accepted_share.k == found.calibration.n


def test_a_coin_flip_has_no_threshold():
    rng = np.random.default_rng(2)
    with pytest.raises(UndefinedStatisticError, match=r"no threshold is shown to hold a risk of `0\.2`"):
        risk_bound(rng.random(400), rng.random(400) < 0.5, target=0.2)


@pytest.mark.parametrize("questions", [0, 1, 30])
def test_too_few_questions_have_no_threshold(questions: int):
    with pytest.raises(UndefinedStatisticError, match="questions for a risk of"):
        risk_bound(np.arange(questions), np.zeros(questions, dtype=bool), target=0.05)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_target_outside_of_zero_and_one_is_refused(target: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        risk_bound([0.1, 0.2], [True, False], target)
