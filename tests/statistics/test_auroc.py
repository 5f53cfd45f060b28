import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import auroc, delong, delong_paired, p_works


def tied_data(seed: int, n: int = 80, levels: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    positive[:4] = [True, True, False, False]
    return rng.integers(0, levels, n).astype(float) + positive * rng.integers(0, 2, n), positive


@st.composite
def scored_questions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    positive = draw(st.lists(st.booleans(), min_size=4, max_size=40))
    positive = [True, True, False, False, *positive]
    scores = draw(st.lists(st.integers(-20, 20), min_size=len(positive), max_size=len(positive)))
    return np.array(scores, dtype=float), np.array(positive)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("levels", [2, 7, 10_000])
def test_auroc_is_that_of_scikit_learn_with_many_ties(seed: int, levels: int):
    scores, positive = tied_data(seed, levels=levels)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_ties_count_half():
    # Pairs (positive, negative): (1, 0) won, (1, 1) tied, (1, 1) tied, (0, 0) tied, (0, 1) lost twice: 2.5 of 6.
    assert auroc([1.0, 0.0, 0.0, 1.0, 1.0], [True, True, False, False, False]) == pytest.approx(2.5 / 6)


def test_constant_scores_give_exactly_one_half():
    assert auroc([0.3] * 5, [True, False, True, False, False]) == 0.5


@pytest.mark.parametrize("positive", [[], [True], [True, True], [False, False]])
def test_one_class_or_none_is_undefined(positive: list[bool]):
    with pytest.raises(UndefinedStatisticError, match="incorrect and"):
        auroc([0.5] * len(positive), positive)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(bad: float):
    scores, positive = [0.1, bad, 0.3, 0.4], [True, False, True, False]
    for statistic in (auroc, delong):
        with pytest.raises(UndefinedStatisticError, match="`1` of `4` scores are not finite"):
            statistic(scores, positive)
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        delong_paired([0.1, 0.2, 0.3, 0.4], scores, positive)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="vector of scores"):
        auroc([[0.1, 0.2]], [True, False])
    with pytest.raises(ValueError, match="class labels"):
        auroc([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="same questions"):
        delong_paired([0.1, 0.2], [0.1], [True, False])
    with pytest.raises(ValueError, match="matrix of signals"):
        p_works([0.1, 0.2], [True, False])


@given(scored_questions())
def test_a_monotone_transform_leaves_auroc_and_delong_unchanged(questions: tuple[np.ndarray, np.ndarray]):
    scores, positive = questions
    transformed = np.exp(scores / 7) - 3
    assert auroc(transformed, positive) == auroc(scores, positive)
    assert delong(transformed, positive) == delong(scores, positive)


@given(scored_questions())
def test_flipping_labels_or_scores_gives_the_complement(questions: tuple[np.ndarray, np.ndarray]):
    scores, positive = questions
    assert auroc(scores, ~positive) == pytest.approx(1 - auroc(scores, positive), abs=1e-12)
    assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive), abs=1e-12)
    assert delong(scores, ~positive).se == pytest.approx(delong(scores, positive).se, abs=1e-12)


@given(scored_questions(), st.randoms(use_true_random=False))
def test_the_order_of_questions_does_not_matter(questions: tuple[np.ndarray, np.ndarray], random):
    scores, positive = questions
    order = list(range(scores.size))
    random.shuffle(order)
    assert auroc(scores[order], positive[order]) == auroc(scores, positive)
    assert delong(scores[order], positive[order]).se == pytest.approx(delong(scores, positive).se, abs=1e-12)


def naive_covariance(signals: list[np.ndarray], positive: np.ndarray) -> np.ndarray:
    """DeLong's covariance from its definition: the kernel of every pair, no ranks."""
    kernels = [np.sign(scores[positive][:, None] - scores[~positive][None, :]) / 2 + 0.5 for scores in signals]
    by_positive = np.stack([kernel.mean(axis=1) for kernel in kernels])
    by_negative = np.stack([kernel.mean(axis=0) for kernel in kernels])
    positives, negatives = by_positive.shape[1], by_negative.shape[1]
    return np.atleast_2d(np.cov(by_positive)) / positives + np.atleast_2d(np.cov(by_negative)) / negatives


@pytest.mark.parametrize("seed", range(10))
def test_delong_error_equals_the_definition_by_pairs(seed: int):
    scores, positive = tied_data(seed)
    result = delong(scores, positive)
    assert result.value == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    assert result.se == pytest.approx(math.sqrt(naive_covariance([scores], positive)[0, 0]), abs=1e-12)
    # The log-odds of the AUROC, with the error of them by the delta method.
    log_odds, half = logit(result.value), norm.ppf(0.975) * result.se / (result.value * (1 - result.value))
    assert (result.low, result.high) == pytest.approx((expit(log_odds - half), expit(log_odds + half)), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_paired_delong_equals_the_definition_by_pairs(seed: int):
    a, positive = tied_data(seed)
    b = a + np.random.default_rng(seed + 100).normal(size=a.size) * 2
    covariance = naive_covariance([a, b], positive)
    se = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    delta = roc_auc_score(positive, a) - roc_auc_score(positive, b)
    result = delong_paired(a, b, positive)
    assert result.delta == pytest.approx(delta, abs=1e-12)
    assert result.se == pytest.approx(se, abs=1e-12)
    assert result.z == pytest.approx(delta / se, abs=1e-9)
    assert result.p == pytest.approx(2 * norm.sf(abs(delta / se)), abs=1e-12)
    assert result.low == pytest.approx(delta - norm.ppf(0.975) * se, abs=1e-12)
    assert result.high == pytest.approx(delta + norm.ppf(0.975) * se, abs=1e-12)


def test_swapping_the_signals_changes_only_the_sign():
    a, positive = tied_data(3)
    b = np.random.default_rng(4).normal(size=a.size)
    there, back = delong_paired(a, b, positive), delong_paired(b, a, positive)
    assert there.delta == pytest.approx(-back.delta, abs=1e-12)
    assert there.p == pytest.approx(back.p, abs=1e-12)


def test_equal_rankings_do_not_differ():
    a, positive = tied_data(5)
    result = delong_paired(a, 3 * a + 1, positive)
    assert (result.delta, result.se, result.z, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_without_variance_is_undefined():
    positive = [True, True, False, False]
    with pytest.raises(UndefinedStatisticError, match=r"differ by `0\.5` without variance"):
        delong_paired([3, 4, 1, 2], [1, 1, 1, 1], positive)


def test_delong_of_constant_scores_has_no_error_and_one_half():
    result = delong([2.0] * 6, [True, True, True, False, False, False])
    assert (result.value, result.se, result.low, result.high) == (0.5, 0.0, 0.5, 0.5)


def test_delong_interval_stays_within_zero_and_one():
    result = delong([1, 5, 6, 7, 2, 3, 0, 1], [True] * 4 + [False] * 4)
    # 0.84 and 1.96 errors of 0.17 would be above 1.
    assert 0 < result.low < result.value < result.high < 1
    turned = delong([-1, -5, -6, -7, -2, -3, 0, -1], [True] * 4 + [False] * 4)
    assert (turned.low, turned.high) == pytest.approx((1 - result.high, 1 - result.low))


def test_delong_needs_two_of_each_class():
    with pytest.raises(UndefinedStatisticError, match="`1` incorrect and `3` correct"):
        delong([1, 2, 3, 4], [True, False, False, False])


def test_delong_covers_a_known_auroc():
    # Binormal with unit variances one apart: AUROC = Phi(1 / sqrt 2). 300 data sets: 1.3% standard error.
    rng = np.random.default_rng(11)
    truth = norm.cdf(1 / math.sqrt(2))
    positive = np.arange(120) < 50
    intervals = [delong(rng.normal(size=120) + positive, positive) for _ in range(300)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.91 <= covered <= 0.99


def test_paired_delong_keeps_its_level_when_nothing_differs():
    rng = np.random.default_rng(12)
    positive = np.arange(120) < 50
    rejected = 0
    for _ in range(300):
        shared = rng.normal(size=120) + positive
        noise = rng.normal(size=(2, 120))
        rejected += delong_paired(shared + noise[0], shared + noise[1], positive).p < 0.05
    # 15 expected of 300; a binomial deviation is 3.8.
    assert 3 <= rejected <= 28
