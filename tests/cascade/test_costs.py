import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.cascade.boundaries import Measured, stage_of
from homogaudit.cascade.costs import StageCosts, expected_cost, measured_costs, saving, token_costs, unit_costs
from homogaudit.errors import UndefinedStatisticError

STAGES = [stage_of(name) for name in ("token_entropy_mean", "density", "semantic_entropy_embedding", "sindex")]


def test_unit_costs_are_nothing_for_free_and_shared():
    costs = unit_costs(STAGES)
    assert costs.marginal == (0, 1, 1, 0)
    assert costs.alone == (0, 1, 1, 1)
    assert costs.full == 2


def test_measured_costs_pay_for_samples_once():
    own = {"token_entropy_mean": 0.001, "density": 0.002, "semantic_entropy_embedding": 0.003, "sindex": 0.004}
    costs = measured_costs(STAGES, Measured(own, {"question_embedding": 0.1, "samples": 5.0, "answer_embeddings": 0.4}))
    assert costs.marginal == pytest.approx((0.001, 0.102, 5.403, 0.004))
    assert costs.alone == pytest.approx((0.001, 0.102, 5.403, 5.404))


def test_a_cost_that_was_not_measured_is_named():
    with pytest.raises(UndefinedStatisticError, match="`question_embedding` was not measured"):
        measured_costs(STAGES[:2], Measured({"token_entropy_mean": 0.0, "density": 0.0}, {}))


def test_money_is_tokens_times_price():
    # 10 answers of 50 tokens at 2 a million: 0.001.
    costs = token_costs(STAGES[:3], {}, {"samples": 500.0}, price=2.0)
    assert costs.kind == "money"
    assert costs.marginal == pytest.approx((0, 0, 0.001))


def test_a_negative_or_infinite_cost_is_refused():
    with pytest.raises(UndefinedStatisticError, match="cost"):
        StageCosts("seconds", (0.0, -1.0), (0.0, 1.0))
    with pytest.raises(UndefinedStatisticError, match="cost"):
        token_costs(STAGES[:1], {"token_entropy_mean": 1.0}, {}, price=float("inf"))


def test_expected_cost_of_three_stages_by_hand():
    # 1 + 0.5 * 2 + 0.5 * 0.4 * 10 = 4 of 13.
    cost = expected_cost((1, 2, 10), [0.5, 0.4])
    assert cost == pytest.approx(4)
    assert saving(cost, 13) == pytest.approx(9 / 13)


def test_the_published_saving_is_one_minus_the_share_that_escalates():
    assert saving(expected_cost((0, 1), [171 / 401]), 1) == pytest.approx(0.573566, abs=1e-6)


def test_nothing_is_saved_where_every_stage_is_free():
    with pytest.raises(UndefinedStatisticError, match="free"):
        saving(0.0, 0.0)


@given(st.data())
def test_expected_cost_is_the_mean_over_questions(data: st.DataObject):
    # Each question pays for the stages up to the one that decides it: their mean is C of the observed rates.
    stages = data.draw(st.integers(2, 5))
    marginal = data.draw(st.lists(st.floats(0, 100), min_size=stages, max_size=stages))
    decided = np.array(data.draw(st.lists(st.integers(0, stages - 1), min_size=1, max_size=60)))
    reaching = [np.count_nonzero(decided >= stage) for stage in range(stages)]
    rates = [after / before if before else 0.0 for before, after in itertools.pairwise(reaching)]
    paid = np.cumsum(marginal)[decided]
    assert expected_cost(marginal, rates) == pytest.approx(paid.mean(), abs=1e-9)
