"""The running rate: when it is shown, and which questions it covers."""

from dataclasses import replace

import pytest
from scipy import stats

from homogaudit.events import QuestionScored
from homogaudit.statistics.running_rate import RateCounter
from homogaudit.statistics.two_phase_rate import two_phase_rate


def scored(position: int, clusters: int, *, valid: int = 2) -> QuestionScored:
    return QuestionScored(f"q{position}", position, {"jaccard": clusters}, valid, 2, None)


def counter(*events: QuestionScored) -> RateCounter:
    found = RateCounter()
    for event in events:
        found.add(event)
    return found


def test_the_rate_covers_the_questions_in_their_order():
    running = counter(scored(1, 2), scored(2, 1), scored(0, 1)).shown()
    (rate,) = running.rates
    assert rate.singles == (1, 1, 2)
    assert running.histograms == {"jaccard": {1: 2, 2: 1}}
    assert (running.scored, running.waiting_for, running.note) == (3, None, "")
    interval = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert (rate.rate.low, rate.rate.high) == pytest.approx((interval.low, interval.high))


def test_without_the_first_questions_the_rate_covers_all_that_is_scored_and_is_provisional():
    found = counter(*(scored(position, 1 + position % 2) for position in range(1, 11)))
    running = found.shown()
    assert [(rate.k, rate.n) for rate in running.rates] == [(5, 10)]
    assert running.histograms == {"jaccard": {1: 5, 2: 5}}
    assert running.note == "10 scored, waiting for question 1"
    found.add(scored(0, 1))
    assert [(rate.k, rate.n) for rate in found.shown().rates] == [(6, 11)]
    assert found.shown().note == ""


def test_the_rate_stays_settled_while_at_least_half_of_what_is_scored_stands_in_order():
    found = counter(scored(0, 1), scored(1, 2), scored(3, 1), scored(4, 1))
    assert [(rate.k, rate.n) for rate in found.shown().rates] == [(1, 2)]
    assert found.shown().waiting_for is None
    found.add(scored(5, 1))
    assert [(rate.k, rate.n) for rate in found.shown().rates] == [(4, 5)]
    assert found.shown().note == "5 scored, waiting for question 3"


def test_a_question_with_too_few_answers_enters_no_rate():
    running = counter(scored(0, 1, valid=1), scored(1, 1)).shown()
    assert [(rate.k, rate.n) for rate in running.rates] == [(1, 1)]
    assert (running.skipped, running.scored) == (1, 2)


def test_a_question_that_is_scored_twice_counts_once():
    running = counter(scored(0, 1), scored(0, 1)).shown()
    assert [(rate.k, rate.n) for rate in running.rates] == [(1, 1)]
    assert running.scored == 1


def looked_at(position: int, clusters: int, *, is_apart: bool, is_audited: bool = False) -> QuestionScored:
    samples = 3 if is_apart and not is_audited else 8
    return QuestionScored(
        f"q{position}",
        position,
        {"jaccard": clusters},
        samples,
        samples,
        None,
        is_apart=is_apart,
        is_audited=is_audited,
    )


def test_of_a_run_for_the_rate_alone_reversals_count_for_the_questions_that_have_stopped():
    # Ten questions, four of them audited: two stayed open and are single, and one audited one that lay apart is too.
    events = [
        looked_at(0, 1, is_apart=False),
        looked_at(1, 1, is_apart=False, is_audited=True),
        looked_at(2, 2, is_apart=False),
        looked_at(3, 1, is_apart=True, is_audited=True),
        looked_at(4, 3, is_apart=True, is_audited=True),
        looked_at(5, 2, is_apart=True, is_audited=True),
        *(looked_at(position, 3, is_apart=True) for position in range(6, 10)),
    ]
    running = counter(*events).shown()
    (found,) = running.rates
    assert found.is_two_phase and found.value() == pytest.approx(2 / 10 + 1 / 4)
    assert (found.k, found.n, found.rate) == (4, 10, two_phase_rate(2, 10, 1, 4))
    # Before an audited one there is no estimate.
    assert [found.value(n) for n in (1, 2, 4)] == [None, 1.0, pytest.approx(2 / 4 + 1 / 2)]
    # Three samples do not compare with eight, and only the audited ones are a random part.
    assert running.histograms == {"jaccard": {1: 2, 2: 1, 3: 1}}


def test_a_stopped_question_with_a_missing_answer_counts_all_the_same():
    stopped = replace(looked_at(1, 2, is_apart=True), valid_samples=2)
    running = counter(looked_at(0, 1, is_apart=False, is_audited=True), stopped).shown()
    assert (running.rates[0].value(), running.skipped) == (0.5, 0)


def test_the_clustering_that_the_verdict_reads_comes_first():
    event = QuestionScored("q0", 0, {"jaccard": 1, "embedding": 2}, 2, 2, None)
    assert [rate.method for rate in counter(event).shown().rates] == ["embedding", "jaccard"]
