"""How long answers become under any limit."""

import numpy as np
import pytest

from homogaudit.records import Decoding
from homogaudit.statistics.answer_lengths import AnswerLengths


def lengths_of(lengths: np.ndarray, limit: int) -> AnswerLengths:
    found = AnswerLengths()
    for length in lengths.tolist():
        found.add(min(length, limit), is_ended=length < limit)
    return found


def test_what_answers_under_one_limit_say_of_shorter_and_longer_ones():
    # At each place an answer ends with chance 0.04: the mean under a limit L is the sum of 0.96^k for k = 1, ..., L.
    drawn = np.random.default_rng(0).geometric(0.04, 20_000) - 1
    for seen in (16, 100):
        found = lengths_of(drawn, seen)
        for limit in (8, 16, 40, 100, 200):
            expected = 0.96 * (1 - 0.96**limit) / 0.04
            assert found.mean(limit) == pytest.approx(expected, rel=0.03)
            assert found.mean(limit, limit / 2) == pytest.approx(0.96 * (1 - 0.96 ** (limit / 2)) / 0.04, rel=0.03)


@pytest.mark.parametrize("seen", [40, 100])
def test_an_octave_has_an_end_rate_of_its_own(seen: int):
    # Hardly an answer is short, and all end before 60 tokens: no one rate fits.
    drawn = np.random.default_rng(0).normal(30, 8, 5_000).round().clip(1, 60).astype(int)
    found = lengths_of(drawn, seen)
    for limit in (8, 16, 24, 32, 40):
        assert found.mean(limit) == pytest.approx(np.minimum(drawn, limit).mean(), rel=0.08)


def test_the_counts_are_those_of_a_hand_calculation():
    found = AnswerLengths()
    # Behind no token, behind 1 or 2, behind 3 to 6.
    found.add(1, is_ended=True)
    found.add(4, is_ended=False)
    assert found.counts == ([2, 2, 1], [0, 1, 0])
    # One end in 6 places: 0.5 ends among 3 places more. In the octaves 0.5 of 5, 1.5 of 6, and 0.5 of 4.
    first, second, third = 0.5 / 5, 1.5 / 6, 0.5 / 4
    alive = np.cumprod([1 - first, 1 - second, 1 - second, 1 - third])
    assert found.mean(4) == pytest.approx(alive.sum())
    # Of an answer that has two tokens.
    assert found.mean(4, 2) == pytest.approx((1 - second) * (1 + 1 - third))
    assert found.mean(2, 4) == 0.0


def test_without_an_end_every_answer_is_as_long_as_it_may_be():
    found = AnswerLengths()
    assert found.mean(100) == 100
    found.add(30, is_ended=False, answers=8)
    assert (found.mean(100), found.mean(100, 30.5), found.longest) == (100, 69.5, 30)


def test_answers_that_are_being_written_count_as_far_as_they_are():
    done = lengths_of(np.array([4, 5, 6]), 100)
    assert done.with_open([20] * 9).mean(100) > 3 * done.mean(100)
    assert done.with_open([0] * 9).counts == done.counts and done.longest == 6


def test_earlier_answers_count_for_half():
    late, early = AnswerLengths(), AnswerLengths()
    late.add(1, is_ended=False)
    early.add(2, is_ended=True, answers=4)
    assert late.after(early).counts == ([1 + 2, 2], [0, 2])


def test_the_greedy_answer_has_a_limit_of_its_own():
    decoding = Decoding(samples=9, max_tokens=40, greedy_max_tokens=200)
    assert AnswerLengths().mean_of(decoding) == (9 * 40 + 200) / 10
    assert AnswerLengths().mean_of(decoding, 50) == 150 / 10
    assert AnswerLengths().mean_of(decoding, most=20) == 20
