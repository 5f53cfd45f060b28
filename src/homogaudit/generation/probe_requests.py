"""One short question to a server in any dialect, and what came back of it. Judges neither."""

from dataclasses import dataclass
from typing import Any

from homogaudit.generation.dialect import Dialect, payload
from homogaudit.generation.openai_client import OpenAIClient
from homogaudit.generation.openai_format import Choice, Usage, choices_of, usage_of
from homogaudit.generation.server_errors import RefusedError, UnreachableError
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import Decoding, GenerationState, Prompting

_PROMPT = "Write a random number of ten digits and nothing else."
_BASE_PROMPT = "A random number of ten digits:"
"""Answers to it have no common beginning, and each digit is a chance to differ."""

PROBE_TOKENS = 12
"""Long enough that two independent answers are almost never equal, and short enough for a slow server."""

_SEED = 1001

_PARAMETERS = (
    "logprobs max_tokens max_completion_tokens temperature top_p top_k min_p seed presence_penalty frequency_penalty "
    "repetition_penalty repeat_penalty"
).split()
"""Named in a status 500, they are refused."""


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """What came back of one request: answers, `n` at most, and the tokens as the server counts them."""

    choices: tuple[Choice, ...]
    usage: Usage

    @property
    def first(self) -> Choice:
        """The first answer; an empty one where there is none."""
        return self.choices[0] if self.choices else Choice(0, "")

    @property
    def thinks(self) -> bool:
        """Whether the model was seen to think."""
        return bool(self.first.reasoning or self.usage.reasoning or self._told)

    @property
    def thoughts(self) -> int:
        """How much the model was seen to think, in characters or, where the server counts them, about as many."""
        if self.usage.reasoning:
            return 4 * self.usage.reasoning
        return len(self.first.reasoning) or self._told

    @property
    def _told(self) -> int:
        """How many characters of the text are thinking."""
        parsed = split_thinking(self.first.text, Prompting(), False)
        is_seen = parsed.family or parsed.state is GenerationState.THINKING_UNCLOSED
        return parsed.start if is_seen else 0

    @property
    def is_hidden(self) -> bool:
        """Whether a whole answer came as if it were thinking."""
        return not self.first.text.strip() and bool(self.first.reasoning) and self.first.finish_reason == "stop"


class ProbeRequests:
    """Asks one server one short question in any dialect."""

    def __init__(self, client: OpenAIClient, model: str | None) -> None:
        self.client = client
        self._model = model

    async def ask(
        self,
        dialect: Dialect,
        *,
        seed: int = _SEED,
        n: int = 1,
        decoding: Decoding | None = None,
        temperature: float = 1.0,
        max_tokens: int = PROBE_TOKENS,
        system: str = "",
        attempts: int | None = None,
    ) -> ProbeReply:
        """Return the reply.

        Raises:
            RefusedError: The server refuses it.
            UnreachableError: It is gone, or fails again and again.
            ModelError: The key is wrong, or the server redirects to another one.
        """
        request = payload(
            dialect,
            model=self._model,
            prompt=_PROMPT if dialect.chat else _BASE_PROMPT,
            system=system,
            decoding=decoding or Decoding(),
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            n=n,
        )
        path = "chat/completions" if dialect.chat else "completions"
        answer = await self.client.send(path, request, attempts=attempts, parameters=_PARAMETERS)
        return ProbeReply(tuple(choices_of(answer, n)), usage_of(answer))

    async def try_once(self, dialect: Dialect, **options: Any) -> ProbeReply | RefusedError:
        """Return the reply, or its refusal; a status 500 counts as one, and whoever relies on it asks again."""
        try:
            return await self.ask(dialect, attempts=1, **options)
        except RefusedError as refusal:
            return refusal
        except UnreachableError as failure:
            if failure.status in (500, 200):
                return RefusedError(failure.status, failure.error.message)
        # Busy, or gone: that says nothing of the dialect.
        try:
            return await self.ask(dialect, **options)
        except RefusedError as refusal:
            return refusal
