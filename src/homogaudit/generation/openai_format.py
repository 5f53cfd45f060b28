"""Answers of OpenAI-compatible servers as JSON: chat completions and completions, both spellings.

Knows no connection. What a server sends is somebody else's: a value of another type than expected counts as absent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete", "completed"})
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "max_new_tokens", "model_length", "token_limit"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"})
_BROKEN = frozenset({"error", "abort", "cancelled"})
"""The words of many servers for the end of an answer; those of the last kind are no answers."""

_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
"""Where servers put thinking that they have taken out of the text."""

_UNLIKELY = -9999.0
"""OpenAI's word for a token outside the likeliest: its log-probability is not known."""

_MOST_TOKENS = 2**31 - 1
"""No server counts more in earnest."""


@dataclass(frozen=True, slots=True)
class ServerToken:
    """One token of an answer.

    Attributes:
        text: As bytes; a token can hold part of a character.
        logprob: ln p of it.
        head: ln p of the likeliest tokens, descending; empty where none were given.
    """

    text: bytes
    logprob: float
    head: tuple[float, ...] = ()
    head_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        finish_reason: `stop`, `length` or `content_filter`; `None` where the server gives none, or one of its own.
        reasoning: Thinking that the server has taken out of the text; empty where there is none.
        tokens: `None` where no log-probabilities were given.
        unknown_reason: A finish reason of the server's own; empty where there is none.
    """

    index: int
    text: str
    finish_reason: str | None = None
    reasoning: str = ""
    tokens: tuple[ServerToken, ...] | None = field(default=None, repr=False)
    unknown_reason: str = ""

    @property
    def written(self) -> str:
        """All that the model wrote."""
        return self.reasoning + self.text


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request as the server counts them; `None` where it does not say."""

    prompt: int | None
    completion: int | None
    reasoning: int | None = None


def choices_of(answer: Mapping[str, Any], n: int) -> list[Choice]:
    """Return the answers in a reply, in the order of their index: the first of each index below `n`."""
    found: dict[int, Choice] = {}
    rows = answer.get("choices")
    for position, row in enumerate(rows if isinstance(rows, list) else []):
        if not isinstance(row, dict):
            continue
        index = row.get("index")
        index = position if index is None else index
        if not isinstance(index, int) or not 0 <= index < n or index in found:
            continue
        choice = _choice(index, row)
        if choice is not None:
            found[index] = choice
    return [found[index] for index in sorted(found)]


def usage_of(answer: Mapping[str, Any]) -> Usage:
    """Return the token counts of a reply."""
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("completion_tokens_details")
    thought = details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens")
    return Usage(*map(_count, (usage.get("prompt_tokens"), usage.get("completion_tokens"), thought)))


def aligned_tokens(choice: Choice, completion_tokens: int | None) -> tuple[ServerToken, ...] | None:
    """Return the tokens that wrote an answer's text, `None` where log-probabilities and tokens do not match.

    The token that ends the answer, and what follows a stop string, write nothing.

    `completion_tokens` is what the server counts, the end included or not; `None` where that is not known.
    """
    tokens = choice.tokens
    if tokens is None:
        return None
    text = choice.text.encode()
    joined = b"".join(token.text for token in tokens)
    # The answer may have lost the white space before it.
    start = 0 if joined.startswith(text) else len(joined) - len(joined.lstrip())
    if joined.startswith(text, start):
        return tokens[: _count_to(tokens, start + len(text))]
    # Tokens whose texts are only shown, such as halves of a character: the counts must agree then.
    if completion_tokens is None or len(tokens) not in (completion_tokens, completion_tokens - 1):
        return None
    if not choice.reasoning and not _legible(joined).startswith(_legible(text)):
        return None
    ends = choice.finish_reason == "stop" and len(tokens) == completion_tokens
    writes = bool(tokens) and bool(tokens[-1].text) and text.endswith(tokens[-1].text)
    return tokens[:-1] if ends and not writes else tokens


def _legible(text: bytes) -> str:
    """Return the characters that every server spells alike."""
    return "".join(char for char in text.decode(errors="ignore") if char.isascii() and char.isalnum())


def _count_to(tokens: Sequence[ServerToken], length: int) -> int:
    """Return how many tokens hold the first `length` bytes."""
    total = 0
    for number, token in enumerate(tokens):
        if total >= length:
            return number
        total += len(token.text)
    return len(tokens)


def _choice(index: int, row: Mapping[str, Any]) -> Choice | None:
    """Return one answer, `None` where there is no text at all, not even an empty one."""
    message = row.get("message")
    given = row.get("finish_reason")
    given = given if isinstance(given, str) else ""
    if row.get("error") or given.casefold() in _BROKEN:
        return None
    text: str | None
    reasoning = ""
    if isinstance(message, str):
        message = {"content": message}
    if isinstance(message, dict):
        text, reasoning = _content(message.get("content"))
        reasoning += next((found for name in _THOUGHTS if (found := _text(message.get(name)))), "")
        if text is not None and reasoning.strip() == text.strip():
            # Some servers give the answer in both places.
            reasoning = ""
        if text is None:
            # Without a text there may be thinking alone, a refusal, or the call of a tool.
            text = "" if reasoning or given else None
            text = _text(message.get("refusal")) or text
    else:
        text = row.get("text")
        text = text if isinstance(text, str) else "" if text is None and given else None
    if text is None:
        return None
    reason = _finish_reason(given)
    unknown = "" if reason else given
    return Choice(index, text, reason, reasoning, _tokens(row.get("logprobs")), unknown)


def _finish_reason(given: str) -> str | None:
    name = given.casefold()
    if name in _STOPPED:
        return "stop"
    if name in _CUT:
        return "length"
    return "content_filter" if name in _FILTERED else None


def _content(content: Any) -> tuple[str | None, str]:
    """Return the text and the thinking of a message's content, which may be a typed part or a list of these."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        # What asks for JSON alone may get a number for a number.
        content = str(content)
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return (content if isinstance(content, str) else None), ""
    text, thoughts = "", ""
    for part in content:
        kind = str(part.get("type", "")) if isinstance(part, dict) else ""
        if "thinking" in kind or "reasoning" in kind:
            thoughts += _text(part)
        else:
            text += _text(part)
    return (text if content else None), thoughts


def _text(value: Any, depth: int = 4) -> str:
    """Return the text in a string, a typed part, or a list of these; empty where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "".join(_text(part, depth - 1) for part in value)
    if isinstance(value, dict) and depth:
        names = ("text", "content", "thinking", "reasoning", "refusal", "summary")
        return next((found for name in names if (found := _text(value.get(name), depth - 1))), "")
    return ""


def _tokens(logprobs: Any) -> tuple[ServerToken, ...] | None:
    """Read log-probabilities in either spelling."""
    if not isinstance(logprobs, dict):
        return None
    content = logprobs.get("content")
    if isinstance(content, list):
        found = [_chat_token(row) for row in content]
    else:
        columns = [logprobs.get(name) for name in ("tokens", "token_logprobs")]
        if not all(isinstance(column, list) for column in columns) or len({len(x) for x in columns if x}) > 1:
            return None
        texts, values = ([*column] for column in columns if column is not None)
        heads = logprobs.get("top_logprobs")
        heads = heads if isinstance(heads, list) and len(heads) == len(texts) else [None] * len(texts)
        found = [_completion_token(*row) for row in zip(texts, values, heads, strict=True)]
    kept = [token for token in found if token is not None]
    return tuple(kept) if len(kept) == len(found) else None


def _chat_token(row: Any) -> ServerToken | None:
    if not isinstance(row, dict):
        return None
    logprob = _logprob(row.get("logprob"))
    if logprob is None or logprob <= _UNLIKELY:
        return None
    top = row.get("top_logprobs")
    pairs = [(x.get("token"), x.get("logprob")) for x in top if isinstance(x, dict)] if isinstance(top, list) else []
    return _token(_bytes(row), logprob, pairs)


def _completion_token(text: Any, value: Any, head: Any) -> ServerToken | None:
    logprob = _logprob(value)
    if logprob is None or logprob <= _UNLIKELY or not isinstance(text, str):
        return None
    return _token(text.encode(errors="replace"), logprob, list(head.items()) if isinstance(head, dict) else [])


def _token(text: bytes, logprob: float, pairs: Sequence[tuple[Any, Any]]) -> ServerToken:
    head = [(value, str(name)) for name, given in pairs if (value := _logprob(given)) is not None]
    head.sort(key=lambda pair: -pair[0])
    return ServerToken(text, logprob, tuple(value for value, _ in head), tuple(name for _, name in head))


def _bytes(row: Mapping[str, Any]) -> bytes:
    """Return a token's bytes: given as numbers, or as its text."""
    numbers = row.get("bytes")
    if isinstance(numbers, list) and all(isinstance(x, int) and 0 <= x < 256 for x in numbers):
        return bytes(numbers)
    return str(row.get("token", "")).encode(errors="replace")


def _logprob(value: Any) -> float | None:
    """Return a log-probability, a rounding above 0 as 0; `None` for what is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value) or value > 1e-3:
        return None
    return min(0.0, float(value))


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None
