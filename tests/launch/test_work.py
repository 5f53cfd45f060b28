"""A job is done to its end in an engine process, from a command and from within an event loop alike."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from homogaudit.errors import InterruptedRunError, ModelError
from homogaudit.events import EngineFailed, Event, Job, Loading, RunFinished
from homogaudit.launch.run_paths import log_path
from homogaudit.launch.work import work

_DONE = RunFinished("complete", 3, 1.0)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(str(tmp_path / "x.audit"))


def replace_engine(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let another program be the engine: it begins by reading its job, and says what the lines print."""
    engine = folder / "engine"
    start = (
        f"#!{sys.executable}",
        "import sys",
        "from homogaudit.events import EngineFailed, Loading, RunFinished, encode",
        "sys.stdin.readline()",
    )
    engine.write_text("\n".join([*start, *lines]))
    engine.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(engine))


LOADING = "print(encode(Loading('model', 'm'), 0), flush=True)"
FINISHED = "print(encode(RunFinished('complete', 3, 1.0), 1), flush=True)"


def test_the_events_are_told_in_order_and_the_log_of_a_good_end_is_gone(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    replace_engine(tmp_path, monkeypatch, LOADING, FINISHED)
    told: list[Event] = []
    assert work(job, told.append) == _DONE
    assert told == [Loading("model", "m"), _DONE]
    assert not log_path(Path(job.run)).exists()


def test_under_an_event_loop_as_in_a_notebook_it_is_done_all_the_same(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    replace_engine(tmp_path, monkeypatch, LOADING, FINISHED)
    told: list[Event] = []

    async def cell() -> RunFinished:
        return work(job, told.append)

    assert asyncio.run(cell()) == _DONE
    assert told == [Loading("model", "m"), _DONE]


def test_what_the_engine_failed_with_is_raised_and_its_log_is_kept(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    failed = EngineFailed("model", "no such weights", "look again")
    replace_engine(tmp_path, monkeypatch, f"print(encode({failed!r}, 0), flush=True)")
    with pytest.raises(ModelError, match="no such weights"):
        work(job)
    assert log_path(Path(job.run)).exists()


def test_an_interrupt_stops_the_engine_and_leaves_the_handlers_of_the_program(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    replace_engine(tmp_path, monkeypatch, LOADING, "sys.stdin.readline()", FINISHED)
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, own := lambda *_: None)
    try:
        # What a terminate of the program would do.
        with pytest.raises(InterruptedRunError):
            work(job, lambda event: signal.raise_signal(signal.SIGTERM) if isinstance(event, Loading) else None)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
