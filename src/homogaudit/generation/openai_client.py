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
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from homogaudit.config.trust import origin
from homogaudit.errors import ConfigError, EngineError, ModelError
from homogaudit.generation.event_stream import merged_stream
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
    "own_key_variable",
    "parse_addresses",
    "well_formed",
]

KEY_VARIABLES = ("HOMOGAUDIT_API_KEY", "OPENAI_API_KEY")
"""Where the key is looked for, in this order."""

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
        loading_seconds: A model that its server is still loading is waited for so long, however few the attempts.
    """

    attempts: int = 8
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    timeout_seconds: float = 600.0
    connect_seconds: float = 10.0
    unreachable_attempts: int = 3
    loading_seconds: float = 120.0


class RefusedError(Exception):
    """The server will never answer this request.

    Attributes:
        status: Of HTTP.
        reason: On one line, for people.
        whole: All that it says, for whoever looks for the name of a parameter in it.
    """

    def __init__(self, status: int, reason: str, whole: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.whole = whole or reason


class UnreachableError(Exception):
    """The server is gone, or fails again and again.

    Attributes:
        error: Says so to the user.
        wait: Seconds that the server asks to be left alone.
        status: Of its last answer; `None` where it gave none.
        is_connected: Whether a connection was made.
    """

    def __init__(
        self, error: EngineError, wait: float = 0.0, *, status: int | None = None, is_connected: bool = True
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait
        self.status = status
        self.is_connected = is_connected


class _TransientError(Exception):
    """The same request may succeed later."""

    def __init__(
        self,
        reason: str,
        wait: float | None = None,
        *,
        status: int | None = None,
        is_connected: bool = True,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.status = status
        self.is_connected = is_connected

    @property
    def is_unreachable(self) -> bool:
        """Whether there was no answer of any kind."""
        return self.status is None

    @property
    def is_loading(self) -> bool:
        """Whether the server only wants time for its model."""
        return self.status == 503 and "loading" in self.reason.casefold()


def parse_addresses(text: str, model: str | None = None) -> list[ServerAddress]:
    """Read `URL[#MODEL][,URL[#MODEL]...]`.

    Args:
        text: Base URLs.
        model: For the addresses that name none; one that any of them names holds for those that name none, too.
    """
    found: list[ServerAddress] = []
    for part in text.split(","):
        url, _, named = part.strip().partition("#")
        base, mark, query = url.partition("?")
        found.append(ServerAddress(base.rstrip("/") + mark + query, named or None))
    shared = model or next((address.model for address in found if address.model), None)
    return [ServerAddress(address.url, address.model or shared) for address in found]


def api_key(url: str, key_origins: Collection[str] | None = None) -> str | None:
    """Return the key for a server in the environment, `None` where there is none.

    A key of the server's own, such as `HOMOGAUDIT_API_KEY_API_EXAMPLE_COM`, goes before the common ones: an audited
    server, a judge and an embedder may be of three providers, and no key is to be told to another one.

    Args:
        url: Of the server.
        key_origins: The servers that the user has named, see `homogaudit.config.trust.origin`; another one is told no
            common key. `None` where the caller is who names the server.

    Raises:
        ConfigError: The key holds what no header can.
    """
    is_named = key_origins is None or origin(url) in key_origins
    own = own_key_variable(url)
    names = [own]
    if is_named:
        # One hyphen of a host name was one underscore, which also stands for a dot: good only for a named server.
        names += [own.replace("__", "_"), *KEY_VARIABLES]
    return next((key for name in names if (key := _key_of(name))), None)


def own_key_variable(url: str) -> str:
    """Return the variable of a server's own key: no two hosts have the same."""
    host = (urlsplit(url).hostname or "").upper().replace("-", "__")
    return f"{KEY_VARIABLES[0]}_{re.sub('[^A-Z0-9_]', '_', host)}"


def _key_of(name: str) -> str:
    """Return the key in a variable, empty for none; a line end that came along from a file is no part of it."""
    key = os.environ.get(name, "").strip()
    if not (key.isascii() and key.isprintable()):
        hint = "set it again, without quotes, line ends and other characters that are not ASCII"
        raise ConfigError(f"`{name}` holds a character that no key can have", hint)
    return key


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
            headers=_key_headers(key, address.url) if key else {},
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

        Args:
            path: Below the base URL, such as `chat/completions`.
            payload: The request.
            attempts: In place of the policy's.

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

        Args:
            path: As of `post`.
            payload: As of `post`.
            attempts: As of `post`.
            parameters: Words in the reason of a status 500 that make it a refusal.
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
            except _TransientError as failure:
                wait, status = failure.wait, failure.status
                if wait is not None and wait > policy.most_seconds:
                    gone = self._gone(f"{failure.reason}, and asks to wait for {wait:,.0f} s")
                    raise UnreachableError(gone, wait, status=status) from None
                most = min(attempts, policy.unreachable_attempts) if failure.is_unreachable else attempts
                is_patient = failure.is_loading and time.monotonic() - begun < policy.loading_seconds
                if attempt >= most and not is_patient:
                    gone = self._gone(failure.reason)
                    raise UnreachableError(gone, status=status, is_connected=failure.is_connected) from None
                self._tell(f"{failure.reason}; trying again")
                if wait is None:
                    longest = min(policy.most_seconds, policy.first_seconds * 2 ** min(attempt - 1, 16))
                    # Requests that failed together must not come back together.
                    wait = longest * self._random.uniform(0.5, 1.0)
                await asyncio.sleep(wait)
            else:
                if self._is_in_trouble:
                    self._is_in_trouble = False
                    if self._on_trouble:
                        self._on_trouble(f"the server `{self.address.url}` answers again")
                return found

    async def _once(
        self, method: str, path: str, payload: Mapping[str, Any] | None, parameters: Collection[str]
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.policy.timeout_seconds):
                status, headers, body = await self._exchange(method, path, payload)
        except httpx.ConnectTimeout:
            raise _TransientError("does not answer in time", is_connected=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise _TransientError("does not answer in time") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ModelError(f"`{self.address.url}` is no URL of a server") from None
        except httpx.ConnectError as error:
            raise _TransientError(f"cannot be reached ({self._safe(error)})", is_connected=False) from None
        except httpx.HTTPError as error:
            raise _TransientError(f"cut the connection ({self._safe(error)})") from None
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
                    raise ModelError(message, "check its base URL, and whether it wants a key or a login")
                url = self._same_origin(url, target)
        raise ModelError(f"the server `{self.address.url}` redirects in a circle", "check its base URL")

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise RefusedError(response.status_code, "the answer is larger than 64 MiB")
        return bytes(body)

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
            failed = _failure_in(found)
            if failed is None:
                return found
            told = _status_in(failed)
            body = json.dumps(failed).encode()
            if told is None:
                raise _TransientError(f"reports {self._reason(body, status)}", status=status)
            # A gateway hands on what another server answered.
            status = told
        reason = self._reason(body, status)
        if status == 401:
            wrong = "does not accept the key" if self._key else "wants a key"
            own = own_key_variable(self.address.url)
            hint = (
                f"set {KEY_VARIABLES[0]} in the environment, or {own} for a server that is not named in the command; "
                "the key is never stored"
            )
            raise ModelError(f"the server `{self.address.url}` {wrong}", hint)
        if status == 402 or (status == 429 and any(word in reason.casefold() for word in _USED_UP)):
            hint = "the same command goes on where the run was left"
            raise EngineError(f"the server `{self.address.url}` says that the credit is used up: {reason}", hint)
        whole = body[:_MOST_OF_REASON].decode("utf-8", "replace")
        if status == 500 and (_INVALID in reason.casefold() or any(name in whole for name in parameters)):
            raise RefusedError(422, reason, whole)
        if status in _TRANSIENT:
            raise _TransientError(f"answers with status {status}: {reason}", _retry_after(headers), status=status)
        raise RefusedError(status, reason, whole)

    def _object(self, body: bytes) -> dict[str, Any]:
        """Return the JSON object in a body; a list as its `data`, a stream put together."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = merged_stream(body)
            if found is None:
                raise _TransientError(f"answers with {_kind_of(body)} in place of JSON", status=200) from None
        if isinstance(found, list):
            found = {"data": found}
        if not isinstance(found, dict):
            raise _TransientError("answers with JSON that is no object", status=200)
        return well_formed(found)

    def _gone(self, reason: str) -> EngineError:
        hint = "what was drawn is stored: once the server answers, the same command goes on where the run was left"
        if "a web page in place" in reason:
            hint = f"check its base URL, which usually ends in `/v1`, and whether it wants a login; {hint}"
        return EngineError(f"the server `{self.address.url}` {reason}", hint)

    def _tell(self, reason: str) -> None:
        if not self._is_in_trouble:
            self._is_in_trouble = True
            if self._on_trouble:
                self._on_trouble(f"the server `{self.address.url}` {reason}")

    def _reason(self, body: bytes, status: int) -> str:
        """Return what an error body says, on one line; the status where it says nothing in words."""
        text = body[:4000].decode("utf-8", "replace")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            if text.strip() and not text.lstrip().startswith("<"):
                return self._safe(text)
            title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
            page = f"a web page, {title[1].strip()}" if title and title[1].strip() else _kind_of(body)
            return self._safe(f"status {status} and {page}")
        found = well_formed(found)
        if isinstance(found, list) and len(found) == 1:
            # Google's spelling.
            (found,) = found
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


def _key_headers(key: str, url: str) -> dict[str, str]:
    """Return the headers that hold the key; Azure, whose URLs alone have a query, has a name of its own for it."""
    headers = {"Authorization": f"Bearer {key}"}
    return headers | {"api-key": key} if urlsplit(url).query else headers


def well_formed(value: Any) -> Any:
    """Return JSON values with U+FFFD for each half of a surrogate pair, which no file and no stream of UTF-8 can hold.

    Servers that cut an answer between the halves of an emoji send one.
    """
    if isinstance(value, str):
        # Halves that stand side by side are one character again.
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [well_formed(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): well_formed(item) for key, item in value.items()}
    return value


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _failure_in(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what reports an error in the place of a good answer, or of each of its choices; `None` for no error."""
    choices = answer.get("choices")
    if not choices:
        return answer if answer.get("error") or answer.get("object") == "error" else None
    rows = choices if isinstance(choices, list) else []
    failed = [row for row in rows if isinstance(row, dict) and isinstance(row.get("error"), dict) and row["error"]]
    return failed[0] if failed and len(failed) == len(rows) else None


def _status_in(answer: Mapping[str, Any]) -> int | None:
    """Return the status that an error in a good answer's place tells, `None` where it tells none."""
    error = answer.get("error")
    codes = [x.get(name) for x in (error, answer) if isinstance(x, dict) for name in ("code", "status")]
    numbers = [int(code) for code in codes if isinstance(code, int) or (isinstance(code, str) and code.isdecimal())]
    return next((number for number in numbers if 400 <= number < 600), None)


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
