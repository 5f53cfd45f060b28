"""Places in a text that may hold markers."""

import pytest

from homogaudit.questions.marked_text import MarkedText


@pytest.mark.parametrize(
    ("text", "is_quoted"),
    [
        ("see `a M b` there", True),
        ("see `a` M there", False),
        ("see `a\nM` there", False),
        ("see `a M there", False),
        ('say "M" now', True),
        ("say “M” now", True),
        ('5"M" now', False),
        ("M", False),
    ],
)
def test_quotes_and_code_hold_within_a_line(text: str, is_quoted: bool):
    at = text.index("M")
    assert MarkedText(text).is_quoted(at, at + 1) is is_quoted


def test_a_block_of_code_has_two_fences_behind_the_start():
    text = "```\nM\n```\nN\n```\nO"
    places = MarkedText(text)
    assert places.is_in_fence(0, text.index("M"))
    assert not places.is_in_fence(1, text.index("M"))
    assert not places.is_in_fence(0, text.index("N"))
    # What opens and never closes is no block.
    assert not places.is_in_fence(0, text.index("O"))


def test_the_line_before_a_place_begins_no_earlier_than_asked():
    places = MarkedText("one two\n  three M")
    assert places.line_before(0, 16) == "three"
    assert places.line_before(12, 16) == "ree"
    assert places.line_before(0, 10) == ""
