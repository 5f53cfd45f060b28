"""Scripts that put no spaces between words, where word bigrams and word overlap mean little.

Knows code points, no languages.
"""

from collections.abc import Sequence

_SCRIPTS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # CJK ideographs, extension A
    (0x4E00, 0x9FFF),  # CJK ideographs
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0x20000, 0x323AF),  # CJK ideographs, further extensions
)
_MOSTLY = 0.5
"""A text counts as one without spaces where at least half of its letters belong to such a script."""


def has_no_word_spaces(texts: Sequence[str]) -> bool:
    """Whether the texts are mostly in a script that writes no spaces between words (Chinese, Japanese, Thai, ...).

    Word bigrams mean little for them: the `jaccard` clustering then deserves a warning.
    """
    letters = without_spaces = 0
    for text in texts:
        if text.isascii():
            letters += sum(map(str.isalpha, text))
            continue
        for char in text:
            if any(low <= ord(char) <= high for low, high in _SCRIPTS_WITHOUT_SPACES):
                letters += 1
                without_spaces += 1
            elif char.isalpha():
                letters += 1
    return letters > 0 and without_spaces >= _MOSTLY * letters
