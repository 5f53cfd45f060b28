"""A model that judges stored answers: what is asked, what is stored, and what a second session asks again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from homogaudit.errors import ModelError
from homogaudit.events import (
    Asking,
    Event,
    Job,
    JobJudge,
    JobModel,
    Loading,
    QuestionScored,
    RunFinished,
    Scoring,
    Warning,
)
from homogaudit.generation import DrawRequest
from homogaudit.generation.generator import Drawing, GeneratorFacts, SamplerCounts
from homogaudit.generation.local_generator import check_lengths
from homogaudit.labels.model_judge import JudgePrompt, default_prompt
from homogaudit.pipeline import Audit
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, LabelValue, Prompting, Question
from homogaudit.store import RunFile

QUESTIONS = [
    Question("bees", "What do bees make?", answers=("honey",), incorrect_answers=("jam",)),
    Question("rome", "Where is Rome?", answers=("Italy",)),
    Question("hamlet", "Who wrote Hamlet?", answers=("Shakespeare",)),
    Question("empty", "What is empty?", answers=("nothing",)),
    Question("open", "What is good?"),
]
ANSWERS = {"bees": "honey", "rome": "in Spain", "hamlet": "some poet", "empty": "", "open": "honesty"}
REPLIES = {"bees": "correct. Bees do.", "rome": "Incorrect: it is Italy.", "hamlet": "unsure"}
JUDGE = JobJudge("model:fake", "model:fake#1", "gguf", "fake.gguf", default_prompt(), "0" * 64, 0, {"size": 1})


@dataclass
class FakeDrawing:
    """Gives one reply a step, after a step without."""

    waiting: list[str]
    replies: Mapping[str, str]
    fails_at: str | None
    is_between: bool = False
    counts: SamplerCounts = field(default_factory=SamplerCounts)
    live: int = 1

    @property
    def is_done(self) -> bool:
        return not self.waiting

    def step(self) -> list[Generation]:
        self.is_between = not self.is_between
        if self.is_between:
            return []
        question_id = self.waiting.pop(0)
        if question_id == self.fails_at:
            raise ModelError("the server is gone")
        self.counts.prompt_tokens += 10
        self.counts.seconds += 0.5
        text = self.replies[question_id]
        return [Generation(question_id, GREEDY, text, text, GenerationState.VALID, "stop", len(text.split()))]

    def live_texts(self) -> dict[tuple[str, int], str]:
        return {}

    def live_tokens(self) -> list[int]:
        return []

    def take_started(self) -> list[str]:
        return []


@dataclass
class FakeJudge:
    """A generator that replies what it is told to, and remembers what it was asked."""

    replies: Mapping[str, str] = field(default_factory=lambda: REPLIES)
    fails_at: str | None = None
    mode: str = "chat"
    asked: dict[str, str] = field(default_factory=dict)
    decodings: list[Decoding] = field(default_factory=list)
    is_closed: bool = False

    @property
    def facts(self) -> GeneratorFacts:
        return GeneratorFacts("a table", 1, 100, 0, self.mode, warnings=("a slow judge",))

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        return Prompt(question, (Segment(question, False),), "chat", (), False)

    def draw(self, requests: Sequence[DrawRequest], decoding: Decoding) -> Drawing:
        self.asked |= {request.question_id: request.prompt.text for request in requests}
        self.decodings.append(decoding)
        return FakeDrawing([request.question_id for request in requests], self.replies, self.fails_at)

    def close(self) -> None:
        self.is_closed = True


class Control:
    is_paused = False

    def __init__(self) -> None:
        self.is_cancelled = False

    def wait_while_paused(self) -> None:
        raise AssertionError("nobody pauses here")

    def take_snapshot_request(self) -> bool:
        return False


@pytest.fixture
def run(make_run: Callable[..., RunFile]) -> Iterator[RunFile]:
    with make_run(QUESTIONS, recorded=True, decoding={"samples": 2}) as run:
        for question_id, text in ANSWERS.items():
            state = GenerationState.VALID if text else GenerationState.EMPTY
            for index in (GREEDY, 0, 1):
                run.add_generation(Generation(question_id, index, text, text, state))
        yield run


def events(
    run: RunFile, generator: FakeJudge, control: Control | None = None, judge: JobJudge = JUDGE
) -> Iterator[Event]:
    def load(model: JobModel, prompting: Prompting, now: datetime) -> Any:
        assert (model, prompting.system) == (JobModel("fake.gguf"), "")
        return generator

    job = Job(str(run.path), scoring=Scoring(judge.key, judge_source=judge, signals=("response_length",)))
    return Audit(
        run,
        job,
        control or Control(),
        load_generator=load,
        load_embedder=lambda _: pytest.fail("no embedder is wanted"),  # type: ignore[arg-type,return-value]
    ).events()


def values(run: RunFile, key: str = JUDGE.key) -> dict[str, str]:
    return {question_id: label.value.value for question_id, label in run.labels(key).items()}


def test_every_answer_that_can_be_judged_is_judged_and_its_reply_is_kept(run: RunFile) -> None:
    generator = FakeJudge()
    told = list(events(run, generator))
    assert list(generator.asked) == ["bees", "rome", "hamlet"]
    assert "Answer to check: in Spain" in generator.asked["rome"].splitlines()
    assert "Incorrect reference answer: jam" in generator.asked["bees"].splitlines()
    assert generator.decodings == [Decoding(samples=0, max_tokens=80, greedy_max_tokens=80)]
    assert generator.is_closed
    labels = run.labels(JUDGE.key)
    assert values(run) == {
        "bees": "correct",
        "rome": "incorrect",
        "hamlet": "ambiguous",
        "empty": "no_match",
        "open": "no_match",
    }
    assert labels["rome"].reason == "it is Italy."
    assert labels["open"].reason == "the question has no reference answers"
    calls = {question_id: found[JUDGE.key] for question_id, found in run.calls().items()}
    assert {x: (call.value, call.reason, call.text) for x, call in calls.items()} == {
        "bees": (1.0, "", "correct. Bees do."),
        "rome": (0.0, "", "Incorrect: it is Italy."),
        "hamlet": (None, "unsure", "unsure"),
    }
    # Ten prompt tokens and three words, in half a second.
    assert (calls["bees"].tokens, calls["bees"].seconds) == (13, 0.5)
    assert run.status == "complete"
    parts = [event.part for event in told if isinstance(event, Loading)]
    assert parts == ["judge"]
    assert [(x.done, x.calls, x.who) for x in told if isinstance(x, Asking)][-1] == (3, 3, "judge")
    assert [x.message for x in told if isinstance(x, Warning)] == ["a slow judge"]
    # Scored first, so that a judge that fails costs no clusters; told again with the label.
    assert [x.label for x in told if isinstance(x, QuestionScored)] == [
        *(None, None, None, "no_match", "no_match"),
        *("correct", "incorrect", "ambiguous"),
    ]
    again = [x for x in told if isinstance(x, QuestionScored) and x.question_id == "bees"]
    assert again[0].assignments == again[1].assignments == {"jaccard": (0, 0)}


def test_the_run_knows_who_judged_and_the_session_is_not_one_that_drew(run: RunFile) -> None:
    list(events(run, FakeJudge()))
    assert run.meta("judge_models") == {
        JUDGE.key: {
            "name": "model:fake",
            "kind": "gguf",
            "fingerprint": {"size": 1},
            "prompt_sha256": "0" * 64,
            "seed": 0,
        }
    }
    session = run.sessions()[-1]
    assert (session.kind, session.provenance["judge"]["device"], session.ended is not None) == (
        "judge",
        "a table",
        True,
    )
    assert "device" not in session.provenance


def test_a_second_session_asks_only_what_the_first_did_not_store(run: RunFile) -> None:
    with pytest.raises(ModelError, match="the server is gone"):
        list(events(run, first := FakeJudge(fails_at="rome")))
    assert first.is_closed
    assert run.status == "started"
    assert {x for x, value in values(run).items() if value != "no_match"} == {"bees"}
    # What does not need the judge is there.
    assert len(run.signals()["response_length"]) == len(QUESTIONS)
    list(events(run, second := FakeJudge()))
    assert list(second.asked) == ["rome", "hamlet"]
    assert run.status == "complete"
    list(events(run, third := FakeJudge()))
    assert third.asked == {}


def test_a_cancel_between_two_judgements_loses_none(run: RunFile) -> None:
    control = Control()
    for event in events(run, FakeJudge(), control):
        if isinstance(event, QuestionScored) and event.label == "correct":
            control.is_cancelled = True
    assert isinstance(event, RunFinished) and event.status == "started"
    assert {x for x, value in values(run).items() if value != "no_match"} == {"bees"}


def test_replies_without_a_verdict_are_counted_and_give_no_label(run: RunFile) -> None:
    list(events(run, FakeJudge(dict.fromkeys(REPLIES, "Bees are nice insects."))))
    assert set(values(run).values()) == {"no_match"}
    assert {found[JUDGE.key].reason for found in run.calls().values()} == {"unparsed"}
    assert run.labels(JUDGE.key)["bees"].reason == "the judge's reply holds no verdict: Bees are nice insects."
    assert run.status == "complete"


def test_an_answer_too_long_for_the_judge_has_no_label_and_the_others_are_judged(run: RunFile) -> None:
    class ShortJudge(FakeJudge):
        def draw(self, requests: Sequence[DrawRequest], decoding: Decoding) -> Drawing:
            prompts = [[ord(letter) for letter in request.prompt.text] for request in requests]
            longest = max(len(prompt) for prompt, request in zip(prompts, requests, strict=True) if request != long)
            check_lengths(requests, prompts, decoding, longest + decoding.max_tokens)
            return super().draw(requests, decoding)

    generator = ShortJudge()
    asked = JudgePrompt(JUDGE.prompt, JUDGE.seed).text(QUESTIONS[0], ANSWERS["bees"])
    long = DrawRequest("bees", generator.prompt(asked), (GREEDY,))
    assert len(asked) == max(len(JudgePrompt(JUDGE.prompt, 0).text(x, ANSWERS[x.id])) for x in QUESTIONS[:3])
    list(events(run, generator))
    assert list(generator.asked) == ["rome", "hamlet"]
    assert (values(run)["bees"], values(run)["rome"], values(run)["hamlet"]) == ("no_match", "incorrect", "ambiguous")
    assert "do not fit its context" in run.labels(JUDGE.key)["bees"].reason
    assert run.status == "complete"


def test_another_prompt_is_another_judge_and_both_stay(run: RunFile) -> None:
    list(events(run, FakeJudge()))
    other = JobJudge("model:fake", "model:fake#2", "gguf", "fake.gguf", "{{ question }}? {{ answer }}.", "1" * 64)
    list(events(run, generator := FakeJudge(dict.fromkeys(REPLIES, "incorrect"), mode="base"), judge=other))
    assert generator.asked["bees"] == "What do bees make?? honey.\nVerdict:"
    assert values(run, other.key)["bees"] == LabelValue.INCORRECT
    assert values(run)["bees"] == LabelValue.CORRECT
    assert set(run.meta("judge_models")) == {JUDGE.key, other.key}
