import pytest

from homogaudit.protocols.paths import Found, find, steps

VALUES = {
    "rate": {"value": 0.25, "low": 0.1, "high": 0.5, "k": 2, "n": 8},
    "none": {"value": None, "reason": "no labels"},
    "null": None,
    "pairs": [{"boundaries": ["B1", "B2"], "r": 0.1}, {"boundaries": ["B1", "B4"], "r": 0.3}],
    "points": [{"threshold": 0.85, "scr": 0.4}],
    "models": {"a": {"scr": 1}, "b": {"scr": {"value": None, "reason": "not clustered"}}},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rate", [Found((), VALUES["rate"])]),
        ("rate.low", [Found((), 0.1)]),
        ("pairs[boundaries=B1+B4].r", [Found((), 0.3)]),
        ("points[threshold=0.85].scr", [Found((), 0.4)]),
        ("pairs[boundaries=*].r", [Found(("B1+B2",), 0.1), Found(("B1+B4",), 0.3)]),
        ("models.*.scr", [Found(("a",), 1), Found(("b",), None, "not clustered")]),
    ],
)
def test_a_path_leads_to_a_figure(path: str, expected: list[Found]):
    assert find(VALUES, path) == expected


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        # What is undefined as a whole says why for everything in it.
        ("none.deeper.still", "no labels"),
        ("none[a=b].deeper", "no labels"),
        ("null.deeper", "not computed"),
        ("pairs[boundaries=B1+B5].r", "nothing with boundaries B1+B5"),
        ("rate.p", "`p` is not in the output"),
        ("null.*", "not computed"),
    ],
)
def test_a_path_that_ends_nowhere_gives_the_reason(path: str, reason: str):
    assert find(VALUES, path) == [Found((), None, reason)]


@pytest.mark.parametrize("path", ["", ".a", "a..b", "a[b]", "a[b=c"])
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(ValueError, match="path"):
        steps(path)
