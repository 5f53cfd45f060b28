"""Lets an engine do a job to its end, for a command and for a program alike. It prints nothing."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import EngineError, InterruptedRunError, from_kind
from homogaudit.events import EngineFailed, Event, Job, RunFinished
from homogaudit.launch.run_paths import log_path

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def work(job: Job, on_event: Callable[[Event], None] = lambda _: None) -> RunFinished:
    """Do a job in an engine process, and return when it has ended.

    A Ctrl+C or a terminate stops the engine after its current step. Under an event loop, as in a notebook, the engine
    is watched from another thread.

    Each event is told from the thread that watches the engine.

    Raises:
        InterruptedRunError: The user stopped it; what was finished is in the run file.
        HomogauditError: What the engine failed with.
    """
    watch = _Watch(job, on_event)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with _signals_kept():
            return asyncio.run(watch.run())
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(lambda: asyncio.run(watch.run()))
        while True:
            try:
                return watched.result()
            except KeyboardInterrupt:
                watch.interrupt()


class _Watch:
    """One engine, from its start to its end."""

    def __init__(self, job: Job, on_event: Callable[[Event], None]) -> None:
        self._job = job
        self._on_event = on_event
        self._interrupted = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def interrupt(self) -> None:
        """Have the engine stopped, from whichever thread."""
        # A loop that has just ended has nothing to stop.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._interrupted.set)

    async def run(self) -> RunFinished:
        """Watch the engine until it has ended."""
        log = log_path(Path(self._job.run))
        self._loop = asyncio.get_running_loop()
        # Not on Windows, and not beside the main thread.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in _SIGNALS:
                self._loop.add_signal_handler(number, self._interrupted.set)
        last: Event | None = None
        async with EngineSupervisor(self._job, log) as engine:
            # `stop` asks first, then terminates, then kills, so a second Ctrl+C has nothing left to add.
            stopper = asyncio.create_task(self._stop_when_interrupted(engine))
            async for event in engine.events():
                if not (self._interrupted.is_set() and isinstance(event, EngineFailed)):
                    self._on_event(event)
                last = event
            stopper.cancel()
        if self._interrupted.is_set():
            raise InterruptedRunError("interrupted; what was drawn is stored", "run the same command again to continue")
        if isinstance(last, EngineFailed):
            raise from_kind(last.kind, last.message, last.hint)
        if not isinstance(last, RunFinished):
            raise EngineError("the engine ended without a result", f"its log: {log}")
        log.unlink(missing_ok=True)
        return last

    async def _stop_when_interrupted(self, engine: EngineSupervisor) -> None:
        await self._interrupted.wait()
        await engine.stop()


@contextlib.contextmanager
def _signals_kept() -> Generator[None]:
    """Give a program its own handlers back: a loop that ends leaves the defaults."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
