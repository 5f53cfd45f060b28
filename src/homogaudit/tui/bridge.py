"""Between one engine and the screens: folds its events and tells at most ten times a second what holds now."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import HomogauditError
from homogaudit.events import EngineFailed, Event, Job, RunFinished
from homogaudit.launch.run_paths import log_path
from homogaudit.tui.live_state import LiveReducer, LiveState

__all__ = ["Engine", "EngineBridge", "last_log_lines"]

_TELL_SECONDS = 0.1
"""Ten pictures a second: more is not seen, and each costs a redraw."""

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


class EngineBridge:
    """One engine at work for the screens.

    Args:
        job: What it does.
        reducer: Knows the questions; takes the events.
        tell: Called with what holds now, on the loop that `run` runs on.
        make_engine: Makes the engine from the job and the path of its log.
    """

    def __init__(
        self,
        job: Job,
        reducer: LiveReducer,
        tell: Callable[[LiveState], None],
        make_engine: Callable[[Job, Path], Engine] = EngineSupervisor,
    ) -> None:
        self.log = log_path(Path(job.run))
        self._engine = make_engine(job, self.log)
        self._reducer = reducer
        self._tell = tell
        self._changed = asyncio.Event()
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
                async for event in self._engine.events():
                    self._reducer.apply(event)
                    self._changed.set()
                    if isinstance(event, RunFinished):
                        # What the log holds after a good end is nobody's concern.
                        self.log.unlink(missing_ok=True)
        except HomogauditError as error:
            self._reducer.apply(EngineFailed(error.kind, error.message, error.hint))
        except OSError as error:
            self._reducer.apply(EngineFailed("engine", f"the engine cannot be started: {error.strerror}"))
        finally:
            teller.cancel()
            self._done.set()
        self._tell(self._reducer.snapshot())

    async def pause(self) -> None:
        """Let the model stand still after the current step."""
        await self._engine.pause()

    async def resume(self) -> None:
        """Let the model go on."""
        await self._engine.resume()

    async def cancel(self) -> None:
        """Let the engine stop after the current step; what is finished is stored."""
        self._reducer.cancelling()
        self._changed.set()
        await self._engine.cancel()

    async def stop(self) -> None:
        """Make the engine end, however long it takes to obey, and wait until it is gone."""
        self._reducer.cancelling()
        self._changed.set()
        await self._engine.stop()
        await self._done.wait()

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._tell(self._reducer.snapshot())
            await asyncio.sleep(_TELL_SECONDS)


def last_log_lines(run: Path, most: int) -> list[str]:
    """Return the last lines of the log beside a run that say something."""
    try:
        with log_path(run).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-most:]
