"""From what a model wrote to its answer: thinking left out, wrappers taken off.

Knows the markers of `thinking_families` and texts; knows neither templates nor tokens. An answer is always one part of
its text, so that whoever has its tokens can tell which of them are the answer's.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

from homogaudit.questions.answer_wrappers import without_end_tokens, without_wrapper
from homogaudit.questions.marked_text import MarkedText
from homogaudit.questions.thinking_families import Channels, Family, families, known, own_markers
from homogaudit.records import GenerationState, Prompting

_LINK = re.compile(r"\s*(?:and|or)\s*", re.IGNORECASE)
_LINK_IN_SENTENCE = re.compile(r"\s*(?:and|or|to|/|,|\.{3}|…)?\s*", re.IGNORECASE)
"""What stands between two markers that are only spoken of."""

_LEAST_PART = 4
"""Characters of a marker that was cut off by the limit and stands alone, below which it may be anything."""


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The answer in a model's text.

    Attributes:
        answer: Without thinking and surrounding white space; empty unless `state` is valid.
        start: Offset in the text, in characters, where the part that holds the answer begins; the length of the text
            where the thinking never ends. `text[start:stop].strip()` is the answer.
        closes_unopened: Whether it closes thinking that it never opened.
        family: Of the markers of the thinking that was left out or never closed; empty where there are none.
        end_token: The control token at the end of the text that is no part of the answer; empty where there is none.
    """

    answer: str
    state: GenerationState
    start: int
    stop: int
    closes_unopened: bool = False
    family: str = ""
    end_token: str = ""


@dataclass(frozen=True, slots=True)
class _Marker:
    """What one marker of a pair does, and whose it is."""

    family: str
    pair: tuple[str, str]
    opens: bool


@dataclass(slots=True)
class _Found:
    """Where the answer stands in a text, as far as it is read."""

    start: int = 0
    stop: int = 0
    family: str = ""
    is_open: bool = False
    closes_unopened: bool = False


def split_thinking(
    text: str, prompting: Prompting, starts_in_thinking: bool, names: Collection[str] = ()
) -> ParsedAnswer:
    """Return the answer in what a model wrote: what follows its thinking, without what encloses it.

    Thinking that is never closed is no answer (`thinking_unclosed`); nothing but white space is `empty`. A marker that
    is only spoken of, in quotes, in code or within a sentence, is text like any other.

    Markers of `prompting` other than the default ones are the only ones. `starts_in_thinking` is whether the prompt
    opened thinking and left it open, and `names` are the families that the model is known to use.
    """
    written, token = without_end_tokens(text)
    if own_markers(prompting):
        found = _read_own(written, prompting.think_open, prompting.think_close, starts_in_thinking)
    elif not starts_in_thinking and not names and not may_hold_markers(text):
        found = _Found(0, len(written))
    elif (in_channels := _read_channels(text, starts_in_thinking, names)) is not None:
        # What ends a turn elsewhere may end one of its messages.
        found = in_channels
        found.stop = found.start + len(without_end_tokens(text[found.start : found.stop])[0])
    else:
        found = _read_prose(written, starts_in_thinking, names) or _read_pairs(written, starts_in_thinking)
        if not found.is_open:
            found.start, found.stop = without_wrapper(written, found.start, found.stop, has_thought=bool(found.family))
    return replace(_answer(text, found), end_token=token)


def split_at(text: str, think_open: str, think_close: str) -> ParsedAnswer:
    """Return the answer in a text whose only markers are these, wherever in it they stand."""
    return _answer(text, _read_own(text, think_open, think_close, False))


def locate_answer(parsed: ParsedAnswer, text: str, other: str) -> ParsedAnswer:
    """Return where the answer of one text stands in another, which may lack its thinking or what encloses it.

    `other` ends with the answer of `text` as well; where it does not hold it, all of it counts as the answer's.
    """
    if other == text or not parsed.answer:
        return parsed if other == text else replace(parsed, start=len(other), stop=len(other))
    # From behind: thinking may hold the same words. What encloses an answer ends with no letter of it.
    behind = text[parsed.start : parsed.stop].rstrip()
    rest = text[parsed.start + len(behind) :]
    kept = other.removesuffix(rest) if rest else other
    start = kept.rfind(parsed.answer)
    start = other.rfind(parsed.answer) if start < 0 else start
    start, stop = (start, start + len(parsed.answer)) if start >= 0 else (0, len(other))
    return replace(parsed, start=start, stop=stop)


def leaves_thinking(prompt: str, prompting: Prompting, names: Collection[str]) -> bool:
    """Whether a prompt opens thinking and leaves it open.

    `prompt` is its own text behind the question, and `names` are the families that the template uses.
    """
    pairs = [(prompting.think_open, prompting.think_close)]
    if not own_markers(prompting):
        chosen = known(names)
        for family in chosen:
            if family.channels is not None and (parts := _parts(prompt, family.channels, False)):
                return _is_thought(parts[-1].channel, family.channels)
        pairs += [pair for family in chosen for pair in family.pairs]
        if any(_last(opens, prompt) > _last(closes, prompt) for f in chosen for opens, closes in f.prose):
            return True
    return any(o and c and prompt.rfind(o) > prompt.rfind(c) for o, c in pairs)


@cache
def _any_marker() -> re.Pattern[str]:
    """Return what finds a text that may hold a marker, quickly: most texts hold none.

    Its search skips to the characters that begin markers, as it could not if the case of letters mattered there.
    """
    rest: dict[str, list[str]] = {}
    for family in families().values():
        patterns = [_as_pattern(text) for pair in (*family.pairs, *family.wrappers) for text in pair if text]
        patterns += [re.escape(text) for text in (family.channels.signature if family.channels else ())]
        for pattern in patterns:
            first = pattern[:2] if pattern[0] == "\\" else pattern[0]
            rest.setdefault(first, []).append(pattern[len(first) :])
    first_ones = "".join(rest)
    cased = [f"(?<={first})(?i:{'|'.join(dict.fromkeys(patterns))})" for first, patterns in rest.items()]
    return re.compile(f"[{first_ones}](?:{'|'.join(cased)})")


def may_hold_markers(text: str) -> bool:
    """Whether any known marker, or the beginning of one, stands in a text."""
    if _any_marker().search(text) or _is_cut_marker(text):
        return True
    begin = len(text) - len(text.lstrip())
    return any(opens.match(text, begin) for family in families().values() for opens, _ in family.prose)


def _answer(text: str, found: _Found) -> ParsedAnswer:
    end = len(text)
    if found.is_open:
        return ParsedAnswer("", GenerationState.THINKING_UNCLOSED, end, end, found.closes_unopened, found.family)
    answer = text[found.start : found.stop].strip()
    state = GenerationState.VALID if answer else GenerationState.EMPTY
    return ParsedAnswer(answer, state, found.start, found.stop, found.closes_unopened, found.family)


def _read_own(text: str, think_open: str, think_close: str, starts_in_thinking: bool) -> _Found:
    """Split at markers that the user named; they are taken at their word wherever they stand."""
    closed = text.rfind(think_close) if think_close else -1
    start = closed + len(think_close) if closed >= 0 else 0
    is_open = bool(think_open) and think_open in text[start:]
    is_open = is_open or (starts_in_thinking and closed < 0)
    is_unopened = closed >= 0 and not starts_in_thinking and (not think_open or think_open not in text[:closed])
    return _Found(start, len(text), "", is_open, is_unopened and bool(text[:closed].strip()))


# Messages in channels


@dataclass(frozen=True, slots=True)
class _Part:
    """One message: `text[start:stop]`; its channel is `None` where no header names it."""

    channel: str | None
    start: int
    stop: int
    is_closed: bool


_THOUGHTS = "*"
"""The channel that a prompt opened, whatever its name."""

_CALL = "call"
"""Stands for any message that is meant for a tool."""


def _read_channels(text: str, starts_in_thinking: bool, names: Collection[str]) -> _Found | None:
    """Read a text of messages in channels, `None` where it is none."""
    for family in families().values():
        channels = family.channels
        if channels is None:
            continue
        # The family that is known needs less to be recognized: its thoughts may have begun in the prompt.
        is_known = family.name in names
        if not is_known and not any(_stands_in(text, mark) for mark in channels.signature):
            continue
        parts = _parts(text, channels, starts_in_thinking)
        if not parts and not starts_in_thinking and any(mark in text for mark in channels.begins):
            parts = [_Part(None, 0, len(text), False)]
        if parts:
            return _choose_part(text, family, channels, parts)
    return None


def _stands_in(text: str, mark: str) -> bool:
    """Whether a marker stands in a text otherwise than in quotes."""
    places = MarkedText(text)
    return any(not places.is_quoted(found.start(), found.end()) for found in re.finditer(re.escape(mark), text))


def _parts(text: str, channels: Channels, starts_in_thinking: bool) -> list[_Part]:
    """Split a text at its headers and ends; empty where it has neither."""
    marks = sorted((*channels.header.finditer(text), *channels.end.finditer(text)), key=lambda found: found.start())
    parts: list[_Part] = []
    channel = _THOUGHTS if starts_in_thinking else None
    position = 0
    for mark in marks:
        if mark.start() < position:
            continue
        is_header = mark.re is channels.header
        parts.append(_Part(channel, position, mark.start(), not is_header))
        channel = _channel(mark) if is_header else None
        position = mark.end()
    if marks:
        parts.append(_Part(channel, position, len(text), False))
    return parts


def _channel(header: re.Match[str]) -> str | None:
    groups = header.groupdict()
    return _CALL if groups.get("to") or groups.get("to0") else groups["channel"]


def _is_thought(channel: str | None, channels: Channels) -> bool:
    if channel is None or channel in channels.answers or channel in channels.remarks or channel == _CALL:
        return False
    return channel == _THOUGHTS or channel in channels.thinks or "*" in channels.thinks


def _choose_part(text: str, family: Family, channels: Channels, parts: Sequence[_Part]) -> _Found:
    """Return the message that is the answer: the last one in its channel, else what follows the last end."""
    thoughts = [part for part in parts if _is_thought(part.channel, channels)]
    found = _Found(len(text), len(text), family.name if thoughts else "")
    plain = [part for part in parts if part.channel is None]
    # Thoughts whose header stands in the prompt end like a message and have none.
    first = parts[0]
    goes_on = any(part.channel is not None or _has_text(text, part) for part in parts[1:])
    if first.channel is None and first.is_closed and _has_text(text, first) and goes_on:
        found.closes_unopened, found.family = True, family.name
        plain = plain[1:]
    answers = [part for part in parts if part.channel is not None and part.channel in channels.answers]
    remarks = [part for part in parts if part.channel in channels.remarks]
    last_thought = thoughts[-1].stop if thoughts else -1
    plain = [part for part in plain if part.start >= last_thought and _has_text(text, part)]
    if not answers and parts[-1].channel is not None and parts[-1] in thoughts:
        found.is_open = True
        return found
    for candidates in (answers, plain, remarks):
        if candidates:
            part = next((x for x in reversed(candidates) if _has_text(text, x)), candidates[-1])
            found.start, found.stop = part.start, part.stop
            cut = [at for mark in channels.begins if (at := text.find(mark, part.start, part.stop)) >= 0]
            if part.channel is None and cut:
                found.stop = min(cut)
                # A header that was cut off: what it would have said is not known, and before it nobody thought.
                found.is_open = not thoughts and not text[found.start : found.stop].strip()
            return found
    return found


def _has_text(text: str, part: _Part) -> bool:
    return bool(text[part.start : part.stop].strip())


# Markers of plain words


def _read_prose(text: str, starts_in_thinking: bool, names: Collection[str]) -> _Found | None:
    """Read a text that tells its thinking in plain words, `None` where it does not."""
    begin = len(text) - len(text.lstrip())
    for family in families().values():
        for opens, closes in family.prose:
            opened = opens.match(text, begin)
            if opened is None and not (starts_in_thinking and family.name in names):
                continue
            closed = closes.search(text, opened.end() if opened else 0)
            if closed is not None:
                return _Found(closed.end(), len(text), family.name)
            if opened is not None and family.name in names:
                return _Found(family=family.name, is_open=True)
    return None


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in pattern.finditer(text)), default=-1)


# Pairs of markers


@cache
def _markers() -> dict[str, _Marker]:
    """Return what each marker of a pair does; one that several families use belongs to the last, the plainest one."""
    table: dict[str, _Marker] = {}
    for family in families().values():
        for pair in family.pairs:
            for text, opens in zip(pair, (True, False), strict=True):
                if text:
                    table[text.casefold()] = _Marker(family.name, pair, opens)
    return table


_TAG = re.compile(r"<(/?)([\w:]+)>")
_REST_OF_TAG = re.compile(r"\s[^<>]*(?=>\Z)")


@cache
def _marker_pattern() -> re.Pattern[str]:
    longest_first = sorted(_markers(), key=len, reverse=True)
    return re.compile("|".join(map(_as_pattern, longest_first)), re.IGNORECASE)


def _as_pattern(marker: str) -> str:
    """Return what finds a marker; one in the form of a tag may have attributes, and white space at its end."""
    tag = _TAG.fullmatch(marker)
    if tag is None:
        return re.escape(marker)
    rest = r"\s*" if tag[1] else r"(?:\s[^<>]{0,200})?"
    return f"<{tag[1]}{re.escape(tag[2])}{rest}>"


@dataclass(frozen=True, slots=True)
class _Mark:
    """One marker in a text: where it stands, what it does, and where the next one stands that closes its pair."""

    start: int
    stop: int
    marker: _Marker
    closed: tuple[int, int] | None


def _marks(text: str) -> list[_Mark]:
    """Return the markers of a text, in their order."""
    table = _markers()
    closers: dict[tuple[str, str], tuple[int, int]] = {}
    found: list[_Mark] = []
    for match in reversed(list(_marker_pattern().finditer(text))):
        spelled = match[0].casefold()
        marker = table.get(spelled) or table[_REST_OF_TAG.sub("", spelled)]
        found.append(_Mark(match.start(), match.end(), marker, closers.get(marker.pair)))
        if not marker.opens:
            closers[marker.pair] = match.span()
    return found[::-1]


def _read_pairs(text: str, starts_in_thinking: bool) -> _Found:
    """Go through the markers of a text: each pair closes its own, and the answer follows the last that closes."""
    found = _Found(0, len(text), is_open=starts_in_thinking)
    places = MarkedText(text)
    inside: _Marker | None = None
    skipped = 0
    for mark in _marks(text):
        marker = mark.marker
        if mark.start < skipped:
            continue
        if found.is_open:
            closes = not marker.opens and (inside is None or inside.pair == marker.pair)
            if closes and not places.is_quoted(mark.start, mark.stop):
                found.is_open, found.start, found.family = False, mark.stop, marker.family
        elif places.is_quoted(mark.start, mark.stop) or places.is_in_fence(found.start, mark.start):
            continue
        elif marker.opens:
            end = _spoken_of(text, places.line_before(found.start, mark.start), mark)
            if end:
                skipped = end
                continue
            found.is_open, found.family, inside = True, marker.family, marker
        else:
            if not found.family:
                found.closes_unopened = bool(text[: mark.start].strip())
            found.start, found.family = mark.stop, marker.family
    if not found.is_open and not found.family and _is_cut_marker(text):
        found.is_open = True
    return found


def _spoken_of(text: str, line: str, mark: _Mark) -> int:
    """Return where the mention of an opening marker ends, 0 where it opens thinking.

    Thinking begins a text or a line. Within a sentence a marker that is never closed is a word of it, and so are two
    with little between them but `and`.
    """
    if mark.closed:
        link = _LINK_IN_SENTENCE if line else _LINK
        return mark.closed[1] if link.fullmatch(text, mark.stop, mark.closed[0]) else 0
    if not line or not mark.marker.pair[0][1:-1].isalpha():
        return 0
    before, after = text[mark.start - 1], text[mark.stop : mark.stop + 1]
    is_within_sentence = before == "(" or (before.isspace() and (line[-1].isalnum() or line[-1] in ",;"))
    return mark.stop if is_within_sentence and not after.isalnum() and after != "\n" else 0


def _is_cut_marker(text: str) -> bool:
    """Whether a text is nothing but the beginning of an opening marker: the limit cut it off."""
    part = text.strip().casefold()
    if len(part) < _LEAST_PART or part[0].isalnum():
        return False
    return any(m.opens and len(part) < len(text) and text.startswith(part) for text, m in _markers().items())
