import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.pair_threshold import (
    auroc_gain,
    interval_of_splits,
    pair_separation,
    pair_threshold,
    threshold_of_splits,
)


def even_pairs(n: int = 100) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """n different pairs at 0.005, 0.015, ... and as many of one meaning 0.3 above them, four pairs a question."""
    different = (np.arange(n) + 0.5) / n
    similarity = np.concatenate([different, np.minimum(different + 0.3, 1.0)])
    same = np.repeat([False, True], n)
    return similarity, same, [str(number % (n // 2)) for number in range(2 * n)]


def test_five_of_a_hundred_different_pairs_merge_and_the_threshold_lies_halfway_to_the_next() -> None:
    found = pair_threshold(*even_pairs(), draws=200)
    # 0.955 to 0.995 are five; the next below is 0.945.
    assert found.threshold == pytest.approx(0.95)
    assert (found.false_merges.k, found.false_merges.n) == (5, 100)
    # min(x + 0.3, 1) >= 0.95 from x = 0.655 on: 65 of 100 stay below.
    assert (found.false_splits.k, found.false_splits.n) == (65, 100)


def test_the_interval_holds_the_threshold_and_narrows_with_more_pairs() -> None:
    few, many = (pair_threshold(*even_pairs(n), draws=400) for n in (100, 1600))
    assert few.interval is not None and many.interval is not None
    assert few.interval.low < 0.95 < few.interval.high
    assert many.interval.high - many.interval.low < (few.interval.high - few.interval.low) / 2


def test_held_out_rates_count_every_pair_once_and_lie_near_the_target() -> None:
    found = pair_threshold(*even_pairs(1000), draws=10)
    assert found.held_out_false_merges.n == found.held_out_false_splits.n == 1000
    assert found.held_out_false_merges.value == pytest.approx(0.05, abs=0.01)


def test_tied_pairs_never_merge_too_many() -> None:
    similarity, same, question = even_pairs()
    similarity[90:100] = 0.9
    found = pair_threshold(similarity, same, question, draws=10)
    # All ten tied pairs merge or none of them.
    assert found.threshold == pytest.approx(0.95)
    assert found.false_merges.k == 0


def test_the_order_of_the_pairs_does_not_matter() -> None:
    similarity, same, question = even_pairs()
    order = np.random.default_rng(0).permutation(len(same))
    shuffled = pair_threshold(similarity[order], same[order], [question[i] for i in order], draws=50)
    assert shuffled == pair_threshold(similarity, same, question, draws=50)


@pytest.mark.parametrize("fault", ["few", "one class", "few questions", "identical"])
def test_a_threshold_that_does_not_exist_is_no_number(fault: str) -> None:
    similarity, same, question = even_pairs()
    match fault:
        case "few":
            similarity, same, question = even_pairs(30)
        case "one class":
            same[:] = False
        case "few questions":
            question = ["one"] * len(question)
        case _:
            similarity[80:100] = 1.0
    with pytest.raises(UndefinedStatisticError):
        pair_threshold(similarity, same, question, draws=10)


def test_the_separation_of_pairs_is_that_of_scikit_learn_with_shares_counted_by_hand() -> None:
    random = np.random.default_rng(3)
    same = np.arange(200) % 2 == 0
    similarity = np.round(random.normal(same * 0.8, 1.0), 1)
    group = [str(number // 8) for number in range(200)]
    found = pair_separation(similarity, same, group, 0.5, draws=300)
    assert found.auroc.value == pytest.approx(roc_auc_score(same, similarity), abs=1e-12)
    assert found.false_merges.value == sum(similarity[~same] >= 0.5) / 100
    assert found.false_splits.value == sum(similarity[same] < 0.5) / 100
    assert found.auroc.low is not None and found.auroc.high is not None
    assert found.auroc.low < found.auroc.value < found.auroc.high


def test_the_interval_of_a_threshold_of_splits_is_that_of_draws_of_whole_groups_made_one_by_one() -> None:
    random = np.random.default_rng(2)
    group = [str(number // 10) for number in range(200)]
    same = random.random(200) < 0.4
    similarity = np.round(random.random(200), 2)
    found = interval_of_splits(similarity, same, group, draws=4000)
    members = [np.flatnonzero(np.asarray(group) == name) for name in np.unique(group)]
    drawn: list[float] = []
    for _ in range(4000):
        places = np.concatenate([members[x] for x in random.integers(0, len(members), len(members))])
        drawn.append(threshold_of_splits(similarity[places], same[places]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert found is not None
    # Another seed: the similarities have two digits.
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0201)
    assert found.low < threshold_of_splits(similarity, same) < found.high


def test_pairs_that_are_copies_of_each_other_within_a_group_do_not_narrow_the_interval() -> None:
    random = np.random.default_rng(4)
    same = np.arange(60) % 2 == 0
    similarity = random.normal(same * 1.0, 1.0)
    group = [str(number // 4) for number in range(60)]
    once = pair_separation(similarity, same, group, 0.5, draws=500)
    often = pair_separation(np.tile(similarity, 5), np.tile(same, 5), group * 5, 0.5, draws=500)
    assert (often.auroc.low, often.auroc.high) == pytest.approx((once.auroc.low, once.auroc.high), abs=1e-12)


def test_the_gain_of_a_similarity_over_itself_is_exactly_nothing_and_over_noise_lies_above_it() -> None:
    random = np.random.default_rng(5)
    same = np.arange(400) % 2 == 0
    group = [str(number // 20) for number in range(400)]
    good, noise = random.normal(same * 1.5, 1.0), random.normal(size=400)
    none = auroc_gain(good, good, same, group, draws=100)
    assert (none.value, none.low, none.high) == (0.0, 0.0, 0.0)
    gain = auroc_gain(good, noise, same, group, draws=400)
    assert gain.value == pytest.approx(roc_auc_score(same, good) - roc_auc_score(same, noise), abs=1e-12)
    assert gain.low is not None and gain.low > 0
