import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.report.text import plain, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07body", "body"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("a\nb\tc\r\nd", "a b c d"),
        ("back\x08space\x7f", "backspace"),
        ("\u202eturned\u202c", "turned"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
        ("caf\u00e9 \u4f60\u597d", "caf\u00e9 \u4f60\u597d"),
        ("  two   spaces ", "two spaces"),
        ("\x1b", ""),
    ],
)
def test_text_of_others_is_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in plain(text))


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_a_cut_text_is_marked_and_fits() -> None:
    assert shorten("a long answer", 9) == "a long..."
    assert shorten("short", 9) == "short"
