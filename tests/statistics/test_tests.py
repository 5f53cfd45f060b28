import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import holm


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04; the running maximum makes the last .06.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_holm_never_passes_one():
    np.testing.assert_allclose(holm([0.6, 0.4, 1.0]), [1.0, 1.0, 1.0])


def test_holm_of_nothing_and_of_one():
    assert holm([]).shape == (0,)
    assert holm([0.03]).tolist() == [0.03]


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_holm_refuses_what_is_not_a_p_value(bad: float):
    with pytest.raises(UndefinedStatisticError, match="not a p value"):
        holm([0.2, bad])


def test_holm_refuses_a_matrix():
    with pytest.raises(ValueError, match="vector of p values"):
        holm([[0.1, 0.2]])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float], random):
    p = np.array(p_values)
    adjusted = holm(p)
    # Holm (1979): go up the sorted p values while p_(i) <= level / (m - i); the first failure stops.
    rejected = np.zeros(p.size, dtype=bool)
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (p.size - step) > 0.05:
            break
        rejected[index] = True
    assert ((adjusted <= 0.05) == rejected).all()
    assert (adjusted >= p).all()
    order = list(range(p.size))
    random.shuffle(order)
    np.testing.assert_array_equal(holm(p[order]), adjusted[order])
