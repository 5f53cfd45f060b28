"""What stands around an answer and is no part of it: wrappers, and the control tokens that ended the turn."""

import re
from dataclasses import dataclass
from functools import cache

from homogaudit.questions.thinking_families import end_tokens, families

_TAGS = re.compile(r"</?[A-Za-z]")
"""Of markup; what is less than a number is none."""


@cache
def _end_pattern() -> re.Pattern[str]:
    return re.compile(rf"(?P<token>{'|'.join(map(re.escape, end_tokens()))})\s*\Z")


def without_end_tokens(text: str) -> tuple[str, str]:
    """Return a text without the control tokens that it ends with, and the first of them; empty for none."""
    token = ""
    longest = max(map(len, end_tokens()))
    while (end := len(text.rstrip())) and text[end - 1] in ">][":
        found = _end_pattern().search(text, max(0, end - longest), end)
        if found is None or (found["token"] == "</s>" and "<s>" in text):
            break
        text, token = text[: found.start()], found["token"]
    return text, token


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """What encloses an answer: `opened` and `closed` find it at the borders, `opens` and `closes` anywhere."""

    opening: str
    closing: str
    opened: re.Pattern[str] | None
    closed: re.Pattern[str]
    opens: re.Pattern[str] | None
    closes: re.Pattern[str]


@cache
def _wrappers() -> tuple[_Wrapper, ...]:
    pairs = dict.fromkeys(pair for family in families().values() for pair in family.wrappers)
    return tuple(
        _Wrapper(
            opens.casefold(),
            closes.casefold(),
            re.compile(r"\s*" + re.escape(opens), re.IGNORECASE) if opens else None,
            re.compile(re.escape(closes) + r"\s*\Z", re.IGNORECASE),
            re.compile(re.escape(opens), re.IGNORECASE) if opens else None,
            re.compile(re.escape(closes), re.IGNORECASE),
        )
        for opens, closes in pairs
    )


def without_wrapper(text: str, start: int, stop: int, *, has_thought: bool) -> tuple[int, int]:
    """Return the part of `text[start:stop]` that a wrapper encloses; where the limit cut it, what it opens.

    `has_thought` is whether thinking stands before that part. Without it, what does not close or holds further tags may
    be markup that was asked for.
    """
    for wrapper in _wrappers():
        opened = wrapper.opened.match(text, start, stop) if wrapper.opened else None
        begin = opened.end() if opened else start
        closed = wrapper.closed.search(text, begin, stop)
        end = closed.start() if closed else stop
        if wrapper.closes.search(text, begin, end) or (wrapper.opens and wrapper.opens.search(text, begin, end)):
            continue
        if (closed and not _TAGS.search(text, begin, end)) or ((closed or opened) and has_thought):
            return begin, end if closed else _without_part(text, begin, stop, wrapper.closing)
        if has_thought and wrapper.opening.startswith(text[begin:end].strip().casefold() or " "):
            return stop, stop
    return start, stop


def _without_part(text: str, start: int, stop: int, marker: str) -> int:
    """Return where `text[start:stop]` ends without the part of a marker that the limit left."""
    part = text[max(start, stop - len(marker)) : stop].casefold()
    longest = next((n for n in range(len(part), 1, -1) if marker.startswith(part[-n:])), 0)
    return stop - longest
