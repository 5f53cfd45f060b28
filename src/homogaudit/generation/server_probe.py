"""What a server is asked before the first draw: its model, and which parameters it takes, honours or ignores.

Servers ignore what they do not know without a word, and ten equal answers out of a cache look like homogenization. It
draws nothing that is stored.
"""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from homogaudit.errors import EngineError, ModelError
from homogaudit.generation.openai_client import OpenAIClient, RefusedError
from homogaudit.generation.openai_format import Choice, Dialect, aligned_tokens, choices_of, payload, usage_of
from homogaudit.generation.top_k_entropy import is_truncated
from homogaudit.questions.wording import listed, quoted
from homogaudit.records import Decoding

__all__ = ["ServerFacts", "ServerModel", "ServerProbe", "find_model", "head_fault", "same_head"]

_PROMPT = "Write a random number of ten digits and nothing else."
_BASE_PROMPT = "A random number of ten digits:"
"""Answers to it have no common beginning, and each digit is a chance to differ."""

_TOKENS = 12
"""Long enough that two independent answers are almost never equal, and short enough for a slow server."""

_SEEDS = tuple(range(1001, 1011))
_CHOICES = 4
_MOST_CONCESSIONS = 12
_FIRST_ATTEMPTS = 3
"""At the first contact a wrong address is likelier than a busy server: the user waits seconds, not minutes."""

_SAME_HEAD = 0.15
"""Median difference of log-probabilities, nats, that rounding and batching on a GPU stay below."""

_CHANCE = 1e-3
"""Equal answers that are less likely than this are no chance."""

_NO_TOKEN = 2**31 - 1
"""No vocabulary has so many tokens."""

_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
_IDENTITY_KEYS = ("root", "n_params", "size", "n_vocab")


@dataclass(frozen=True, slots=True)
class ServerModel:
    """What a server's list says of the model.

    Attributes:
        name: As requests name it; `None` where the server has no list and none was given.
        context: Tokens of a prompt and its answer; `None` where not told.
        vocabulary: V; `None` where not told.
        identity: What tells it from another model of the same name.
    """

    name: str | None
    context: int | None = None
    vocabulary: int | None = None
    identity: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server does with the parameters; `None` where it cannot be told.

    Attributes:
        dialect: What it takes.
        honours_n: Whether it gives several independent answers at once.
        honours_seed: Whether equal seeds give equal answers and others do not.
        honours_top_k: Whether `top_k` 1 leaves only the likeliest token.
        honours_min_p: Whether `min_p` 1 does.
        top_logprobs: Log-probabilities it gives of each token, k; 0 for none.
        no_statistics: Why its log-probabilities are of no use; empty where they are.
        warnings: What of this the user should know.
    """

    dialect: Dialect
    honours_n: bool = False
    honours_seed: bool | None = None
    honours_top_k: bool | None = None
    honours_min_p: bool | None = None
    top_logprobs: int = 0
    no_statistics: str = ""
    warnings: tuple[str, ...] = ()


async def find_model(client: OpenAIClient, attempts: int = _FIRST_ATTEMPTS) -> ServerModel:
    """Return the model that the client's address means.

    Args:
        client: Of the server.
        attempts: Until it counts as gone; the `ModelError` has an `EngineError` as its cause then.

    Raises:
        ModelError: The server cannot be reached, is no such server, lacks the model, or has several and none is named.
    """
    wanted = client.address.model
    url = client.address.url
    try:
        answer = await client.get("models", attempts=attempts)
    except EngineError as error:
        hint = "start it first, and name its base URL, which usually ends in `/v1`"
        raise ModelError(error.message, hint) from error
    except RefusedError as refusal:
        if refusal.status == 404 and wanted is not None:
            return ServerModel(wanted)
        hint = "name its base URL, which usually ends in `/v1`, and its model with `URL#MODEL` or `--server-model`"
        raise ModelError(f"the server `{url}` does not list its models: {refusal.reason}", hint) from None
    found = answer.get("data")
    rows = {row["id"]: row for row in found if _is_model(row)} if isinstance(found, list) else {}
    if wanted is None:
        if len(rows) != 1:
            has = f"has {len(rows)} models: {listed(rows)}" if rows else "lists no model"
            raise ModelError(f"the server `{url}` {has}", "name one with `URL#MODEL` or `--server-model MODEL`")
        (wanted,) = rows
    row = rows.get(wanted)
    if row is None:
        # Ollama lists `NAME:latest` for NAME; hosted servers may serve what they do not list.
        row = rows.get(f"{wanted}:latest", {})
        if rows and not row and len(rows) < 20:
            raise ModelError(f"the server `{url}` has no model {quoted(wanted)}", f"it has {listed(rows)}")
    meta = row.get("meta")
    known: dict[str, Any] = {**row, **(meta if isinstance(meta, dict) else {})}
    context = next((known[key] for key in _CONTEXT_KEYS if _is_positive(known.get(key))), None)
    vocabulary = known.get("n_vocab") if _is_positive(known.get("n_vocab")) else None
    if vocabulary is None and known.get("owned_by") == "vllm":
        vocabulary = await _vocabulary_of_vllm(client, wanted)
    identity = {key: known[key] for key in _IDENTITY_KEYS if isinstance(known.get(key), str | int)}
    return ServerModel(wanted, context, vocabulary, identity)


async def _vocabulary_of_vllm(client: OpenAIClient, model: str) -> int | None:
    """Return V, which vLLM does not list but names where it refuses a token that is none; `None` where it does not."""
    request = {"model": model, "prompt": "a", "max_tokens": 1, "logit_bias": {str(_NO_TOKEN): 0.0}}
    try:
        await client.post("completions", request, attempts=1)
    except RefusedError as refusal:
        found = re.search(r"vocabulary size: (\d+)", refusal.reason, re.IGNORECASE)
        return int(found[1]) if found else None
    except EngineError:
        # What it would add is an upper bound; whether the server is there is asked by other requests.
        return None
    return None


def _is_model(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class ServerProbe:
    """Asks one server short questions.

    Args:
        client: Of the server.
        model: The model's name.
        mode: `chat`, `base`, or `auto` for chat where the server can.
    """

    def __init__(self, client: OpenAIClient, model: str | None, mode: str) -> None:
        self._client = client
        self._model = model
        self._mode = mode
        self._dialect = Dialect(chat=mode != "base")

    async def run(self) -> ServerFacts:
        """Return what the server does with each parameter.

        Raises:
            ModelError: It answers no request at all.
            EngineError: It is gone.
        """
        first, completion = await self._find_dialect()
        one, other, several, top_k, min_p = await asyncio.gather(
            self._texts(seed=_SEEDS[0]),
            self._texts(seed=_SEEDS[1]),
            self._several(),
            self._keeps_the_likeliest(Decoding(top_k=1)),
            self._keeps_the_likeliest(Decoding(min_p=1.0)),
        )
        dialect = self._dialect
        warnings: list[str] = []
        seed: bool | None = None
        if one and other and first.text != other:
            seed = dialect.seed and first.text == one
            if not seed:
                warnings.append("the server ignores the seed: this run cannot be repeated draw by draw")
        elif first.text:
            warnings += await self._look_for_cache(first)
        varies = first.text != other or first.text != one
        honours_n = len(several) == _CHOICES and (not varies or len(set(several)) > 1)
        if not dialect.sampling:
            warnings.append("the server takes no temperature: samples are drawn at its own")
        for name, honoured in (("top_k", top_k), ("min_p", min_p)):
            if honoured is False and varies:
                warnings.append(
                    f"the server ignores `{name}`: where its own default is not off, answers are more alike than the "
                    "model's"
                )
        k, fault = _log_probabilities(first, completion)
        if fault:
            warnings.append(f"no token statistics: {fault}")
        return ServerFacts(
            replace(dialect, several=honours_n),
            honours_n,
            seed,
            top_k if varies else None,
            min_p if varies else None,
            k,
            fault,
            tuple(warnings),
        )

    async def head(self, dialect: Dialect, decoding: Decoding, temperature: float) -> dict[str, float]:
        """Return ln p of the likeliest first tokens under these parameters, by their text."""
        self._dialect = dialect
        choices, _ = await self._ask(seed=_SEEDS[0], max_tokens=1, decoding=decoding, temperature=temperature)
        tokens = choices[0].tokens if choices else None
        return dict(zip(tokens[0].head_texts, tokens[0].head, strict=True)) if tokens else {}

    async def _find_dialect(self) -> tuple[Choice, int | None]:
        """Leave out what the server refuses until it answers; return the first answer and its tokens."""
        first_reason = ""
        for _ in range(_MOST_CONCESSIONS):
            try:
                choices, completion = await self._ask(seed=_SEEDS[0], attempts=_FIRST_ATTEMPTS)
            except RefusedError as refusal:
                first_reason = first_reason or refusal.reason
                can_do_without_chat = refusal.status in (404, 405) or "chat template" in refusal.reason
                if self._mode == "auto" and self._dialect.chat and can_do_without_chat:
                    self._dialect = replace(self._dialect, chat=False)
                    continue
                dialect = self._dialect.without(refusal.reason) if refusal.status in (400, 413, 422) else None
                if dialect is None:
                    break
                self._dialect = dialect
            else:
                if choices:
                    return choices[0], completion
                first_reason = "it gives no answer"
                break
        hint = "try `--mode base` or `--mode chat`, and check the model's name and the key"
        raise ModelError(f"the server `{self._client.address.url}` refuses a plain request: {first_reason}", hint)

    async def _ask(
        self,
        *,
        seed: int,
        n: int = 1,
        decoding: Decoding | None = None,
        temperature: float = 1.0,
        max_tokens: int = _TOKENS,
        attempts: int | None = None,
    ) -> tuple[list[Choice], int | None]:
        request = payload(
            self._dialect,
            model=self._model,
            prompt=_PROMPT if self._dialect.chat else _BASE_PROMPT,
            system="",
            decoding=decoding or Decoding(),
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            n=n,
        )
        path = "chat/completions" if self._dialect.chat else "completions"
        answer = await self._client.post(path, request, attempts=attempts)
        return choices_of(answer, n), usage_of(answer).completion

    async def _texts(self, **options: Any) -> str:
        choices, _ = await self._ask(**options)
        return choices[0].text if choices else ""

    async def _several(self) -> list[str]:
        try:
            choices, _ = await self._ask(seed=_SEEDS[2], n=_CHOICES)
        except RefusedError:
            return []
        return [choice.text for choice in choices]

    async def _keeps_the_likeliest(self, decoding: Decoding) -> bool | None:
        """Whether a truncation to one token leaves the likeliest alone; `None` where it is not sent."""
        if not self._dialect.extensions:
            return False
        try:
            answers = await asyncio.gather(*(self._ask(seed=seed, decoding=decoding) for seed in _SEEDS[3:5]))
        except RefusedError:
            return None
        found = [choices[0] for choices, _ in answers if choices]
        heads = [token for choice in found for token in choice.tokens or () if token.head]
        if heads:
            return all(token.logprob >= token.head[0] - 1e-3 for token in heads)
        return len({choice.text for choice in found}) == 1

    async def _look_for_cache(self, first: Choice) -> list[str]:
        """Return a warning where answers to other seeds are equal, and equal by more than the model's own doing."""
        texts = await asyncio.gather(*(self._texts(seed=seed) for seed in _SEEDS[1:]))
        if any(text != first.text for text in texts):
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
