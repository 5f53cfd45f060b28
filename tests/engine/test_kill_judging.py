"""An engine that is killed while a model judges: what is judged stays judged, and only the rest is asked again."""

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from homogaudit.events import Event, Job, JobJudge, QuestionScored, RunFinished, Scoring, decode
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.labels.model_judge import default_prompt
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile

QUESTIONS = [
    Question("bees", "What do bees make?", answers=("honey",)),
    Question("rome", "Where is Rome?", answers=("Italy",)),
    Question("hamlet", "Who wrote Hamlet?", answers=("Shakespeare",)),
]


def engine(job: Job) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "homogaudit.engine.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(job.encode().encode() + b"\n")
    process.stdin.flush()
    return process


def until(process: subprocess.Popen[bytes], wanted: Callable[[Event], bool]) -> Event:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted(event := decode(line)):
            return event
    raise AssertionError("the engine ended before")


def test_a_killed_engine_asks_again_only_for_what_was_not_judged(
    make_run: Callable[..., RunFile], faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(faults, "WORDS", ["Verdict: correct", *faults.WORDS[1:]])
    with make_run(QUESTIONS, recorded=True, decoding={"samples": 2}) as run:
        for question in QUESTIONS:
            for index in (GREEDY, 0, 1):
                run.add_generation(Generation(question.id, index, "a word", "a word", GenerationState.VALID))
        path = run.path
    is_stuck = True

    def hang(_: int, request: dict[str, Any]) -> str | None:
        asks_others = "Answer to check" in str(request) and "What do bees make?" not in str(request)
        return "hang" if is_stuck and asks_others else None

    def judged(event: Event) -> bool:
        return isinstance(event, QuestionScored) and event.label == "correct"

    with faults.FaultServer(hang, length=1, is_probed=True) as server:
        judge = JobJudge(
            "model:toy", "model:toy#1", "server", server.url, default_prompt(), "0" * 64, server_model="toy"
        )
        job = Job(str(path), scoring=Scoring(judge.key, judge_source=judge, signals=("response_length",)))
        with engine(job) as process:
            assert until(process, judged).question_id == "bees"  # type: ignore[attr-defined]
            process.kill()
        with RunFile.open(path) as stored:
            assert stored.status == "started"
            assert list(stored.labels(judge.key)) == ["bees"]
        is_stuck = False
        before = len(server.requests)
        with engine(job) as process:
            finished = until(process, lambda event: isinstance(event, RunFinished))
            process.communicate()
    assert isinstance(finished, RunFinished) and finished.status == "complete"
    asked = [str(request) for request in server.requests[before:] if "Answer to check" in str(request)]
    assert sum("bees" in text for text in asked) == 0
    assert sum("Rome" in text for text in asked) == sum("Hamlet" in text for text in asked) == 1
    with RunFile.open(path) as stored:
        assert {name: label.value.value for name, label in stored.labels(judge.key).items()} == dict.fromkeys(
            ("bees", "rome", "hamlet"), "correct"
        )
