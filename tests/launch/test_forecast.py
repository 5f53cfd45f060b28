"""How much of a session is done and how long the rest takes."""

from dataclasses import replace

import pytest

from homogaudit.events import (
    Asking,
    EngineReady,
    Event,
    GenerationFinished,
    Loading,
    Paused,
    Planned,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
)
from homogaudit.launch.forecast import Ahead, Forecast, Step

READY = EngineReady("CPU", 4, 2048, 10**8, "chat", 10, 60, 0, 600, 100.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def forecast(*events: Event, earlier: dict[Step, float] | None = None, clock: Clock | None = None) -> Forecast:
    found = Forecast(earlier, clock or Clock())
    for event in events:
        found.apply(event)
    return found


def progress(done: int, left: float | None) -> Progress:
    return Progress(0, 10, done, 60, 12 * done, done, 24.0, 0.0, left, 4)


def test_time_left_covers_all_phases_at_the_speeds_of_earlier_runs():
    paces: dict[Step, float] = {"answers": 2.0, "calls": 0.5, "scorings": 0.1, "judgements": 3.0}
    found = forecast(Planned(60, 20, 10, 10), earlier=paces)
    # 60 x 2 + 20 x 0.5 + 10 x 0.1 + 10 x 3 seconds.
    assert found.ahead() == Ahead(0.0, pytest.approx(161.0))
    found.apply(READY)
    found.apply(progress(30, 90.0))
    # The answers take 3 s each, as this session measured: 30 of them are done.
    assert found.ahead() == Ahead(pytest.approx(90 / (90 + 90 + 41)), pytest.approx(131.0))


def test_a_phase_that_was_never_measured_counts_as_long_as_answers():
    found = forecast(Planned(60, 20), READY, progress(30, 90.0))
    assert found.ahead() == Ahead(pytest.approx(90 / 240), pytest.approx(150.0))


def test_pairs_that_a_model_of_meaning_is_asked_about_have_a_pace_of_their_own():
    clock = Clock()
    found = forecast(
        Planned(judgements=4, comparisons=20), earlier={"judgements": 3.0, "comparisons": 0.5}, clock=clock
    )
    assert found.ahead().seconds_left == pytest.approx(4 * 3.0 + 20 * 0.5)
    clock.now = 8.0
    found.apply(Asking(10, 20, "model of meaning"))
    assert found.measured == {"comparisons": pytest.approx(0.8)}
    assert found.ahead().seconds_left == pytest.approx(4 * 3.0 + 10 * 0.8)


def test_time_left_holds_the_loading_until_all_is_loaded():
    found = forecast(Planned(60), earlier={"loading": 7.0, "answers": 2.0})
    assert found.ahead() == Ahead(0.0, pytest.approx(127.0))
    found.apply(READY)
    assert found.ahead().seconds_left == pytest.approx(120.0)
    found.apply(RunFinished("complete", 60, 200.0, {"loading": 2.0, "embedder": 6.0, "decode": 100.0, "other": 1.0}))
    assert found.measured["loading"] == pytest.approx(8.0)


def test_without_any_speed_no_time_is_told_but_a_share_is():
    found = forecast(Planned(60, 20), READY)
    assert found.ahead() == Ahead(0.0, None)


def test_a_later_phase_is_measured_while_it_goes_on_without_the_time_of_a_pause():
    clock = Clock()
    found = forecast(Planned(60, 20, 0, 0), READY, clock=clock)
    # What is scored beside drawing takes its time too.
    clock.now = 30.0
    found.apply(progress(60, 0.0))
    found.apply(Planned(0, 20))
    assert found.measured == {"answers": pytest.approx(0.5)}
    clock.now = 34.0
    found.apply(Asking(8, 20))
    assert found.ahead().seconds_left == pytest.approx(12 * 0.5)
    found.apply(Paused())
    clock.now = 100.0
    found.apply(Resumed())
    clock.now = 101.0
    found.apply(Asking(10, 20))
    assert found.ahead().seconds_left == pytest.approx(10 * 0.5)
    assert found.ahead().share == pytest.approx(35 / 40)


def test_the_parts_of_answers_are_measured_when_the_time_of_each_phase_is_known():
    clock = Clock()
    found = forecast(Planned(60), READY, clock=clock)
    for number in range(10):
        found.apply(QuestionStarted(f"q{number}", "Who?"))
    found.apply(GenerationFinished("q0", 0, "me", "valid", "stop", 2, 1.0))
    found.apply(GenerationFinished("q0", 1, "you and", "valid", "length", 4, 1.0))
    clock.now = 90.0
    found.apply(progress(60, 0.0))
    found.apply(RunFinished("complete", 60, 99.0, {"prefill": 5.0, "decode": 50.0, "host": 4.0, "asking": 10.0}))
    # 12 tokens an answer.
    assert found.measured["answers"] == pytest.approx(90 / 60)
    assert found.measured["tokens"] == pytest.approx(54 / 720)
    assert found.measured["prompts"] == pytest.approx(0.5)
    assert found.measured["asking"] == pytest.approx(1.0)
    assert found.measured["beside"] == pytest.approx(21 / 60)
    # Behind no token two went on, behind one two, behind two one went on and one ended, behind three one went on.
    assert found.lengths.counts == ([2, 3, 1], [0, 1, 0])


def test_what_is_asked_after_drawing_is_no_part_of_answers():
    clock = Clock()
    found = forecast(Planned(60, 10), READY, QuestionStarted("q0", "Who?"), clock=clock)
    clock.now = 60.0
    found.apply(progress(60, 0.0))
    found.apply(Planned(0, 10))
    clock.now = 65.0
    found.apply(Asking(10, 10))
    found.apply(RunFinished("complete", 60, 99.0, {"decode": 60.0, "asking": 5.0}))
    assert (found.measured["asking"], found.measured["beside"]) == (0.0, 0.0)


def test_what_is_still_asked_when_all_answers_are_there_is_left():
    found = forecast(Planned(60), READY, progress(60, 7.0))
    assert found.ahead().seconds_left == pytest.approx(7.0)
    found.apply(Planned())
    assert found.ahead().seconds_left == 0.0


def test_of_a_run_that_stopped_early_no_pace_of_all_its_answers_is_told():
    clock = Clock()
    found = forecast(Planned(60, is_most=True), READY, QuestionStarted("q0", "Who?"), clock=clock)
    clock.now = 10.0
    found.apply(progress(30, 90.0))
    assert found.ahead() == Ahead(0.5, pytest.approx(90.0), is_most=True)
    found.apply(Planned())
    assert not found.ahead().is_most
    found.apply(RunFinished("complete", 60, 99.0, {"decode": 9.0}))
    assert "answers" not in found.measured
    assert found.measured["tokens"] == pytest.approx(9 / 360)


def test_before_a_question_is_scored_earlier_runs_tell_how_long_that_takes():
    begun = (Planned(60), Loading("embedder", "hashing"), READY, progress(30, 90.0))
    found = forecast(*begun, earlier={"beside": 0.5})
    assert found.ahead().seconds_left == pytest.approx(90 + 30 * 0.5)
    found.apply(replace(progress(40, 60.0), questions_done=1))
    assert found.ahead().seconds_left == pytest.approx(60.0)
    # Where none was, no time is told before.
    found = forecast(*begun)
    assert found.ahead().seconds_left is None
    found.apply(replace(progress(40, 60.0), questions_done=1))
    assert found.ahead().seconds_left == pytest.approx(60.0)


def test_while_the_engine_tells_no_time_left_that_of_earlier_runs_counts():
    clock = Clock()
    found = forecast(Planned(60), READY, clock=clock)
    clock.now = 10.0
    found.apply(progress(1, None))
    assert found.ahead().seconds_left is None
    clock.now = 0.0
    found = forecast(Planned(60), READY, earlier={"answers": 2.0}, clock=clock)
    clock.now = 10.0
    # 59 are being written or to be: all 60 take 120 seconds.
    found.apply(progress(1, None))
    assert found.ahead().seconds_left == pytest.approx(110.0)
    clock.now = 200.0
    found.apply(progress(20, None))
    assert found.ahead().seconds_left == pytest.approx(40 * 0.2)


def test_what_the_tokens_so_far_took_corrects_the_pace_of_earlier_runs():
    clock = Clock()
    found = forecast(Planned(60), READY, earlier={"answers": 2.0, "tokens": 0.1}, clock=clock)
    # 120 seconds were expected, for 1,200 tokens. A quarter of them took 60 seconds, which is 240 for all.
    clock.now = 60.0
    found.apply(replace(progress(1, None), tokens=300))
    assert found.ahead().seconds_left == pytest.approx((120 + 240) / 2 - 60)
    clock.now = 120.0
    found.apply(replace(progress(1, None), tokens=600))
    assert found.ahead().seconds_left == pytest.approx(240 - 120)


def test_stored_answers_are_scored_at_the_speed_of_this_session():
    clock = Clock()
    found = forecast(Planned(scorings=40), clock=clock)
    clock.now = 5.0
    for position in range(10):
        found.apply(QuestionScored(f"q{position}", position, {}, 2, 2, None))
    assert found.ahead() == Ahead(0.25, pytest.approx(15.0))


def test_questions_that_are_scored_beside_drawing_are_no_step_of_their_own():
    found = forecast(Planned(60, 0, 0, 0), READY, QuestionScored("q0", 0, {}, 2, 2, None))
    assert found.measured == {}
    assert found.ahead().share == 0.0


def test_a_resumed_session_begins_with_what_is_stored():
    ready = EngineReady("CPU", 4, 2048, 10**8, "chat", 10, 60, 45, 600, 100.0)
    assert forecast(Planned(15), ready).ahead().share == pytest.approx(0.75)


def test_what_comes_behind_the_last_step_is_told_and_measured():
    clock = Clock()
    found = forecast(Planned(60), earlier={"answers": 2.0, "ending": 5.0}, clock=clock)
    assert found.ahead().seconds_left == pytest.approx(60 * 2 + 5)
    clock.now = 90.0
    found.apply(progress(60, None))
    assert found.ahead().seconds_left == pytest.approx(5.0)
    clock.now = 97.0
    found.apply(RunFinished("complete", 60, 97.0))
    found.end()
    assert found.measured["ending"] == pytest.approx(7.0)


def test_loading_again_takes_no_longer_than_its_computing():
    ready = replace(READY, cpu_seconds=6.0)
    found = forecast(ready, RunFinished("complete", 60, 97.0, {"loading": 3.0, "embedder": 40.0, "decode": 30.0}))
    assert (found.measured["loading"], found.measured["loading again"]) == (43.0, 6.0)
    found = forecast(READY, RunFinished("complete", 60, 97.0, {"loading": 3.0}))
    assert (found.measured["loading"], found.measured["loading again"]) == (3.0, 3.0)
