"""The running rate: when it is shown, and which questions it covers."""

import pytest
from scipy import stats

from homogaudit.events import QuestionScored
from homogaudit.statistics.running_rate import RateCounter


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


def test_the_clustering_that_the_verdict_reads_comes_first():
    event = QuestionScored("q0", 0, {"jaccard": 1, "embedding": 2}, 2, 2, None)
    assert [rate.method for rate in counter(event).shown().rates] == ["embedding", "jaccard"]
