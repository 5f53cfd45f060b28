"""The engine process by itself: what it reads, what it writes, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from homogaudit.engine import child
from homogaudit.engine.child import DrawingModels, EventWriter, StdinControl
from homogaudit.events import (
    EngineFailed,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    JobMachine,
    JobModel,
    Loading,
    Planned,
    Progress,
    QuestionStarted,
    RunFinished,
    TextDelta,
    decode,
)
from homogaudit.generation.generator import DrawRequest
from homogaudit.records import GREEDY, Decoding, Prompting
from homogaudit.store import RunFile, RunLock
from homogaudit.store.run_lock import lock_owner

from ..patience import PATIENCE

_PIPE_BYTES = 4096
"""The smallest pipe that Linux gives: a reader that does not read is felt at once."""

Start = Callable[..., subprocess.Popen[bytes]]


def create(make_run: Callable[..., RunFile], samples: int) -> Path:
    decoding = Decoding(samples=samples, max_tokens=6, greedy_max_tokens=6)
    with make_run(decoding=asdict(decoding), prompting=asdict(Prompting())) as run:
        return run.path


@pytest.fixture
def run_path(make_run: Callable[..., RunFile]) -> Path:
    return create(make_run, 2)


@pytest.fixture
def long_run_path(make_run: Callable[..., RunFile]) -> Path:
    """A run that is not all drawn before a test has said what it has to say."""
    return create(make_run, 300)


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts an engine; each is gone at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*, code: str | None = None, stderr: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        command = ["-m", "homogaudit.engine.child"] if code is None else ["-c", code]
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            pipesize=_PIPE_BYTES,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        process.wait(PATIENCE)


def tell(process: subprocess.Popen[bytes], *lines: str) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()


def command(name: str) -> str:
    return json.dumps({"command": name})


def read(process: subprocess.Popen[bytes], kind: type[Event] | None = None) -> list[Event]:
    """Return events up to the first of a kind, or all; their sequence numbers have no gap."""
    assert process.stdout is not None
    events: list[Event] = []
    for line in process.stdout:
        events.append(decode(line))
        if kind is not None and isinstance(events[-1], kind):
            return events
    return events


def drawn(events: list[Event]) -> set[tuple[str, int]]:
    return {(e.question_id, e.sample_index) for e in events if isinstance(e, GenerationFinished)}


def stored(run: Path) -> set[tuple[str, int]]:
    with RunFile.open(run) as file:
        return file.generation_keys()


# The process with the real model


def test_the_end_of_stdin_ends_the_engine(start: Start, long_run_path: Path, demo_model: Path):
    process = start()
    tell(process, Job(str(long_run_path), JobModel(str(demo_model)), JobMachine(slots=1, threads=1)).encode())
    read(process, QuestionStarted)
    assert lock_owner(long_run_path) == process.pid
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE) == 130
    assert lock_owner(long_run_path) is None


def test_one_process_does_several_runs_one_after_the_other(
    start: Start, make_run: Callable[..., RunFile], demo_model: Path
):
    paths: list[Path] = []
    for name, temperature in (("cold.audit", 0.5), ("warm.audit", 1.5)):
        decoding = Decoding(samples=2, temperature=temperature, max_tokens=4, greedy_max_tokens=4)
        with make_run(name=name, decoding=asdict(decoding), prompting=asdict(Prompting())) as run:
            paths.append(run.path)
    first, second = (Job(str(path), JobModel(str(demo_model)), JobMachine(slots=1, threads=1)) for path in paths)
    process = start()
    tell(process, replace(first, then=(second,)).encode())
    events = read(process)
    assert [x.status for x in events if isinstance(x, RunFinished)] == ["complete", "complete"]
    assert process.wait(PATIENCE) == 0
    assert [len(stored(path)) for path in paths] == [6, 6]


def test_a_cancel_ends_all_runs_of_a_process(
    start: Start, make_run: Callable[..., RunFile], long_run_path: Path, demo_model: Path
):
    decoding = Decoding(samples=2, max_tokens=4, greedy_max_tokens=4)
    with make_run(name="next.audit", decoding=asdict(decoding), prompting=asdict(Prompting())) as run:
        following = run.path
    first, second = (
        Job(str(path), JobModel(str(demo_model)), JobMachine(slots=1, threads=1)) for path in (long_run_path, following)
    )
    process = start()
    tell(process, replace(first, then=(second,)).encode())
    read(process, QuestionStarted)
    tell(process, command("cancel"))
    assert [x.status for x in read(process) if isinstance(x, RunFinished)] == ["started"]
    assert stored(following) == set()


def test_a_model_that_two_runs_share_is_loaded_once_and_draws_as_if_it_were_loaded_anew(demo_model: Path):
    def draws(generator: Any, temperature: float) -> dict[int, str]:
        request = DrawRequest("q0", generator.prompt("Where is Rome?"), (GREEDY, 0, 1))
        decoding = Decoding(samples=2, temperature=temperature, max_tokens=6, greedy_max_tokens=6)
        drawing, found = generator.draw([request], decoding), dict[int, str]()
        while not drawing.is_done:
            found |= {x.sample_index: x.text for x in drawing.step()}
        return found

    now, later = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    job = Job("cold.audit", JobModel(str(demo_model)), JobMachine(slots=1, threads=1))
    assert job.model is not None
    models = DrawingModels()
    generator = models.load(job.model, Prompting(), now, job.machine)
    draws(generator, 0.5)
    assert generator.facts.slots == 1
    models.put_back(generator, job, following=job)
    again = models.load(job.model, Prompting(), later, job.machine)
    assert again is generator
    # Nothing is left of the first drawing.
    assert (again.facts.slots, again.facts.seconds_per_step) == (0, None)
    warm = draws(again, 1.5)
    models.put_back(again, job, following=job)
    other = models.load(job.model, Prompting(system="Be brief."), later, job.machine)
    assert other is not generator
    models.put_back(other, job, following=None)
    fresh = DrawingModels().load(job.model, Prompting(), later, job.machine)
    assert draws(fresh, 1.5) == warm
    fresh.close()


def test_a_reader_that_does_not_read_loses_nothing_and_slows_nothing(start: Start, run_path: Path, demo_model: Path):
    process = start()
    tell(process, Job(str(run_path), JobModel(str(demo_model)), JobMachine(slots=2, threads=1)).encode())
    deadline = time.monotonic() + PATIENCE
    # Nobody reads: the engine still draws all there is to draw.
    while len(stored(run_path)) < 6 and time.monotonic() < deadline:
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    assert len(stored(run_path)) == 6
    events = read(process)
    assert process.wait(PATIENCE) == 0
    assert drawn(events) == stored(run_path)
    assert isinstance(events[-1], RunFinished)
    texts: dict[tuple[str, int], str] = {}
    for event in events:
        if isinstance(event, Progress):
            for delta in event.deltas:
                key = (delta.question_id, delta.sample_index)
                texts[key] = texts.get(key, "") + delta.text
    with RunFile.open(run_path) as run:
        whole = {
            (s.question.id, g.sample_index): g.text for s in run.sample_sets() for g in [s.greedy, *s.samples] if g
        }
    assert all(whole[key].startswith(text) for key, text in texts.items())


def test_a_terminate_is_a_cancel(start: Start, long_run_path: Path, demo_model: Path):
    process = start()
    tell(process, Job(str(long_run_path), JobModel(str(demo_model)), JobMachine(slots=1, threads=1)).encode())
    events = read(process, EngineReady)
    process.send_signal(signal.SIGTERM)
    events += read(process)
    assert process.wait(PATIENCE) == 0
    assert isinstance(events[-1], RunFinished)
    assert events[-1].status == "started"
    assert drawn(events) == stored(long_run_path)
    assert lock_owner(long_run_path) is None
    # Nothing beside the run is left.
    assert [path.name for path in long_run_path.parent.iterdir()] == [long_run_path.name]


def test_a_model_file_that_is_none_is_told_as_an_event(start: Start, run_path: Path, tmp_path: Path):
    model = tmp_path / "text.gguf"
    model.write_text("hello")
    process = start()
    tell(process, Job(str(run_path), JobModel(str(model))).encode())
    planned, loading, failed = read(process)
    assert isinstance(planned, Planned) and planned.answers == 6
    assert loading == Loading("model", "test")
    assert isinstance(failed, EngineFailed)
    assert (failed.kind, failed.message) == ("model", f"`{model}` is not a GGUF file")
    assert process.wait(PATIENCE) == 3


def test_a_run_in_use_is_refused(start: Start, run_path: Path):
    with RunLock(run_path):
        process = start()
        tell(process, Job(str(run_path)).encode())
        (failed,) = read(process)
        assert isinstance(failed, EngineFailed)
        assert failed.kind == "run_file"
        assert f"process {os.getpid()}" in failed.message
        assert process.wait(PATIENCE) == 2


def test_a_missing_run_is_refused(start: Start, tmp_path: Path):
    process = start()
    tell(process, Job(str(tmp_path / "absent.audit")).encode())
    (failed,) = read(process)
    assert isinstance(failed, EngineFailed)
    assert failed.kind == "run_file"
    assert process.wait(PATIENCE) == 2


# The process with a job of its own


NOISE = """
import ctypes, os
from homogaudit.engine import child
from homogaudit.events import Loading, RunFinished

def noisy(job, control, writer):
    writer.put(Loading("model", "one"))
    os.write(1, b"written to fd 1\\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"written by C")
    libc.fflush(None)
    print("printed", flush=True)
    writer.put(RunFinished("complete", 0, 0.0))

child._run = noisy
os._exit(child.main())
"""


def test_what_native_code_prints_goes_to_the_log(start: Start):
    process = start(code=NOISE)
    tell(process, Job("x").encode())
    assert read(process) == [Loading("model", "one"), RunFinished("complete", 0, 0.0)]
    assert process.stderr is not None
    assert set(process.stderr.read().split(b"\n")) == {b"written to fd 1", b"written by C", b"printed", b""}
    assert process.wait(PATIENCE) == 0


FAILING = """
import os
from homogaudit.engine import child

def fail(job, control, writer):
    raise {error}

child._run = fail
os._exit(child.main())
"""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("KeyError('a')", "internal error in the engine: KeyError: 'a'"),
        ("ValueError('first\\nsecond')", "internal error in the engine: ValueError: first"),
        ("MemoryError()", "memory has run out"),
        ("ImportError('x.so: failed to map segment from shared object')", "memory has run out"),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_line(start: Start, error: str, message: str):
    process = start(code=FAILING.format(error=error))
    tell(process, Job("x").encode())
    (failed,) = read(process)
    assert isinstance(failed, EngineFailed)
    assert (failed.kind, failed.message) == ("engine", message)
    assert process.wait(PATIENCE) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the disk without space")
def test_an_error_is_told_even_where_the_log_cannot_be_written(start: Start):
    with open("/dev/full", "wb") as full:
        process = start(code=FAILING.format(error="OSError('no space')"), stderr=full)
    tell(process, Job("x").encode())
    (failed,) = read(process)
    assert isinstance(failed, EngineFailed)
    assert failed.message == "internal error in the engine: OSError: no space"
    assert process.wait(PATIENCE) == 3


# Its parts


def test_waiting_progress_is_merged_and_nothing_else_is():
    def progress(number: int) -> Progress:
        return Progress(0, 1, 0, 1, number, 0, 0.0, 0.0, None, 1, (TextDelta("q", 0, str(number)),))

    class GatedStream(io.StringIO):
        gate = threading.Event()
        reached = threading.Event()

        def write(self, text: str) -> int:
            self.reached.set()
            assert self.gate.wait(PATIENCE)
            return super().write(text)

    stream = GatedStream()
    writer = EventWriter(stream)
    writer.put(Loading("model", "x"))
    assert stream.reached.wait(PATIENCE)
    # The writer stands in its first event; none of these waits for it.
    for number in range(100):
        writer.put(progress(number))
    writer.put(GenerationFinished("q", 0, "a", "valid", "stop", 1, 0.1))
    for number in range(100, 150):
        writer.put(progress(number))
    stream.gate.set()
    writer.close()
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [0, 1, 2, 3]
    events = [decode(line) for line in lines]
    assert [type(event) for event in events] == [Loading, Progress, GenerationFinished, Progress]
    first, second = (event for event in events if isinstance(event, Progress))
    assert [delta.text for delta in (*first.deltas, *second.deltas)] == [str(number) for number in range(150)]
    assert (first.tokens, second.tokens) == (99, 149)


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], StdinControl]:
    """Return a function that makes a control which has heard some lines, the end of stdin left out."""

    def listen(lines: bytes) -> StdinControl:
        monkeypatch.setattr(child.os, "_exit", lambda code: None)
        control = StdinControl(io.BytesIO(lines))
        control._listen()  # pyright: ignore[reportPrivateUsage]
        return control

    return listen


def commands(*names: str) -> bytes:
    return "".join(command(name) + "\n" for name in names).encode()


def test_commands_set_what_the_audit_asks(listen: Callable[[bytes], StdinControl]):
    assert not listen(b"").is_paused
    assert listen(commands("pause")).is_paused
    assert not listen(commands("pause", "resume")).is_paused
    assert listen(commands("cancel")).is_cancelled
    assert not listen(commands("pause")).is_cancelled


def test_a_snapshot_is_asked_for_once(listen: Callable[[bytes], StdinControl]):
    control = listen(commands("snapshot"))
    assert control.take_snapshot_request()
    assert not control.take_snapshot_request()


def test_what_is_no_command_is_ignored_and_logged(
    listen: Callable[[bytes], StdinControl], capsys: pytest.CaptureFixture[str]
):
    control = listen(b'no json\n[]\n{"command": 5}\n{}\n' + commands("explode", "pause"))
    assert control.is_paused
    assert not control.is_cancelled
    logged = capsys.readouterr().err
    assert logged.count("ignored") == 5
    assert "'explode'" in logged


def test_waiting_ends_with_the_next_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child.os, "_exit", lambda code: None)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin, os.fdopen(writer, "wb", buffering=0) as stdout:
        control = StdinControl(stdin)
        control.start()
        for name, seen in (("pause", "is_paused"), ("cancel", "is_cancelled")):
            stdout.write(commands(name))
            deadline = time.monotonic() + PATIENCE
            while not getattr(control, seen) and time.monotonic() < deadline:
                time.sleep(0.005)
            assert getattr(control, seen)
        # A cancel ends a pause, and so there is nothing to wait for.
        control.wait_while_paused()


def test_a_control_can_be_cancelled_by_a_signal_while_it_waits():
    control = StdinControl(io.BytesIO(b""))
    control._running.clear()  # pyright: ignore[reportPrivateUsage]
    waiter = threading.Thread(target=control.wait_while_paused)
    waiter.start()
    control.cancel(signal.SIGTERM, None)
    waiter.join(PATIENCE)
    assert not waiter.is_alive()


def test_no_job_is_no_work():
    result = subprocess.run(
        [sys.executable, "-m", "homogaudit.engine.child"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"")
