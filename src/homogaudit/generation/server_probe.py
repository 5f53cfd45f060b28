"""What a server is asked before the first draw: which parameters it takes, honours or ignores.

Servers ignore what they do not know without a word, and ten equal answers out of a cache look like homogenization. It
draws nothing that is stored.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from homogaudit.errors import ModelError
from homogaudit.generation.dialect import Dialect
from homogaudit.generation.dialect_search import DialectFound, DialectSearch
from homogaudit.generation.openai_client import OpenAIClient
from homogaudit.generation.openai_format import Choice, aligned_tokens
from homogaudit.generation.probe_requests import ProbeReply, ProbeRequests
from homogaudit.generation.server_errors import RefusedError, UnreachableError
from homogaudit.generation.top_k_entropy import is_truncated
from homogaudit.records import Decoding

_SEEDS = tuple(range(1001, 1011))
_CHOICES = 4

_SAME_HEAD = 0.15
"""Median difference of log-probabilities, nats, that rounding and batching on a GPU stay below."""

_CHANCE = 1e-3
"""Equal answers that are less likely than this are no chance."""

_ENTROPY_SIGNALS = ("token_entropy_mean", "token_entropy_max", "token_entropy_std", "high_entropy_ratio")
_LIKELIHOOD_SIGNALS = ("negative_log_likelihood", "perplexity")
"""What is read from the tokens of the greedy answer: the second needs no more than their own log-probabilities."""


@dataclass(frozen=True, slots=True)
class ServerFacts(DialectFound):
    """What a server does with the parameters, beside the dialect that it speaks; `None` where it cannot be told.

    Attributes:
        honours_n: Whether it gives several independent answers at once.
        honours_seed: Whether equal seeds give equal answers and others do not.
        honours_top_k: Whether `top_k` 1 leaves only the likeliest token.
        top_logprobs: Log-probabilities it gives of each token, k; 0 for none.
        no_statistics: Why its log-probabilities are of no use; empty where they are.
    """

    honours_n: bool = False
    honours_seed: bool | None = None
    honours_top_k: bool | None = None
    honours_min_p: bool | None = None
    top_logprobs: int = 0
    no_statistics: str = ""


class ServerProbe:
    """Asks one server short questions.

    `mode` is `chat`, `base`, or `auto` for chat where the server can; `listed` are the models that the server lists
    beside this one.
    """

    def __init__(
        self,
        client: OpenAIClient,
        model: str | None,
        mode: str,
        *,
        thinking: bool = False,
        listed: tuple[str, ...] = (),
    ) -> None:
        self._requests = ProbeRequests(client, model)
        self._search = DialectSearch(self._requests, mode, thinking=thinking, listed=listed, model=model)

    async def run(self) -> ServerFacts:
        """Return what the server does with each parameter.

        Raises:
            ModelError: It answers no request at all, or refuses one that is like another.
            EngineError: It is gone.
        """
        found = await self._search.run()
        try:
            return await self._facts(found)
        except UnreachableError as gone:
            raise gone.error from gone
        except RefusedError as refusal:
            url = self._requests.client.address.url
            message = f"the server `{url}` refuses a request that it has just answered: {refusal.reason}"
            raise ModelError(message, "is there a limit of requests, or a filter before the model?") from refusal

    async def _facts(self, found: DialectFound) -> ServerFacts:
        dialect = found.dialect
        self._dialect, self._tokens = dialect, found.tokens
        reply = found.reply if not dialect.thinking_switch else await self._ask(seed=_SEEDS[0])
        first = reply.first
        one, other, several, top_k, min_p = await asyncio.gather(
            self._written(seed=_SEEDS[0]),
            self._written(seed=_SEEDS[1]),
            self._several(),
            self._keeps_the_likeliest(Decoding(top_k=1)),
            self._keeps_the_likeliest(Decoding(min_p=1.0)),
        )
        written = first.written
        warnings = list(found.warnings)
        seed: bool | None = None
        if one and other and written != other:
            seed = dialect.seed and written == one
            if not seed:
                warnings.append("the server ignores the seed: this run cannot be repeated draw by draw")
        elif written and not found.thinks:
            # Thoughts begin alike.
            warnings += await self._look_for_cache(first)
        varies = written != other or written != one
        honours_n = len(several) == _CHOICES and (not varies or len(set(several)) > 1)
        verb = "ignores" if dialect.extensions else "takes no"
        for name, honoured in (("top_k", top_k), ("min_p", min_p)):
            if honoured is False and varies:
                warnings.append(
                    f"the server {verb} `{name}`: where its own default is not off, answers are more alike than the "
                    "model's"
                )
        k, fault = _log_probabilities(first, reply.usage.completion)
        if found.drawn_greedy:
            names = (*_ENTROPY_SIGNALS, *_LIKELIHOOD_SIGNALS) if k else _LIKELIHOOD_SIGNALS
            read = f"signals read from their tokens ({', '.join(f'`{name}`' for name in names)})"
            are = "" if fault else f"; {read} are those of a draw, not of the likeliest answer"
            warnings.insert(0, found.drawn_greedy + are)
        if fault:
            warnings.append(f"no token statistics: {fault}")
        told: dict[str, Any] = {field.name: getattr(found, field.name) for field in fields(found)}
        told["warnings"] = tuple(warnings)
        return ServerFacts(
            **told,
            honours_n=honours_n,
            honours_seed=seed,
            honours_top_k=top_k if varies else None,
            honours_min_p=min_p if varies else None,
            top_logprobs=k,
            no_statistics=fault,
        )

    async def head(self, dialect: Dialect, decoding: Decoding, temperature: float) -> dict[str, float]:
        """Return ln p of the likeliest first tokens under these parameters, by their text.

        Raises:
            RefusedError: The server refuses them.
            EngineError: It is gone.
        """
        try:
            reply = await self._requests.ask(dialect, max_tokens=1, decoding=decoding, temperature=temperature)
        except UnreachableError as gone:
            raise gone.error from gone
        tokens = reply.first.tokens
        return dict(zip(tokens[0].head_texts, tokens[0].head, strict=True)) if tokens else {}

    async def _ask(self, **options: Any) -> ProbeReply:
        return await self._requests.ask(self._dialect, max_tokens=self._tokens, **options)

    async def _try(self, **options: Any) -> ProbeReply | RefusedError:
        return await self._requests.try_once(self._dialect, max_tokens=self._tokens, **options)

    async def _written(self, **options: Any) -> str:
        return (await self._ask(**options)).first.written

    async def _several(self) -> list[str]:
        reply = await self._try(seed=_SEEDS[2], n=_CHOICES)
        return [] if isinstance(reply, RefusedError) else [choice.written for choice in reply.choices]

    async def _keeps_the_likeliest(self, decoding: Decoding) -> bool | None:
        """Whether a truncation to one token leaves the likeliest alone; `None` where it is not sent."""
        if not self._dialect.extensions:
            return False
        answers = await asyncio.gather(*(self._try(seed=seed, decoding=decoding) for seed in _SEEDS[3:5]))
        given = [answer for answer in answers if isinstance(answer, ProbeReply)]
        if len(given) < len(answers):
            return None
        found = [answer.first for answer in given if answer.choices]
        heads = [token for choice in found for token in choice.tokens or () if token.head]
        if heads:
            return all(token.logprob >= token.head[0] - 1e-3 for token in heads)
        return len({choice.written for choice in found}) == 1

    async def _look_for_cache(self, first: Choice) -> list[str]:
        """Return a warning where answers to other seeds are equal, and equal by more than the model's own doing."""
        texts = await asyncio.gather(*(self._written(seed=seed) for seed in _SEEDS[1:]))
        if any(text != first.written for text in texts):
            return []
        said = f"{len(_SEEDS)} answers at T = 1 under different seeds are equal"
        if first.tokens:
            chance = math.exp((len(_SEEDS) - 1) * sum(token.logprob for token in first.tokens))
            if chance > _CHANCE:
                return [f"{said}, as the model's own probabilities make them: it looks homogenized"]
        return [f"{said}: a cache or a fixed temperature on the server looks like homogenization; turn it off"]


def same_head(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two sets of log-probabilities are of one distribution."""
    differences = sorted(abs(one[text] - other[text]) for text in one.keys() & other.keys())
    # Half of the tokens at least: a head that was cut off has lost the others.
    if 2 * len(differences) < max(len(one), len(other)):
        return False
    return bool(differences) and differences[len(differences) // 2] < _SAME_HEAD


def _log_probabilities(choice: Choice, completion: int | None) -> tuple[int, str]:
    """Return k, and why the log-probabilities of a probe are of no use; empty where they are."""
    if not choice.tokens:
        return 0, "the server gives no log-probabilities"
    k = min(len(token.head) for token in choice.tokens)
    if aligned_tokens(choice, completion) is None and not choice.reasoning:
        return k, "the server's log-probabilities are of another length than its tokens"
    return k, head_fault([token.head for token in choice.tokens])


def head_fault(heads: Sequence[Sequence[float]]) -> str:
    """Return why heads are no log-probabilities of a full distribution; empty where they may be."""
    if any(math.fsum(map(math.exp, head)) > 1.001 for head in heads):
        return "the server's log-probabilities add up to more than 1"
    if any(is_truncated(head) for head in heads):
        return "the server's log-probabilities are those of a truncated distribution"
    return ""
