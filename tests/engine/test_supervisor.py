"""The supervisor with the real engine and the packaged model."""

import asyncio
import gc
import os
import random
import signal
import struct
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from homogaudit.config.machine import Memory
from homogaudit.engine.supervisor import EngineSupervisor
from homogaudit.errors import StorageError
from homogaudit.events import (
    Cancelling,
    EngineFailed,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    JobMachine,
    JobModel,
    Loading,
    Paused,
    Planned,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
    Scoring,
    Snapshot,
)
from homogaudit.questions.sandbox import close_renderer
from homogaudit.records import Decoding, Prompting, Question
from homogaudit.store import RunFile
from homogaudit.store.run_lock import lock_owner

QUESTIONS = [
    Question("q0", "What do bees make?", answers=("honey",)),
    Question("q1", "Where is Rome?", answers=("Italy",)),
]
_MANY = 300
"""Samples that are not all drawn before a test has said what it has to say."""


@pytest.fixture
def make_job(make_run: Callable[..., RunFile], demo_model: Path) -> Callable[..., Job]:
    """Return a function that makes a run file and the job to draw it."""

    def make(samples: int = 2, model: Path = demo_model, slots: int = 2) -> Job:
        decoding = Decoding(samples=samples, max_tokens=6, greedy_max_tokens=6)
        with make_run(QUESTIONS, decoding=asdict(decoding), prompting=asdict(Prompting())) as run:
            return Job(str(run.path), JobModel(str(model)), JobMachine(slots, threads=1), Scoring("exact"))

    return make


@pytest.fixture(autouse=True)
def nothing_is_left() -> AsyncIterator[None]:
    """Look for threads and child processes that a test left behind."""
    # Other tests of this process may have rendered templates.
    close_renderer()
    before = threading.active_count()
    yield  # type: ignore[misc]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    assert threading.active_count() == before
    with pytest.raises(ChildProcessError):
        # Neither running nor a zombie.
        os.waitpid(-1, os.WNOHANG)


def supervise(
    job: Job, work: Callable[[EngineSupervisor, AsyncIterator[Event]], Awaitable[list[Event]]]
) -> list[Event]:
    """Start an engine and let `work` have it."""

    async def main() -> list[Event]:
        async with EngineSupervisor(job, log(job)) as engine:
            assert engine.pid is not None
            return await work(engine, engine.events())

    return asyncio.run(main())


def log(job: Job) -> Path:
    return Path(job.run + ".log")


async def until(events: AsyncIterator[Event], kind: type[Event]) -> list[Event]:
    taken: list[Event] = []
    async for event in events:
        taken.append(event)
        if isinstance(event, kind):
            return taken
    raise AssertionError(f"no {kind.__name__} among {taken}")


async def everything(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def drawn(events: list[Event]) -> set[tuple[str, int]]:
    return {(e.question_id, e.sample_index) for e in events if isinstance(e, GenerationFinished)}


def stored(job: Job) -> set[tuple[str, int]]:
    with RunFile.open(Path(job.run)) as run:
        return run.generation_keys()


def test_a_run_from_its_loading_to_its_end(make_job: Callable[..., Job]):
    job = make_job()
    events = supervise(job, everything)
    kinds = [type(event) for event in events if not isinstance(event, Progress)]
    assert kinds[:5] == [Planned, Loading, Loading, EngineReady, QuestionStarted]
    assert kinds[-1] is RunFinished
    assert kinds.count(GenerationFinished) == 6
    assert kinds.count(QuestionScored) == 2
    assert isinstance(events[-1], RunFinished)
    assert (events[-1].status, events[-1].draws) == ("complete", 6)
    assert drawn(events) == stored(job) == {(q, i) for q in ("q0", "q1") for i in (-1, 0, 1)}
    assert lock_owner(Path(job.run)) is None


def test_a_pause_stands_still_until_it_is_over(make_job: Callable[..., Job]):
    job = make_job(_MANY)

    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        await until(events, Progress)
        await engine.pause()
        await until(events, Paused)
        # Each answer is a barrier: what the engine drew before it would have been told before it.
        await engine.snapshot()
        first = await anext(events)
        await engine.snapshot()
        second = await anext(events)
        assert isinstance(first, Snapshot)
        assert first == second
        assert first.state == "paused"
        assert first.run == job.run
        assert first.live
        assert first.progress is not None
        await engine.resume()
        assert isinstance(await anext(events), Resumed)
        progress = (await until(events, Progress))[-1]
        assert isinstance(progress, Progress)
        assert progress.tokens > first.progress.tokens
        await engine.cancel()
        return [event async for event in events]

    assert isinstance(supervise(job, work)[-1], RunFinished)


def test_a_snapshot_is_answered_while_drawing(make_job: Callable[..., Job]):
    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        await until(events, Progress)
        await engine.snapshot()
        snapshot = (await until(events, Snapshot))[-1]
        assert isinstance(snapshot, Snapshot)
        assert snapshot.state == "generating"
        assert {delta.question_id for delta in snapshot.live} <= {"q0", "q1"}
        return []

    supervise(make_job(_MANY), work)


def test_cancel_keeps_what_is_finished(make_job: Callable[..., Job]):
    job = make_job(20, slots=1)

    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        taken = await until(events, GenerationFinished)
        await engine.cancel()
        return taken + [event async for event in events]

    events = supervise(job, work)
    assert [type(event) for event in events[-2:]] == [Cancelling, RunFinished]
    assert events[-1].status == "started"  # type: ignore[attr-defined]
    assert drawn(events) == stored(job)
    assert 1 <= len(stored(job)) < 42
    # The same job goes on with what is missing.
    again = supervise(job, everything)
    assert drawn(again) == {(q, i) for q in ("q0", "q1") for i in range(-1, 20)} - drawn(events)


def test_leaving_in_the_middle_ends_the_engine(make_job: Callable[..., Job]):
    job = make_job(_MANY)
    pids: list[int | None] = []

    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        await until(events, Progress)
        pids.append(engine.pid)
        raise KeyError("a screen that fails")

    with pytest.raises(KeyError, match="a screen that fails"):
        supervise(job, work)
    (pid,) = pids
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert lock_owner(Path(job.run)) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_engine_that_does_not_listen_is_killed(make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("homogaudit.engine.supervisor._GRACE_SECONDS", 0.1)

    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        await until(events, Progress)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)
        await engine.stop()
        return [event async for event in events]

    last = supervise(make_job(_MANY), work)[-1]
    assert isinstance(last, EngineFailed)
    assert last.message.startswith("the engine process died (SIGKILL)")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_engine_that_is_killed_is_told_and_the_run_goes_on(make_job: Callable[..., Job]):
    job = make_job(20, slots=1)

    async def work(engine: EngineSupervisor, events: AsyncIterator[Event]) -> list[Event]:
        taken = await until(events, GenerationFinished)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        return taken + [event async for event in events]

    events = supervise(job, work)
    last = events[-1]
    assert isinstance(last, EngineFailed)
    assert (last.kind, last.message) == ("engine", "the engine process died (SIGKILL)")
    assert last.hint is not None
    assert last.hint.startswith("run the same command again to continue")
    assert stored(job) >= drawn(events)
    assert isinstance(supervise(job, everything)[-1], RunFinished)


def damaged(model: Path, target: Path, seed: int) -> Path:
    """Copy a model and overwrite 1 KiB of its header with random bytes."""
    chance = random.Random(seed)
    content = bytearray(model.read_bytes())
    # Behind the magic number, among keys and token texts, whose lengths tell; random numbers in a table would not.
    offset = 4 + chance.randrange(1 << 14)
    content[offset : offset + 1024] = chance.randbytes(1024)
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_header_is_a_model_error(make_job: Callable[..., Job], demo_model: Path, tmp_path: Path, seed: int):
    model = damaged(demo_model, tmp_path / "damaged.gguf", seed)
    last = supervise(make_job(model=model), everything)[-1]
    assert isinstance(last, EngineFailed)
    assert last.kind == "model"
    assert len(last.message.splitlines()) == 1


def test_a_model_file_on_which_llama_cpp_aborts_is_a_model_error(
    make_job: Callable[..., Job], demo_model: Path, tmp_path: Path
):
    content = bytearray(demo_model.read_bytes())
    key = b"llama.block_count"
    # A GGUF key is followed by its type (4, uint32) and its value; a model of no layers makes llama.cpp abort.
    offset = content.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    content[offset : offset + 4] = struct.pack("<I", 0)
    model = tmp_path / "aborts.gguf"
    model.write_bytes(content)
    job = make_job(model=model)
    last = supervise(job, everything)[-1]
    assert isinstance(last, EngineFailed)
    assert last.kind == "model"
    # Whether llama.cpp aborts or says why depends on its version; either way it is one line.
    assert last.message.startswith(("the engine was ended while it loaded `test` (SIG", "cannot load "))
    assert lock_owner(Path(job.run)) is None
    assert stored(job) == set()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os.abort()", "os._exit(137)"])
def test_an_engine_that_is_ended_while_it_loads_is_told_with_the_memory_that_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
):
    engine = tmp_path / "engine"
    engine.write_text(
        f"#!{sys.executable}\n"
        "import os\n"
        "from homogaudit.events import Loading, encode\n"
        "print(encode(Loading('model', 'test'), 0), flush=True)\n"
        f"{end}\n"
    )
    engine.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(engine))
    monkeypatch.setattr("homogaudit.engine.supervisor.machine_memory", lambda: Memory(None, 1_900_000_000))
    folder = tmp_path / "model"
    folder.mkdir()
    for part in range(2):
        with (folder / f"{part}.safetensors").open("wb") as weights:
            weights.truncate(1_300_000_000)
    for model in (folder, folder / "0.safetensors"):
        failed = supervise(Job(str(tmp_path / "x.audit"), JobModel(str(model))), everything)[-1]
        assert isinstance(failed, EngineFailed)
        assert failed.kind == "model"
        how = {"os.kill(os.getpid(), 9)": "SIGKILL", "os.abort()": "SIGABRT", "os._exit(137)": "exit code 137"}[end]
        assert failed.message == f"the engine was ended while it loaded `test` ({how})"
        size = 2.6 if model == folder else 1.3
        told = f"memory may have run out: it takes {size} GB and its context, 1.9 GB were free; "
        assert (failed.hint or "").startswith(told)


def test_a_log_that_cannot_be_written_is_told_before_anything_starts(make_job: Callable[..., Job], tmp_path: Path):
    job = make_job()

    async def main() -> None:
        async with EngineSupervisor(job, tmp_path):
            raise AssertionError("started")

    with pytest.raises(StorageError, match="cannot write the log"):
        asyncio.run(main())


def test_an_answer_of_any_length_crosses_the_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # An engine of two lines, one of them longer than asyncio's own limit of 64 KiB, and one that is no event.
    engine = tmp_path / "engine"
    engine.write_text(
        f"#!{sys.executable}\n"
        "from homogaudit.events import EngineFailed, QuestionStarted, encode\n"
        "print(encode(QuestionStarted('q', 'x' * 1_000_000), 0))\n"
        "print('no event')\n"
        "print(encode(EngineFailed('model', 'm'), 1))\n"
    )
    engine.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(engine))
    events = supervise(Job(str(tmp_path / "x.audit")), everything)
    assert events == [QuestionStarted("q", "x" * 1_000_000), EngineFailed("model", "m")]


def test_an_engine_that_goes_without_a_word_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engine = tmp_path / "engine"
    engine.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such library')\n")
    engine.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(engine))
    job = Job(str(tmp_path / "x.audit"))
    (failed,) = supervise(job, everything)
    assert isinstance(failed, EngineFailed)
    assert failed.kind == "engine"
    assert failed.message == "the engine process died (exit code 1): no such library"
    assert str(log(job)) in (failed.hint or "")
