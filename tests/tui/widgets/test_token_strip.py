import math

import pytest
from textual.style import Style

from homogaudit.tui.question_view import TokenView
from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.token_strip import draw_token_strip, strip_height, visible_token

TOKENS = [TokenView("The", 0.0), TokenView(" answer", 2.0), TokenView(".", 1.0)]


def strip(tokens: list[TokenView], width: int = 70, height: int = 3, *, color: bool = True) -> list[str]:
    return draw_token_strip(tokens, width, height, DARK_PALETTE, color=color).plain.split("\n")


def test_the_tokens_read_as_the_answer() -> None:
    assert strip(TOKENS)[0].rstrip() == "The answer."


def test_the_token_with_the_most_entropy_is_the_brightest_on_dark() -> None:
    content = draw_token_strip(TOKENS, 70, 2, DARK_PALETTE)
    fields = [
        span.style.background
        for span in content.spans
        if isinstance(span.style, Style) and span.start < len("The answer.")
    ]
    brightness = [field.brightness for field in fields if field is not None]
    assert brightness[1] == max(brightness)
    assert brightness[0] == min(brightness)


def test_the_legend_has_the_scale_and_the_extremes() -> None:
    legend = strip(TOKENS, 90)[-1]
    assert "2.00 nats" in legend
    assert "min 0.00, mean 1.00, max 2.00" in legend
    assert "3 tokens" in legend


def test_the_scale_of_a_calm_answer_ends_at_one_nat() -> None:
    assert "1.00 nats" in strip([TokenView("a", 0.1)])[-1]


def test_without_colour_bars_stand_under_the_tokens() -> None:
    lines = strip(TOKENS, height=3, color=False)
    assert lines[0].rstrip() == "The answer."
    assert lines[1].rstrip() == "▁▁▁███████▅"


def test_without_text_a_token_is_a_cell() -> None:
    lines = strip([TokenView(None, 0.0), TokenView(None, 1.0), TokenView(None, 2.0)], color=False, height=2)
    assert lines[0].rstrip() == " ░█"


def test_tokens_wrap_and_the_height_fits_them() -> None:
    tokens = [TokenView(" word", 0.5)] * 20
    assert strip_height(tokens, 20, color=True) == 6
    assert strip_height(tokens, 20, color=False) == 11
    assert [line.rstrip() for line in strip(tokens, 20, 6)[:5]] == [" word word word word"] * 5


def test_tokens_without_room_are_counted() -> None:
    # Eight words of five cells fill the one line of tokens.
    assert "+12 more" in strip([TokenView(" word", 0.5)] * 20, 40, 2)[-1]


def test_a_word_of_ten_thousand_characters_is_cut_into_lines() -> None:
    lines = strip([TokenView("x" * 10_000, 0.5)], 80, 126)
    assert "".join(lines[:125]) == "x" * 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" the", " the"),
        ("the ", "the "),
        ("\n", "↵"),
        ("a\n", "a↵"),
        (" ", " "),
        ("", "▯"),
        ("\x1b", "▯"),
        ("\x1b[31mred", "red"),
        ("[red]", "[red]"),
        ("\u202eabc", "abc"),
        ("東京", "東京"),
    ],
)
def test_a_token_loses_its_control_characters_and_keeps_its_space(text: str, shown: str) -> None:
    assert visible_token(text) == shown


def test_wide_tokens_never_leave_the_line() -> None:
    lines = strip([TokenView("東京", 0.5)] * 9, 7, 20)
    assert all("東京" in line and line.count("東京") == 1 for line in lines[:9])


def test_entropies_that_are_not_known_are_no_zero() -> None:
    lines = strip([TokenView("a", math.nan), TokenView("b", math.nan)])
    assert lines[0].rstrip() == "ab"
    assert "no entropies were recorded" in lines[-1]


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (20, 3), (5, 2)])
@pytest.mark.parametrize("color", [True, False])
def test_no_size_is_too_small(size: tuple[int, int], color: bool) -> None:
    assert all(len(line) <= size[0] for line in strip(TOKENS, *size, color=color))
