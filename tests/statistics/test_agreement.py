import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import agreement, cohens_kappa


def test_agreement_by_hand():
    # The three most uncertain of six: questions 3 4 5 by the first signal, 0 4 5 by the second.
    first, second = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 0.0, 1.0, 2.0, 8.0, 7.0]
    incorrect = [False, False, False, True, True, True]
    found = agreement(first, second, incorrect)
    assert (found.n, found.flagged, found.both, found.only_first, found.neither, found.tied) == (6, 3, 2, 1, 2, 0)
    # The first is right on all, the second wrong on questions 0 and 3.
    assert (found.right_first, found.right_second) == (1.0, pytest.approx(4 / 6))
    assert (found.mcnemar.only_first, found.mcnemar.only_second, found.mcnemar.p) == (2, 0, 0.5)
    # Observed agreement 4/6, expected 1/2.
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx((4 / 6 - 0.5) / 0.5)


def test_kappa_of_flags_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    a = rng.permutation(101).astype(float)
    b = a + rng.normal(0, 40, 101)
    found = agreement(a, b, rng.random(101) < 0.5, share=0.3)
    flags = [scores >= np.sort(scores)[-30] for scores in (a, b)]
    assert found.flagged == 30
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(cohen_kappa_score(*flags), abs=1e-12)
    assert found.kappa.low is not None
    assert found.kappa.high is not None
    assert found.kappa.low < found.kappa.value < found.kappa.high


def test_ties_at_the_cut_are_flagged_by_lot_and_not_by_order():
    incorrect = np.arange(1000) < 500
    found = agreement(np.zeros(1000), np.arange(1000.0), incorrect)
    assert found.tied == 1000
    # The second is wrong everywhere; a coin is right on 500 +- 16 questions, an order in the file on 0 or 1000.
    assert found.right_second == 0.0
    assert found.right_first == pytest.approx(0.5, abs=0.08)


def test_the_same_seed_gives_the_same_lots():
    scores, other = np.repeat([0.0, 1.0, 2.0], 10), np.arange(30.0)
    incorrect = np.arange(30) % 3 == 0
    assert agreement(scores, other, incorrect, seed=4) == agreement(scores, other, incorrect, seed=4)


def test_flagging_nothing_has_no_kappa():
    found = agreement([1.0, 2.0], [2.0, 1.0], [True, False], share=0.3)
    assert (found.flagged, found.kappa, found.neither) == (0, None, 2)


def test_agreement_needs_questions():
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        agreement([], [], [])
    with pytest.raises(ValueError, match="same questions"):
        agreement([1.0], [1.0, 2.0], [True])


@pytest.mark.parametrize("seed", range(5))
def test_kappa_of_several_categories_is_that_of_scikit_learn(seed: int):
    rng = np.random.default_rng(seed)
    a = rng.choice(["correct", "incorrect", "ambiguous"], 60).tolist()
    b = [x if rng.random() < 0.5 else "incorrect" for x in a]
    assert cohens_kappa(a, b).value == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)


def test_kappas_bootstrap_interval_is_that_of_resampled_questions():
    rng = np.random.default_rng(8)
    a = rng.random(80) < 0.5
    b = a ^ (rng.random(80) < 0.2)
    found = cohens_kappa(a.tolist(), b.tolist())
    drawn = [cohen_kappa_score(a[i], b[i]) for i in rng.integers(0, 80, (500, 80))]
    # The Monte Carlo error of an end over 500 draws is about 0.01.
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.05)


@pytest.mark.parametrize("ratings", [[], ["correct"] * 4])
def test_raters_of_one_category_have_no_kappa(ratings: list[str]):
    with pytest.raises(UndefinedStatisticError, match="categories"):
        cohens_kappa(ratings, ratings)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30))
def test_kappa_does_not_change_when_categories_are_renamed(pairs: list[tuple[int, int]]):
    a, b = map(list, zip(*pairs, strict=True))
    if len({*a, *b}) < 2:
        return
    renamed = cohens_kappa([-x for x in a], [-x for x in b], draws=1)
    assert cohens_kappa(a, b, draws=1).value == renamed.value
