"""Requests under way on several servers of one model: which is free, which is gone, and when it is back.

Knows no draw: what a request asks and what becomes of its answer is its owner's matter. A server that cannot be
reached is set aside and asked from time to time; its requests go to the others, or wait for it.
"""

import queue
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from homogaudit.errors import EngineError, HomogauditError, ModelError
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient
from homogaudit.generation.server_errors import RefusedError, UnreachableError

_WAIT_SECONDS = 0.1
"""Longest time to wait for an answer, so that a pause or a cancel is heard."""

_MOST_PROBE_SECONDS = 15.0
"""Longest pause between two questions whether a server is back: who restarts it waits for the run to notice."""

_MOST_RELAPSES = 3
"""Times that a server may seem to be back and then answer no request: more is no restart."""

_NO_ACCESS = {401, 402, 403, 404}
"""Statuses that, once the server has answered, are of the key, the credit or the model and not of one request."""

_FLAGGED = ("moderation", "flagged")
"""Words with which a hosted server's 403 is of one prompt after all."""

W = TypeVar("W")


@dataclass(slots=True)
class Server:
    """One base URL in use.

    Attributes:
        model: As its requests name it.
        failure: Why it is set aside; `None` while it is used.
        relapses: Times that it came back and was lost again before it answered a request.
        probes: Times that it was asked whether it is back.
        probe_at: When it is asked next, by `time.monotonic`.
        probe: That question while it is under way.
    """

    client: OpenAIClient
    model: str | None
    capacity: int
    live: int = 0
    failure: HomogauditError | None = None
    relapses: int = 0
    probes: int = 0
    probe_at: float = 0.0
    probe: "Future[Any] | None" = None

    @property
    def is_hopeless(self) -> bool:
        """Whether it is not asked any more."""
        return self.relapses >= _MOST_RELAPSES


@dataclass(frozen=True, slots=True)
class Reply(Generic[W]):
    """What became of one request.

    Attributes:
        number: Of the request, in the order in which they start.
        seconds: From its start to the answer.
        error: Why there is none: this request is refused, or the whole run must stop. `None` without an answer: its
            server is gone, and it is to be sent again.
    """

    work: W
    number: int
    seconds: float
    answer: dict[str, Any] | None = None
    error: RefusedError | HomogauditError | None = None


class RequestQueue(Generic[W]):
    """Sends requests to the servers that are free, and takes their answers as they come.

    Each server takes from one queue as it gets free, so that a faster one does more. `probe` asks whether one is back,
    and raises where it is not; `warn` is told when one is set aside.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        loop: LoopThread,
        *,
        send: Callable[[W, Server], Coroutine[Any, Any, dict[str, Any]]],
        probe: Callable[[Server], Coroutine[Any, Any, Any]],
        warn: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._loop = loop
        self._send = send
        self._probe = probe
        self._warn = warn
        self._random = random.Random()
        self._arrived: queue.SimpleQueue[tuple[int, Future[dict[str, Any]]]] = queue.SimpleQueue()
        self._live: dict[int, tuple[W, Server, float]] = {}
        self._sent = 0

    @property
    def live(self) -> list[W]:
        """What is under way."""
        return [work for work, _, _ in self._live.values()]

    @property
    def is_waiting(self) -> bool:
        """Whether every server is set aside."""
        return all(server.failure is not None for server in self._servers)

    def fill(self, take: Callable[[], W | None]) -> None:
        """Start what `take` gives, `None` for nothing, as long as a server is free."""
        self._look_after()
        while (server := self._free()) is not None and (work := take()) is not None:
            number = self._sent
            self._sent += 1
            server.live += 1
            self._live[number] = (work, server, time.perf_counter())
            future = self._loop.start(self._send(work, server))
            future.add_done_callback(lambda done, number=number: self._arrived.put((number, done)))

    def arrived(self) -> Iterator[Reply[W]]:
        """Yield what has arrived, after a short wait for the first."""
        try:
            yield self._reply(*self._arrived.get(timeout=_WAIT_SECONDS))
            while True:
                yield self._reply(*self._arrived.get_nowait())
        except queue.Empty:
            return

    def _free(self) -> Server | None:
        free = [x for x in self._servers if x.failure is None and x.live < x.capacity]
        return min(free, key=lambda x: x.live / x.capacity, default=None)

    def _reply(self, number: int, future: "Future[dict[str, Any]]") -> Reply[W]:
        work, server, started = self._live.pop(number)
        server.live -= 1
        seconds = time.perf_counter() - started
        try:
            answer = future.result()
        except UnreachableError as gone:
            return Reply(work, number, seconds, error=self._set_aside(server, gone.error, gone.wait))
        except RefusedError as refusal:
            return Reply(work, number, seconds, error=_meaning(refusal, server))
        except HomogauditError as error:
            return Reply(work, number, seconds, error=error)
        except CancelledError:
            return Reply(work, number, seconds)
        server.relapses = server.probes = 0
        # It answers, whatever became of another request.
        server.failure = None
        return Reply(work, number, seconds, answer)

    # Servers that are gone

    def _set_aside(self, server: Server, error: EngineError, wait: float) -> HomogauditError | None:
        """Leave a server out until it answers; return the error to stop with where no server is left to wait for."""
        if server.failure is None:
            # Since it came back it has answered nothing, or `probes` would be 0.
            server.relapses += bool(server.probes)
            server.failure = error
            self._schedule(server, wait)
            if not server.is_hopeless and not (wait and self.is_waiting):
                self._warn(f"{error.message}: {self._what_now()}")
            elif server.is_hopeless and any(not other.is_hopeless for other in self._servers):
                self._warn(f"{error.message}: it is not used any more")
        # Others can go on while one wants to be left alone for long; to wait for the only one is the user's choice.
        is_over = all(other.is_hopeless for other in self._servers) or (wait > 0 and self.is_waiting)
        return error if is_over else None

    def _what_now(self) -> str:
        if self.is_waiting:
            return "the run waits for it and continues when it answers; what was drawn is stored"
        return "the other servers continue until it is back"

    def _schedule(self, server: Server, wait: float = 0.0) -> None:
        """Ask a server again after a while that grows, and not before the seconds that it asked for."""
        policy = server.client.policy
        longest = min(policy.most_seconds, _MOST_PROBE_SECONDS, policy.first_seconds * 2 ** min(server.probes, 16))
        server.probe_at = time.monotonic() + max(wait, longest * self._random.uniform(0.5, 1.0))

    def _look_after(self) -> None:
        """Ask the servers that are gone whether they are back, and use those that are."""
        for server in self._servers:
            if server.failure is None or server.is_hopeless:
                continue
            if server.probe is None and time.monotonic() >= server.probe_at:
                server.probes += 1
                server.probe = self._loop.start(self._probe(server))
            if server.probe is not None and server.probe.done():
                probe, server.probe = server.probe, None
                self._learn(server, probe.exception())
                self._schedule(server)

    def _learn(self, server: Server, error: BaseException | None) -> None:
        if error is None:
            server.failure = None
        elif isinstance(error, ModelError) and str(error) != str(server.failure):
            # It is there again and yet of no use, for example because it was started with another model.
            server.failure = error
            self._warn(f"{error.message}: {self._what_now()}")


def _meaning(refusal: RefusedError, server: Server) -> RefusedError | ModelError:
    """Return the refusal of one request, or the error to stop with where it is one of all."""
    if refusal.status not in _NO_ACCESS or any(word in refusal.reason.casefold() for word in _FLAGGED):
        return refusal
    message = f"the server `{server.client.address.url}` answers with status {refusal.status}: {refusal.reason}"
    hint = "check the key and the model there; what was drawn is stored: run the same command again to continue"
    return ModelError(message, hint)
