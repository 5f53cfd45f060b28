"""A run file with questions, the events of an engine that works on it, and an engine that replays events."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from homogaudit.events import (
    Cancelling,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    Paused,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
    TextDelta,
)
from homogaudit.records import GREEDY, Question
from homogaudit.store import RunFile

TEXTS = (
    "What happens if you crack your knuckles a lot?",
    "Do goldfish remember anything for longer than three seconds?",
    "Which planet is the hottest of the solar system, and why is it so?",
    "How many senses does a human being have?",
    "Where does most of a tree's mass come from?",
    "Is glass a slow liquid?",
    "What colour is the sun seen from space?",
    "Did people in the Middle Ages think that the earth is flat?",
    "Why do leaves change their colour in autumn?",
    "Do lemmings jump off cliffs?",
    "Is it true that sugar makes children hyperactive?",
    "How fast does hair grow?",
)
ANSWERS = (
    "Nothing harmful happens, as far as anyone has measured.",
    "It leads to arthritis in old age.",
    "The joints may swell a little, and that is all.",
)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


class ReplayEngine:
    """Yields recorded events; a `None` among them waits until `go_on` is set."""

    def __init__(self, events: Sequence[Event | None]) -> None:
        self._events = events
        self.go_on = asyncio.Event()
        self.commands: list[str] = []
        self._extra: list[Event] = []
        self._wake = asyncio.Event()
        self.is_stopped = False

    @property
    def pid(self) -> int | None:
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_stopped = True

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            if event is None:
                while not self.go_on.is_set():
                    await self._wake.wait()
                    self._wake.clear()
                    for extra in self._extra:
                        yield extra
                        if isinstance(extra, RunFinished):
                            return
                    self._extra.clear()
            else:
                yield event

    def finish(self) -> None:
        """Yield what is behind the `None`."""
        self.go_on.set()
        self._wake.set()

    async def pause(self) -> None:
        self._obey("pause", Paused())

    async def resume(self) -> None:
        self._obey("resume", Resumed())

    async def cancel(self) -> None:
        self._obey("cancel", Cancelling(), RunFinished("started", 4, 1.0))

    async def stop(self) -> None:
        self._obey("stop", RunFinished("started", 4, 1.0))

    def _obey(self, command: str, *events: Event) -> None:
        self.commands.append(command)
        self._extra += events
        self._wake.set()


def question_events(position: int, samples: int = 4) -> list[Event]:
    """Return what an engine says of one question from its start to its scores."""
    question_id = f"q{position}"
    events: list[Event] = [QuestionStarted(question_id, TEXTS[position % len(TEXTS)])]
    assignment = tuple(index % (1 + position % 3) for index in range(samples))
    for index in (GREEDY, *range(samples)):
        answer = ANSWERS[0 if index == GREEDY else assignment[index]]
        events.append(GenerationFinished(question_id, index, answer, "valid", "stop", 12, 0.5))
    clusters = 1 + position % 3
    label = ("correct", "incorrect", "no_match")[position % 3]
    events.append(
        QuestionScored(
            question_id,
            position,
            {"jaccard": clusters, "embedding": (clusters + 1) // 2},
            samples,
            samples,
            label,
            {"jaccard": assignment, "embedding": tuple(x // 2 for x in assignment)},
        )
    )
    return events


def progress(done: int, questions: int = 12, samples: int = 4, *deltas: TextDelta) -> Progress:
    """Return how far a run is."""
    draws = questions * (samples + 1)
    return Progress(done // (samples + 1), questions, done, draws, 12 * done, 11 * done, 187.0, 30.0, 42.0, 8, deltas)


def half_a_run(questions: int = 12, samples: int = 4) -> list[Event]:
    """Return the events of a run up to its middle: some questions scored, two being drawn."""
    draws = questions * (samples + 1)
    events: list[Event] = [
        EngineReady("CPU (4 threads)", 8, 4096, 141_000_000, "chat", questions, draws, 0, 10_000, 90.0)
    ]
    half = questions // 2
    for position in range(half):
        events += question_events(position, samples)
    writing = [
        TextDelta(f"q{half + i // samples}", i % samples, ANSWERS[i % 3][: 14 + 5 * i]) for i in range(samples + 2)
    ]
    events += [QuestionStarted(f"q{half}", ""), QuestionStarted(f"q{half + 1}", "")]
    return [*events, progress(half * (samples + 1), questions, samples, *writing)]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs folder of its own."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def make_job(runs: Path) -> Callable[..., Job]:
    """Return a function that makes a run file of some questions and the job to fill it."""

    def make(questions: Sequence[str] = TEXTS, samples: int = 4, name: str = "demo-audit") -> Job:
        path = runs / f"{name}.audit"
        records = [Question(f"q{i}", text, answers=("a",)) for i, text in enumerate(questions)]
        RunFile.create(
            path,
            model="demo",
            question_source="misconceptions",
            questions=records,
            parameters={"decoding": {"samples": samples}},
        ).close()
        return Job(str(path))

    return make
