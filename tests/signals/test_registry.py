import math
from dataclasses import replace

import numpy as np
import pytest

from homogaudit.errors import UsageError
from homogaudit.records import Question, SampleSet
from homogaudit.signals import registry
from homogaudit.signals.catalogue import BUILT_IN
from homogaudit.signals.inputs import NEEDS, TOKEN_ARRAY_NEEDS
from homogaudit.signals.registry import (
    SIGNALS,
    RunInputs,
    RunSignal,
    Signal,
    SignalInputs,
    calls_for,
    choose_signals,
    compute_run_signals,
    compute_signals,
)
from homogaudit.signals.run_inputs import RUN_NEEDS
from homogaudit.signals.signal import BOUNDARIES, COST_CLASSES, RESOURCES

NOTHING = SignalInputs(SampleSet(Question("q", "?"), None, []), expected_samples=10)
OF_QUESTIONS = [name for name, signal in SIGNALS.items() if isinstance(signal, Signal)]
OF_RUNS = [name for name, signal in SIGNALS.items() if isinstance(signal, RunSignal)]

METHODS_TABLE = """
    token_entropy_mean token_entropy_max token_entropy_std high_entropy_ratio negative_log_likelihood perplexity mars
    response_length semantic_entropy_jaccard semantic_entropy_jaccard_rao semantic_entropy_embedding
    semantic_entropy_embedding_rao semantic_entropy_answer semantic_entropy_answer_rao sindex selfcheck_embedding
    semantic_energy num_semantic_sets eigenvalue_laplacian degree eccentricity kernel_language_entropy cocoa sar p_true
    verbalized_confidence density freshness association grounding
""".split()


def test_every_signal_is_described_and_needs_what_can_be_checked() -> None:
    assert set(SIGNALS) >= set(METHODS_TABLE)
    for name, signal in SIGNALS.items():
        assert signal.name == name
        assert signal.boundary in BOUNDARIES
        assert signal.cost_class in COST_CLASSES
        assert signal.direction in (1, -1)
        assert len(signal.definition) > 40
        assert signal.source
        assert set(signal.needs) <= set(NEEDS if isinstance(signal, Signal) else RUN_NEEDS)
        assert signal.resources <= set(RESOURCES)
    assert {name: SIGNALS[name].boundary for name in OF_RUNS} == {
        "density": "B2",
        "freshness": "B3",
        "association": "B4",
        "grounding": "B5",
    }


def test_names_are_distinct() -> None:
    assert len({signal.name for signal in BUILT_IN}) == len(BUILT_IN)


def test_what_is_free_costs_nothing_and_everything_else_a_unit() -> None:
    costs = {name: signal.unit_cost for name, signal in SIGNALS.items()}
    assert [name for name, cost in costs.items() if cost == 0.0] == [
        name for name, signal in SIGNALS.items() if signal.cost_class == "free"
    ]
    assert set(costs.values()) == {0.0, 1.0}
    assert costs["token_entropy_mean"] == costs["freshness"] == 0.0


def test_resources_tell_what_two_signals_share() -> None:
    resources = {name: signal.resources for name, signal in SIGNALS.items()}
    assert resources["token_entropy_mean"] == {"greedy"}
    assert resources["semantic_entropy_jaccard"] == {"samples"}
    assert resources["semantic_entropy_embedding"] == resources["degree"] == {"samples", "answer_embeddings"}
    assert resources["cocoa"] == {"greedy", "samples", "answer_embeddings"}
    assert resources["p_true"].isdisjoint(resources["verbalized_confidence"] - {"greedy"})
    for name, signal in SIGNALS.items():
        assert ("samples" in signal.resources) == (signal.cost_class == "samples"), name


def test_signals_that_read_dropped_arrays_can_be_told() -> None:
    readers = {name for name, signal in SIGNALS.items() if not TOKEN_ARRAY_NEEDS.isdisjoint(signal.needs)}
    assert {"response_length", "perplexity", "sar", "cocoa", "semantic_energy", "mars"} <= readers
    assert readers.isdisjoint({"sindex", "degree", "p_true", "density", "freshness", "semantic_entropy_jaccard"})


def test_all_signals_of_a_question_without_draws_are_none_with_a_reason() -> None:
    values = compute_signals(NOTHING)
    assert [value.signal for value in values] == OF_QUESTIONS
    assert all(value.value is None and value.reason for value in values)
    assert {value.question_id for value in values} == {"q"}


def test_all_signals_of_a_run_without_anything_are_none_with_a_reason() -> None:
    values = compute_run_signals(RunInputs([Question("q", "?"), Question("r", "?")]))
    assert [(value.signal, value.question_id) for value in values] == [(name, x) for name in OF_RUNS for x in "qr"]
    assert all(value.value is None and value.reason for value in values)


def test_a_run_without_questions_has_no_values() -> None:
    assert compute_run_signals(RunInputs([], question_embeddings=np.zeros((0, 4)))) == []


def test_only_the_named_signals_are_computed_in_their_order() -> None:
    names = ["sindex", "freshness", "perplexity", "density"]
    assert [value.signal for value in compute_signals(NOTHING, names)] == ["sindex", "perplexity"]
    assert [value.signal for value in compute_run_signals(RunInputs([Question("q", "?")]), names)] == [
        "freshness",
        "density",
    ]


def test_names_are_chosen_once_and_an_unknown_one_is_refused_with_the_nearest() -> None:
    assert choose_signals(["sindex", "mars", "sindex"]) == ("sindex", "mars")
    for call in (
        lambda: choose_signals(["perplexty"]),
        lambda: compute_signals(NOTHING, ["perplexty"]),
        lambda: compute_run_signals(RunInputs([]), ["perplexty"]),
    ):
        with pytest.raises(UsageError, match="`perplexty`") as caught:
            call()
        assert caught.value.hint == "did you mean `perplexity`?"


def test_a_value_that_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = SIGNALS["freshness"]
    assert isinstance(signal, RunSignal)
    of_run = replace(signal, needs=(), compute=lambda inputs: {"q": math.nan})
    monkeypatch.setattr(registry, "SIGNALS", {"freshness": of_run})
    found = compute_run_signals(RunInputs([Question("q", "?"), Question("r", "?")]))
    assert [(value.value, value.reason) for value in found] == [
        (None, "the value is not a finite number"),
        (None, "the signal gave no value"),
    ]


def test_a_turned_zero_has_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = SIGNALS["p_true"]
    assert isinstance(signal, Signal)
    monkeypatch.setattr(
        registry, "SIGNALS", {"p_true": replace(signal, needs=(), direction=-1, compute=lambda inputs: 0.0)}
    )
    found = compute_signals(NOTHING)[0].value
    assert found == 0.0
    assert math.copysign(1.0, found) == 1.0


def test_a_cost_class_stands_for_its_signals_and_all_for_everything():
    free = choose_signals(["free"])
    assert {SIGNALS[name].cost_class for name in free} == {"free"}
    assert "token_entropy_mean" in free
    assert choose_signals(["p_true", "free", "token_entropy_mean"]) == ("p_true", *free)
    assert choose_signals(["free", "all"]) == ()


def test_the_calls_are_those_that_the_chosen_signals_need():
    assert calls_for(()) == ["p_true", "verbalized"]
    assert calls_for(["verbalized_confidence", "token_entropy_mean"]) == ["verbalized"]
    assert calls_for(["token_entropy_mean"]) == []
