"""The engine process: `python -m homogaudit.engine.child`.

Reads a `Job` and then commands from stdin, writes one event a line to stdout, and logs to stderr. It owns the run
file's lock for as long as it lives. The end of stdin ends it at once, so that a killed parent leaves no orphan.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections import deque
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from homogaudit import events
from homogaudit.errors import EngineError, HomogauditError, machine_error
from homogaudit.events import Event, Job, JobMachine, JobModel, Progress
from homogaudit.records import Prompting

if TYPE_CHECKING:
    from homogaudit.generation import Generator
    from homogaudit.generation.local_generator import LocalGenerator

_ORPHANED = 130
"""Exit code of a child whose parent is gone; nobody reads it."""


class StdinControl:
    """Commands from stdin, read by a thread of their own."""

    def __init__(self, stdin: IO[bytes]) -> None:
        self._stdin = stdin
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._snapshot = threading.Event()
        self._is_ending = threading.Event()
        self._wake = threading.Condition()

    def start(self) -> None:
        """Start to listen."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    @property
    def is_cancelled(self) -> bool:
        """Whether to stop after the current step."""
        return self._cancelled.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether to stand still."""
        return not self._running.is_set()

    def wait_while_paused(self) -> None:
        """Return at the next command."""
        with self._wake:
            if self.is_paused and not self.is_cancelled and not self._snapshot.is_set():
                self._wake.wait()

    def take_snapshot_request(self) -> bool:
        """Whether a snapshot was asked for since the last call."""
        if not self._snapshot.is_set():
            return False
        self._snapshot.clear()
        return True

    def cancel(self, *_: object) -> None:
        """Stop after the current step; a signal handler too."""
        with self._wake:
            self._cancelled.set()
            self._wake.notify_all()

    def let_end(self) -> None:
        """Let the engine close its run and end, whether or not anybody still listens."""
        self._is_ending.set()

    def _listen(self) -> None:
        for line in self._stdin:
            try:
                command = json.loads(line)["command"]
            except (ValueError, KeyError, TypeError):
                print(f"ignored a command that is not understood: {line!r}", file=sys.stderr, flush=True)
                continue
            with self._wake:
                match command:
                    case "pause":
                        self._running.clear()
                    case "resume":
                        self._running.set()
                    case "cancel":
                        self._cancelled.set()
                    case "snapshot":
                        self._snapshot.set()
                    case _:
                        print(f"ignored the unknown command {command!r}", file=sys.stderr, flush=True)
                self._wake.notify_all()
        # The parent is gone. Every finished draw is committed, so there is nothing to save and nobody to tell. An
        # engine that is closing its run ends by itself.
        if not self._is_ending.is_set():
            os._exit(_ORPHANED)


class EventWriter:
    """Writes events from a thread of its own, so that a slow reader never slows the engine.

    `Progress` events that wait are merged into one; all others are kept in order.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._waiting: deque[Event] = deque()
        self._ready = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._write_all, name="events", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Queue one event."""
        with self._ready:
            last = self._waiting[-1] if self._waiting else None
            if isinstance(event, Progress) and isinstance(last, Progress):
                self._waiting[-1] = event.after(last)
            else:
                self._waiting.append(event)
            self._ready.notify()

    def close(self) -> None:
        """Write what waits and stop."""
        with self._ready:
            self._is_closed = True
            self._ready.notify()
        self._thread.join()

    def _write_all(self) -> None:
        sequence = 0
        while True:
            with self._ready:
                while not self._waiting and not self._is_closed:
                    self._ready.wait()
                if not self._waiting:
                    return
                event = self._waiting.popleft()
            try:
                self._stream.write(events.encode(event, sequence) + "\n")
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                os._exit(_ORPHANED)
            sequence += 1


def main() -> int:
    """Do one job and those that follow it; return the exit code."""
    # C code writes to fd 1 too: events keep a private copy and everything else goes to the log.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    line = sys.stdin.buffer.readline()
    if not line.strip():
        return _ORPHANED
    job = Job.decode(line)
    control = StdinControl(sys.stdin.buffer)
    control.start()
    # A terminate asks like a cancel; the supervisor kills what does not listen.
    signal.signal(signal.SIGTERM, control.cancel)
    writer = EventWriter(output)
    code = 0
    try:
        _run(job, control, writer)
    except HomogauditError as error:
        writer.put(events.EngineFailed(error.kind, error.message, error.hint))
        _log_traceback()
        code = error.exit_code
    except Exception as error:
        message = f"internal error in the engine: {type(error).__name__}: {error}".splitlines()[0]
        found = machine_error(error) or EngineError(message, "please report it with the log")
        writer.put(events.EngineFailed(found.kind, found.message, found.hint))
        _log_traceback()
        code = found.exit_code
    writer.close()
    return code


def _log_traceback() -> None:
    """Write the traceback to the log, which may lie on the full disk that is the reason for it."""
    with contextlib.suppress(OSError):
        traceback.print_exc()
        sys.stderr.flush()


class DrawingModels:
    """Loads the models that draw, and keeps one for the next run where that draws from it with the same prompting.

    Servers are left as they are: there is nothing to load.
    """

    def __init__(self) -> None:
        self._kept: LocalGenerator[Any] | None = None
        self._key: tuple[JobModel, JobMachine, Prompting] | None = None

    def load(self, model: JobModel, prompting: Prompting, now: datetime, machine: JobMachine) -> "Generator":
        """Return the kept model, else load one; a kept one that is another is closed first."""
        kept, self._kept = self._kept, None
        key = (model, machine, prompting)
        if kept is not None and self._key == key:
            kept.renew(now)
            return kept
        if kept is not None:
            kept.close()
        self._key = key
        return load_generator(model, prompting, now, machine)

    def put_back(self, generator: "Generator", job: Job, following: Job | None) -> None:
        """Keep the model of a job if the following one may draw from it, else close it."""
        from homogaudit.generation.local_generator import LocalGenerator

        is_shared = following is not None and (following.model, following.machine) == (job.model, job.machine)
        if is_shared and isinstance(generator, LocalGenerator) and not job.machine.defer_embedding:
            self._kept = generator
        else:
            generator.close()


def _run(job: Job, control: StdinControl, writer: EventWriter) -> None:
    """Do a job and those that follow it, until one is cancelled."""
    models = DrawingModels()
    jobs = (job, *job.then)
    for place, own in enumerate(jobs):
        _do(own, next(iter(jobs[place + 1 :]), None), models, control, writer)
        if control.is_cancelled:
            return


def _do(job: Job, following: Job | None, models: DrawingModels, control: StdinControl, writer: EventWriter) -> None:
    from homogaudit.phases import Phase, PhaseClock

    clock = PhaseClock()
    with clock(Phase.LOADING):
        from homogaudit.clustering.entailment import CrossEncoderEntailment
        from homogaudit.clustering.load_embedder import load_embedder
        from homogaudit.pipeline import Audit
        from homogaudit.store import RunFile, RunLock

    path = Path(job.run)
    with RunLock(path), RunFile.open(path, writable=True) as run:
        audit = Audit(
            run,
            job,
            control,
            load_generator=partial(models.load, machine=job.machine),
            load_embedder=partial(load_embedder, key_origins=job.machine.key_origins, threads=job.machine.threads),
            load_nli=lambda nli: CrossEncoderEntailment(nli.name, nli.location, revision=nli.revision),
            put_back=partial(models.put_back, job=job, following=following),
            clock=clock,
        )
        for event in audit.events():
            if isinstance(event, events.RunFinished) and (following is None or control.is_cancelled):
                control.let_end()
            writer.put(event)


def load_generator(
    model: JobModel, prompting: Prompting, now: datetime, machine: JobMachine, *, measure_anew: bool = False
) -> "Generator":
    """Load the generator that fits a model's kind; with `measure_anew` no slots count that were measured before.

    Raises:
        ModelError: The model cannot be loaded, or its server cannot be asked.
        ConfigError: The prompt template cannot be used.
    """
    if model.kind == "server":
        from homogaudit.generation.openai_api import OpenAIGenerator

        return OpenAIGenerator(
            model.location,
            prompting,
            now=now,
            model=model.server_model,
            concurrency=model.concurrency,
            token_budget=model.token_budget,
            key_origins=machine.key_origins,
        )

    from homogaudit.generation.slot_choice import KeptSlots

    if model.kind == "huggingface":
        from homogaudit.generation.transformers_model import TransformersGenerator as LocalGenerator
    else:
        from homogaudit.generation.llama_cpp import LlamaCppGenerator as LocalGenerator

    return LocalGenerator(
        Path(model.location),
        prompting,
        now=now,
        gpu_layers=machine.gpu_layers,
        threads=machine.threads,
        slots=machine.slots,
        kept_slots=KeptSlots(Path(model.location), _folder_of_runs(), anew=measure_anew),
    )


def _folder_of_runs() -> Path | None:
    """Return where measurements are kept; `None` where the settings cannot be read, which others tell."""
    from homogaudit.config import load_models, load_settings

    try:
        return load_settings(load_models()).runs
    except HomogauditError:
        return None


if __name__ == "__main__":
    code = main()
    # Native libraries may hang or abort in their destructors; everything is committed and written.
    os._exit(code)
