"""A server that is killed while a run draws from it, and a run that is killed while it draws from a server."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.events import Asking, Event, GenerationFinished, Job, JobModel, RunFinished, Scoring, Warning, decode
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, ServerAddress
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.pipeline import Audit
from homogaudit.records import GREEDY, Decoding, Prompting, Question
from homogaudit.store import RunFile

from ..patience import PATIENCE

SAMPLES = 3
QUESTIONS = [Question(f"q{number}", f"Question {number}?") for number in range(30)]
ALL = sorted((question.id, index) for question in QUESTIONS for index in (GREEDY, *range(SAMPLES)))
CONCURRENCY = 4
POLICY = RetryPolicy(attempts=3, first_seconds=0.001, most_seconds=0.01, timeout_seconds=PATIENCE)


@dataclass
class Process:
    """The fault server in a process of its own, always on one port."""

    port: int
    log: Path
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.start()

    def start(self, most: int = 10**6) -> None:
        """Start it; it answers `most` requests."""
        script = str(Path(__file__).with_name("fault_server.py"))
        command = [sys.executable, script, str(self.port), str(self.log), str(most)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def draws(self) -> list[dict[str, Any]]:
        """Return the requests for answers; those of the probes ask something else."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [request for line in lines if "Question" in str(request := json.loads(line))]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = Process(port, tmp_path / "requests.jsonl")
    yield process
    process.kill()


@pytest.fixture
def run(make_run: Callable[..., RunFile], monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFile]:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    decoding = Decoding(samples=SAMPLES, max_tokens=6, greedy_max_tokens=6)
    parameters: dict[str, Any] = {"decoding": asdict(decoding), "prompting": asdict(Prompting())}
    made = make_run(QUESTIONS, model={"kind": "server", "name": "toy"}, **parameters)
    yield made
    made.close()


class Running:
    is_cancelled = False
    is_paused = False

    def wait_while_paused(self) -> None:
        raise AssertionError("nobody pauses here")

    def take_snapshot_request(self) -> bool:
        return False


def _events(
    run: RunFile, control: Running, *urls: str, signals: tuple[str, ...] = ("response_length",)
) -> Iterator[Event]:
    def load(model: JobModel, prompting: Prompting, now: datetime) -> OpenAIGenerator:
        return OpenAIGenerator(",".join(urls), prompting, now=now, policy=POLICY, concurrency=CONCURRENCY)

    def no_embedder(_: Any) -> Any:
        raise AssertionError("no embedder is wanted")

    _wait_for(*urls)
    job = Job(str(run.path), JobModel(",".join(urls), "server"), scoring=Scoring(signals=signals))
    return Audit(run, job, control, load_generator=load, load_embedder=no_embedder).events()


def _wait_for(*urls: str) -> None:
    """Return when all of them listen."""
    patient = RetryPolicy(attempts=600, unreachable_attempts=600, first_seconds=0.05, most_seconds=0.05)

    async def listens(url: str) -> None:
        client = OpenAIClient(ServerAddress(url), policy=patient)
        await client.get("models")
        await client.close()

    for url in urls:
        asyncio.run(listens(url))


def _texts(run: RunFile) -> dict[tuple[str, int], str]:
    return {(x.question_id, x.sample_index): x.text for s in run.sample_sets() for x in [s.greedy, *s.samples] if x}


def test_a_run_waits_for_a_server_that_was_killed_and_goes_on_when_it_is_back(run: RunFile, process: Process) -> None:
    drawn, warnings, stored, waited = 0, [], 0, 0
    finished: Event | None = None
    for event in _events(run, Running(), process.url):
        if isinstance(event, GenerationFinished):
            drawn += 1
            if drawn == 10:
                process.kill()
        elif isinstance(event, Warning):
            warnings.append(event.message)
        elif "the run waits for it" in " ".join(warnings) and not waited:
            # Nothing comes while there is no server.
            stored = len(run.generation_keys())
            waited = 1
            process.start()
        finished = event
    assert isinstance(finished, RunFinished) and finished.status == "complete"
    assert 10 <= stored < len(ALL) and waited
    assert sorted(run.generation_keys()) == ALL and drawn == len(ALL)
    assert f"`{process.url}`" in next(text for text in warnings if "the run waits" in text)
    assert warnings[-1] == f"the server `{process.url}` answers again"
    # Served twice is only what was under way when it died.
    assert len(ALL) <= len(process.draws()) <= len(ALL) + CONCURRENCY
    assert all(generation.is_valid for x in run.sample_sets() for generation in x.samples)


def test_a_run_that_waits_for_its_server_can_be_cancelled_and_goes_on_later(run: RunFile, process: Process) -> None:
    control = Running()
    events: list[Event] = []
    for event in _events(run, control, process.url):
        events.append(event)
        if isinstance(event, GenerationFinished) and len(run.generation_keys()) == 10:
            process.kill()
        elif isinstance(event, Warning) and "the run waits" in event.message:
            control.is_cancelled = True
    assert isinstance(events[-1], RunFinished) and events[-1].status == "started"
    before = _texts(run)
    assert 10 <= len(before) < len(ALL)
    process.start()
    *_, last = _events(run, Running(), process.url)
    assert isinstance(last, RunFinished) and last.status == "complete"
    assert before.items() <= _texts(run).items() and sorted(run.generation_keys()) == ALL


def test_a_run_waits_while_it_asks_about_its_answers(run: RunFile, process: Process) -> None:
    killed = restarted = False
    last: Event | None = None
    for last in _events(run, Running(), process.url, signals=("p_true", "response_length")):
        if isinstance(last, Asking) and not killed:
            killed = True
            process.kill()
        if isinstance(last, Warning) and "the run waits" in last.message:
            process.start()
            restarted = True
    assert restarted and isinstance(last, RunFinished) and last.status == "complete"
    assert {call.value is not None or call.reason != "" for x in run.calls().values() for call in x.values()} == {True}
    assert run.calls().keys() == {question.id for question in QUESTIONS}


def test_one_of_two_servers_is_set_aside_and_used_again_when_it_answers(
    faults: ModuleType, run: RunFile, process: Process
) -> None:
    is_back = threading.Event()

    def hold(number: int, _: dict[str, Any]) -> None:
        # Half of the work is left for the one that was killed.
        if number > len(ALL) // 2:
            is_back.wait(PATIENCE)

    warnings: list[str] = []
    before = killed = 0
    last: Event | None = None
    with faults.FaultServer(hold, ignores=frozenset({"n"}), is_probed=True) as other:
        for last in _events(run, Running(), other.url, process.url):
            if isinstance(last, GenerationFinished) and not killed and len(process.draws()) > 2:
                killed = 1
                process.kill()
            elif isinstance(last, Warning):
                warnings.append(last.message)
                if "the other servers continue until it is back" in last.message:
                    before = len(process.draws())
                    process.start()
            if before and len(process.draws()) > before:
                is_back.set()
    assert killed and is_back.is_set() and len(process.draws()) > before
    assert isinstance(last, RunFinished) and last.status == "complete"
    assert sorted(run.generation_keys()) == ALL
    assert any(text == f"the server `{process.url}` answers again" for text in warnings)


def test_a_run_that_was_killed_asks_for_nothing_that_is_stored(run: RunFile, process: Process) -> None:
    run.close()
    process.kill()
    # Those of the probes included: it never comes to the end.
    process.start(most=60)
    _wait_for(process.url)
    model = JobModel(process.url, "server", concurrency=CONCURRENCY)
    job = Job(str(run.path), model, scoring=Scoring(signals=("response_length",)))

    def engine() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "homogaudit.engine.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdin is not None
        child.stdin.write(job.encode().encode() + b"\n")
        child.stdin.flush()
        return child

    child, drawn = engine(), 0
    assert child.stdout is not None
    for line in child.stdout:
        drawn += isinstance(decode(line), GenerationFinished)
        if drawn == 20:
            child.kill()
    child.communicate()
    with RunFile.open(run.path) as stored:
        before = _texts(stored)
    asked = len(process.draws())
    assert 20 <= len(before) < len(ALL)
    # What was asked and is not stored was under way.
    assert len(before) <= asked <= len(before) + CONCURRENCY

    process.kill()
    process.start()
    _wait_for(process.url)
    child = engine()
    assert child.stdout is not None
    last = decode(child.stdout.read().splitlines()[-1])
    child.communicate()
    assert isinstance(last, RunFinished) and last.status == "complete"
    with RunFile.open(run.path) as stored:
        after = _texts(stored)
    assert sorted(after) == ALL and before.items() <= after.items()
    assert len(process.draws()) - asked == len(ALL) - len(before)
