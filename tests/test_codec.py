"""Records as JSON values and back."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from homogaudit.codec import STRICT, Count, Share, from_json, from_values, to_values


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    __pydantic_config__ = STRICT

    name: str
    points: tuple[Point, ...]
    facts: Mapping[str, Any]
    steps: Count = 0
    share: Share = 0.0


PATH = Path("a \ud800 half", (Point(1.5), Point(2.0, "end")), {"odd": [1, None]}, 3, 0.25)


def test_a_record_comes_back_as_it_was_half_a_surrogate_pair_included() -> None:
    text = json.dumps(to_values(PATH))
    assert from_values(Path, json.loads(text)) == PATH


def test_a_number_that_is_not_finite_is_null_where_anything_may_stand() -> None:
    assert to_values(Path("p", (), {"odd": [math.inf, math.nan]}))["facts"] == {"odd": [None, None]}


def test_a_rounding_error_beyond_a_limit_is_read() -> None:
    assert from_values(Path, to_values(PATH) | {"share": 1 + 1e-16 * 4}).share == 1 + 4e-16


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"more": 1}, "the key `more` is unknown"),
        ({"points": [{"label": "x"}]}, "the key `points.0.x` is missing"),
        ({"points": [{"x": 1, "y`\n": 2}]}, "the key `points.0.y\ufffd\ufffd` is unknown"),
        (
            {"points": [{"x": "far"}]},
            "`points.0.x`: input should be a valid number, unable to parse string as a number",
        ),
        ({"name": None}, "`name`: input should be a valid string"),
        ({"share": math.inf}, "`share`: input should be a finite number"),
    ],
)
def test_what_is_no_such_record_is_refused_in_one_line(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_values(Path, to_values(PATH) | values)
    assert str(caught.value) == problem


@pytest.mark.parametrize("change", [{"steps": "3"}, {"steps": True}, {"steps": 3.0}, {"share": "0.5"}, {"name": 1}])
def test_strict_text_takes_no_value_of_another_type(change: dict[str, Any]) -> None:
    values = to_values(PATH) | {"name": "p"}
    assert from_json(Path, json.dumps(values | {"share": 1})).share == 1.0
    with pytest.raises(ValueError, match=f"`{next(iter(change))}`: input should be"):
        from_json(Path, json.dumps(values | change))
