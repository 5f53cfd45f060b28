"""Where things stand in a text that may hold markers: lines, quotes, blocks of code.

Each is looked for once a text: some hold a hundred thousand markers.
"""

import re
from bisect import bisect_left
from functools import cached_property

_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "\N{LEFT SINGLE QUOTATION MARK}": "\N{RIGHT SINGLE QUOTATION MARK}"}
_INDENT = 200
"""Characters of white space in a line beyond which what follows begins it."""


class MarkedText:
    """Answers questions about places in one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self._text)]

    @cached_property
    def _ticks(self) -> list[int]:
        return [found.start() for found in re.finditer("`", self._text)]

    @cached_property
    def _fences(self) -> list[int]:
        return [found.start() for found in _FENCE.finditer(self._text)]

    def line_before(self, start: int, at: int) -> str:
        """Return the end of what stands in the line before `at`, no further back than `start`; empty for nothing."""
        line = bisect_left(self._lines, at)
        begin = self._lines[line - 1] + 1 if line else 0
        return self._text[max(start, begin, at - _INDENT) : at].strip()

    def is_quoted(self, start: int, stop: int) -> bool:
        """Whether `text[start:stop]` stands in quotes or in a line's code."""
        text = self._text
        before, after = text[start - 1 : start], text[stop : stop + 1]
        opening = text[start - 2 : start - 1] if start > 1 else ""
        if _QUOTES.get(before) == after and (not opening or opening.isspace() or opening in "([{"):
            return True
        line = bisect_left(self._lines, start)
        begin = self._lines[line - 1] + 1 if line else 0
        behind = bisect_left(self._lines, stop)
        end = self._lines[behind] if behind < len(self._lines) else len(text)
        ticks = bisect_left(self._ticks, start) - bisect_left(self._ticks, begin)
        return ticks % 2 == 1 and bisect_left(self._ticks, end) > bisect_left(self._ticks, stop)

    def is_in_fence(self, start: int, at: int) -> bool:
        """Whether a place lies in a block of code that began at or behind `start`."""
        before = bisect_left(self._fences, at)
        return (before - bisect_left(self._fences, start)) % 2 == 1 and before < len(self._fences)
