"""Which model a server serves: its list of models in the forms that are in use, and what to do without one."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from homogaudit.errors import EngineError, ModelError
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, parse_addresses
from homogaudit.generation.server_errors import RefusedError, UnreachableError
from homogaudit.generation.server_keys import api_key
from homogaudit.questions.wording import listed, quoted, with_nearest

FIRST_ATTEMPTS = 3
"""At the first contact a wrong address is likelier than a busy server: the user waits seconds, not minutes."""

_LIST_SECONDS = 10.0
"""Where the model is named, its server's list is waited for no longer."""

_SHORT_LIST = 20
"""Of fewer models a server lists all that it serves; hosted ones may serve more than their long lists tell."""

_NO_TOKEN = 2**31 - 1
"""No vocabulary has so many tokens."""

_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx", "n_ctx_train")
_IDENTITY_KEYS = ("root", "n_params", "size", "n_vocab")


_FIRST_CONTACT = RetryPolicy(first_seconds=0.2, timeout_seconds=10.0)
"""Before a run is made a user waits for the answer; a list of models needs no longer."""


@dataclass(frozen=True, slots=True)
class ServerModel:
    """What a server's list says of the model.

    Attributes:
        name: As requests name it; `None` where the server has no list and none was given.
        context: Tokens of a prompt and its answer; `None` where not told.
        vocabulary: V; `None` where not told.
        identity: What tells it from another model of the same name.
        others: What else the server lists; empty where it has no list.
        warning: What the user should know of the list; empty for nothing.
    """

    name: str | None
    context: int | None = None
    vocabulary: int | None = None
    identity: Mapping[str, Any] = field(default_factory=dict[str, Any])
    others: tuple[str, ...] = ()
    is_listed: bool = True
    warning: str = ""


async def find_model(client: OpenAIClient, attempts: int = FIRST_ATTEMPTS) -> ServerModel:
    """Return the model that the client's address means.

    Where it is named, a list that is absent, refused, broken or slow is done without.

    After `attempts` a server counts as gone; the `ModelError` has an `EngineError` as its cause then.

    Raises:
        ModelError: The server cannot be reached, is no such server, lacks the model, or has several and none is named.
    """
    wanted = client.address.model
    url = client.address.url
    try:
        answer = await _list_of(client, attempts)
    except EngineError as error:
        gone = error.__cause__
        if wanted is not None and isinstance(gone, UnreachableError) and gone.is_connected:
            return ServerModel(wanted, is_listed=False, warning=f"the list of models is not used: {error.message}")
        hint = "start it first, and name its base URL, which usually ends in `/v1`"
        raise ModelError(error.message, hint) from error
    except ModelError as error:
        # Some servers keep the list alone from a key; a wrong one is told with the first request.
        if wanted is not None and isinstance(error.__cause__, RefusedError):
            return ServerModel(wanted, is_listed=False)
        raise
    except RefusedError as refusal:
        if wanted is not None:
            return ServerModel(wanted, is_listed=False)
        hint = "name its base URL, which usually ends in `/v1`, and its model with `URL#MODEL` or `--server-model`"
        raise ModelError(f"the server `{url}` does not list its models: {refusal.reason}", hint) from None
    rows = listed_models(answer)
    if wanted is None:
        if len(rows) != 1:
            has = f"has {len(rows)} models: {listed(rows)}" if rows else "lists no model"
            raise ModelError(f"the server `{url}` {has}", "name one with `URL#MODEL` or `--server-model MODEL`")
        (wanted,) = rows
    row = rows.get(wanted)
    if row is None:
        # Ollama lists `NAME:latest` for NAME, Google `models/NAME`; hosted servers may serve what they do not list.
        row = rows.get(f"{wanted}:latest", rows.get(f"models/{wanted}", {}))
        if rows and not row and len(rows) < _SHORT_LIST:
            hint = with_nearest(wanted, rows, f"it has {listed(rows)}")
            raise ModelError(f"the server `{url}` has no model {quoted(wanted)}", hint)
    meta = row.get("meta")
    known: dict[str, Any] = {**row, **(meta if isinstance(meta, dict) else {})}
    context = next((known[key] for key in _CONTEXT_KEYS if _is_positive(known.get(key))), None)
    vocabulary = known.get("n_vocab") if _is_positive(known.get("n_vocab")) else None
    if vocabulary is None and known.get("owned_by") == "vllm":
        vocabulary = await _vocabulary_of_vllm(client, wanted)
    identity = {key: known[key] for key in _IDENTITY_KEYS if isinstance(known.get(key), str | int)}
    others = tuple(name for name in rows if name != wanted)
    return ServerModel(wanted, context, vocabulary, identity, others, bool(row))


def server_model(
    location: str,
    model: str | None = None,
    policy: RetryPolicy | None = None,
    key_origins: Collection[str] | None = None,
    on_trouble: Callable[[str], None] = lambda _: None,
) -> ServerModel:
    """Return what the first server of `location` that can be reached says of its model, without drawing anything.

    `location` is `URL[#MODEL][,URL[#MODEL]...]`, and `model` for the addresses that name none.

    Raises:
        ModelError: None can be reached, or one refuses the key or lacks the model.
    """
    loop = LoopThread()
    first: ModelError | None = None
    try:
        for address in parse_addresses(location, model):
            key = api_key(address.url, key_origins)
            client = OpenAIClient(address, key=key, policy=policy or _FIRST_CONTACT, on_trouble=on_trouble)
            try:
                return loop.run(find_model(client))
            except ModelError as error:
                if not isinstance(error.__cause__, EngineError):
                    raise
                first = first or error
            finally:
                loop.run(client.close())
    finally:
        loop.close()
    assert first is not None
    raise first


async def _list_of(client: OpenAIClient, attempts: int) -> Mapping[str, Any]:
    """Return the server's list of models; where the model is named, it is not waited for as long."""
    if client.address.model is None:
        return await client.get("models", attempts=attempts)
    try:
        async with asyncio.timeout(_LIST_SECONDS):
            return await client.get("models", attempts=attempts)
    except TimeoutError:
        error = EngineError(f"the server `{client.address.url}` does not list its models in time")
        raise error from UnreachableError(error)


def listed_models(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a list says of each model, by the name that requests give it.

    A list may stand under `data` or `models`, and its rows may be objects with an `id`, objects with a `name`
    (Ollama's own spelling), or names. In its place there may be the only row, or an object with the names as its keys.
    """
    found = next((rows for key in ("data", "models") if isinstance(rows := answer.get(key), list | dict)), [])
    models: dict[str, dict[str, Any]] = {}
    if isinstance(found, dict) and any(isinstance(found.get(key), str) for key in ("id", "name", "model")):
        found = [found]
    if isinstance(found, dict):
        return {name: row if isinstance(row, dict) else {} for name, row in found.items()}
    for row in found:
        known: dict[str, Any] = row if isinstance(row, dict) else {"id": row}
        name = next((known[key] for key in ("id", "name", "model") if isinstance(known.get(key), str)), None)
        if name:
            models[name] = known
    return models


async def _vocabulary_of_vllm(client: OpenAIClient, model: str) -> int | None:
    """Return V, which vLLM does not list but names where it refuses a token that is none; `None` where it does not."""
    request = {"model": model, "prompt": "a", "max_tokens": 1, "logit_bias": {str(_NO_TOKEN): 0.0}}
    try:
        await client.post("completions", request, attempts=1)
    except RefusedError as refusal:
        found = re.search(r"vocabulary size: (\d{1,9})\b", refusal.reason, re.IGNORECASE)
        return int(found[1]) if found else None
    except EngineError:
        # What it would add is an upper bound; whether the server is there is asked by other requests.
        return None
    return None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
