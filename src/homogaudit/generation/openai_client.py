"""HTTP to one OpenAI-compatible server: addresses, the key, retries, and which failures are worth one.

Knows status codes and JSON, not what a completion holds. The key comes from the environment and goes into one header;
no error text and no `repr` shows it.
"""

import asyncio
import email.utils
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from homogaudit.errors import EngineError, ModelError
from homogaudit.questions.wording import quoted

__all__ = [
    "KEY_VARIABLES",
    "LoopThread",
    "OpenAIClient",
    "RefusedError",
    "RetryPolicy",
    "ServerAddress",
    "UnreachableError",
    "api_key",
    "parse_addresses",
]

KEY_VARIABLES = ("HOMOGAUDIT_API_KEY", "OPENAI_API_KEY")
"""Where the key is looked for, in this order."""

_TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
"""Statuses after which the same request may succeed; 52x are a proxy's word for a server that is gone."""

_MOST_BYTES = 64 << 20
"""No answer is this long; a server that sends more is broken, and must not fill the memory."""

_USED_UP = ("insufficient_quota", "billing", "exceeded your current quota")
"""A 429 that no waiting cures."""

_INVALID = "validation error"
"""Servers made with FastAPI may answer a parameter that they do not take with status 500 and these words."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A base URL such as `http://localhost:8000/v1`, and the model that it is asked for; `None` for its only one."""

    url: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        attempts: Of one request, the first included.
        first_seconds: Before the second attempt; doubled before each further one, up to `most_seconds`.
        most_seconds: Also the longest wait that a server may ask for.
        timeout_seconds: For one attempt from its start to the last byte.
        connect_seconds: For the connection alone.
        unreachable_attempts: Of one request that gets no answer of any kind: its server is gone, not busy.
    """

    attempts: int = 8
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    timeout_seconds: float = 600.0
    connect_seconds: float = 10.0
    unreachable_attempts: int = 3


class RefusedError(Exception):
    """The server will never answer this request: its status, and its reason on one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class UnreachableError(Exception):
    """The server is gone, or fails again and again.

    Attributes:
        error: Says so to the user.
        wait: Seconds that the server asks to be left alone.
    """

    def __init__(self, error: EngineError, wait: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


class _TransientError(Exception):
    """The same request may succeed later."""

    def __init__(self, reason: str, wait: float | None = None, *, is_unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.is_unreachable = is_unreachable


def parse_addresses(text: str, model: str | None = None) -> list[ServerAddress]:
    """Read `URL[#MODEL][,URL[#MODEL]...]`.

    Args:
        text: Base URLs.
        model: For the addresses that name none; one that any of them names holds for those that name none, too.
    """
    found: list[ServerAddress] = []
    for part in text.split(","):
        url, _, named = part.strip().partition("#")
        found.append(ServerAddress(url.rstrip("/"), named or None))
    shared = model or next((address.model for address in found if address.model), None)
    return [ServerAddress(address.url, address.model or shared) for address in found]


def api_key(url: str) -> str | None:
    """Return the key for a server in the environment, `None` where there is none.

    A key of the server's own, such as `HOMOGAUDIT_API_KEY_API_EXAMPLE_COM`, goes before the common ones: an audited
    server, a judge and an embedder may be of three providers, and no key is to be told to another one.
    """
    host = (urlsplit(url).hostname or "").upper()
    own = f"{KEY_VARIABLES[0]}_{re.sub('[^A-Z0-9]', '_', host)}"
    return next((os.environ[name] for name in (own, *KEY_VARIABLES) if os.environ.get(name)), None)


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="requests", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it takes coroutines."""
        return not self._loop.is_closed()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine and return the future of its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine."""
        return self.start(coroutine).result()

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class OpenAIClient:
    """Sends requests to one server until they succeed, are refused, or have failed too often.

    Args:
        address: Where.
        key: Sent as a bearer token; `None` for none.
        connections: Requests at the same time.
        policy: When to try again.
        on_trouble: Told in words when the first attempt of a row fails, and when the server answers again.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        key: str | None = None,
        connections: int = 16,
        policy: RetryPolicy | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.address = address
        self.policy = policy or RetryPolicy()
        self._key = key
        self._on_trouble = on_trouble
        self._is_in_trouble = False
        self._random = random.Random()
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(self.policy.timeout_seconds, connect=self.policy.connect_seconds, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            # A proxy of the environment is for hosts outside; requests to this machine must not leave it.
            trust_env=not _is_loopback(address.url),
        )

    async def get(self, path: str, *, attempts: int | None = None) -> dict[str, Any]:
        """Return the JSON object behind `path`, such as `models`; raises as `post` does."""
        try:
            return await self._until_done("GET", path, None, attempts)
        except UnreachableError as error:
            raise error.error from None

    async def post(self, path: str, payload: Mapping[str, Any], *, attempts: int | None = None) -> dict[str, Any]:
        """Return the server's JSON object for `payload`.

        Args:
            path: Below the base URL, such as `chat/completions`.
            payload: The request.
            attempts: In place of the policy's.

        Raises:
            RefusedError: It will never be answered.
            ModelError: The key is wrong or missing.
            EngineError: The server is gone, or fails again and again; the whole run must stop.
        """
        try:
            return await self._until_done("POST", path, payload, attempts)
        except UnreachableError as error:
            raise error.error from None

    async def send(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `post` does; a server that may come back is no `EngineError` but an `UnreachableError`."""
        return await self._until_done("POST", path, payload, None)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _until_done(
        self, method: str, path: str, payload: Mapping[str, Any] | None, attempts: int | None
    ) -> dict[str, Any]:
        policy = self.policy
        attempts = attempts or policy.attempts
        for attempt in range(1, attempts + 1):
            try:
                found = await self._once(method, path, payload)
            except _TransientError as failure:
                wait = failure.wait
                if wait is not None and wait > policy.most_seconds:
                    gone = self._gone(f"{failure.reason}, and asks to wait for {wait:,.0f} s")
                    raise UnreachableError(gone, wait) from None
                if attempt >= (min(attempts, policy.unreachable_attempts) if failure.is_unreachable else attempts):
                    raise UnreachableError(self._gone(failure.reason)) from None
                self._tell(f"{failure.reason}; trying again")
                if wait is None:
                    longest = min(policy.most_seconds, policy.first_seconds * 2 ** (attempt - 1))
                    # Requests that failed together must not come back together.
                    wait = longest * self._random.uniform(0.5, 1.0)
                await asyncio.sleep(wait)
            else:
                if self._is_in_trouble:
                    self._is_in_trouble = False
                    if self._on_trouble:
                        self._on_trouble(f"the server `{self.address.url}` answers again")
                return found
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, payload: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.policy.timeout_seconds):
                status, headers, body = await self._exchange(method, path, payload)
        except (TimeoutError, httpx.TimeoutException):
            raise _TransientError("does not answer in time", is_unreachable=True) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ModelError(f"`{self.address.url}` is no URL of a server") from None
        except httpx.ConnectError as error:
            raise _TransientError(f"cannot be reached ({self._safe(error)})", is_unreachable=True) from None
        except httpx.HTTPError as error:
            raise _TransientError(f"cut the connection ({self._safe(error)})", is_unreachable=True) from None
        return self._judge(status, headers, body)

    async def _exchange(
        self, method: str, path: str, payload: Mapping[str, Any] | None
    ) -> tuple[int, httpx.Headers, bytes]:
        url = f"{self.address.url}/{path}"
        async with self._http.stream(method, url, json=payload) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise RefusedError(response.status_code, "the answer is larger than 64 MiB")
            return response.status_code, response.headers, bytes(body)

    def _judge(self, status: int, headers: httpx.Headers, body: bytes) -> dict[str, Any]:
        """Return the JSON object of a good answer; raise what a bad one means."""
        if 200 <= status < 300:
            try:
                found = json.loads(body)
            except (ValueError, RecursionError):
                raise _TransientError(f"answers with {_kind_of(body)} in place of JSON") from None
            if not isinstance(found, dict):
                raise _TransientError("answers with JSON that is no object")
            if "error" in found and "choices" not in found:
                raise _TransientError(f"reports {self._reason(body)}")
            return found
        reason = self._reason(body)
        if status == 401:
            wrong = "does not accept the key" if self._key else "wants a key"
            hint = f"set {KEY_VARIABLES[0]} in the environment; the key is never stored"
            raise ModelError(f"the server `{self.address.url}` {wrong}", hint)
        if status == 402 or (status == 429 and any(word in reason.casefold() for word in _USED_UP)):
            hint = "the same command goes on where the run was left"
            raise EngineError(f"the server `{self.address.url}` says that the credit is used up: {reason}", hint)
        if status == 500 and _INVALID in reason.casefold():
            raise RefusedError(422, reason)
        if status in _TRANSIENT:
            raise _TransientError(f"answers with status {status}: {reason}", _retry_after(headers))
        if 300 <= status < 400:
            reason = "it redirects, which is not followed because the key would go along"
        raise RefusedError(status, reason)

    def _gone(self, reason: str) -> EngineError:
        hint = "what was drawn is stored: once the server answers, the same command goes on where the run was left"
        return EngineError(f"the server `{self.address.url}` {reason}", hint)

    def _tell(self, reason: str) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            if self._on_trouble:
                self._on_trouble(f"the server `{self.address.url}` {reason}")

    def _reason(self, body: bytes) -> str:
        """Return what an error body says, on one line."""
        text = body[:4000].decode("utf-8", "replace")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return self._safe(_kind_of(body) if text.lstrip().startswith("<") else text or "no reason")
        for key in ("error", "message", "detail", "code"):
            if isinstance(found, dict) and found.get(key):
                inner = found[key]
                text = str(inner.get("message") or inner) if isinstance(inner, dict) else str(inner)
                if isinstance(inner, dict) and inner.get("code"):
                    text += f" ({inner['code']})"
                break
        return self._safe(text)

    def _safe(self, value: object) -> str:
        """Return somebody else's words on one printable line without the key."""
        text = str(value) or type(value).__name__
        return quoted(text.replace(self._key, "***") if self._key else text, 200)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _kind_of(body: bytes) -> str:
    if not body.strip():
        return "nothing"
    return "a web page" if body.lstrip()[:1] == b"<" else "something broken"


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that a server asks to wait for, given as such or as a date."""
    text = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
