"""An event loop in a thread of its own, for callers that wait."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._begun: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="requests", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it takes coroutines."""
        return not self._loop.is_closed()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine and return the future of its result."""
        return asyncio.run_coroutine_threadsafe(self._noted(coroutine), self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine."""
        return self.start(coroutine).result()

    def close(self, *last: Coroutine[Any, Any, None]) -> None:
        """Cancel what still runs, then run `last`, which nothing follows that would open anew, and end the thread."""
        self.run(self._cancel_others())
        for coroutine in last:
            self.run(coroutine)
        # What closes a connection does so in the loop's next round.
        self.run(asyncio.sleep(0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _noted(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._begun.add(task)
        try:
            return await coroutine
        finally:
            self._begun.discard(task)

    async def _cancel_others(self) -> None:
        """Cancel what was started here first: it ends its own tasks itself, some of which may not have begun."""
        await _cancel(self._begun)
        await _cancel(asyncio.all_tasks())


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    others = [task for task in tasks if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
