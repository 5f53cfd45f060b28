import pytest

from homogaudit.errors import UsageError
from homogaudit.records import Question, SampleSet
from homogaudit.signals.inputs import NEEDS
from homogaudit.signals.registry import SIGNALS, SignalInputs, compute_signals

NOTHING = SignalInputs(SampleSet(Question("q", "?"), None, []), expected_samples=10)


def test_every_signal_is_described_and_needs_what_can_be_checked() -> None:
    assert len(SIGNALS) >= 10
    for name, signal in SIGNALS.items():
        assert signal.name == name
        assert signal.boundary == "B1"
        assert signal.cost_class in {"free", "embed", "call", "samples", "nli"}
        assert len(signal.definition) > 40
        assert signal.source
        assert set(signal.needs) <= set(NEEDS)


def test_all_signals_of_a_question_without_draws_are_none_with_a_reason() -> None:
    values = compute_signals(NOTHING)
    assert [value.signal for value in values] == list(SIGNALS)
    assert all(value.value is None and value.reason for value in values)
    assert {value.question_id for value in values} == {"q"}


def test_only_the_named_signals_are_computed_in_their_order() -> None:
    names = ["sindex", "perplexity"]
    assert [value.signal for value in compute_signals(NOTHING, names)] == names


def test_an_unknown_signal_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="`perplexty`") as caught:
        compute_signals(NOTHING, ["perplexty"])
    assert caught.value.hint == "did you mean `perplexity`?"
