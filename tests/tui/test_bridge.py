"""The bridge: many events, few pictures, and an end in every case."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from homogaudit.errors import StorageError
from homogaudit.events import Event, Job, RunFinished
from homogaudit.tui.bridge import EngineBridge, last_log_lines
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


def test_the_last_lines_of_a_log_are_those_that_say_something(tmp_path: Path):
    run = tmp_path / "x.audit"
    assert last_log_lines(run, 3) == []
    (tmp_path / "x.audit.log").write_bytes(b"one\n\n" + b"\xff two\n" + b"three\n \n")
    assert last_log_lines(run, 2) == ["\ufffd two", "three"]
