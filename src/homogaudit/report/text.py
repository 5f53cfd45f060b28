"""Text of others (answers, questions, names, paths) made safe to show on one line of a terminal or a table.

It does not know where the text is shown: markup is the formatter's matter.
"""

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # strings: titles, links, clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"  # the same control sequences in their one-character form
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, format characters (those that turn the writing direction among them), surrogates, private use, and line
separators. The joiners of emoji and of Indic scripts are lost with them, which changes looks and not words."""


def plain(text: str) -> str:
    """Return `text` as one line without terminal escapes and control characters.

    A new line, a tab or any other run of white space becomes one space.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    stripped = _ESCAPES.sub("", text)
    spaced = (" " if char.isspace() else char for char in stripped)
    visible = (char for char in spaced if char == " " or unicodedata.category(char) not in _INVISIBLE)
    return " ".join("".join(visible).split())


def shorten(text: str, width: int) -> str:
    """Return `plain(text)` cut to `width` characters, its end marked where it was cut."""
    line = plain(text)
    return line if len(line) <= width else line[: max(width - 3, 0)].rstrip() + "..."
