import numpy as np
import pytest

from homogaudit.statistics import stratified_folds


@pytest.mark.parametrize(("n", "positives"), [(20, 7), (401, 196), (5, 0)])
def test_every_class_is_spread_evenly(n: int, positives: int):
    positive = np.arange(n) < positives
    fold = stratified_folds(positive, 5, np.random.default_rng(1))
    assert fold.shape == (n,)
    for members in (positive, ~positive):
        counts = np.bincount(fold[members], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_a_generator_gives_other_folds_the_second_time_and_the_same_from_the_same_seed():
    positive = np.arange(40) % 2 == 0
    generator = np.random.default_rng(2)
    first, second = (stratified_folds(positive, 5, generator) for _ in range(2))
    assert (first != second).any()
    assert (first == stratified_folds(positive, 5, np.random.default_rng(2))).all()
