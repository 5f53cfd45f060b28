"""The clock that gives every second of an audit to one phase."""

import pytest

from homogaudit.phases import Phase, PhaseClock, added


class Ticks:
    """A clock that stands still until it is wound."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_second_belongs_to_the_innermost_phase_alone():
    ticks = Ticks()
    clock = PhaseClock(ticks)
    ticks.now += 1
    with clock(Phase.SIGNALS):
        ticks.now += 2
        with clock(Phase.EMBEDDING):
            ticks.now += 4
        ticks.now += 8
    ticks.now += 16
    assert clock.seconds() == {Phase.SIGNALS: 10, Phase.EMBEDDING: 4, Phase.OTHER: 17}


def test_an_error_closes_its_phase():
    ticks = Ticks()
    clock = PhaseClock(ticks)
    with pytest.raises(KeyError), clock(Phase.LOADING):
        ticks.now += 1
        raise KeyError
    ticks.now += 2
    assert clock.seconds() == {Phase.LOADING: 1, Phase.OTHER: 2}


def test_a_pause_belongs_to_no_phase():
    ticks = Ticks()
    clock = PhaseClock(ticks)
    with clock(Phase.HOST):
        ticks.now += 1
        with clock(None):
            ticks.now += 1000
        ticks.now += 2
    assert clock.seconds() == {Phase.HOST: 3, Phase.OTHER: 0}


def test_what_one_call_does_for_several_phases_is_parted_and_nothing_is_lost():
    ticks = Ticks()
    clock = PhaseClock(ticks)
    with clock(Phase.HOST):
        ticks.now += 10
        clock.move(3, Phase.PREFILL)
        clock.move(5, Phase.DECODE)
    assert clock.seconds() == {Phase.PREFILL: 3, Phase.DECODE: 5, Phase.HOST: 2, Phase.OTHER: 0}


def test_seconds_can_be_asked_for_while_a_phase_is_open():
    ticks = Ticks()
    clock = PhaseClock(ticks)
    with clock(Phase.ASKING):
        for expected in (1, 2, 3):
            ticks.now += 1
            assert clock.seconds()[Phase.ASKING] == expected


def test_sessions_add_up_by_phase():
    assert added({"decode": 1.0, "other": 2.0}, {"asking": 4.0, "other": 8.0}) == {
        "decode": 1.0,
        "other": 10.0,
        "asking": 4.0,
    }


def test_every_phase_says_what_is_done_in_it():
    assert all(phase.means and phase.means[0].islower() and not phase.means.endswith(".") for phase in Phase)
