"""HTTP to one OpenAI-compatible server: addresses, the key, retries, and which failures are worth one.

Knows status codes and JSON, not what a completion holds. The key comes from the environment and goes into one header;
no error text and no `repr` shows it.
"""

import asyncio
import email.utils
import json
import math
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from homogaudit.errors import EngineError, ModelError
from homogaudit.generation.event_stream import merged_stream
from homogaudit.generation.server_errors import RefusedError, TransientError, UnreachableError
from homogaudit.generation.server_keys import KEY_VARIABLES, KeyScrubber, key_headers, own_key_variable
from homogaudit.generation.server_replies import (
    Unpacker,
    failure_in,
    kind_of,
    parsed,
    reason_in,
    status_in,
    well_formed,
)
from homogaudit.questions.wording import quoted

_TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
"""Statuses after which the same request may succeed; 52x are a proxy's word for a server that is gone."""

_MOST_BYTES = 64 << 20
"""No answer is this long; a server that sends more is broken, and must not fill the memory."""

_USED_UP = ("insufficient_quota", "billing", "exceeded your current quota")
"""A 429 that no waiting cures."""

_MOST_OF_REASON = 20_000
"""Characters of a refusal that are searched for the name of a parameter."""

_INVALID = "validation error"
"""Servers made with FastAPI may answer a parameter that they do not take with status 500 and these words."""

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 3


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
        unreachable_attempts: Of one request that gets no answer of any kind: its server is gone, not busy.
        loading_seconds: A model that its server is still loading is waited for so long, however few the attempts.
    """

    attempts: int = 8
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    timeout_seconds: float = 600.0
    connect_seconds: float = 10.0
    unreachable_attempts: int = 3
    loading_seconds: float = 120.0


def parse_addresses(text: str, model: str | None = None) -> list[ServerAddress]:
    """Read `URL[#MODEL][,URL[#MODEL]...]`.

    `model` is for the addresses that name none; one that any of them names holds for those, too.
    """
    found: list[ServerAddress] = []
    for part in text.split(","):
        url, _, named = part.strip().partition("#")
        base, mark, query = url.partition("?")
        found.append(ServerAddress(base.rstrip("/") + mark + query, named or None))
    shared = model or next((address.model for address in found if address.model), None)
    return [ServerAddress(address.url, address.model or shared) for address in found]


class OpenAIClient:
    """Sends requests to one server until they succeed, are refused, or have failed too often.

    `connections` are requests at the same time. `on_trouble` is told in words when the first attempt of a row fails,
    and when the server answers again.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        key: str | None = None,
        connections: int = 16,
        policy: RetryPolicy | None = None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = address
        self.policy = policy or RetryPolicy()
        self._key = key
        self._scrubber = KeyScrubber(key)
        self._on_trouble = on_trouble
        self._is_in_trouble = False
        self._repeats_key = False
        self._random = random.Random()
        self._http = httpx.AsyncClient(
            headers={"Accept-Encoding": "gzip, deflate", **(key_headers(key, address.url) if key else {})},
            timeout=httpx.Timeout(self.policy.timeout_seconds, connect=self.policy.connect_seconds, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            # A proxy of the environment is for hosts outside; requests to this machine must not leave it.
            trust_env=not _is_loopback(address.url),
        )

    async def get(self, path: str, *, attempts: int | None = None) -> dict[str, Any]:
        """Return the JSON object behind `path`, such as `models`; raises as `post` does.

        A bare list is returned as the `data` of an object.
        """
        try:
            return await self._until_done("GET", path, None, attempts)
        except UnreachableError as error:
            raise error.error from error

    async def post(self, path: str, payload: Mapping[str, Any], *, attempts: int | None = None) -> dict[str, Any]:
        """Return the server's JSON object for `payload`.

        Raises:
            RefusedError: It will never be answered.
            ModelError: The key is wrong or missing, or the server redirects to another one.
            EngineError: The server is gone, or fails again and again; the whole run must stop.
        """
        try:
            return await self._until_done("POST", path, payload, attempts)
        except UnreachableError as error:
            raise error.error from error

    async def send(
        self,
        path: str,
        payload: Mapping[str, Any],
        *,
        attempts: int | None = None,
        parameters: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return what `post` does; a server that may come back is no `EngineError` but an `UnreachableError`.

        `parameters` are words in the reason of a status 500 that make it a refusal.
        """
        return await self._until_done("POST", path, payload, attempts, parameters)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _until_done(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None,
        attempts: int | None,
        parameters: Collection[str] = (),
    ) -> dict[str, Any]:
        policy = self.policy
        attempts = attempts or policy.attempts
        attempt, begun = 0, time.monotonic()
        while True:
            attempt += 1
            try:
                found = await self._once(method, path, payload, parameters)
            except TransientError as failure:
                wait, status = failure.wait, failure.status
                if wait is not None and wait > policy.most_seconds:
                    gone = self._gone(f"{failure.reason}, and asks to wait for {wait:,.0f} s")
                    raise UnreachableError(gone, wait, status=status) from None
                most = min(attempts, policy.unreachable_attempts) if status is None else attempts
                is_loading = status == 503 and "loading" in failure.reason.casefold()
                is_patient = is_loading and time.monotonic() - begun < policy.loading_seconds
                if attempt >= most and not is_patient:
                    gone = self._gone(failure.reason)
                    raise UnreachableError(gone, status=status, is_connected=failure.is_connected) from None
                if not self._is_in_trouble:
                    self._is_in_trouble = True
                    self._on_trouble(f"the server `{self.address.url}` {failure.reason}; trying again")
                if wait is None:
                    longest = min(policy.most_seconds, policy.first_seconds * 2 ** min(attempt - 1, 16))
                    # Requests that failed together must not come back together.
                    wait = longest * self._random.uniform(0.5, 1.0)
                await asyncio.sleep(wait)
            else:
                if self._is_in_trouble:
                    self._is_in_trouble = False
                    self._on_trouble(f"the server `{self.address.url}` answers again")
                return found

    async def _once(
        self, method: str, path: str, payload: Mapping[str, Any] | None, parameters: Collection[str]
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.policy.timeout_seconds):
                status, headers, body = await self._exchange(method, path, payload)
        except httpx.ConnectTimeout:
            raise TransientError("does not answer in time", is_connected=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise TransientError("does not answer in time") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ModelError(f"`{self.address.url}` is not the URL of a server") from None
        except httpx.ConnectError as error:
            raise TransientError(f"cannot be reached ({self._safe(error)})", is_connected=False) from None
        except httpx.HTTPError as error:
            raise TransientError(f"cut the connection ({self._safe(error)})") from None
        return self._judge(status, headers, body, parameters)

    async def _exchange(
        self, method: str, path: str, payload: Mapping[str, Any] | None
    ) -> tuple[int, httpx.Headers, bytes]:
        base, mark, query = self.address.url.partition("?")
        url = f"{base}/{path}{mark}{query}"
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._http.stream(method, url, json=payload) as response:
                target = response.headers.get("Location")
                if response.status_code not in _REDIRECTS or not target:
                    return response.status_code, response.headers, await self._read(response)
                if method == "POST" and response.status_code == 303:
                    # That is "look there": the page of a login, most often. The request itself is not to be sent again.
                    where = self._safe(httpx.URL(target).copy_with(query=None, fragment=None))
                    message = f"the server `{self.address.url}` answers requests with a redirect to {where}"
                    raise ModelError(message, "check its base URL, and whether it requires a key or a login")
                url = self._same_origin(url, target)
        raise ModelError(f"the server `{self.address.url}` redirects in a circle", "check its base URL")

    async def _read(self, response: httpx.Response) -> bytes:
        try:
            packed = Unpacker(response.headers.get("Content-Encoding", ""))
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += packed.unpack(chunk, _MOST_BYTES + 1)
                if len(body) > _MOST_BYTES:
                    raise RefusedError(response.status_code, "the answer is larger than 64 MiB")
        except ValueError as error:
            raise RefusedError(response.status_code, f"the answer is {error}") from None
        return bytes(body)

    def _without_key(self, text: str) -> str:
        """Return what a server says without the key, should it repeat what it was told: answers are stored."""
        found = self._scrubber.from_answer(text)
        if found != text and not self._repeats_key:
            self._on_trouble(f"the server `{self.address.url}` repeats the key in its reply; `***` is stored for it")
            self._repeats_key = True
        return found

    def _same_origin(self, url: str, location: str) -> str:
        """Return where a redirect leads.

        Raises:
            ModelError: To another server, which the user did not name and which gets neither key nor questions.
        """
        target = httpx.URL(url).join(location)
        origins = {(x.scheme, x.host, x.port) for x in (httpx.URL(url), target)}
        if len(origins) == 1:
            return str(target)
        shown = target.copy_with(userinfo=b"", query=None, fragment=None)
        raise ModelError(
            f"the server `{self.address.url}` redirects to {self._safe(shown)}, which is not followed: that is "
            "another server than the one that was named",
            "name that one's base URL if it is meant",
        )

    def _judge(self, status: int, headers: httpx.Headers, body: bytes, parameters: Collection[str]) -> dict[str, Any]:
        """Return the JSON object of a good answer; raise what a bad one means."""
        if 200 <= status < 300:
            found = self._object(body)
            failed = failure_in(found)
            if failed is None:
                return found
            told = status_in(failed)
            body = json.dumps(failed).encode()
            if told is None:
                raise TransientError(f"reports {self._safe(reason_in(body, status))}", status=status)
            # A gateway hands on what another server answered.
            status = told
        reason = self._safe(reason_in(body, status))
        if status == 401:
            wrong = "does not accept the key" if self._key else "requires a key"
            own = own_key_variable(self.address.url)
            hint = (
                f"set {KEY_VARIABLES[0]} in the environment, or {own} for a server that is not named in the command; "
                "the key is never stored"
            )
            raise ModelError(f"the server `{self.address.url}` {wrong}", hint) from RefusedError(status, reason)
        if status == 402 or (status == 429 and any(word in reason.casefold() for word in _USED_UP)):
            hint = "run the same command again to continue"
            raise EngineError(f"the server `{self.address.url}` says that the credit is used up: {reason}", hint)
        whole = self._scrubber.from_message(body[:_MOST_OF_REASON].decode("utf-8", "replace"))
        if status == 500 and (_INVALID in reason.casefold() or any(name in whole for name in parameters)):
            raise RefusedError(422, reason, whole)
        if status in _TRANSIENT:
            raise TransientError(f"answers with status {status}: {reason}", _retry_after(headers), status=status)
        raise RefusedError(status, reason, whole)

    def _object(self, body: bytes) -> dict[str, Any]:
        """Return the JSON object in a body; a list as its `data`, a stream put together."""
        try:
            found = parsed(body)
        except (ValueError, RecursionError):
            found = merged_stream(body)
            if found is None:
                raise TransientError(f"answers with {kind_of(body)} in place of JSON", status=200) from None
        if isinstance(found, list):
            found = {"data": found}
        if not isinstance(found, dict):
            raise TransientError("answers with JSON that is not an object", status=200)
        try:
            return well_formed(found, self._without_key)
        except RecursionError:
            raise TransientError("answers with JSON that is nested too deeply", status=200) from None

    def _gone(self, reason: str) -> EngineError:
        hint = "once the server answers, run the same command again; what a run has drawn is stored"
        if "a web page in place" in reason:
            hint = f"check its base URL, which usually ends in `/v1`, and whether it requires a login; {hint}"
        return EngineError(f"the server `{self.address.url}` {reason}", hint)

    def _safe(self, value: object) -> str:
        """Return somebody else's words on one printable line without the key."""
        text = str(value) or type(value).__name__
        return quoted(self._scrubber.from_message(text), 200)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that a server asks to wait for, given as such or as a date; `None` for no time to come."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
