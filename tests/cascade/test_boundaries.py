import math

import numpy as np
import pytest
from scipy.stats import norm

from homogaudit.cascade.boundaries import Measured, order_stages, select_stages, stage_of
from homogaudit.errors import UndefinedStatisticError, UsageError

VALUES = np.arange(20.0)


def names_of(stages) -> list[str]:
    return [stage.signal for stage in stages]


def test_a_stage_is_declared_by_the_registry_without_the_greedy_answer():
    stage = stage_of("token_entropy_mean")
    assert (stage.boundary, stage.cost_class, stage.resources) == ("B1", "free", frozenset())


def test_a_recorded_signal_of_a_known_name_is_that_signal():
    assert stage_of("recorded:density").boundary == "B2"
    assert stage_of("recorded:density").resources == stage_of("density").resources


def test_an_unknown_recorded_signal_costs_one_unit():
    stage = stage_of("my_score")
    assert (stage.boundary, stage.unit_cost()) == ("recorded", 1.0)


def test_stages_go_from_free_to_sampled():
    stages = order_stages(
        [stage_of(x) for x in ("semantic_entropy_embedding", "density", "token_entropy_mean", "p_true")]
    )
    assert names_of(stages) == ["token_entropy_mean", "density", "p_true", "semantic_entropy_embedding"]


def test_a_stage_whose_samples_are_paid_follows_at_once():
    # Alone `sindex` needs samples and embeddings; after semantic entropy it needs nothing more.
    names = ("sindex", "my_score", "semantic_entropy_embedding")
    assert names_of(order_stages([stage_of(x) for x in names]))[:2] == ["sindex", "semantic_entropy_embedding"]


def test_measured_seconds_decide_over_cost_classes():
    stages = [stage_of(x) for x in ("density", "p_true", "token_entropy_mean")]
    measured = Measured(
        {"density": 0.5, "p_true": 0.01, "token_entropy_mean": 0.9}, {"question_embedding": 0.2, "call_p_true": 0.1}
    )
    # 0.7 s against 0.11 s; the free signal is first whatever it took.
    assert names_of(order_stages(stages, measured)) == ["token_entropy_mean", "p_true", "density"]


def test_without_every_measurement_cost_classes_decide():
    stages = [stage_of(x) for x in ("density", "p_true")]
    assert names_of(order_stages(stages, Measured({"p_true": 0.0}, {"call_p_true": 0.0}))) == ["density", "p_true"]


def test_default_stages_are_one_signal_a_boundary():
    names = ["token_entropy_max", "recorded:association", "negative_log_likelihood", "token_entropy_mean", "density"]
    found = select_stages(names, [VALUES] * 5)
    assert names_of(found.stages) == ["token_entropy_mean", "density", "recorded:association"]
    assert found.rows == (3, 4, 1)


def test_likelihood_stands_in_where_entropies_are_missing():
    assert names_of(select_stages(["negative_log_likelihood"], [VALUES]).stages) == ["negative_log_likelihood"]


def test_questions_without_one_of_the_stages_are_left_out():
    density = VALUES.copy()
    density[3] = np.nan
    found = select_stages(["token_entropy_mean", "density"], [VALUES, density])
    assert np.flatnonzero(~found.questions).tolist() == [3]


def test_constant_and_mostly_undefined_signals_are_no_stages():
    sparse = np.where(VALUES < 3, np.nan, VALUES)
    found = select_stages(["token_entropy_mean", "density", "association"], [VALUES, np.ones(20), sparse])
    assert names_of(found.stages) == ["token_entropy_mean"]
    assert found.left_out == {
        "density": "the same for every question",
        "association": "defined for 17 of 20 questions",
    }


def test_the_next_of_a_boundary_stands_in_for_one_that_is_undefined_or_constant():
    names = ["token_entropy_mean", "negative_log_likelihood", "density", "recorded:density"]
    found = select_stages(names, [np.full(20, np.nan), VALUES, np.ones(20), VALUES])
    assert names_of(found.stages) == ["negative_log_likelihood", "recorded:density"]
    assert found.left_out == {}


def test_a_wanted_signal_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match="no signal `density`"):
        select_stages(["token_entropy_mean"], [VALUES], wanted=["density"])


def test_no_signals_give_no_stages():
    found = select_stages([], np.empty((0, 4)))
    assert (found.stages, found.questions.tolist()) == ((), [True] * 4)


def test_infinite_scores_are_refused():
    with pytest.raises(UndefinedStatisticError, match="infinite"):
        select_stages(["token_entropy_mean"], [[1.0, np.inf]])


def beaten_by(auroc: float, name: str, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    incorrect = rng.random(300) < 0.4
    ours = rng.normal(size=(2, 300)) + np.array([[0.4], [0.2]]) * incorrect
    recorded = rng.normal(size=300) + math.sqrt(2) * norm.ppf(auroc) * incorrect
    names = ["token_entropy_mean", "density", name]
    return names_of(select_stages(names, [*ours, recorded], positive=incorrect).stages)


def test_a_recorded_signal_that_beats_ours_is_a_stage_by_default():
    assert beaten_by(0.9, "self_doubt", 0) == ["token_entropy_mean", "density", "self_doubt"]
    # It stands in the place of ours of the same name.
    assert beaten_by(0.9, "recorded:density", 0) == ["token_entropy_mean", "recorded:density"]


def test_a_recorded_signal_that_is_no_better_is_seldom_a_stage():
    added = sum("self_doubt" in beaten_by(norm.cdf(0.4 / math.sqrt(2)), "self_doubt", seed) for seed in range(40))
    assert added <= 4
