"""Between one engine and the screens: folds its events and tells at most ten times a second what holds now.

On a machine whose cores the engine needs it tells less often: watching must not slow what is watched.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from homogaudit.config.machine import physical_cores
from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import HomogauditError
from homogaudit.events import (
    Asking,
    EngineFailed,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    Progress,
    QuestionScored,
    QuestionStarted,
    RunFinished,
)
from homogaudit.launch.forecast import Forecast, Step
from homogaudit.launch.run_paths import log_path
from homogaudit.tui.live_state import LiveReducer, LiveState

_SHORTEST_REST = 0.1
"""Seconds between two pictures: ten a second, as more are not seen."""

_LONGEST_REST = 1.0
"""Seconds: a screen that stands still for longer looks dead."""

_STEADY = (Asking, GenerationFinished, Progress, QuestionScored, QuestionStarted)
"""What comes all the time and can wait for the next picture; all else is shown at once."""

_SHARE_BESIDE_THREADS = 0.02
"""Of one core, where the engine's threads have all of them: they wait for each other at every layer of the model, so
that what this process takes from one core all of them lose."""

_SHARE = 0.5
"""Of one core, where a core is left or the model is on a GPU: still enough for keys to be answered at once."""

_LOG_BYTES = 8192
"""Of the end of the log: more lines than any screen shows."""


class Engine(Protocol):
    """What a bridge needs of an engine; `EngineSupervisor` is one, and tests replay recorded events."""

    @property
    def pid(self) -> int | None:
        """The process."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def events(self) -> AsyncIterator[Event]:
        """Yield events until the engine is gone."""
        ...

    async def pause(self) -> None:
        """Let the model stand still."""
        ...

    async def resume(self) -> None:
        """Let the model go on."""
        ...

    async def cancel(self) -> None:
        """Let the engine stop after the current step."""
        ...

    async def stop(self) -> None:
        """Make the engine end."""
        ...


class Pace:
    """How long to rest between two pictures, so that this process computes no more than its share of a core.

    Args:
        clock: Seconds that this process has computed so far, all threads together.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._computed = clock()
        self.share = _SHARE

    def set_engine(self, ready: EngineReady) -> None:
        """Learn what the engine runs on."""
        threads = ready.details.get("threads")
        leaves_a_core = isinstance(threads, int) and threads < physical_cores()
        self.share = _SHARE if leaves_a_core or not ready.device.startswith("CPU") else _SHARE_BESIDE_THREADS

    def rest(self) -> float:
        """Return the seconds to wait now: as long as what was computed since the last call takes at this share."""
        before, self._computed = self._computed, self._clock()
        return min(max((self._computed - before) / self.share, _SHORTEST_REST), _LONGEST_REST)


class EngineBridge:
    """One engine at work for the screens, which are told what holds now on the loop that `run` runs on."""

    def __init__(
        self,
        job: Job,
        reducer: LiveReducer,
        tell: Callable[[LiveState], None],
        make_engine: Callable[[Job, Path], Engine] = EngineSupervisor,
        earlier: Mapping[Step, float] | None = None,
    ) -> None:
        self.forecast = Forecast(earlier)
        self.log = log_path(Path(job.run))
        self._engine = make_engine(job, self.log)
        self._reducer = reducer
        self._tell = tell
        self._pace = Pace()
        self._is_started = self._is_stopping = False
        self._changed = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._done = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The engine's process id while there is one."""
        return self._engine.pid

    async def run(self) -> None:
        """Run the engine to its end; a failure is an event, never an exception."""
        teller = asyncio.create_task(self._tell_changes())
        try:
            async with self._engine:
                self._is_started = True
                if self._is_stopping:
                    await self._engine.stop()
                async for event in self._engine.events():
                    self._reducer.apply(event)
                    self.forecast.apply(event)
                    if isinstance(event, EngineReady):
                        self._pace.set_engine(event)
                    self._note(urgent=not isinstance(event, _STEADY))
                    if isinstance(event, RunFinished):
                        # What the log holds after a good end is nobody's concern.
                        self.log.unlink(missing_ok=True)
        except HomogauditError as error:
            self._reducer.apply(EngineFailed(error.kind, error.message, error.hint))
        except OSError as error:
            self._reducer.apply(EngineFailed("engine", f"the engine cannot be started: {error.strerror}"))
        except Exception as error:
            self._reducer.apply(EngineFailed("engine", f"what the engine said is not understood: {error!r}"))
        finally:
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)
            self._done.set()
        self._tell(self._reducer.snapshot(self.forecast.ahead()))

    async def pause(self) -> None:
        """Let the model stand still after the current step."""
        self._reducer.pausing()
        self._note(urgent=True)
        await self._engine.pause()

    async def resume(self) -> None:
        """Let the model go on."""
        self._reducer.going_on()
        self._note(urgent=True)
        await self._engine.resume()

    async def cancel(self) -> None:
        """Let the engine stop after the current step; what is finished is stored."""
        self._reducer.cancelling()
        self._note(urgent=True)
        await self._engine.cancel()

    async def stop(self) -> None:
        """Make the engine end, however long it takes to obey, and wait until it is gone."""
        self._reducer.cancelling()
        self._note(urgent=True)
        self._is_stopping = True
        if self._is_started:
            await self._engine.stop()
        await self._done.wait()

    def _note(self, *, urgent: bool) -> None:
        """Have the new state told: at the next picture, or as soon as pictures may follow each other."""
        self._changed.set()
        if urgent:
            self._is_urgent.set()

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._is_urgent.clear()
            self._tell(self._reducer.snapshot(self.forecast.ahead()))
            await asyncio.sleep(_SHORTEST_REST)
            with contextlib.suppress(TimeoutError):
                # Unlike `wait_for` this does not lose a cancel that comes together with what it waits for.
                async with asyncio.timeout(self._pace.rest() - _SHORTEST_REST):
                    await self._is_urgent.wait()


def last_log_lines(run: Path, most: int) -> list[str]:
    """Return the last lines of the log beside a run that say something."""
    try:
        with log_path(run).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-most:]
