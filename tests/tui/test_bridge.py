"""The bridge: many events, few pictures, and an end in every case."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from homogaudit.errors import StorageError
from homogaudit.events import EngineReady, Event, Job, RunFinished
from homogaudit.tui.bridge import EngineBridge, Pace, last_log_lines
from homogaudit.tui.live_state import LiveReducer, LiveState, QuestionRow

from .conftest import ReplayEngine, half_a_run


def reducer() -> LiveReducer:
    return LiveReducer([QuestionRow(f"q{i}", "?") for i in range(12)], 5)


async def test_events_that_come_at_once_make_one_picture_and_the_end_another(make_job: Callable[..., Job]):
    told: list[LiveState] = []
    engine = ReplayEngine([*half_a_run(), RunFinished("complete", 60, 1.0)])
    bridge = EngineBridge(make_job(), reducer(), told.append, lambda job, log: engine)
    await bridge.run()
    assert len(told) <= 2
    assert told[-1].status == "complete"
    assert told[-1].scored == 6


async def test_an_engine_that_cannot_start_is_a_failure_and_not_an_exception(make_job: Callable[..., Job]):
    class Broken(ReplayEngine):
        async def __aenter__(self) -> "Broken":
            raise StorageError("cannot write the log", "free some space")

    told: list[LiveState] = []
    bridge = EngineBridge(make_job(), reducer(), told.append, lambda job, log: Broken([]))
    await bridge.run()
    assert told[-1].failure is not None
    assert (told[-1].status, told[-1].failure.kind) == ("failed", "storage")


async def test_a_stop_waits_until_the_engine_is_gone(make_job: Callable[..., Job]):
    engine = ReplayEngine([*half_a_run(), None])
    bridge = EngineBridge(make_job(), reducer(), lambda state: None, lambda job, log: engine)
    working = asyncio.create_task(bridge.run())
    await asyncio.sleep(0)
    await bridge.stop()
    assert engine.is_stopped
    await working


async def test_a_bug_in_a_screen_does_not_leave_an_engine_behind(make_job: Callable[..., Job]):
    class Bad(ReplayEngine):
        async def events(self) -> AsyncIterator[Event]:
            yield RunFinished("complete", 1, 1.0)
            raise OSError(5, "input/output error")

    engine = Bad([])
    told: list[LiveState] = []
    await EngineBridge(make_job(), reducer(), told.append, lambda job, log: engine).run()
    assert engine.is_stopped
    assert told[-1].failure is not None


def ready(device: str, **details: object) -> EngineReady:
    return EngineReady(device, 8, 4096, 1, "chat", 12, 60, 0, 100, None, details=details)


def rests(event: EngineReady, *computed: float) -> list[float]:
    """Return the rests of a process that computes so many seconds for each picture."""
    clock = iter([0.0, *(sum(computed[: i + 1]) for i in range(len(computed)))])
    pace = Pace(lambda: next(clock))
    pace.set_engine(event)
    return [round(pace.rest(), 6) for _ in computed]


def test_pictures_rest_so_that_they_take_a_fiftieth_of_a_core_from_an_engine_that_has_them_all(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("homogaudit.tui.bridge.physical_cores", lambda: 4)
    # 10 ms of computing are a fiftieth of 0.5 s; never more than ten pictures a second nor fewer than one.
    assert rests(ready("CPU (4 threads)", threads=4), 0.010, 0.001, 0.015, 0.3) == [0.5, 0.1, 0.75, 1.0]
    assert rests(ready("CPU"), 0.010) == [0.5]
    assert rests(ready("CPU (3 threads)", threads=3), 0.010, 0.06) == [0.1, 0.12]
    assert rests(ready("NVIDIA L4", threads=4), 0.010, 0.001) == [0.1, 0.1]


async def test_a_pause_is_shown_at_once_however_long_pictures_rest(
    make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Pace, "rest", lambda self: 3600.0)
    told: list[LiveState] = []
    is_paused = asyncio.Event()

    def tell(state: LiveState) -> None:
        told.append(state)
        if state.status == "paused":
            is_paused.set()

    engine = ReplayEngine([*half_a_run(), None])
    bridge = EngineBridge(make_job(), reducer(), tell, lambda job, log: engine)
    working = asyncio.create_task(bridge.run())
    while not told:
        await asyncio.sleep(0)
    await bridge.pause()
    async with asyncio.timeout(60):
        await is_paused.wait()
    await bridge.stop()
    await working


def test_the_last_lines_of_a_log_are_those_that_say_something(tmp_path: Path):
    run = tmp_path / "x.audit"
    assert last_log_lines(run, 3) == []
    (tmp_path / "x.audit.log").write_bytes(b"one\n\n" + b"\xff two\n" + b"three\n \n")
    assert last_log_lines(run, 2) == ["\ufffd two", "three"]


async def test_a_stop_before_the_engine_is_there_stops_it_as_soon_as_it_is(make_job: Callable[..., Job]):
    engine = ReplayEngine([*half_a_run(), None])
    bridge = EngineBridge(make_job(), reducer(), lambda state: None, lambda job, log: engine)
    stopping = asyncio.create_task(bridge.stop())
    await asyncio.sleep(0)
    await bridge.run()
    await stopping
    assert engine.commands == ["stop"]


async def test_no_task_is_left_when_the_engine_is_gone(make_job: Callable[..., Job]):
    job, before = make_job(), asyncio.all_tasks()
    events = [*half_a_run(), RunFinished("complete", 60, 1.0)]
    for _ in range(20):
        await EngineBridge(job, reducer(), lambda state: None, lambda *_: ReplayEngine(events)).run()
    assert asyncio.all_tasks() == before
