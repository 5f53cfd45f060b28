"""Requests and answers of OpenAI-compatible servers as JSON: chat completions and completions, both spellings.

Knows no connection. What a server sends is somebody else's: a value of another type than expected counts as absent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from homogaudit.records import Decoding

__all__ = ["Choice", "Dialect", "ServerToken", "Usage", "aligned_tokens", "choices_of", "payload", "usage_of"]

_TOP_LOGPROBS = (20, 5, 0)
"""What is asked for in turn: vLLM and hosted chat models give 20 at most, hosted completions 5."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which parameters one server takes.

    Attributes:
        chat: Whether prompts go to `chat/completions` rather than `completions`.
        extensions: Send `top_k`, `min_p` and the multiplicative repetition penalty, which OpenAI's own API lacks.
        top_k_off: What turns `top_k` off: -1, or 0 where -1 is refused.
        seed: Send a seed.
        penalties: Send `presence_penalty` and `frequency_penalty`.
        sampling: Send `temperature` and `top_p`; some hosted models refuse them.
        template_switches: Send the chat template's switches for thinking.
        top_logprobs: How many log-probabilities a token to ask for; 0 for none.
        limit_name: `max_tokens`, or `max_completion_tokens`.
        several: Ask for several answers in one request.
    """

    chat: bool = True
    extensions: bool = True
    top_k_off: int = -1
    seed: bool = True
    penalties: bool = True
    sampling: bool = True
    template_switches: bool = True
    top_logprobs: int = _TOP_LOGPROBS[0]
    limit_name: str = "max_tokens"
    several: bool = True

    def without(self, reason: str) -> "Dialect | None":
        """Return the dialect to try after a refusal, `None` where there is nothing left to leave out.

        Args:
            reason: What the server says; the parameter that it names goes first.
        """
        for names, change in self._concessions():
            if any(name in reason for name in names):
                return change
        return next((change for _, change in self._concessions()), None)

    def _concessions(self) -> list[tuple[tuple[str, ...], "Dialect"]]:
        """Return what could be left out, the least missed first, with the words by which servers name it."""
        fewer = next((count for count in _TOP_LOGPROBS if count < self.top_logprobs), 0)
        found: list[tuple[tuple[str, ...], Dialect]] = []
        if self.template_switches and self.chat:
            found.append((("chat_template_kwargs",), replace(self, template_switches=False)))
        if self.extensions and self.top_k_off == -1:
            found.append((("top_k",), replace(self, top_k_off=0)))
        if self.extensions:
            names = ("top_k", "min_p", "repetition_penalty", "repeat_penalty")
            found.append((names, replace(self, extensions=False)))
        if self.limit_name == "max_tokens":
            found.append((("max_completion_tokens",), replace(self, limit_name="max_completion_tokens")))
        if self.top_logprobs:
            found.append((("logprobs", "log probabilities"), replace(self, top_logprobs=fewer)))
        if self.penalties:
            found.append((("presence_penalty", "frequency_penalty"), replace(self, penalties=False)))
        if self.seed:
            found.append((("seed",), replace(self, seed=False)))
        if self.sampling:
            found.append((("temperature", "top_p"), replace(self, sampling=False)))
        return found


@dataclass(frozen=True, slots=True)
class ServerToken:
    """One token of an answer.

    Attributes:
        text: As bytes; a token can hold part of a character.
        logprob: ln p of it.
        head: ln p of the likeliest tokens, descending; empty where none were given.
        head_texts: Their texts.
    """

    text: bytes
    logprob: float
    head: tuple[float, ...] = ()
    head_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        reasoning: Thinking that the server has taken out of the text; empty where there is none.
        tokens: `None` where no log-probabilities were given.
    """

    index: int
    text: str
    finish_reason: str | None = None
    reasoning: str = ""
    tokens: tuple[ServerToken, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request as the server counts them; `None` where it does not say."""

    prompt: int | None
    completion: int | None


def payload(
    dialect: Dialect,
    *,
    model: str | None,
    prompt: str,
    system: str,
    decoding: Decoding,
    temperature: float,
    max_tokens: int,
    seed: int,
    n: int = 1,
    stop: Sequence[str] = (),
    thinking: bool = False,
) -> dict[str, Any]:
    """Return one request with every sampling parameter set, because servers differ in their defaults.

    Args:
        dialect: What the server takes.
        model: The model's name on the server; `None` where it takes none.
        prompt: The user's turn, or the whole prompt of a completion.
        system: Empty for none; chat only.
        decoding: Truncation; at temperature 0 none is sent.
        temperature: 0 for the greedy answer.
        max_tokens: Limit of each answer.
        seed: In [0, 2^31).
        n: Answers wanted.
        stop: Strings at which an answer ends.
        thinking: Whether to leave thinking on.
    """
    request: dict[str, Any] = {"stream": False, "n": n, dialect.limit_name: max_tokens}
    if model is not None:
        request["model"] = model
    is_greedy = temperature == 0.0
    if dialect.sampling:
        request |= {"temperature": temperature, "top_p": 1.0 if is_greedy else decoding.top_p}
    if dialect.seed:
        request["seed"] = seed
    if dialect.penalties:
        request |= {"presence_penalty": 0.0, "frequency_penalty": 0.0}
    if dialect.extensions:
        top_k = 0 if is_greedy else decoding.top_k
        request |= {"top_k": top_k or dialect.top_k_off, "min_p": 0.0 if is_greedy else decoding.min_p}
        # Two names are in use for the same penalty.
        request |= {"repetition_penalty": 1.0, "repeat_penalty": 1.0}
    if stop:
        request["stop"] = list(stop)
    if not dialect.chat:
        request["prompt"] = prompt
        if dialect.top_logprobs:
            request["logprobs"] = dialect.top_logprobs
        return request
    turns = [("system", system)] if system else []
    request["messages"] = [{"role": role, "content": text} for role, text in [*turns, ("user", prompt)]]
    if dialect.top_logprobs:
        request |= {"logprobs": True, "top_logprobs": dialect.top_logprobs}
    if dialect.template_switches:
        request["chat_template_kwargs"] = {"enable_thinking": thinking, "thinking": thinking}
    return request


def choices_of(answer: Mapping[str, Any], n: int) -> list[Choice]:
    """Return the answers in a reply, in the order of their index: the first of each index below `n`."""
    found: dict[int, Choice] = {}
    rows = answer.get("choices")
    for position, row in enumerate(rows if isinstance(rows, list) else []):
        if not isinstance(row, dict):
            continue
        index = row.get("index", position)
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
    return Usage(*(_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")))


def aligned_tokens(choice: Choice, completion_tokens: int | None) -> tuple[ServerToken, ...] | None:
    """Return the tokens that wrote an answer's text, `None` where log-probabilities and tokens do not match.

    The token that ends the answer, and what follows a stop string, write nothing.

    Args:
        choice: The answer.
        completion_tokens: Its tokens as the server counts them, the end included or not; `None` where not known.
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
    reasoning = ""
    if isinstance(message, dict):
        text = message.get("content")
        found = message.get("reasoning_content") or message.get("reasoning")
        reasoning = found if isinstance(found, str) else ""
        refusal = message.get("refusal")
        if text is None and (reasoning or isinstance(refusal, str)):
            text = refusal if isinstance(refusal, str) else ""
    else:
        text = row.get("text")
    reason = row.get("finish_reason")
    if text is None and isinstance(reason, str):
        text = ""
    if not isinstance(text, str):
        return None
    return Choice(index, text, reason if isinstance(reason, str) else None, reasoning, _tokens(row.get("logprobs")))


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
    if logprob is None:
        return None
    top = row.get("top_logprobs")
    pairs = [(x.get("token"), x.get("logprob")) for x in top if isinstance(x, dict)] if isinstance(top, list) else []
    return _token(_bytes(row), logprob, pairs)


def _completion_token(text: Any, value: Any, head: Any) -> ServerToken | None:
    logprob = _logprob(value)
    if logprob is None or not isinstance(text, str):
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
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
