import math

import numpy as np
import pytest
from scipy.stats import binom, mannwhitneyu, norm

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import p_inverted, p_works, tells_categories_apart


def tied_data(seed: int, n: int = 80, levels: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    positive[:4] = [True, True, False, False]
    return rng.integers(0, levels, n).astype(float) + positive * rng.integers(0, 2, n), positive


@pytest.mark.parametrize("seed", range(5))
def test_p_works_is_that_of_scipy_for_every_row(seed: int):
    scores, positive = tied_data(seed)
    other = np.random.default_rng(seed).normal(size=scores.size)
    holes = other.copy()
    holes[10:30] = np.nan
    p_values = p_works(np.stack([scores, other, -scores, holes]), positive)
    kept = ~np.isnan(holes)
    rows = [(scores, positive), (other, positive), (-scores, positive), (holes[kept], positive[kept])]
    for p, (row, labels) in zip(p_values, rows, strict=True):
        expected = mannwhitneyu(row[labels], row[~labels], alternative="greater", method="asymptotic")
        assert p == pytest.approx(expected.pvalue, abs=1e-12)


def test_a_constant_signal_does_not_work():
    assert p_works([[1.0] * 6, [0, 0, 0, 1, 1, 1.0]], [True, False, True, False, True, False])[0] == 1.0


def test_p_works_of_one_class_is_undefined():
    with pytest.raises(UndefinedStatisticError, match="`0` incorrect and `2` correct"):
        p_works([[1.0, 2.0, math.nan]], [False, False, True])


def test_p_inverted_is_the_lower_tail_of_scipy():
    rng = np.random.default_rng(21)
    scores, positive = np.round(rng.normal(size=80), 1), rng.random(80) < 0.4
    expected = mannwhitneyu(scores[positive], scores[~positive], alternative="less", method="asymptotic").pvalue
    assert p_inverted([scores, np.ones(80)], positive).tolist() == [pytest.approx(expected), 1.0]


def by_category(rng: np.random.Generator, names: np.ndarray, share: float, auroc: float = 0.5) -> np.ndarray:
    """Wrong answers and a signal of which `share` of the variance is the category's, each by chance."""
    levels = np.unique(names, return_inverse=True)[1]
    # Error rates differ by category with an intraclass correlation of about 0.1.
    positive = rng.random(names.size) < rng.beta(3.6, 5.4, levels.max() + 1)[levels]
    own = rng.normal(size=names.size) + math.sqrt(2) * norm.ppf(auroc) * positive
    scores = math.sqrt(share) * rng.normal(size=levels.max() + 1)[levels] + math.sqrt(1 - share) * own
    return np.stack([scores, positive])


NAMES = np.repeat([f"category {number}" for number in range(20)], 20)


def test_a_signal_that_tells_categories_apart_is_tested_within_them():
    scores, positive = by_category(np.random.default_rng(0), NAMES, 0.8, 0.7)
    positive = positive > 0
    assert tells_categories_apart([scores, np.arange(400.0)[::-1] % 7], NAMES.tolist()).tolist() == [True, False]
    # van Elteren's sum by hand, from SciPy's statistics of the categories.
    distance = variance = 0.0
    for name in np.unique(NAMES):
        own, wrong = scores[name == NAMES], positive[name == NAMES]
        pairs = wrong.sum() * (~wrong).sum()
        won = mannwhitneyu(own[wrong], own[~wrong]).statistic
        distance += (won - pairs / 2) / 21
        variance += pairs * 21 / 12 / 21**2
    expected = norm.sf(distance / math.sqrt(variance))
    assert p_works([scores], positive, NAMES.tolist())[0] == pytest.approx(expected)
    assert p_inverted([scores], positive, NAMES.tolist())[0] == pytest.approx(1 - expected)


def test_a_signal_that_is_the_category_itself_neither_works_nor_is_inverted():
    _, positive = by_category(np.random.default_rng(1), NAMES, 0.8)
    scores = np.unique(NAMES, return_inverse=True)[1].astype(float)
    assert p_works([scores], positive > 0, NAMES.tolist()).tolist() == [1.0]
    assert p_inverted([scores], positive > 0, NAMES.tolist()).tolist() == [1.0]


def test_few_categories_and_categories_of_one_question_are_no_strata():
    scores = np.arange(40.0)
    assert not tells_categories_apart([scores], np.repeat(list("abcd"), 10).tolist()).any()
    assert not tells_categories_apart([scores], [str(number) for number in range(40)]).any()
    assert not tells_categories_apart([scores], [None] * 40).any()
    assert tells_categories_apart([scores], np.repeat(list("abcde"), 8).tolist()).all()


def test_signals_that_only_know_the_category_seldom_work():
    rng = np.random.default_rng(2)
    alone = within = 0
    for _ in range(300):
        scores, positive = by_category(rng, NAMES, 0.9)
        alone += p_works([scores], positive > 0)[0] < 0.05
        within += p_works([scores], positive > 0, NAMES.tolist())[0] < 0.05
    # Over all questions about one in six; within, one in twenty.
    assert alone > 40
    assert within <= binom.ppf(0.995, 300, 0.05)


def test_a_signal_that_works_within_categories_is_still_found():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        scores, positive = by_category(rng, NAMES, 0.6, 0.75)
        found += p_works([scores], positive > 0, NAMES.tolist())[0] < 0.05
    assert found > 80
