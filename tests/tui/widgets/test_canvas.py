from textual.content import Span

from homogaudit.tui.widgets.canvas import Canvas, fit, fit_name


def test_what_falls_outside_is_not_drawn() -> None:
    canvas = Canvas(4, 2)
    canvas.put(2, 0, "abcdef")
    canvas.put(-2, 1, "xyz")
    canvas.put(0, 5, "never")
    assert canvas.content().plain == "  ab\nz   "


def test_a_wide_character_takes_two_cells_and_is_never_halved() -> None:
    canvas = Canvas(4, 1)
    canvas.put(0, 0, "東京都")
    assert canvas.content().plain == "東京"
    canvas = Canvas(3, 1)
    canvas.put(0, 0, "東京")
    assert canvas.content().plain == "東 "


def test_a_combining_mark_joins_the_character_before_it() -> None:
    canvas = Canvas(3, 1)
    canvas.put(0, 0, "e\u0301f")
    assert canvas.content().plain == "e\u0301f "


def test_equal_styles_beside_each_other_become_one_span() -> None:
    canvas = Canvas(4, 2)
    canvas.put(1, 0, "ab", "bold")
    canvas.put(0, 1, "c", "italic")
    assert list(canvas.content().spans) == [Span(1, 3, "bold"), Span(5, 6, "italic")]


def test_brackets_are_text_and_no_markup() -> None:
    canvas = Canvas(8, 1)
    canvas.put(0, 0, "[red]x[/")
    content = canvas.content()
    assert content.plain == "[red]x[/"
    assert not content.spans


def test_fit_fills_and_cuts_to_cells() -> None:
    assert fit("ab", 4) == "ab  "
    assert fit("abcdef", 4) == "abc…"
    assert fit("東京都", 4) == "東… "
    assert fit("abc", 0) == ""


def test_a_name_that_is_too_long_keeps_what_tells_it_from_its_family() -> None:
    assert fit_name("semantic_entropy_embedding_rao", 24) == "s…_entropy_embedding_rao"
    assert fit_name("semantic_entropy_embedding_rao", 23) == "…_entropy_embedding_rao"
    assert fit_name("semantic_entropy_embedding_rao", 12) == "semantic_en…"
    assert fit_name("cocoa", 8) == "cocoa   "
