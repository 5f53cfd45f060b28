"""The reducer: events in, what the live screen shows out."""

import pytest
from scipy import stats

from homogaudit.events import (
    Asking,
    Cancelling,
    EngineFailed,
    EngineReady,
    GenerationFailed,
    GenerationFinished,
    Loading,
    Paused,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
    Snapshot,
    TextDelta,
    Warning,
)
from homogaudit.records import GREEDY
from homogaudit.report.section import Curve
from homogaudit.tui.live_state import LiveReducer, QuestionRow
from homogaudit.tui.screens.live import rate_curve

READY = EngineReady("CPU", 4, 2048, 10**8, "chat", 3, 9, 0, 90, 1.0)


def reducer(questions: int = 3, samples: int = 2) -> LiveReducer:
    return LiveReducer([QuestionRow(f"q{i}", f"Question {i}?") for i in range(questions)], samples + 1)


def progress(*deltas: TextDelta, done: int = 0) -> Progress:
    return Progress(0, 3, done, 9, 10, 8, 100.0, 1.0, 5.0, 4, deltas)


def scored(position: int, clusters: int, *, valid: int = 2, label: str | None = None) -> QuestionScored:
    assignment = tuple(min(i, clusters - 1) for i in range(valid))
    return QuestionScored(f"q{position}", position, {"jaccard": clusters}, valid, 2, label, {"jaccard": assignment})


def test_deltas_grow_the_answers_that_are_being_written():
    live = reducer()
    live.apply(QuestionStarted("q0", "Question 0?"))
    live.apply(progress(TextDelta("q0", 0, "It ")))
    live.apply(progress(TextDelta("q0", 0, "is."), TextDelta("q0", 1, "No")))
    (group,) = live.snapshot().groups
    assert [(x.sample_index, x.text, x.state) for x in group.answers] == [
        (0, "It is.", "drawing"),
        (1, "No", "drawing"),
    ]
    assert live.snapshot().rows[0].state == "drawing"
    assert live.snapshot().progress is not None
    assert live.snapshot().progress.deltas == ()  # type: ignore[union-attr]


def test_a_finished_answer_takes_its_stored_text_and_later_deltas_do_not_change_it():
    live = reducer()
    live.apply(progress(TextDelta("q0", 0, "<think>hm</think>Rome")))
    live.apply(GenerationFinished("q0", 0, "Rome", "valid", "stop", 3, 0.1))
    live.apply(progress(TextDelta("q0", 0, "late")))
    state = live.snapshot()
    assert (state.groups[0].answers[0].text, state.groups[0].answers[0].state) == ("Rome", "valid")
    assert state.latest == ("q0", 0)
    assert state.rows[0].draws == 1


def test_clusters_go_to_the_valid_samples_in_the_order_of_their_index():
    live = reducer()
    for index, kind in ((GREEDY, "valid"), (1, "valid"), (0, "empty")):
        live.apply(GenerationFinished("q0", index, "x", kind, "stop", 1, 0.1))
    assert live.snapshot().rows[0].state == "drawn"
    live.apply(QuestionScored("q0", 0, {"jaccard": 1}, 1, 2, None, {"jaccard": (7,)}))
    clusters = {x.sample_index: x.cluster for x in live.snapshot().groups[0].answers}
    assert clusters == {GREEDY: None, 0: None, 1: 7}


def test_a_question_that_has_stopped_says_so_and_its_line_has_no_band():
    live = reducer(samples=8)
    audited = {"is_apart": False, "is_audited": True}
    live.apply(QuestionScored("q0", 0, {"jaccard": 1}, 8, 8, None, {"jaccard": (0,) * 8}, **audited))
    live.apply(QuestionScored("q1", 1, {"jaccard": 3}, 3, 3, None, {"jaccard": (0, 1, 2)}, is_apart=True))
    state = live.snapshot()
    assert [(row.state, row.entropy, row.clusters) for row in state.rows[:2]] == [
        ("scored", 0.0, {"jaccard": 1}),
        ("stopped", None, {"jaccard": 3}),
    ]
    (rate,) = state.running.rates
    assert rate_curve(rate) == Curve("jaccard 50.0%", (1.0, 2.0), *[(1.0, 0.5)] * 3)


def test_no_cluster_is_guessed_where_earlier_draws_are_not_known_to_be_valid():
    rows = [QuestionRow("q0", "Question 0?", "unfinished", 1)]
    live = LiveReducer(rows, 3)
    live.apply(GenerationFinished("q0", 1, "x", "valid", "stop", 1, 0.1))
    live.apply(QuestionScored("q0", 0, {"jaccard": 1}, 1, 2, None, {"jaccard": (0,)}))
    assert [x.cluster for x in live.snapshot().groups[0].answers] == [None]


def test_the_line_of_a_rate_has_wilson_intervals():
    live = reducer(questions=12)
    for position in range(12):
        live.apply(scored(position, 1 + position % 3))
    series = rate_curve(live.snapshot().running.rates[0])
    interval = stats.binomtest(4, 12).proportion_ci(method="wilson")
    assert series.x[-1] == 12
    assert (series.y[-1], series.low[-1], series.high[-1]) == pytest.approx((4 / 12, interval.low, interval.high))


def test_a_long_line_is_thinned_and_keeps_its_last_point():
    live = reducer(questions=1000)
    for position in range(1000):
        live.apply(scored(position, 1))
    series = rate_curve(live.snapshot().running.rates[0], points=50)
    assert len(series.x) <= 51
    assert series.x[-1] == 1000


def test_the_entropy_of_a_row_is_that_of_its_primary_clustering():
    live = reducer()
    assignments = {"jaccard": (0, 0), "embedding": (0, 1)}
    live.apply(QuestionScored("q0", 0, {"jaccard": 1, "embedding": 2}, 2, 2, "incorrect", assignments))
    row = live.snapshot().rows[0]
    assert row.entropy == pytest.approx(stats.entropy([0.5, 0.5]))
    assert (row.label, row.clusters, row.state) == ("incorrect", {"jaccard": 1, "embedding": 2}, "scored")
    assert live.snapshot().primary == "embedding"


def test_only_the_last_scored_questions_keep_their_answers():
    live = reducer(questions=20)
    for position in range(20):
        live.apply(QuestionStarted(f"q{position}", ""))
        live.apply(GenerationFinished(f"q{position}", 0, "x", "valid", "stop", 1, 0.1))
        live.apply(scored(position, 1))
    assert len(live.snapshot().groups) <= 6


def test_the_status_follows_the_engine():
    live = reducer()
    seen = [live.snapshot().status]
    for event in (
        Loading("model", "demo"), READY, Paused(), Resumed(), Asking(1, 6), Cancelling(),
        RunFinished("started", 1, 1.0),
    ):  # fmt: skip
        live.apply(event)
        seen.append(live.snapshot().status)
    assert seen == [
        "starting", "loading", "generating", "paused", "generating", "asking", "cancelling", "cancelled",
    ]  # fmt: skip


def test_a_run_that_ends_complete_is_complete_even_where_a_cancel_came_too_late():
    live = reducer()
    live.cancelling()
    live.apply(RunFinished("complete", 9, 1.0))
    assert live.snapshot().status == "complete"


def test_a_failure_leaves_what_was_being_drawn_unfinished():
    live = reducer()
    live.apply(QuestionStarted("q1", ""))
    live.apply(EngineFailed("engine", "died"))
    state = live.snapshot()
    assert (state.status, state.rows[1].state, state.is_working) == ("failed", "unfinished", False)


def test_a_snapshot_lets_a_screen_begin_in_the_middle():
    live = reducer()
    live.apply(Snapshot("x.audit", "generating", progress(done=4), (TextDelta("q1", 0, "so far"),)))
    live.apply(progress(TextDelta("q1", 0, " so good"), done=4))
    state = live.snapshot()
    assert state.status == "generating"
    assert state.groups[0].answers[0].text == "so far so good"
    assert state.progress is not None and state.progress.draws_done == 4


def test_warnings_and_failed_draws_are_kept():
    live = reducer()
    live.apply(Warning("half of the context is left"))
    live.apply(GenerationFailed("q0", 1, "no room"))
    state = live.snapshot()
    assert state.warnings == ("half of the context is left",)
    assert (state.groups[0].answers[0].state, state.rows[0].draws) == ("error", 1)


def test_a_snapshot_does_not_change_with_later_events():
    live = reducer()
    before = live.snapshot()
    live.apply(scored(0, 1))
    assert before.rows[0].state == "waiting"
    assert before.running.rates == ()


def test_a_cancel_stays_until_the_engine_has_heard_it():
    reducer = LiveReducer([QuestionRow("q0", "?")], 5)
    reducer.cancelling()
    for event in (Loading("model", "demo"), READY, Asking(1, 2), Asking(1, 2, "judge")):
        reducer.apply(event)
        assert reducer.snapshot().status == "cancelling"


def test_a_pause_that_is_asked_for_shows_at_once_and_ends_where_it_began():
    live = reducer()
    live.apply(READY)
    live.pausing()
    assert live.snapshot().status == "pausing"
    live.apply(Asking(1, 3))
    assert live.snapshot().status == "pausing"
    live.apply(Paused())
    assert live.snapshot().status == "paused"
    live.apply(Resumed())
    assert live.snapshot().status == "asking"
    live.pausing()
    live.going_on()
    assert live.snapshot().status == "asking"
