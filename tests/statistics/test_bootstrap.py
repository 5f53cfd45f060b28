import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval
from homogaudit.statistics import (
    bootstrap_auroc,
    bootstrap_auroc_by_category,
    bootstrap_cohens_d,
    bootstrap_mean,
)


def questions(seed: int, n: int = 60, positives: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Four signals: continuous, tied, binary, and one with undefined questions."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < positives
    continuous = rng.normal(size=n) + 0.5 * positive
    holes = rng.normal(size=n)
    holes[::7] = np.nan
    return np.stack([continuous, np.round(continuous), (continuous > 0).astype(float), holes]), positive


def resamples(n: int, draws: int, seed: int) -> list[np.ndarray]:
    """Resampled question indices, one array a draw, as a seeded generator gives them one draw at a time."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, n) for _ in range(draws)]


def percentiles(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def assert_interval(interval: Interval | None, values: list[float]) -> None:
    low, high = percentiles(values)
    assert interval is not None
    assert interval.low == pytest.approx(low, abs=1e-10)
    assert interval.high == pytest.approx(high, abs=1e-10)


def naive_aurocs(row: np.ndarray, positive: np.ndarray, draws: list[np.ndarray]) -> list[float]:
    values: list[float] = []
    for drawn in draws:
        kept = drawn[~np.isnan(row[drawn])]
        if 0 < positive[kept].sum() < kept.size:
            values.append(roc_auc_score(positive[kept], row[kept]))
    return values


@pytest.mark.parametrize("seed", [1, 2])
def test_auroc_interval_equals_resampling_through_scikit_learn(seed: int):
    scores, positive = questions(seed)
    draws = resamples(positive.size, 200, seed)
    intervals = bootstrap_auroc(scores, positive, draws=200, seed=seed)
    for row, interval in zip(scores, intervals, strict=True):
        assert_interval(interval, naive_aurocs(row, positive, draws))


def test_draws_without_a_class_are_left_out():
    # Two positives of 12: a draw misses both with probability (10/12)^12 = 11%.
    scores, positive = questions(3, n=12, positives=0.0)
    positive[[1, 5]] = True
    draws = resamples(12, 300, 3)
    values = naive_aurocs(scores[0], positive, draws)
    assert len(values) < 300
    assert_interval(bootstrap_auroc(scores[:1], positive, draws=300, seed=3)[0], values)


def test_draws_split_into_chunks_are_the_same_draws():
    # 3,000 questions fill a chunk with 87 draws, so 200 need three.
    scores, positive = questions(4, n=3000)
    draws = resamples(3000, 200, 4)
    interval = bootstrap_auroc(scores[:1], positive, draws=200, seed=4)[0]
    assert_interval(interval, naive_aurocs(scores[0], positive, draws))


def test_pairs_beyond_32_bits_are_counted_exactly():
    # 100,000 questions make 2.5e9 pairs, twice of which passes 2^32.
    n = 100_000
    rng = np.random.default_rng(5)
    positive = rng.random(n) < 0.5
    scores = rng.normal(size=n) + positive
    tied = np.round(scores)
    intervals = bootstrap_auroc([scores, tied], positive, draws=5, seed=5)
    draws = resamples(n, 5, 5)
    assert_interval(intervals[0], naive_aurocs(scores, positive, draws))
    assert_interval(intervals[1], naive_aurocs(tied, positive, draws))


def test_a_class_that_a_large_resample_lacks_leaves_it_out():
    n = 30_000
    scores, positive = np.arange(n, dtype=float), np.arange(n) == 0
    draws = resamples(n, 8, 2)
    lacking = [0 not in draw for draw in draws]
    assert any(lacking) and not all(lacking)
    assert_interval(bootstrap_auroc([scores], positive, draws=8, seed=2)[0], [0.0] * (8 - sum(lacking)))


def test_signals_without_an_interval_are_none():
    scores, positive = questions(6)
    one_class = np.where(positive, scores[0], np.nan)
    nothing = np.full(positive.size, np.nan)
    constant = np.full(positive.size, 0.25)
    intervals = bootstrap_auroc(np.stack([constant, scores[0], one_class, nothing]), positive, draws=50)
    assert [interval is None for interval in intervals] == [True, False, True, True]
    assert bootstrap_auroc([constant], positive, draws=50) == (None,)
    assert bootstrap_auroc(scores, np.zeros(positive.size, dtype=bool), draws=50) == (None,) * 4
    assert bootstrap_auroc(np.empty((2, 0)), [], draws=50) == (None, None)
    assert bootstrap_auroc(np.empty((0, 60)), positive, draws=50) == ()


def test_infinite_scores_are_refused():
    with pytest.raises(UndefinedStatisticError, match="infinite"):
        bootstrap_auroc([[1.0, math.inf]], [True, False])


def test_one_seed_gives_one_interval_whatever_other_signals_there_are():
    scores, positive = questions(7)
    together = bootstrap_auroc(scores, positive, draws=100, seed=9)
    assert bootstrap_auroc(scores[1:2], positive, draws=100, seed=9) == together[1:2]
    assert bootstrap_auroc(scores, positive, draws=100, seed=10) != together


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_a_monotone_transform_leaves_the_interval_unchanged(seed: int):
    scores, positive = questions(seed, n=30)
    positive[:2] = [True, False]
    transformed = np.arctan(scores / 3) * 5 + 2
    assert bootstrap_auroc(transformed, positive, draws=40) == bootstrap_auroc(scores, positive, draws=40)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_flipping_labels_mirrors_the_interval(seed: int):
    scores, positive = questions(seed, n=30)
    positive[:2] = [True, False]
    there = bootstrap_auroc(scores[:3], positive, draws=40)
    for interval, mirrored in zip(there, bootstrap_auroc(scores[:3], ~positive, draws=40), strict=True):
        assert interval is not None
        assert mirrored is not None
        assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-12)
        assert mirrored.high == pytest.approx(1 - interval.low, abs=1e-12)


def test_auroc_intervals_cover_a_known_auroc():
    # 300 binormal data sets as 300 signals on one set of labels; AUROC = Phi(1 / sqrt 2).
    rng = np.random.default_rng(13)
    positive = np.arange(120) < 50
    truth = norm.cdf(1 / math.sqrt(2))
    intervals = bootstrap_auroc(rng.normal(size=(300, 120)) + positive, positive, draws=1000)
    covered = np.mean([interval is not None and interval.low <= truth <= interval.high for interval in intervals])
    assert 0.91 <= covered <= 0.99


def test_memory_does_not_hold_all_draws_at_once():
    # 2,000 draws of 10,000 questions are 80 MB of int32 in one piece.
    scores, positive = questions(8, n=10_000)
    tracemalloc.start()
    bootstrap_auroc(scores[:1], positive, draws=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_category_interval_equals_resampling_whole_categories():
    scores, positive = questions(14, n=90)
    categories = [f"c{index % 9}" for index in range(90)]
    members = [[index for index in range(90) if index % 9 == category] for category in range(9)]
    draws = [np.concatenate([members[c] for c in drawn]) for drawn in resamples(9, 200, 14)]
    intervals = bootstrap_auroc_by_category(scores, positive, categories, draws=200, seed=14)
    for row, interval in zip(scores, intervals, strict=True):
        assert_interval(interval, naive_aurocs(row, positive, draws))


def test_uneven_categories_keep_their_pairs_exact():
    # One category holds nearly all of 40,000 questions; drawn several times it passes 32 bits.
    n = 40_000
    rng = np.random.default_rng(15)
    positive = rng.random(n) < 0.5
    scores = rng.normal(size=n) + positive
    categories = ["a", "b", "c", "d", *["e"] * (n - 4)]
    members = [np.array([0]), np.array([1]), np.array([2]), np.array([3]), np.arange(4, n)]
    draws = [np.concatenate([members[c] for c in drawn]) for drawn in resamples(5, 20, 15)]
    interval = bootstrap_auroc_by_category([scores], positive, categories, draws=20, seed=15)[0]
    assert_interval(interval, naive_aurocs(scores, positive, draws))


def test_fewer_than_five_categories_give_no_interval():
    scores, positive = questions(16)
    four = [f"c{index % 4}" for index in range(60)]
    assert bootstrap_auroc_by_category(scores, positive, four, draws=20) == (None,) * 4
    assert bootstrap_auroc_by_category(scores, positive, [None] * 60, draws=20) == (None,) * 4
    # Five categories, but the signal is undefined in one of them.
    five = [f"c{index % 5}" for index in range(60)]
    holed = scores[0].copy()
    holed[::5] = np.nan
    intervals = bootstrap_auroc_by_category(np.stack([holed, scores[0]]), positive, five, draws=20)
    assert intervals[0] is None
    assert intervals[1] is not None


def test_questions_without_a_category_are_drawn_alone():
    scores, positive = questions(17, n=40)
    categories = [None if index < 10 else f"c{index % 6}" for index in range(40)]
    named = [f"alone {index}" if name is None else name for index, name in enumerate(categories)]
    assert bootstrap_auroc_by_category(scores, positive, categories, draws=50) == bootstrap_auroc_by_category(
        scores, positive, named, draws=50
    )


def test_category_intervals_are_wider_where_categories_decide():
    rng = np.random.default_rng(18)
    category = np.repeat(np.arange(20), 30)
    effect = rng.normal(size=20)[category]
    positive = effect + rng.normal(size=600) > 0
    scores = rng.normal(size=20)[category] + rng.normal(size=600)
    by_question = bootstrap_auroc([scores], positive, draws=500)[0]
    by_category = bootstrap_auroc_by_category([scores], positive, [str(c) for c in category], draws=500)[0]
    assert by_question is not None
    assert by_category is not None
    assert by_category.high - by_category.low > 1.5 * (by_question.high - by_question.low)


def test_a_category_list_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 categories"):
        bootstrap_auroc_by_category([[1.0, 2.0]], [True, False], ["a"])


def naive_cohens_ds(row: np.ndarray, positive: np.ndarray, draws: list[np.ndarray]) -> list[float]:
    values: list[float] = []
    for drawn in draws:
        kept = drawn[~np.isnan(row[drawn])]
        a, b = row[kept[positive[kept]]], row[kept[~positive[kept]]]
        if min(a.size, b.size) >= 2 and (np.ptp(a) > 0 or np.ptp(b) > 0):
            variance = ((a.size - 1) * a.var(ddof=1) + (b.size - 1) * b.var(ddof=1)) / (a.size + b.size - 2)
            values.append((a.mean() - b.mean()) / math.sqrt(variance))
    return values


@pytest.mark.parametrize(("n", "offset"), [(60, 0.0), (8, 0.0), (60, 1e5)])
def test_cohens_d_interval_equals_resampling_one_by_one(n: int, offset: float):
    scores, positive = questions(21, n=n)
    positive[:7] = [False, True, False, True, False, True, False]
    scores = scores + offset
    draws = resamples(n, 200, 21)
    for row, interval in zip(scores, bootstrap_cohens_d(scores, positive, draws=200, seed=21), strict=True):
        values = naive_cohens_ds(row, positive, draws)
        low, high = percentiles(values)
        assert interval is not None
        assert interval.low == pytest.approx(low, rel=1e-7)
        assert interval.high == pytest.approx(high, rel=1e-7)


def test_cohens_d_without_spread_or_questions_is_none():
    positive = np.array([True] * 5 + [False] * 5)
    separated = np.where(positive, 0.1, 0.3)
    one_positive = np.where(np.arange(10) < 4, np.nan, np.arange(10.0))
    normal = np.arange(10.0) % 4
    intervals = bootstrap_cohens_d(np.stack([separated, one_positive, normal]), positive, draws=50)
    assert [interval is None for interval in intervals] == [True, True, False]
    assert bootstrap_cohens_d([separated], positive, draws=50) == (None,)


def test_mean_interval_equals_resampling_one_by_one():
    values = np.random.default_rng(22).exponential(size=50)
    interval = bootstrap_mean(values, draws=300, seed=22)
    assert_interval(interval, [values[drawn].mean() for drawn in resamples(50, 300, 22)])


def test_mean_of_equal_values_has_a_point_interval():
    assert bootstrap_mean([0.1] * 7, draws=20) == Interval(low=0.1, high=0.1)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_mean_interval_needs_two_questions(values: list[float]):
    with pytest.raises(UndefinedStatisticError, match=f"over `{len(values)}` questions"):
        bootstrap_mean(values)


def test_mean_interval_refuses_nan():
    with pytest.raises(UndefinedStatisticError, match="not finite"):
        bootstrap_mean([1.0, math.nan])
