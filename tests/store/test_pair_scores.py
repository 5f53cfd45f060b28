from collections.abc import Callable

import numpy as np

from homogaudit.store import RunFile


def test_scores_come_back_to_the_last_bit_for_their_model_and_their_direction(make_run: Callable[..., RunFile]) -> None:
    run = make_run()
    scores = np.asarray([0.1, 0.2, 0.7], dtype=np.float32)
    run.add_pair_scores("nli#1", {("a", "b"): scores, ("", "\ud800"): scores[::-1]})
    found = run.pair_scores("nli#1", [("a", "b"), ("b", "a"), ("", "\ud800"), ("a", "b")])
    assert set(found) == {("a", "b"), ("", "\ud800")}
    np.testing.assert_array_equal(found["a", "b"], scores)
    np.testing.assert_array_equal(found["", "\ud800"], scores[::-1])
    assert run.pair_scores("nli#2", [("a", "b")]) == {}
    assert run.pair_scores("nli#1", []) == {}


def test_scores_that_are_stored_again_take_the_place_of_the_first(make_run: Callable[..., RunFile]) -> None:
    run = make_run()
    for value in (0.25, 0.5):
        run.add_pair_scores("nli", {("a", "b"): np.full(3, value, dtype=np.float32)})
    np.testing.assert_array_equal(run.pair_scores("nli", [("a", "b")])["a", "b"], [0.5, 0.5, 0.5])
