import math

import numpy as np
import pytest

from homogaudit.records import SignalValue
from homogaudit.store.signal_columns import signal_columns

_ROWS = [
    (0, "perplexity", 2.5, "", 0.25),
    (0, "sindex", None, "no embeddings", 0.0),
    (3, "perplexity", math.inf, "", 0.5),
    (3, "sindex", None, "no samples", 0.125),
    (9, "sindex", 1.0, "", 0.0),
]
_POSITIONS = {"a": 0, "b": 1, "c": 3}


def test_a_column_gives_back_what_was_stored_and_nothing_else() -> None:
    columns = signal_columns(_ROWS, _POSITIONS)
    assert columns == {
        "perplexity": {
            "a": SignalValue("a", "perplexity", 2.5, "", 0.25),
            "c": SignalValue("c", "perplexity", math.inf, "", 0.5),
        },
        "sindex": {
            "a": SignalValue("a", "sindex", None, "no embeddings", 0.0),
            "c": SignalValue("c", "sindex", None, "no samples", 0.125),
        },
    }


def test_a_question_without_a_value_is_not_in_the_column() -> None:
    column = signal_columns(_ROWS, _POSITIONS)["sindex"]
    assert list(column) == ["a", "c"] and len(column) == 2
    assert "b" not in column and column.get("b") is None and column.get("unknown") is None
    with pytest.raises(KeyError):
        column["b"]


def test_columns_are_read_by_place_and_a_row_of_no_question_is_left_out() -> None:
    columns = signal_columns(_ROWS, _POSITIONS)
    np.testing.assert_array_equal(columns["perplexity"].numbers, [2.5, math.nan, math.inf])
    assert columns["sindex"].seconds[2] == 0.125
    assert [columns["sindex"].reason_at(place) for place in (0, 1, 2)] == ["no embeddings", None, "no samples"]
    sindex = columns["sindex"]
    # One each: the first of those asked for. Where nothing is stored counts as no reason.
    assert [sindex.commonest_reason(np.array(x)) for x in ([2, 0], [0, 2], [0, 2, 2], [1, 1, 0])] == [
        "no samples",
        "no embeddings",
        "no samples",
        "",
    ]


def test_no_rows_are_no_columns() -> None:
    assert signal_columns([], _POSITIONS) == {} == signal_columns([], {})
