"""What crosses the border between the engine and its owner."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit import events
from homogaudit.events import (
    PROTOCOL_VERSION,
    Asking,
    Cancelling,
    Deciding,
    EngineFailed,
    EngineReady,
    Event,
    GenerationFailed,
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
    TextDelta,
    Warning,
    decode,
    encode,
)
from homogaudit.records import ClusteringMethod

# Lone surrogates, escapes and line separators come out of models and files.
texts = st.text(st.characters(codec=None), max_size=20)
optional = st.none() | texts
counts = st.integers(0, 2**53)
numbers = st.floats(allow_nan=False, allow_infinity=False)
deltas = st.builds(TextDelta, texts, st.integers(-1, 1000), texts)
progress = st.builds(
    Progress,
    *[counts] * 6,
    numbers,
    numbers,
    st.none() | numbers,
    counts,
    st.lists(deltas, max_size=4).map(tuple),
)
json_values = st.dictionaries(texts, texts | counts | st.none(), max_size=3)
EVENTS: dict[type[Event], st.SearchStrategy[Event]] = {
    Loading: st.builds(Loading, texts, texts),
    EngineReady: st.builds(
        EngineReady, texts, *[counts] * 3, texts, *[counts] * 4, st.none() | numbers, details=json_values
    ),
    Planned: st.builds(Planned, counts, counts, counts, counts),
    QuestionStarted: st.builds(QuestionStarted, texts, texts),
    Asking: st.builds(Asking, counts, counts),
    Progress: progress,
    GenerationFinished: st.builds(
        GenerationFinished, texts, counts, texts, texts, optional, st.none() | counts, st.none() | numbers
    ),
    GenerationFailed: st.builds(GenerationFailed, texts, counts, texts),
    QuestionScored: st.builds(
        QuestionScored, texts, counts, st.dictionaries(texts, counts, max_size=3), counts, counts, optional
    ),
    Deciding: st.builds(
        Deciding,
        counts,
        counts,
        numbers,
        numbers,
        st.lists(texts, max_size=3).map(tuple),
        st.none() | counts,
        st.booleans(),
    ),
    Paused: st.just(Paused()),
    Resumed: st.just(Resumed()),
    Cancelling: st.just(Cancelling()),
    Warning: st.builds(Warning, texts, optional),
    Snapshot: st.builds(Snapshot, texts, texts, st.none() | progress, st.lists(deltas, max_size=4).map(tuple)),
    RunFinished: st.builds(RunFinished, texts, counts, numbers),
    EngineFailed: st.builds(EngineFailed, texts, texts, optional),
}


def test_every_event_is_drawn_here():
    # By name: a slotted dataclass replaces the class that it was made from, which may linger.
    assert {event.__name__ for event in EVENTS} == {event.__name__ for event in Event.__subclasses__()}


@given(st.one_of(*EVENTS.values()), counts)
def test_an_event_crosses_the_border_unchanged_on_one_line(event: Event, sequence: int):
    line = encode(event, sequence)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["sequence"] == sequence
    assert decode(line) == event
    assert decode(line.encode() + b"\n") == event


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        "5",
        '"Paused"',
        "[]",
        "{}",
        '{"event": "Paused"}',
        f'{{"version": {PROTOCOL_VERSION + 1}, "sequence": 0, "event": "Paused"}}',
        f'{{"version": "{PROTOCOL_VERSION}", "sequence": 0, "event": "Paused"}}',
        f'{{"version": {PROTOCOL_VERSION}, "sequence": 0}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Exploded"}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": ["Paused"]}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Paused", "more": 1}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Loading", "part": "model"}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Progress"}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Progress", "deltas": 3}}',
        f'{{"version": {PROTOCOL_VERSION}, "event": "Snapshot", "run": "", "state": "", "progress": 1, "live": []}}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_event_of_this_version_is_refused(line: str | bytes):
    with pytest.raises(ValueError):
        decode(line)


@given(st.lists(progress, min_size=1, max_size=5))
def test_coalesced_progress_keeps_all_deltas_in_order(reports: list[Progress]):
    merged = reports[0]
    for report in reports[1:]:
        merged = report.after(merged)
    assert merged.deltas == tuple(delta for report in reports for delta in report.deltas)
    assert dataclasses.replace(merged, deltas=()) == dataclasses.replace(reports[-1], deltas=())


jobs = st.builds(
    Job,
    texts,
    model=st.none() | st.builds(JobModel, texts, texts, optional),
    machine=st.builds(
        JobMachine,
        slots=st.none() | counts,
        threads=st.none() | counts,
        gpu_layers=st.none() | st.integers(-1, 100),
        defer_embedding=st.booleans(),
        token_arrays=st.booleans(),
        key_origins=st.lists(texts, max_size=2).map(tuple),
    ),
    scoring=st.builds(
        Scoring,
        judge=optional,
        judge_reason=texts,
        embedder_source=st.none() | st.builds(JobEmbedder, texts, texts, texts, optional),
        embedder_reason=texts,
        methods=st.lists(st.builds(ClusteringMethod, texts, texts, st.none() | st.floats(0, 1)), max_size=2).map(tuple),
    ),
)


@given(jobs)
def test_a_job_crosses_the_border_unchanged_on_one_line(job: Job):
    assert "\n" not in job.encode()
    assert Job.decode(job.encode()) == job


def test_everything_public_is_named():
    assert {event.__name__ for event in EVENTS} <= set(events.__all__)


def test_a_line_is_never_longer_than_its_reader_takes() -> None:
    text = "\x07" * (3 << 20)
    line = events.encode(events.QuestionStarted("q", text), 0)
    assert len(line) <= events.LONGEST_LINE < 16 << 20
    found = events.decode(line)
    assert isinstance(found, events.QuestionStarted)
    assert found.text.startswith("\x07" * 1000) and found.text.endswith("…")
