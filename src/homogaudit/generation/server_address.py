"""Which base URL an address means that is none yet: one without `/v1`, or with the path of a request behind it.

Guesses change neither scheme nor host, and are tried without the key: that goes to no address but the right one.
"""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from homogaudit.errors import EngineError, ModelError
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, ServerAddress, parse_addresses
from homogaudit.generation.server_errors import RefusedError, UnreachableError
from homogaudit.generation.server_models import listed_models

_REQUEST_PATHS = re.compile(
    r"(?:/chat/completions|/completions?|/embeddings|/responses|/models|/api/(?:chat|generate|tags)|/(?:api|chat))/*$"
)
"""What people copy behind a base URL: the paths of requests, of this interface and of servers' own."""

_VERSION = re.compile(r"/v\d+\w*$")
_SECONDS = 10.0
_QUICK = RetryPolicy(timeout_seconds=_SECONDS, loading_seconds=0.0)


@dataclass(frozen=True, slots=True)
class LocationFound:
    """Addresses as they are used, and what was changed in them, a line each."""

    location: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one guess answered.

    Attributes:
        may_be: Whether it may be one: it requires a key, or is busy.
    """

    is_right: bool
    may_be: bool = False
    reason: str = ""


def find_location(location: str, policy: RetryPolicy | None = None) -> LocationFound:
    """Return the base URLs that `URL[#MODEL][,URL[#MODEL]...]` means.

    One that ends in a version, as nearly all do, is taken as it is; one that cannot be reached, too.

    Raises:
        ModelError: Under none of the guesses is there a server of models.
    """
    found: list[ServerAddress] = []
    warnings: list[str] = []
    for address in parse_addresses(location):
        base = address.url
        if _REQUEST_PATHS.search(urlsplit(base).path) or not _VERSION.search(urlsplit(base).path):
            loop = LoopThread()
            try:
                base = loop.run(_best(address, policy or _QUICK))
            finally:
                loop.close()
        if base != address.url:
            warnings.append(f"`{address.url}` is taken as the base URL `{base}`")
        found.append(ServerAddress(base, address.model))
    if not warnings:
        return LocationFound(location)
    named = (f"{x.url}#{x.model}" if x.model else x.url for x in found)
    return LocationFound(",".join(named), tuple(warnings))


async def _best(address: ServerAddress, policy: RetryPolicy) -> str:
    guesses = _guesses(address.url)
    reason = ""
    for at_list in (True, False):
        looks = (_look(ServerAddress(url, address.model), policy, at_list=at_list) for url in guesses)
        try:
            seen = await asyncio.gather(*looks)
        except UnreachableError:
            return address.url
        right = [url for url, x in zip(guesses, seen, strict=True) if x.is_right]
        # A gateway may say so whatever it is asked: then the usual ending is the likelier one.
        likely = [url for url, x in zip(guesses, seen, strict=True) if x.may_be]
        likely.sort(key=lambda url: not _VERSION.search(urlsplit(url).path))
        if right or likely:
            return (right or likely)[0]
        reason = reason or seen[0].reason
    hint = "name its base URL, which usually ends in `/v1`, and its model with `URL#MODEL` or `--server-model`"
    raise ModelError(f"the server `{address.url}` does not list its models: {reason}", hint)


def _guesses(url: str) -> list[str]:
    """Return the base URLs that one may mean, the likeliest first; all of its own host."""
    base, mark, query = url.partition("?")
    path = urlsplit(base).path
    root = base.removesuffix(path)
    plain = _REQUEST_PATHS.sub("", path).rstrip("/")
    paths = [plain] if _VERSION.search(plain) else [plain, f"{plain}/v1", "/v1"]
    return [root + path + mark + query for path in dict.fromkeys(paths)]


async def _look(address: ServerAddress, policy: RetryPolicy, *, at_list: bool) -> _Seen:
    """Look whether a server lists its models, or else takes requests: an empty one, which no model is asked for."""
    client = OpenAIClient(address, policy=policy)
    request = {"messages": [], "max_tokens": 1} | ({"model": address.model} if address.model else {})
    try:
        async with asyncio.timeout(_SECONDS):
            if not at_list:
                return _Seen("choices" in await client.send("chat/completions", request, attempts=1))
            answer = await client.get("models", attempts=1)
        is_list = bool(listed_models(answer)) or answer.get("object") == "list"
        return _Seen(is_list, reason="" if is_list else "it answers with something else")
    except RefusedError as refusal:
        is_of_model = refusal.status == 404 and "model" in refusal.whole.casefold()
        is_there = not at_list and (refusal.status in (400, 422) or is_of_model)
        return _Seen(is_there, refusal.status == 403, refusal.reason)
    except ModelError as error:
        # Status 401; a redirect to another server is no guess.
        return _Seen(False, "requires a key" in error.message, error.message)
    except EngineError as error:
        if not at_list:
            raise
        if isinstance(error.__cause__, UnreachableError) and not error.__cause__.is_connected:
            raise error.__cause__ from None
        return _Seen(False, reason=error.message)
    except UnreachableError as failure:
        return _Seen(False, failure.status in (500, 429, 503))
    except TimeoutError:
        return _Seen(False, reason="it does not answer in time")
    finally:
        await client.close()
