"""Which parameters one server takes, and a request in its words: chat completions and completions.

Knows no connection and asks nothing: `dialect_search` finds out which dialect a server speaks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from homogaudit.records import Decoding

_TOP_LOGPROBS = (20, 5, 0)
"""What is asked for in turn: vLLM and hosted chat models give 20 at most, hosted completions 5."""

THINKING_OFF: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Two names are in use for the same variable of a template.
        "chat_template_kwargs.enable_thinking": {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
        "think": {"think": False},
        "reasoning_effort: none": {"reasoning_effort": "none"},
        "reasoning.enabled": {"reasoning": {"enabled": False}},
        "thinking.type: disabled": {"thinking": {"type": "disabled"}},
        "enable_thinking": {"enable_thinking": False},
    }
)
"""How servers are told not to think, the most common first: templates (vLLM, SGLang, llama-server), Ollama, Ollama and
hosted models, OpenRouter, hosted models of several makers, DashScope."""

LESS_THINKING: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "reasoning_effort: minimal": {"reasoning_effort": "minimal"},
        "reasoning_effort: low": {"reasoning_effort": "low"},
        "reasoning.effort: low": {"reasoning": {"effort": "low"}},
    }
)
"""How those that always think are told to think less."""

_OF_LIMIT = re.compile(r"max_(?:completion_|output_|new_)?tokens|output tokens|new tokens|tokens to generate|n_predict")
_LEAST = re.compile(
    r"(?P<bound>>=?|≥|at least|no (?:fewer|less) than|minimum|"
    r"(?:greater|larger|more|higher) than(?: or equal to)?)\D{0,30}?(?P<number>\d+)"
)
_TOO_SMALL = re.compile(r"too (?:small|few|low|short)|below (?:the )?minimum|(?:higher|larger|increase) max")
_UNFINISHED = re.compile(r"could not finish|output limit was reached")
ROUND_LIMITS = (16, 32, 64, 128, 256, 512, 1024)
"""What is tried where a server wants more tokens and does not say how many."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which parameters one server takes.

    Attributes:
        chat: Whether prompts go to `chat/completions` rather than `completions`.
        extensions: Send `top_k`, `min_p` and the multiplicative repetition penalty, which OpenAI's own API lacks.
        top_k_off: What turns `top_k` off: -1, or 0 where -1 is refused.
        sampling: Send `temperature` and `top_p`; some hosted models refuse them.
        neutral_top_p: Send `top_p` where it is 1, too; some servers refuse it then, or beside a temperature.
        greedy_temperature: What the greedy answer is asked with: 0, or the lowest that is taken; `None` to send none.
        top_logprobs: How many log-probabilities a token to ask for; 0 for none.
        limit_name: `max_tokens`, or `max_completion_tokens`.
        least_tokens: Fewest that may be asked for.
        count: Send `n`, even for one answer.
        system_role: Send the system prompt as a message of its own; else it stands at the head of the user's turn.
        typed_content: Send a message's content as a list of typed parts.
        thinking_switch: What is sent against thinking, of `THINKING_OFF` or `LESS_THINKING`; empty for nothing.
    """

    chat: bool = True
    extensions: bool = True
    top_k_off: int = -1
    seed: bool = True
    seed_name: str = "seed"
    penalties: bool = True
    sampling: bool = True
    neutral_top_p: bool = True
    greedy_temperature: float | None = 0.0
    top_logprobs: int = _TOP_LOGPROBS[0]
    limit_name: str = "max_tokens"
    least_tokens: int = 1
    count: bool = True
    system_role: bool = True
    typed_content: bool = False
    thinking_switch: str = ""

    def without(self, reason: str) -> "Dialect | None":
        """Return the dialect to try after a refusal, `None` where the server names nothing that can be left out."""
        said = reason.casefold()
        return next((change for words, change in self._concessions() if re.search(words, said)), None)

    def bare(self) -> "Dialect":
        """Return the dialect that sends nothing but the prompt and the limit."""
        optional = ("extensions", "seed", "penalties", "sampling", "neutral_top_p", "count")
        return replace(self, top_logprobs=0, **dict.fromkeys(optional, False))

    def additions(self) -> "list[Dialect]":
        """Return what a bare dialect could send beside, one thing each, the most missed first."""
        found: list[Dialect] = []
        if not self.sampling:
            found.append(replace(self, sampling=True))
        found += [replace(self, top_logprobs=count) for count in _TOP_LOGPROBS if count > self.top_logprobs]
        if not self.seed:
            found.append(replace(self, seed=True))
        if not self.extensions:
            found += [replace(self, extensions=True, top_k_off=off) for off in (-1, 0)]
        if not self.penalties:
            found.append(replace(self, penalties=True))
        if not self.count:
            found.append(replace(self, count=True))
        if self.sampling and not self.neutral_top_p:
            found.append(replace(self, neutral_top_p=True))
        return found

    def _concessions(self) -> "list[tuple[str, Dialect]]":
        """Return what could be left out, the least missed first, with a pattern of the words by which servers name it.

        All words are lower case.
        """
        fewer = next((count for count in _TOP_LOGPROBS if count < self.top_logprobs), 0)
        found: list[tuple[str, Dialect]] = []
        if self.chat and not self.typed_content:
            parts = r"content\W.{0,60}(?:list|array|typed parts)|(?:list|array) of (?:typed |content )?parts"
            found.append((parts, replace(self, typed_content=True)))
        if self.extensions and self.top_k_off == -1:
            found.append(("top_k", replace(self, top_k_off=0)))
        if self.extensions:
            found.append(("top_k|min_p|repetition_penalty|repeat_penalty", replace(self, extensions=False)))
        if self.limit_name == "max_tokens":
            found.append(("max_completion_tokens", replace(self, limit_name="max_completion_tokens")))
        if self.top_logprobs:
            found.append(("logprobs|log probabilities", replace(self, top_logprobs=fewer)))
        if self.penalties:
            found.append(("presence_penalty|frequency_penalty|penalty is not", replace(self, penalties=False)))
        if self.seed and self.seed_name == "seed":
            # Mistral's word for it.
            found.append((r"\bseed\b", replace(self, seed_name="random_seed")))
        if self.seed:
            found.append((r"\b(?:random_)?seed\b", replace(self, seed=False)))
        if self.sampling and self.neutral_top_p:
            found.append(("top_p", replace(self, neutral_top_p=False)))
        if self.sampling:
            found.append(("temperature|top_p", replace(self, sampling=False)))
        if self.count:
            found.append((r"['\"`]n['\"`]|\bn (?:is|must|should)\b|parameter:? n\b", replace(self, count=False)))
        if self.limit_name == "max_tokens":
            found.append(("max_tokens", replace(self, limit_name="max_completion_tokens")))
        return found


def least_tokens(reason: str, asked: int) -> int | None:
    """Return how many tokens a server wants to be asked for at least, `None` where a refusal says nothing of it.

    One that does not name the limit is of it where it holds the number that was asked for.
    """
    said = reason.casefold()
    if not _OF_LIMIT.search(said) and not re.search(rf"\b{asked}\b", said):
        return None
    for match in _LEAST.finditer(said):
        is_open = match["bound"] == ">" or (match["bound"].endswith(" than") and not match["bound"].startswith("no "))
        least = int(match["number"]) + is_open
        if asked < least <= ROUND_LIMITS[-1]:
            return least
    if _TOO_SMALL.search(said):
        return next((limit for limit in ROUND_LIMITS if limit > asked), None)
    return None


def is_unfinished(reason: str) -> bool:
    """Whether a server refuses because the model has thought until the limit; others cut the answer there."""
    return bool(_UNFINISHED.search(reason.casefold()))


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
) -> dict[str, Any]:
    """Return one request with every sampling parameter set, because servers differ in their defaults.

    `model` is `None` where the server takes none, and `system`, which only chat has, is empty for none. Temperature 0,
    that of the greedy answer, goes without truncation. `seed` is in [0, 2^31).
    """
    request: dict[str, Any] = {"stream": False, dialect.limit_name: max(max_tokens, dialect.least_tokens)}
    if dialect.count or n > 1:
        request["n"] = n
    if model is not None:
        request["model"] = model
    is_greedy = temperature == 0.0
    if dialect.sampling:
        asked = dialect.greedy_temperature if is_greedy else temperature
        if asked is not None:
            request["temperature"] = asked
        top_p = 1.0 if is_greedy else decoding.top_p
        if dialect.neutral_top_p or top_p != 1.0:
            request["top_p"] = top_p
    if dialect.seed:
        request[dialect.seed_name] = seed
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
    request["messages"] = _messages(dialect, system, prompt)
    if dialect.top_logprobs:
        request |= {"logprobs": True, "top_logprobs": dialect.top_logprobs}
    if dialect.thinking_switch:
        request |= {**THINKING_OFF, **LESS_THINKING}[dialect.thinking_switch]
    return request


def _messages(dialect: Dialect, system: str, prompt: str) -> list[dict[str, Any]]:
    turns = [("user", prompt)]
    if system and dialect.system_role:
        turns.insert(0, ("system", system))
    elif system:
        turns = [("user", f"{system}\n\n{prompt}")]
    return [
        {"role": role, "content": [{"type": "text", "text": text}] if dialect.typed_content else text}
        for role, text in turns
    ]
