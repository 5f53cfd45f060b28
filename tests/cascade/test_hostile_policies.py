"""A policy is read as somebody else's file: whatever it says, it decides, or is one clear error."""

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from homogaudit.cascade.policy import LARGEST, Cascade
from homogaudit.errors import UsageError

_FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
_STAGE = {"boundary": "confidence", "cost": 1.0, "mean": 0.5, "deviation": 0.2, "intercept": 0.1}
_POLICY = {
    "format": "homogaudit.cascade",
    "version": 1,
    "model": "m",
    "fingerprint": {"size": 12, "head_sha256": "ab"},
    "cost_kind": "calls",
    "stages": [
        {"signal": "a", "weights": [1.0], "lower": 0.3, "upper": 0.6, **_STAGE},
        {"signal": "b", "weights": [1.0, 0.5], "lower": 0.5, "upper": 0.5, **_STAGE},
    ],
    "questions": 20,
    "incorrect": 8,
    "held_out": {
        **dict.fromkeys(("auroc", "auroc_parallel", "difference", "saving"), _FIGURE),
        "recommended": True,
        "reason": "met",
    },
}
_NUMBERS = (
    "1" + "0" * 400,
    "-1" + "0" * 400,
    "9" * 5000,
    "1e308",
    "1e309",
    "-1e308",
    "5e-324",
    "-0.0",
    "-1",
    "NaN",
    "Infinity",
)
_OTHERS = (
    "null",
    "true",
    "[]",
    "{}",
    '""',
    '"\\ud800"',
    '"1"',
    '"nan"',
    "[" * 400 + "]" * 400,
    "[" * 30_000,
    "[null]",
    "[1e308]",
)
_PLACE = "@here@"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from _places(member, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {key: _changed(member, path[1:], new) if key == path[0] else member for key, member in value.items()}
    return [_changed(member, path[1:], new) if index == path[0] else member for index, member in enumerate(value)]


def _signed(policy: Any) -> Any:
    """Add the checksum, which says nothing of who wrote it."""
    text = json.dumps(policy, sort_keys=True, separators=(",", ":"))
    return {**policy, "checksum": "sha256:" + hashlib.sha256(text.encode()).hexdigest()}


@st.composite
def _policy_text(draw: st.DrawFn) -> str:
    """The text of a policy with up to two other values, its checksum anew where that can be computed."""
    policy, new = _POLICY, draw(st.lists(st.sampled_from(_NUMBERS + _OTHERS), min_size=1, max_size=2))
    for number, text in enumerate(new):
        path = draw(st.sampled_from([path for path in _places(policy) if path]))
        try:
            policy = _changed(policy, path, json.loads(text))
        except (ValueError, RecursionError):
            marked = json.dumps(_changed(policy, path, _PLACE + str(number)))
            return marked.replace(f'"{_PLACE}{number}"', text)
    try:
        return json.dumps(_signed(policy))
    except (ValueError, RecursionError):
        return "{"


def _use(text: str) -> None:
    cascade = Cascade.load(text)
    for values in ({"a": 0.45, "b": 1e308}, {"a": -1e308, "b": -1e308}, {"a": 0, "b": lambda: 0.0}):
        decision = cascade.decide(values)
        assert 0 <= decision.probability <= 1
        assert math.isfinite(decision.cost) and decision.cost >= 0
    assert cascade.policy.to_json()


def test_the_policy_that_is_changed_is_a_good_one() -> None:
    _use(json.dumps(_signed(_POLICY)))


@settings(max_examples=500)
@given(text=_policy_text())
@example(text="{" + '"a":{' * 5000)
@example(text="{" + " " * (LARGEST + 1))
def test_a_policy_with_any_value_decides_or_is_one_clear_error(text: str) -> None:
    try:
        _use(text)
    except UsageError as error:
        assert error.exit_code == 2
        assert "\n" not in error.message and len(error.message) < 500
