"""The pipeline over a run file, with a generator that draws what it is told to and an embedder that hashes words."""

import hashlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.methods import methods_of
from homogaudit.errors import EmbedderError, ModelError
from homogaudit.events import (
    Asking,
    Cancelling,
    Deciding,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    JobEmbedder,
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
from homogaudit.generation import DrawRequest, FollowUp, FollowUpReply, FollowUps, NextTokens
from homogaudit.generation.generator import Drawing, GeneratorFacts, SamplerCounts
from homogaudit.labels.judges import RECORDED
from homogaudit.launch.until_decided import continue_early
from homogaudit.phases import added
from homogaudit.pipeline import Audit
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import (
    GREEDY,
    Decoding,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    ModelCall,
    Prompting,
    Question,
    TokenStatistics,
)
from homogaudit.report.build import build
from homogaudit.signals.registry import SIGNALS
from homogaudit.statistics.running_rate import RateCounter
from homogaudit.store import RunFile, RunState
from homogaudit.store.rate_only import RateOnly

Script = Callable[[str, int], str]
Key = tuple[str, int]

QUESTIONS = [
    Question("q0", "What do bees make?", answers=("honey",), incorrect_answers=("jam",)),
    Question("q1", "Where is Rome?", answers=("Italy",), incorrect_answers=("Spain",)),
    Question("q2", "Who wrote Hamlet?", answers=("Shakespeare",), incorrect_answers=("Marlowe",)),
]
SAMPLES = 3


def say(question_id: str, index: int) -> str:
    """Question 0: all alike; 1: two meanings; 2: all different."""
    if question_id == "q0":
        return "bees make honey"
    if question_id == "q1":
        return "Rome is in Italy" if index % 2 else "a town of Spain"
    return ["Shakespeare wrote it", "nobody can tell", "some old poet", "Marlowe perhaps"][index + 1]


@dataclass
class ScriptedDrawing:
    """Draws `slots` answers side by side, a word of each a step."""

    waiting: list[Key]
    script: Script
    slots: int
    begun: dict[Key, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    counts: SamplerCounts = field(default_factory=SamplerCounts)
    later: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return not self.waiting and not self.begun

    def draw_later(self, question_id: str) -> None:
        self.waiting[:0] = [(question_id, index) for index in self.later[question_id]]

    @property
    def live(self) -> int:
        return len(self.begun)

    def step(self) -> list[Generation]:
        while self.waiting and len(self.begun) < self.slots:
            key = self.waiting.pop(0)
            self.begun[key] = 0
            if key[0] not in self.seen:
                self.seen.add(key[0])
                self.started.append(key[0])
        finished: list[Generation] = []
        for key in list(self.begun):
            words = self.script(*key).split(" ")
            self.begun[key] += 1
            self.counts.tokens += 1
            self.counts.seconds += 0.01
            if self.begun[key] >= len(words):
                del self.begun[key]
                finished.append(self.finish(key, " ".join(words), len(words)))
        return finished

    def finish(self, key: Key, text: str, length: int) -> Generation:
        parsed = split_thinking(text, Prompting(), False)
        values = np.full(length, 0.5, np.float32)
        statistics = TokenStatistics(np.arange(length, dtype=np.int32), values, -values, values)
        return Generation(*key, text, parsed.answer, parsed.state, "stop", length, statistics, 0.01)

    def live_tokens(self) -> list[int]:
        return list(self.begun.values())

    def live_texts(self) -> dict[Key, str]:
        return {key: " ".join(self.script(*key).split(" ")[:count]) for key, count in self.begun.items()}

    def take_replies(self) -> list[FollowUpReply]:
        return []

    def take_started(self) -> list[str]:
        started, self.started = self.started, []
        return started


class ScriptedGenerator:
    """A generator that says what a script says."""

    chat_template = None

    def __init__(self, script: Script, slots: int) -> None:
        self.script = script
        self.slots = slots
        self.requests: list[DrawRequest] = []
        self.is_closed = False
        self.facts = GeneratorFacts("a table", slots, 100, 1000, "base", 0.01, {"scripted": 1})

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        return Prompt(question, (Segment(question, True),), "base", (), False)

    def follow_up_prompt(self, question: str, answer: str, follow_up: str, system: str | None = None) -> Prompt | None:
        return None

    def draw(self, requests: Iterable[DrawRequest], decoding: Decoding, follow_ups: FollowUps | None = None) -> Drawing:
        requests = list(requests)
        self.requests = self.requests or requests
        keys = [(request.question_id, index) for request in requests for index in request.sample_indexes]
        later = {request.question_id: request.later for request in requests}
        return ScriptedDrawing(keys, self.script, self.slots, later=later)

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens]:
        self.asked = [prompt.text for prompt in prompts]
        for prompt in prompts:
            # Three spellings share 0.6 and 0.2, the rest of the vocabulary has 0.2.
            yield NextTokens(("True", " true", "False"), np.log([0.4, 0.2, 0.2]), len(prompt.text.split()), 0.5)

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        return {number: f" word{number}".encode() for number in ids}

    def close(self) -> None:
        self.is_closed = True


class HashingEmbedder:
    """Texts with the same words point the same way, others nearly never."""

    name = "hashing"

    def __init__(self, fails_after: int | None = None) -> None:
        self.calls: list[list[str]] = []
        self.fails_after = fails_after

    def embed(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        if self.fails_after is not None and len(self.calls) >= self.fails_after:
            raise EmbedderError("embedder `hashing` failed: out of memory")
        self.calls.append(list(texts))
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class Control:
    """What a test wants of the audit; `resume` is what happens while it waits."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self.is_paused = False
        self.wants_snapshot = False
        self.while_paused: list[Callable[[Control], None]] = []

    def wait_while_paused(self) -> None:
        self.while_paused.pop(0)(self)

    def take_snapshot_request(self) -> bool:
        asked, self.wants_snapshot = self.wants_snapshot, False
        return asked


@dataclass
class Bench:
    """One run file, and what works on it."""

    run: RunFile
    script: Script = say
    slots: int = 2
    embedder: HashingEmbedder = field(default_factory=HashingEmbedder)
    generator: ScriptedGenerator | None = None
    control: Control = field(default_factory=Control)
    embedders_loaded: int = 0

    def load_generator(self, model: JobModel, prompting: Prompting, now: datetime) -> ScriptedGenerator:
        assert now == datetime.fromisoformat(self.run.meta("created"))
        self.generator = ScriptedGenerator(self.script, self.slots)
        return self.generator

    def load_embedder(self, embedder: JobEmbedder) -> Embedder:
        self.embedders_loaded += 1
        self.embedder.name = embedder.name
        return self.embedder

    def events(self, **job: Any) -> Iterator[Event]:
        """Start an audit; each call is a process of its own as far as the run file can tell."""
        settings = {"model": "scripted", "embedder": JobEmbedder("hashing", "hashing", "-"), "judge": "overlap"} | job
        model = settings.pop("model") and JobModel("scripted")
        specifications = settings.pop("clusterings", ())
        on_machine = {key: settings.pop(key) for key in ("defer_embedding", "token_arrays") if key in settings}
        scoring = Scoring(embedder_source=settings.pop("embedder"), **settings)
        scoring = replace(scoring, methods=methods_of(scoring, specifications))
        self.control = Control()
        audit = Audit(
            self.run,
            Job(str(self.run.path), model, JobMachine(**on_machine), scoring),
            self.control,
            load_generator=self.load_generator,
            load_embedder=self.load_embedder,
        )
        return audit.events()

    def work(self, **job: Any) -> list[Event]:
        return list(self.events(**job))

    def texts(self) -> Mapping[Key, str]:
        return {
            (s.question.id, g.sample_index): g.text
            for s in self.run.sample_sets()
            for g in [*([s.greedy] if s.greedy else []), *s.samples]
        }


ALL_KEYS = {(question.id, index) for question in QUESTIONS for index in (GREEDY, *range(SAMPLES))}


@pytest.fixture
def bench(make_run: Callable[..., RunFile]) -> Iterator[Bench]:
    decoding = asdict(Decoding(samples=SAMPLES, max_tokens=8, greedy_max_tokens=8))
    with make_run(QUESTIONS, decoding=decoding, prompting=asdict(Prompting())) as run:
        yield Bench(run)


def of(kind: type[Event], events: Sequence[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def drawn(events: Sequence[Event]) -> list[Key]:
    return [(event.question_id, event.sample_index) for event in of(GenerationFinished, events)]


def clusters(bench: Bench, name: str) -> list[int]:
    methods = [m for m in bench.run.clustering_methods() if m.name == name]
    found = bench.run.clusterings(methods[-1])
    return [found[question.id].clusters for question in QUESTIONS]


def until(events: Iterator[Event], kind: type[Event]) -> list[Event]:
    """Take events up to the first of a kind."""
    taken: list[Event] = []
    for event in events:
        taken.append(event)
        if isinstance(event, kind):
            return taken
    raise AssertionError(f"no {kind.__name__}")


# The whole path


def test_an_audit_tells_what_happens_in_order(bench: Bench):
    events = bench.work()
    parts = [event.part for event in of(Loading, events)]
    assert parts == ["embedder", "model", "context"]
    assert [type(event) for event in events[1:5]] == [Loading, Loading, Loading, EngineReady]
    # 3 questions of 4 draws; each may be asked about twice, and is scored beside drawing.
    assert events[0] == Planned(12)
    assert isinstance(events[5], QuestionStarted)
    assert isinstance(events[-1], RunFinished)
    assert [event.question_id for event in of(QuestionStarted, events)] == ["q0", "q1", "q2"]
    ready = of(EngineReady, events)[0]
    # 3 questions x (1 greedy + 3 samples), each of at most 8 tokens; 96 passes on 2 slots of 0.01 s.
    assert (ready.questions, ready.draws, ready.draws_done, ready.passes_at_most) == (3, 12, 0, 96)
    assert ready.seconds_at_most == pytest.approx(0.48)
    assert sorted(drawn(events)) == sorted(ALL_KEYS)
    for question in QUESTIONS:
        told = [
            type(event)
            for event in events
            if getattr(event, "question_id", None) == question.id and not isinstance(event, Progress)
        ]
        assert told == [QuestionStarted, *[GenerationFinished] * (SAMPLES + 1), QuestionScored]
    assert of(RunFinished, events)[0].status == bench.run.status == "complete"
    assert of(RunFinished, events)[0].draws == 12
    last = of(Progress, events)[-1]
    assert (last.questions_done, last.draws_done, last.slots_in_use) == (3, 12, 0)
    assert bench.generator is not None
    assert bench.generator.is_closed


def test_the_phases_of_all_sessions_add_up_to_their_time(bench: Bench):
    first = bench.events()
    told = until(first, QuestionScored)
    bench.control.is_cancelled = True
    told += list(first)
    stopped = of(RunFinished, told)[0]
    assert sum(stopped.phases.values()) == pytest.approx(stopped.seconds, rel=0.05, abs=0.1)
    assert bench.run.phases == pytest.approx(dict(stopped.phases))
    finished = of(RunFinished, bench.work())[0]
    assert bench.run.phases == pytest.approx(added(stopped.phases, finished.phases))
    assert {"embedder", "loading", "host", "storing", "embedding", "clustering", "signals"} <= finished.phases.keys()


def test_the_figures_of_an_audit_are_those_of_its_answers(bench: Bench):
    scored = of(QuestionScored, bench.work())
    assert [event.position for event in scored] == [0, 1, 2]
    # By hand: q0 says one thing, q1 two (samples 0 and 2 alike), q2 three, by words and by meaning.
    assert [dict(event.clusters) for event in scored] == [{"jaccard": n, "embedding": n} for n in (1, 2, 3)]
    assert [event.valid_samples for event in scored] == [3, 3, 3]
    # The greedy answers, index -1: honey; "Rome is in Italy" (odd index); Shakespeare.
    assert [event.label for event in scored] == ["correct", "correct", "correct"]
    assert clusters(bench, "jaccard") == clusters(bench, "embedding") == [1, 2, 3]
    signals = bench.run.signals()
    # Every token has entropy 0.5; discrete semantic entropy of one cluster is 0, of three singletons ln 3.
    assert signals["token_entropy_mean"]["q1"].value == pytest.approx(0.5)
    assert signals["semantic_entropy_jaccard"]["q0"].value == 0
    assert signals["semantic_entropy_jaccard"]["q2"].value == pytest.approx(np.log(3))
    (session,) = bench.run.sessions()
    assert (session.kind, session.generations) == ("generate", 12)
    assert session.ended is not None
    assert session.provenance["device"] == "a table"
    assert session.provenance["tokens"] == sum(len(text.split()) for text in bench.texts().values())


def test_an_answer_is_stored_before_anybody_hears_of_it(bench: Bench):
    stored_when_told: list[bool] = []
    # A second connection sees only what is committed.
    with sqlite3.connect(f"{bench.run.path.as_uri()}?mode=ro", uri=True) as reader:
        query = "SELECT count(*) FROM generations JOIN questions USING (position) WHERE id = ? AND sample_index = ?"
        for event in bench.events():
            if isinstance(event, GenerationFinished):
                (count,) = reader.execute(query, (event.question_id, event.sample_index)).fetchone()
                stored_when_told.append(count == 1)
    reader.close()
    assert stored_when_told == [True] * 12


def test_the_deltas_of_progress_are_the_text_being_written(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("homogaudit.pipeline.session._PROGRESS_SECONDS", 0.0)
    texts: dict[Key, str] = {}
    for event in bench.events():
        if isinstance(event, Progress):
            for delta in event.deltas:
                key = (delta.question_id, delta.sample_index)
                texts[key] = texts.get(key, "") + delta.text
    # The last word of each comes with its GenerationFinished.
    assert texts == {key: say(*key).rpartition(" ")[0] for key in ALL_KEYS}


def test_progress_comes_at_most_ten_times_a_second(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    class Clock:
        now = 100.0
        process_time = staticmethod(time.process_time)

        def perf_counter(self) -> float:
            self.now += 0.004
            return self.now

    monkeypatch.setattr("homogaudit.pipeline.session.time", Clock())
    bench.script = lambda question_id, index: "word " * 60
    events = bench.work(embedder=None, judge=None)
    times = [event.seconds for event in of(Progress, events)]
    # The last one is told whenever it comes.
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(times[:-1]))
    assert len(times) > 3


class WoundClock:
    """Stands still until it is wound."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_the_time_left_is_near_what_is_left_from_its_first_figure_on(
    make_run: Callable[..., RunFile], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("homogaudit.phases.time", WoundClock())
    monkeypatch.setattr("homogaudit.pipeline.session._PROGRESS_SECONDS", 0.0)
    questions = [Question(f"q{number}", "Why?") for number in range(30)]
    lengths = np.random.default_rng(0).geometric(1 / 12, (30, SAMPLES + 1)).clip(1, 40)
    decoding = asdict(Decoding(samples=SAMPLES, max_tokens=40, greedy_max_tokens=40))
    with make_run(questions, decoding=decoding, prompting=asdict(Prompting())) as run:
        bench = Bench(run, lambda question_id, index: " ".join("x" * lengths[int(question_id[1:]), index]), slots=24)
        told = [x for x in bench.work(embedder=None, judge=None) if isinstance(x, Progress)]
    first = next(place for place, event in enumerate(told) if event.seconds_left is not None)
    # The first ten to end are short, and the others are not taken to be as short.
    assert 10 <= told[first].draws_done < 20
    assert told[-1].seconds_left == 0
    for event in told[first:]:
        if event.draws_done < 100:
            # A token takes 0.01 s.
            assert event.seconds_left == pytest.approx((lengths.sum() - event.tokens) * 0.01, rel=0.3)


def test_the_time_left_holds_what_is_done_beside_drawing(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    class SlowEmbedder(HashingEmbedder):
        def embed(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
            clock.now += 5.0
            return super().embed(texts)

    clock = WoundClock()
    monkeypatch.setattr("homogaudit.phases.time", clock)
    monkeypatch.setattr("homogaudit.pipeline.session._PROGRESS_SECONDS", 0.0)
    bench.embedder = SlowEmbedder()
    for event in bench.events():
        if isinstance(event, Progress) and event.questions_done == 1:
            break
    else:
        raise AssertionError("no question was done before the others")
    # Two questions are to be embedded as the first was; the script says that a token takes 0.01 s of drawing, and
    # what is left of it is a few of them.
    beside = 5.0 * len(bench.embedder.calls) - event.tokens * 0.01
    assert event.seconds_left == pytest.approx(2 * beside, abs=0.3)


# Stopping and going on


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_a_resumed_audit_draws_only_what_is_missing(bench: Bench, steps: int):
    events = bench.events()
    before: list[Event] = []
    for _ in range(steps):
        before += until(events, GenerationFinished)
    # Dropped here like a killed process: nothing more is written.
    events.close()  # type: ignore[attr-defined]
    assert bench.run.status == "started"
    kept = bench.texts()
    assert len(kept) == steps
    after = bench.work()
    assert bench.generator is not None
    asked = {(r.question_id, i) for r in bench.generator.requests for i in r.sample_indexes}
    assert asked == ALL_KEYS - kept.keys() == set(drawn(after))
    assert of(EngineReady, after)[0].draws_done == steps
    assert bench.run.status == "complete"
    assert bench.texts() == {key: say(*key) for key in ALL_KEYS}
    assert sum(session.generations for session in bench.run.sessions()) == 12


def test_a_finished_audit_loads_nothing(bench: Bench):
    bench.work()
    bench.generator = None
    again = bench.work()
    assert again[0] == Planned()
    assert [type(event) for event in again[1:]] == [RunFinished]
    assert (bench.generator, bench.embedders_loaded) == (None, 1)
    assert again[1].draws == 0  # type: ignore[attr-defined]


def test_cancel_keeps_what_is_finished(bench: Bench):
    events = bench.events()
    taken = until(events, GenerationFinished)
    bench.control.is_cancelled = True
    taken += events
    assert [type(event) for event in taken[-2:]] == [Cancelling, RunFinished]
    assert taken[-1].status == bench.run.status == "started"  # type: ignore[attr-defined]
    assert set(bench.texts()) == set(drawn(taken))
    assert not of(QuestionScored, taken)
    assert bench.generator is not None
    assert bench.generator.is_closed
    assert [session.ended is not None for session in bench.run.sessions()] == [True]


def test_cancel_while_scoring_leaves_the_rest_for_the_next_time(bench: Bench):
    events = bench.events(defer_embedding=True)
    taken = until(events, QuestionScored)
    bench.control.is_cancelled = True
    taken += events
    assert len(of(QuestionScored, taken)) == 1
    assert of(RunFinished, taken)[0].status == "started"
    again = bench.work()
    assert [event.question_id for event in of(QuestionScored, again)] == ["q1", "q2"]
    assert bench.run.status == "complete"


def test_pause_stands_still_and_snapshots_are_answered(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("homogaudit.pipeline.session._PROGRESS_SECONDS", 0.0)
    events = bench.events()
    before = until(events, Progress)
    tokens = before[-1].tokens  # type: ignore[attr-defined]

    def ask(control: Control) -> None:
        control.wants_snapshot = True

    def resume(control: Control) -> None:
        control.is_paused = False

    bench.control.is_paused = True
    bench.control.while_paused = [ask, ask, resume]
    paused, first, second, resumed = (next(events) for _ in range(4))
    assert isinstance(paused, Paused)
    assert isinstance(resumed, Resumed)
    assert first == second
    assert isinstance(first, Snapshot)
    assert (first.run, first.state) == (str(bench.run.path), "paused")
    assert first.progress is not None
    assert first.progress.tokens == tokens
    # What a screen shows that attaches here, and what it would add from the next deltas.
    assert {(d.question_id, d.sample_index): d.text for d in first.live} == {("q0", -1): "bees", ("q0", 0): "bees"}
    rest = list(events)
    assert rest[0].deltas[0].text == " make"  # type: ignore[attr-defined]
    assert bench.run.status == "complete"


def test_a_snapshot_holds_no_text_that_a_later_delta_brings_again(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    class Clock:
        now = 100.0
        process_time = staticmethod(time.process_time)

        def perf_counter(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("homogaudit.pipeline.session.time", clock)
    bench.script = lambda question_id, index: "one two three four"
    events = bench.events(embedder=None)
    until(events, Progress)
    texts: dict[Key, str] = {}
    bench.control.wants_snapshot = True
    # The clock stands: words are written that no Progress has told.
    for event in events:
        if isinstance(event, Snapshot):
            texts = {(delta.question_id, delta.sample_index): delta.text for delta in event.live}
        elif isinstance(event, Progress):
            for delta in event.deltas:
                key = (delta.question_id, delta.sample_index)
                texts[key] = texts.get(key, "") + delta.text
        elif isinstance(event, GenerationFinished):
            assert event.answer.startswith(texts.pop((event.question_id, event.sample_index), ""))
            clock.now += 1


def test_cancel_while_paused_does_not_say_that_it_goes_on(bench: Bench):
    events = bench.events()
    until(events, GenerationFinished)

    def cancel(control: Control) -> None:
        control.is_cancelled = True

    bench.control.is_paused = True
    bench.control.while_paused = [cancel]
    # The draws of the same step are told first.
    rest = [type(event) for event in events if not isinstance(event, GenerationFinished | Progress)]
    assert rest == [Paused, Cancelling, RunFinished]


# What is asked for, and what is not there


def test_deferred_embedding_waits_until_the_model_is_gone(bench: Bench):
    closed_when_loaded: list[bool] = []
    events: list[Event] = []
    for event in bench.events(defer_embedding=True):
        events.append(event)
        if isinstance(event, Loading) and event.part == "embedder":
            assert bench.generator is not None
            closed_when_loaded.append(bench.generator.is_closed)
    assert closed_when_loaded == [True]
    kinds = [type(event) for event in events]
    assert kinds.index(QuestionScored) > len(kinds) - 1 - kinds[::-1].index(GenerationFinished)
    assert bench.run.status == "complete"
    assert clusters(bench, "embedding") == [1, 2, 3]


def test_identical_answers_are_embedded_once(bench: Bench):
    # Without `mars`, whose answers with a word left out are no answers and are not stored.
    bench.work(signals=tuple(name for name in SIGNALS if name != "mars"))
    embedded = [text for call in bench.embedder.calls for text in call]
    # The questions too, and what else the signals of the whole run read; each text once all the same.
    assert {say(*key) for key in ALL_KEYS} <= set(embedded)
    assert len(embedded) == len(set(embedded))


def test_without_token_arrays_the_signals_stay(bench: Bench):
    bench.work(token_arrays=False)
    statistics = [g.statistics for s in bench.run.sample_sets() for g in s.samples]
    assert all(s.entropies is None and s.token_ids is None for s in statistics)
    values = bench.run.signals()
    assert values["token_entropy_mean"]["q0"].value == pytest.approx(0.5)
    # ln 2 for two clusters of 1 and 2 would be the equal-weight case; what counts here is that there is a value.
    assert values["semantic_entropy_jaccard_rao"]["q1"].value is not None


def test_scoring_again_keeps_what_needs_the_dropped_token_arrays(bench: Bench):
    bench.work(token_arrays=False)
    before = bench.run.signals()
    bench.work(model=None, judge="exact")
    after = bench.run.signals()
    assert {name: [v.value for v in values.values()] for name, values in after.items()} == {
        name: [v.value for v in values.values()] for name, values in before.items()
    }
    # Under another embedder there are other clusters, whose likelihood-weighted entropy nobody can compute any more.
    bench.work(model=None, judge="exact", embedder=JobEmbedder("other", "other", "-"))
    values = bench.run.signals()
    assert values["semantic_entropy_embedding_rao"]["q1"].value is None
    assert "log-probabilities" in values["semantic_entropy_embedding_rao"]["q1"].reason
    assert values["semantic_entropy_jaccard_rao"]["q1"].value is not None
    assert values["token_entropy_mean"]["q1"].value == pytest.approx(0.5)


def test_empty_answers_are_counted_and_never_one_cluster(bench: Bench):
    def script(question_id: str, index: int) -> str:
        if question_id == "q0":
            return "" if index % 2 == 0 else " "
        if question_id == "q1" and index:
            return "<think>never closed"
        return "a word"

    bench.script = script
    scored = of(QuestionScored, bench.work())
    # q0 holds nothing, q1 one valid sample (index 0), q2 three equal ones.
    assert [event.valid_samples for event in scored] == [0, 1, 3]
    assert [dict(event.clusters) for event in scored] == [{}, {}, {"jaccard": 1, "embedding": 1}]
    assert [event.label for event in scored[:2]] == ["no_match", "no_match"]
    states = {g.state for s in bench.run.sample_sets() for g in s.samples}
    assert states == {GenerationState.EMPTY, GenerationState.THINKING_UNCLOSED, GenerationState.VALID}
    assert bench.run.status == "complete"
    reason = bench.run.signals()["semantic_entropy_jaccard"]["q0"].reason
    assert reason == "0 of 3 samples hold an answer"


def test_a_model_that_answers_with_nothing_at_all_ends_well(bench: Bench):
    bench.script = lambda question_id, index: ""
    events = bench.work()
    assert bench.run.status == "complete"
    assert all(event.clusters == {} for event in of(QuestionScored, events))
    # The questions are embedded for the signals of the whole run; there is no answer to embed.
    assert {text for call in bench.embedder.calls for text in call} == {q.text for q in bench.run.questions()}


def test_without_a_judge_nothing_is_labelled(bench: Bench):
    scored = of(QuestionScored, bench.work(judge=None))
    assert [event.label for event in scored] == [None, None, None]
    assert bench.run.judges() == []
    assert bench.run.status == "complete"


def test_without_an_embedder_the_wording_alone_is_clustered(bench: Bench):
    events = bench.work(embedder=None, embedder_reason="switched off")
    assert bench.embedders_loaded == 0
    assert [dict(event.clusters) for event in of(QuestionScored, events)] == [{"jaccard": n} for n in (1, 2, 3)]
    assert bench.run.scoring.embedder_reason == "switched off"
    assert bench.run.signals()["selfcheck_embedding"]["q0"].value is None


# What fails


def test_what_was_drawn_is_kept_when_the_embedder_fails(bench: Bench):
    # Two calls for the first question: its answers, and its greedy answer without each of its words.
    bench.embedder = HashingEmbedder(fails_after=2)
    taken: list[Event] = []
    with pytest.raises(EmbedderError):
        taken.extend(bench.events())
    assert bench.run.status == "started"
    kept = bench.texts()
    # The second question was drawn in full when its answers could not be embedded.
    assert {("q1", index) for index in (GREEDY, 0, 1, 2)} <= kept.keys()
    assert bench.run.phases["embedding"] > 0
    assert bench.generator is not None
    assert bench.generator.is_closed
    bench.embedder = HashingEmbedder()
    after = bench.work()
    assert set(drawn(after)) == ALL_KEYS - kept.keys()
    assert clusters(bench, "embedding") == [1, 2, 3]
    assert bench.run.status == "complete"


def test_an_embedder_that_does_not_load_leaves_a_finished_run_as_it_was(bench: Bench):
    bench.work()
    scoring = bench.run.scoring

    def fail(embedder: JobEmbedder) -> Embedder:
        raise EmbedderError("embedder `other` cannot be loaded")

    bench.load_embedder = fail  # type: ignore[method-assign]
    with pytest.raises(EmbedderError):
        bench.work(model=None, embedder=JobEmbedder("other", "other", "-"))
    assert (bench.run.status, bench.run.scoring) == ("complete", scoring)


def test_a_model_that_does_not_load_leaves_no_session(bench: Bench):
    def fail(model: JobModel, prompting: Prompting, now: datetime) -> ScriptedGenerator:
        raise ModelError("cannot load `x`")

    bench.load_generator = fail  # type: ignore[method-assign]
    with pytest.raises(ModelError):
        bench.work()
    assert bench.run.sessions() == []
    assert bench.texts() == {}


# Scoring again


def test_another_judge_labels_again_and_both_are_kept(bench: Bench):
    bench.work()
    bench.generator = None
    events = bench.work(model=None, judge="exact")
    assert bench.generator is None
    assert [event.label for event in of(QuestionScored, events)] == ["correct"] * 3
    assert bench.run.judges() == ["exact", "overlap"]
    assert bench.run.scoring.judge == "exact"
    assert bench.run.status == "complete"


def test_another_embedder_clusters_again(bench: Bench):
    bench.work()
    events = bench.work(model=None, embedder=JobEmbedder("other", "other", "-"))
    assert [event.part for event in of(Loading, events)] == ["embedder"]
    assert len(of(QuestionScored, events)) == 3
    assert {m.embedder for m in bench.run.clustering_methods() if m.embedder} == {"hashing", "other"}
    # Signals and labels are those of one scoring only, so going back scores again, on stored embeddings.
    assert len(of(QuestionScored, bench.work())) == 3
    assert bench.run.scoring.embedder_source.name == "hashing"


def test_a_run_that_is_scored_again_is_not_complete_until_it_is(bench: Bench):
    bench.work()
    events = bench.events(model=None, judge="exact")
    until(events, QuestionScored)
    assert bench.run.status == "started"
    list(events)
    assert bench.run.status == "complete"


def test_another_judge_on_an_unfinished_run_labels_all_questions(bench: Bench):
    events = bench.events()
    until(events, QuestionScored)
    bench.control.is_cancelled = True
    list(events)
    bench.work(judge="exact")
    assert set(bench.run.labels("exact")) == {"q0", "q1", "q2"}
    assert bench.run.status == "complete"


def test_chosen_clusterings_take_the_place_of_the_defaults(bench: Bench):
    bench.work(clusterings=("jaccard=0.2/leader",))
    methods = {(m.similarity, m.linkage, m.threshold) for m in bench.run.clustering_methods()}
    assert methods == {("jaccard", "leader", 0.2), ("embedding", "average", 0.85)}


def test_recorded_labels_stand_and_the_recorded_run_is_finished_as_it_came(make_run: Callable[..., RunFile]):
    with make_run(QUESTIONS, recorded=True) as run:
        for index in range(2):
            run.add_generation(Generation("q0", index, "a b", "a b", GenerationState.VALID))
        run.add_labels([Label("q0", RECORDED, LabelValue.INCORRECT)])
        bench = Bench(run)
        events = bench.work(model=None, judge=RECORDED)
        assert [event.label for event in of(QuestionScored, events)] == ["incorrect", None, None]
        assert run.labels(RECORDED)["q0"].value is LabelValue.INCORRECT
        assert run.status == "complete"


def test_an_audit_touches_nothing_but_its_run(bench: Bench, tmp_path: Path):
    bench.work()
    assert {path.name for path in tmp_path.iterdir()} <= {f"test.audit{end}" for end in ("", "-wal", "-shm")}


# Asking the model about its answers


def test_a_session_is_told_as_it_drew_the_answers_not_as_it_asked_about_them(bench: Bench):
    class Narrowing(ScriptedGenerator):
        """Takes other slots for each drawing."""

        def draw(
            self, requests: Iterable[DrawRequest], decoding: Decoding, follow_ups: FollowUps | None = None
        ) -> Drawing:
            drawing = super().draw(requests, decoding, follow_ups)
            self.slots -= 1
            self.facts = replace(self.facts, slots=self.slots)
            return drawing

    bench.load_generator = lambda model, prompting, now: Narrowing(say, 5)  # type: ignore[method-assign]
    events = bench.work()
    assert of(Asking, events)[-1] == Asking(6, 6)
    (session,) = bench.run.sessions()
    assert session.provenance["slots"] == of(EngineReady, events)[0].slots == 4
    assert session.provenance["tokens"] == sum(len(text.split()) for text in bench.texts().values())


def test_the_model_is_asked_about_every_answer_and_what_it_says_becomes_signals(bench: Bench):
    events = bench.work()
    assert of(Asking, events)[-1] == Asking(6, 6)
    calls = bench.run.calls()
    assert set(calls) == {"q0", "q1", "q2"}
    signals = bench.run.signals()
    for question in QUESTIONS:
        # Of the mass on either word three quarters are on True: 0.6 of 0.8.
        assert calls[question.id]["p_true"].value == pytest.approx(0.75)
        assert signals["p_true"][question.id].value == pytest.approx(0.25)
        # The scripted model repeats its answer, which states no number.
        assert calls[question.id]["verbalized"].reason == "the reply states no confidence"
        assert signals["verbalized_confidence"][question.id].reason == "the reply states no confidence"
    assert bench.generator is not None
    assert all(question.text in asked for question, asked in zip(QUESTIONS, bench.generator.asked, strict=True))


@dataclass
class AskingDrawing(ScriptedDrawing):
    """Replies to every follow-up in the step behind the greedy answer, but for those to be left out."""

    follow_ups: FollowUps | None = None
    left_out: frozenset[str] = frozenset()
    replies: list[FollowUpReply] = field(default_factory=list)

    def step(self) -> list[Generation]:
        finished = super().step()
        for answer in finished:
            if answer.sample_index == GREEDY and self.follow_ups and answer.question_id not in self.left_out:
                self.replies += [self.reply(answer, asked) for asked in self.follow_ups.about(answer)]
        return finished

    def reply(self, answer: Generation, asked: FollowUp) -> FollowUpReply:
        said: NextTokens | Generation = NextTokens(("True", "False"), np.log([0.6, 0.2]), 9, 0.5)
        if asked.limit:
            said = replace(answer, text="70%", answer="70%", state=GenerationState.VALID)
        return FollowUpReply(answer.question_id, asked.kind, said, 5, 0.25)

    def take_replies(self) -> list[FollowUpReply]:
        replies, self.replies = self.replies, []
        return replies


@pytest.mark.parametrize("left_out", [frozenset[str](), frozenset({"q1"})])
def test_what_was_asked_beside_the_answers_is_stored_and_only_the_rest_asked_afterwards(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, left_out: frozenset[str]
):
    def draw(
        self: ScriptedGenerator,
        requests: Iterable[DrawRequest],
        decoding: Decoding,
        follow_ups: FollowUps | None = None,
    ) -> Drawing:
        keys = [(request.question_id, index) for request in requests for index in request.sample_indexes]
        return AskingDrawing(keys, self.script, self.slots, follow_ups=follow_ups, left_out=left_out)

    monkeypatch.setattr(ScriptedGenerator, "draw", draw)
    events = bench.work()
    assert [event.calls for event in of(Asking, events)][-1:] == ([2] if left_out else [])
    assert bench.run.status == "complete"
    calls, signals = bench.run.calls(), bench.run.signals()
    costs = {(cost.question_id, cost.resource): cost for cost in bench.run.costs()}
    for question in QUESTIONS:
        assert calls[question.id]["p_true"].value == pytest.approx(0.75)
        assert signals["p_true"][question.id].value == pytest.approx(0.25)
    assert calls["q0"]["verbalized"].value == pytest.approx(0.7)
    assert signals["verbalized_confidence"]["q0"].value == pytest.approx(0.3)
    assert (costs["q0", "call_p_true"].tokens, costs["q0", "call_verbalized"].seconds) == (5, 0.25)


def test_a_run_that_was_asked_in_prompts_of_their_own_goes_on_so(bench: Bench):
    bench.run.add_calls([ModelCall("q0", "p_true", 0.5)])
    bench.work()
    assert bench.run.asked_in == "a separate prompt"


def test_a_model_whose_template_holds_no_conversation_is_asked_in_prompts_of_their_own(bench: Bench):
    assert bench.run.asked_in is None
    bench.work()
    assert bench.run.asked_in == "a separate prompt"


def test_a_new_run_is_asked_behind_its_answers_also_when_it_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def follow_up_prompt(
        self: ScriptedGenerator, question: str, answer: str, follow_up: str, system: str | None = None
    ) -> Prompt:
        return self.prompt(f"{question} {answer} {follow_up}", system)

    monkeypatch.setattr(ScriptedGenerator, "follow_up_prompt", follow_up_prompt)
    for event in bench.events():
        bench.control.is_cancelled = isinstance(event, Asking)
    bench.work()
    assert bench.run.asked_in == "the same conversation"


def test_a_run_that_stops_between_calls_goes_on_with_those_that_are_missing(bench: Bench):
    for event in bench.events():
        if isinstance(event, Asking) and event.done == 1:
            bench.control.is_cancelled = True
    assert bench.run.status == "started"
    before = bench.run.calls()
    events = bench.work()
    assert drawn(events) == []
    asked = sum(len(kinds) for kinds in before.values())
    assert 1 <= asked < 6
    assert of(Asking, events)[-1] == Asking(6 - asked, 6 - asked)
    assert bench.run.status == "complete"
    assert all(
        bench.run.calls()[question_id] | kinds == bench.run.calls()[question_id]
        for question_id, kinds in before.items()
    )


def test_only_the_named_signals_are_computed_and_nobody_asks_for_the_others(bench: Bench):
    events = bench.work(signals=("token_entropy_mean", "density"))
    assert of(Asking, events) == []
    assert set(bench.run.signals()) == {"token_entropy_mean", "density"}
    assert bench.run.status == "complete"
    bench.work(model=None, signals=("response_length",))
    assert set(bench.run.signals()) == {"response_length"}


def test_scoring_without_the_model_keeps_what_it_said(bench: Bench):
    bench.work()
    bench.work(model=None, judge="exact")
    assert bench.run.signals()["p_true"]["q1"].value == pytest.approx(0.25)


def test_what_a_question_cost_is_stored_by_what_its_signals_are_made_from(bench: Bench):
    bench.work()
    costs = {(cost.question_id, cost.resource): cost for cost in bench.run.costs()}
    resources = ("greedy", "samples", "answer_embeddings", "question_embedding", "call_p_true", "call_verbalized")
    assert set(costs) == {(question.id, name) for question in QUESTIONS for name in resources}
    # q1: "Rome is in Italy" has 4 words; the samples are "a town of Spain", "Rome is in Italy", "a town of Spain".
    assert (costs["q1", "greedy"].tokens, costs["q1", "samples"].tokens) == (4, 12)
    # A scripted step takes 0.01 s and a token, so a token takes 0.01 s.
    assert costs["q1", "samples"].seconds == pytest.approx(0.12)
    assert costs["q1", "call_p_true"].seconds == 0.5
    assert bench.run.signals()["semantic_entropy_embedding"]["q1"].seconds > 0


def test_density_measures_against_the_named_pool(bench: Bench, tmp_path: Path):
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(f'{{"question": "Where is Rome number {number}?"}}\n' for number in range(12)))
    bench.work(density_pool=str(pool))
    density = {question_id: value.value for question_id, value in bench.run.signals()["density"].items()}
    assert None not in density.values()
    assert min(density, key=density.__getitem__) == "q1"
    # Without a pool three questions have no ten others.
    bench.work(model=None)
    assert bench.run.signals()["density"]["q1"].value is None


def test_a_run_that_lacks_only_calls_draws_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.work(signals=("token_entropy_mean",))

    def refuse(self: ScriptedGenerator, requests: Iterable[DrawRequest], decoding: Decoding) -> Drawing:
        raise AssertionError("a generator with nothing to draw is not asked to draw")

    monkeypatch.setattr(ScriptedGenerator, "draw", refuse)
    events = bench.work(signals=("token_entropy_mean", "p_true"))
    assert of(Asking, events)[-1] == Asking(3, 3)
    assert bench.run.status == "complete"


# Stopping once it is decided


MANY = [Question(f"m{number}", f"What is the number {number}?") for number in range(60)]


def apart(question_id: str, index: int) -> str:
    """Every question has three meanings; the first ones take long, so that later ones finish before them."""
    number = int(question_id[1:])
    words = ["Shakespeare wrote it", "nobody can tell", "some old poet", "Marlowe perhaps"][index + 1]
    return words + f" {words.split()[0]}" * (4 if number % 5 == 0 else 0)


def alike(question_id: str, index: int) -> str:
    return "bees make honey" + " indeed" * (4 if int(question_id[1:]) % 5 == 0 else 0)


@pytest.fixture
def deciding(make_run: Callable[..., RunFile]) -> Iterator[Bench]:
    decoding = asdict(Decoding(samples=SAMPLES, max_tokens=8, greedy_max_tokens=8))
    rule = {"max_scr": None, "seed": 0}
    with make_run(MANY, decoding=decoding, prompting=asdict(Prompting()), until_decided=rule) as run:
        yield Bench(run, alike, slots=14)


def test_a_run_stops_once_its_level_is_decided_and_is_complete(deciding: Bench):
    events = deciding.work()
    # Three questions that are all single show the band; ten are needed for any level.
    told = of(Deciding, events)
    assert [(x.questions, x.is_decided) for x in told[-1:]] == [(10, True)]
    assert told[-1].left == ("severe",)
    assert not any(x.is_decided for x in told[:-1])
    assert of(RunFinished, events)[0].status == deciding.run.status == "complete"
    assert deciding.run.progress().state is RunState.DECIDED_EARLY
    # What was being drawn is left; nobody is asked about it.
    assert len(drawn(events)) < len(MANY) * (SAMPLES + 1) / 2
    assert set(deciding.run.calls()) <= {f"m{number}" for number in range(len(deciding.run.finished_in_order()))}
    assert deciding.work() and deciding.run.status == "complete"


def test_questions_that_finish_before_their_turn_decide_nothing(deciding: Bench):
    seen: set[int] = set()
    for event in deciding.work():
        if isinstance(event, QuestionScored):
            seen.add(event.position)
        if isinstance(event, Deciding):
            # As many as are scored without a gap.
            assert event.questions == min(10, next(x for x in itertools.count() if x not in seen))


def test_a_run_that_is_killed_again_and_again_decides_at_the_same_question(deciding: Bench):
    told: list[Deciding] = []
    for _ in range(20):
        scored = 0
        for event in deciding.events():
            scored += isinstance(event, QuestionScored)
            told += of(Deciding, [event])
            # What a session says of earlier ones is not new.
            if isinstance(event, Deciding) and not event.is_decided and scored > 3:
                break
        if deciding.run.status == "complete":
            break
    assert len(deciding.run.sessions()) > 1
    assert [x.questions for x in told if x.is_decided] == [10]
    assert deciding.run.progress().state is RunState.DECIDED_EARLY


def test_a_run_that_stays_undecided_draws_its_whole_file(deciding: Bench):
    deciding.script = apart
    events = deciding.work()
    # No single one of 60: P(0 of 60 | 5%) = 0.046, and 0.025 is needed.
    last = of(Deciding, events)[-1]
    assert (last.questions, last.is_decided) == (60, False)
    assert last.left == ("none", "mild")
    assert last.outlook is not None and last.outlook.chance == 0
    assert deciding.run.progress().state is RunState.COMPLETE
    assert len(drawn(events)) == len(MANY) * (SAMPLES + 1)


def test_the_rest_of_a_decided_run_is_drawn_when_it_is_continued(deciding: Bench):
    deciding.work()
    first = deciding.texts()
    continue_early(deciding.run.path)
    events = deciding.work()
    assert not of(Deciding, events)
    assert deciding.run.progress().state is RunState.COMPLETE
    texts = deciding.texts()
    assert texts.items() >= first.items()
    assert texts.keys() == {(x.id, index) for x in MANY for index in (GREEDY, *range(SAMPLES))}
    assert {question_id for question_id, found in deciding.run.signals()["density"].items()} == {x.id for x in MANY}


def test_another_clustering_decides_anew_and_leaves_open_what_it_does_not(deciding: Bench):
    deciding.script = lambda question_id, index: f"bees make honey {index}"
    deciding.work(clusterings=("embedding=0.5",))
    assert deciding.run.progress().state is RunState.DECIDED_EARLY
    deciding.work(model=None, clusterings=("embedding=0.99",))
    assert deciding.run.status == "started"
    deciding.work(model=None, clusterings=("embedding=0.6",))
    assert deciding.run.progress().state is RunState.DECIDED_EARLY


# For the rate alone


RATE_ONLY = RateOnly(0.2, seed=1)
NINE = 9
"""Samples a question."""


def mixed(question_id: str, index: int) -> str:
    """Every third question has one meaning, one in six has two from the sixth sample on, the others have many."""
    number = int(question_id[1:])
    if number % 3 == 0:
        return "bees make honey" if number % 2 or index < 5 else "Marlowe wrote plays"
    return f"meaning{index} of{index} number{index}"


@pytest.fixture
def alone(make_run: Callable[..., RunFile]) -> Iterator[Bench]:
    decoding = asdict(Decoding(samples=NINE, max_tokens=8, greedy_max_tokens=8))
    rule = RATE_ONLY.as_parameter()
    with make_run(MANY, decoding=decoding, prompting=asdict(Prompting()), rate_only=rule) as run:
        yield Bench(run, mixed, slots=14)


def indexes(bench: Bench) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for question_id, index in bench.texts():
        found.setdefault(question_id, set()).add(index)
    return found


def as_far_as_needed() -> dict[str, set[int]]:
    """Return the samples that a run for the rate alone draws of each question."""
    audited = RATE_ONLY.audited(x.id for x in MANY)
    to_the_end = {x.id for x in MANY if x.id in audited or int(x.id[1:]) % 3 == 0}
    return {x.id: {GREEDY, *range(NINE if x.id in to_the_end else 3)} for x in MANY}


def test_a_question_whose_first_samples_lie_apart_stops_there(alone: Bench):
    events = alone.work()
    wanted = as_far_as_needed()
    assert indexes(alone) == wanted
    # 60 questions: 40 lie apart, of which the 12 audited hold some.
    assert 20 < sum(len(x) == 4 for x in wanted.values()) < 40
    assert alone.run.progress().state is RunState.RATE_ONLY
    assert alone.run.status == "complete"
    # What is drawn is what a run of all answers draws.
    assert all(text == mixed(*key) for key, text in alone.texts().items())
    stopped = {x.question_id for x in of(QuestionScored, events) if x.is_stopped}
    assert stopped == {x for x, found in wanted.items() if len(found) == 4}
    assert {x.samples for x in of(QuestionScored, events) if x.is_stopped} == {3}
    # What is told of looks and audited questions is what the report reads of the file.
    counter = RateCounter()
    for event in of(QuestionScored, events):
        counter.add(event)
    report = build(alone.run, draws=50)
    live = counter.shown().primary
    assert live is not None and live.is_two_phase
    assert live.rate == report.homogenization.methods[live.method].scr
    last = of(Progress, events)[-1]
    assert (last.questions_stopped, last.draws_done, last.draws) == (len(stopped), *2 * [len(alone.texts())])
    # All looks are kept, those at audited questions too, and say what they saw.
    assert {x for x, look in alone.run.first_looks().items() if look.is_apart} == {
        x.id for x in MANY if int(x.id[1:]) % 3
    }
    # A resumed one has nothing to draw, and nothing is asked of the model.
    assert not drawn(alone.work()) and not alone.run.calls()


def test_killed_again_and_again_it_draws_the_same(alone: Bench):
    for _ in range(40):
        finished = 0
        for event in alone.events():
            finished += isinstance(event, GenerationFinished)
            if finished > 17:
                break
        if alone.run.status == "complete":
            break
    assert len(alone.run.sessions()) > 5
    assert indexes(alone) == as_far_as_needed()
    assert alone.run.progress().state is RunState.RATE_ONLY


def test_signals_are_computed_of_the_audited_questions_alone(alone: Bench):
    alone.work()
    audited = RATE_ONLY.audited(x.id for x in MANY)
    assert {x for x, value in alone.run.signals()["semantic_entropy_embedding"].items() if value} == audited


def test_the_rest_of_a_run_for_the_rate_alone_is_drawn_when_it_is_continued(alone: Bench):
    alone.work()
    first = alone.texts()
    continue_early(alone.run.path)
    alone.work()
    assert alone.run.progress().state is RunState.COMPLETE
    assert alone.texts().items() > first.items()
    assert set(map(len, indexes(alone).values())) == {NINE + 1}
    assert set(alone.run.signals()["semantic_entropy_embedding"]) == {x.id for x in MANY}
    assert {len(x.assignment) for x in alone.run.clusterings(alone.run.clustering_methods()[0]).values()} == {NINE}


def test_another_scoring_looks_at_nothing_again(alone: Bench):
    alone.work()
    looks = alone.run.first_looks()
    alone.work(model=None, clusterings=("embedding=0.99",))
    assert alone.run.first_looks() == looks
    assert alone.run.progress().state is RunState.RATE_ONLY
