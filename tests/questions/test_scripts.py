import pytest

from homogaudit.questions.scripts import has_no_word_spaces


@pytest.mark.parametrize(
    "text",
    [
        "\u5df4\u9ece\u662f\u6cd5\u56fd\u7684\u9996\u90fd",
        "\u3053\u3093\u306b\u3061\u306f",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    ],
)
def test_chinese_japanese_and_thai_have_no_word_spaces(text: str) -> None:
    assert has_no_word_spaces([text])


def test_european_and_korean_texts_have_word_spaces() -> None:
    assert not has_no_word_spaces(
        ["Paris", "L'\u00e9t\u00e9", "\uc548\ub155 \uc138\uc0c1", "\u041f\u0440\u0438\u0432\u0435\u0442"]
    )
    assert not has_no_word_spaces(["The word \u4f60\u597d means hello"])
    assert not has_no_word_spaces([])
    assert not has_no_word_spaces(["123 !"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本の首都はどこですか", True),
        ("ท้องฟ้าทำไมสีฟ้า", True),
        ("하늘은 왜 파란가요?", False),
        ("What does 猫 mean?", False),
        ("Почему небо голубое?", False),
        ("12 + 7 = ?", False),
    ],
)
def test_scripts_without_spaces_are_told_from_the_others(text: str, expected: bool):
    assert has_no_word_spaces([text]) is expected
