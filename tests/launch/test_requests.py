"""What a request leaves out is taken from the user's settings, or from the run that it goes on with."""

import pytest

from homogaudit.launch.requests import RunRequest, completed, decoding_of, preset_of
from homogaudit.signals.registry import SIGNALS, choose_signals

SETTINGS = {"judge": "exact", "samples": 20, "temperature": 0.7, "max_tokens": 200, "greedy_max_tokens": None}


def test_what_is_left_out_comes_from_the_settings():
    request = completed(RunRequest(model="demo"), SETTINGS)
    decoding = decoding_of(request)
    assert (request.judge, decoding.samples, decoding.temperature, decoding.max_tokens) == ("exact", 20, 0.7, 200)
    # A greedy answer is as long as the others where nothing says otherwise.
    assert decoding.greedy_max_tokens == 200


def test_flags_go_before_the_settings():
    request = RunRequest(model="demo", judge="numeric", samples=5, temperature=0.0, max_tokens=30)
    assert completed(request, SETTINGS) == request


def test_a_preset_that_is_asked_for_goes_before_the_settings_of_what_it_sets():
    decoding = decoding_of(completed(RunRequest(model="demo", preset="quick"), SETTINGS))
    quick = preset_of("quick")
    assert (decoding.samples, decoding.max_tokens) == (quick.samples, quick.max_tokens) == (5, 40)
    assert decoding.temperature == 0.7


def test_the_quick_preset_asks_the_model_nothing_unless_signals_are_named():
    names = choose_signals(completed(RunRequest(model="demo", preset="quick"), {}).signals)
    # Nor does it embed an answer once for each of its words.
    assert set(SIGNALS) - set(names) == {"p_true", "verbalized_confidence", "mars"}
    named = RunRequest(model="demo", preset="quick", signals=("p_true",))
    assert completed(named, {}).signals == ("p_true",)
    assert completed(RunRequest(model="demo", preset="paper"), {}).signals == ()


@pytest.mark.parametrize("values", [{}, dict.fromkeys(SETTINGS)])
def test_without_settings_the_standard_preset_holds(values: dict[str, object]):
    decoding = decoding_of(completed(RunRequest(model="demo"), values))
    assert (decoding.samples, decoding.temperature, decoding.max_tokens) == (10, 1.0, 100)
