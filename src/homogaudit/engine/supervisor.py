"""Starts an engine process, passes its events on, and makes sure that it ends.

It knows the events and nothing of the pipeline; screens, commands and programs all run an audit through it.
"""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from homogaudit import events
from homogaudit.config.machine import machine_memory
from homogaudit.config.python_child import child_environment, python_command
from homogaudit.errors import storage_error
from homogaudit.events import EngineFailed, Event, Job, Loading, RunFinished

_LINE_LIMIT = 16 << 20
"""Bytes of one event line: an answer of any length fits."""

_GRACE_SECONDS = 2.0
"""What an engine gets to obey before it is terminated, and again before it is killed."""

_LOG_TAIL = 5

_OUT_OF_MEMORY = ("SIGKILL", "SIGABRT", "exit code 137", "exit code 134")
"""How a process goes whose memory has run out: the system kills it, or a library gives up; a shell adds 128."""

_GIGABYTE = 1e9


class EngineSupervisor:
    """One engine process and its events.

    Use as an async context manager; leaving it stops the engine whatever happened.

    Its stderr is appended to `log`.
    """

    def __init__(self, job: Job, log: Path) -> None:
        self._job = job
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self._loading: Loading | None = None
        self._memory_free: int | None = None

    @property
    def pid(self) -> int | None:
        """The engine's process id while there is one."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        with self._open_log() as log:
            self._process = await asyncio.create_subprocess_exec(
                *python_command("homogaudit.engine.child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LINE_LIMIT,
                # A group of its own: Ctrl+C in the terminal reaches the parent alone, which then asks.
                start_new_session=True,
                env=child_environment({"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}),
            )
        await self._send(self._job.encode())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until the engine is gone; the last is `RunFinished` or `EngineFailed`."""
        process = self._process
        assert process is not None and process.stdout is not None
        last: Event | None = None
        while line := await process.stdout.readline():
            try:
                last = events.decode(line)
            except ValueError:
                continue
            if isinstance(last, Loading):
                self._loading = last
                self._memory_free = machine_memory().available
            elif isinstance(last, events.EngineReady):
                self._loading = None
            yield last
        code = await process.wait()
        if not isinstance(last, RunFinished | EngineFailed):
            yield self._death(code)

    async def pause(self) -> None:
        """Let the model stand still after the current step."""
        await self._command("pause")

    async def resume(self) -> None:
        """Let the model go on."""
        await self._command("resume")

    async def cancel(self) -> None:
        """Let the engine stop after the current step; what is finished is stored."""
        await self._command("cancel")

    async def snapshot(self) -> None:
        """Ask for a `Snapshot` event."""
        await self._command("snapshot")

    async def stop(self) -> None:
        """Make the engine end: ask, after two seconds terminate, then kill."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        await self.cancel()
        for end in (process.terminate, process.kill):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
                return
            with contextlib.suppress(ProcessLookupError):
                end()
        await process.wait()

    def _open_log(self) -> BinaryIO:
        try:
            return self.log.open("ab")
        except OSError as error:
            hint = "an audit needs a folder that it can write to"
            raise storage_error(f"cannot write the log `{self.log}`", error, hint) from error

    async def _command(self, command: str) -> None:
        await self._send(json.dumps({"command": command}))

    async def _send(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        # An engine that is gone already has said why on its other streams.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()

    def _death(self, code: int) -> EngineFailed:
        """Describe an engine that went without a word."""
        how = f"exit code {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        if self._loading and self._loading.part in ("model", "context"):
            message = f"llama.cpp crashed while loading `{self._loading.name}` ({how})"
            if how in _OUT_OF_MEMORY:
                message = f"the engine was ended while it loaded `{self._loading.name}` ({how})"
                return EngineFailed("model", message, self._memory_hint())
            return EngineFailed("model", message, "is the file complete and undamaged?")
        tail = self._log_tail()
        message = f"the engine process died ({how})" + (f": {tail}" if tail else "")
        return EngineFailed("engine", message, f"run the same command again to continue; log: {self.log}")

    def _memory_hint(self) -> str:
        """Say what the model takes of memory and what there was, as far as both are known."""
        weights = _bytes_of_weights(Path(self._job.model.location)) if self._job.model else 0
        needed = f"it takes {weights / _GIGABYTE:.1f} GB and its context" if weights else ""
        free = "" if self._memory_free is None else f"{self._memory_free / _GIGABYTE:.1f} GB were free"
        told = f": {', '.join(filter(None, (needed, free)))}" if needed or free else ""
        return f"memory may have run out{told}; choose a smaller model, or lower `--slots` and `--max-tokens`"

    def _log_tail(self) -> str:
        """Return the last line of the log that says something."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _bytes_of_weights(path: Path) -> int:
    """Return the size of a model's file, or of the files of weights in its folder; 0 where there is neither."""
    try:
        files = [path] if path.is_file() else [*path.glob("*.safetensors"), *path.glob("*.bin")]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0
