"""Runs of shards that are merged and scored, against one run of the whole file over the same draws."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.errors import ParametersDifferError, RunFileError
from homogaudit.events import Job, JobEmbedder, Scoring
from homogaudit.pipeline import Audit
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import (
    GREEDY,
    Decoding,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    ModelCall,
    Question,
    TokenStatistics,
    questions_digest,
)
from homogaudit.report.build import build
from homogaudit.report.json import to_json
from homogaudit.signals.registry import SIGNALS, RunSignal
from homogaudit.store import RunFile
from homogaudit.store.facts import JudgeUsed
from homogaudit.store.merge import Merged, merge_runs
from homogaudit.store.shards import Shards

SAMPLES = 4
WORDS = ("Rome", "Paris", "Lyon", "Milan", "Oslo")
QUESTIONS = [
    Question(f"q{number:02}", f"Which city has number {number}?", f"c{number % 3}", (WORDS[number % 5],), ("Berlin",))
    for number in range(30)
]
DECODING = Decoding(samples=SAMPLES)
EMBEDDER = JobEmbedder("toy", "toy#1", "nowhere")
RUN_SIGNALS = [signal.name for signal in SIGNALS.values() if isinstance(signal, RunSignal)]


class ToyEmbedder:
    """Every text has a direction of its own, drawn from its characters."""

    name = "toy#1"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.stack([np.random.default_rng(list(text.encode())).normal(size=8) + 1.0 for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Running:
    is_cancelled = False
    is_paused = False

    def wait_while_paused(self) -> None:
        raise AssertionError("nobody pauses here")

    def take_snapshot_request(self) -> bool:
        return False


def _generation(question: Question, index: int) -> Generation:
    chance = random.Random(f"{question.id} {index}")
    text = f"It is {chance.choice(WORDS)}, {chance.choice(('surely', 'I think', 'as far as I know'))}."
    count = len(text.split())
    arrays = [np.array([chance.uniform(0.1, 2.0) for _ in range(count)], np.float32) for _ in range(2)]
    statistics = TokenStatistics(np.arange(count, dtype=np.int32), arrays[0], -arrays[1], 20 - arrays[1])
    state = GenerationState.VALID
    return Generation(question.id, index, text, text, state, "stop", count, statistics, 0.1 * count)


def _job(path: Path) -> Job:
    return Job(str(path), scoring=Scoring("exact", embedder_source=EMBEDDER))


Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a figure costs is measured, and enters the cascade: here everything takes no time."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that draws a shard, or the whole file, as a run would."""

    def write(
        shards: Shards | None = None,
        *,
        name: str = "",
        decoding: Decoding = DECODING,
        chat_template: str = "{{ question }}",
        mode: str = "chat",
        until: int | None = None,
        only: Iterable[int] = (GREEDY, *range(SAMPLES)),
        change: Callable[[Generation], Generation] = lambda generation: generation,
    ) -> Path:
        shards = shards or Shards((1,), 1)
        path = tmp_path / (name or f"{'-'.join(map(str, shards.held))}of{shards.of}.audit")
        questions = shards.take(QUESTIONS)
        parameters: dict[str, Any] = {
            "model": {"kind": "gguf", "fingerprint": {"size": 61453}},
            "questions": {"count": len(QUESTIONS), "sha256": questions_digest(QUESTIONS)},
            "decoding": asdict(decoding),
            "prompting": {"mode": "auto"},
        }
        if shards.of > 1:
            parameters["shard"] = shards.as_parameter()
        run = RunFile.create(
            path, model="toy", question_source="cities.jsonl", questions=questions, parameters=parameters
        )
        with run:
            run.set_meta("created", "2026-03-01T12:30:00+00:00")
            run.set_meta("chat_template", chat_template)
            run.set_meta("calls", ["p_true"])
            run.add_calls(ModelCall(x.id, "p_true", int(x.id[1:]) / 30, "", "", 9, 0.5) for x in questions[:until])
            scorer = Scorer(run, _job(path), questions, lambda _: ToyEmbedder())
            scorer.store()
            list(scorer.ensure_embedder())
            session = run.begin_session("generate", 1, {"device": f"machine {shards}", "mode": mode})
            for question in questions[:until]:
                for index in only:
                    pieces = {number: b"x" for number in range(20)}
                    run.add_generation(change(_generation(question, index)), session, 1.0, pieces)
                if len(list(only)) == SAMPLES + 1:
                    (sample_set,) = run.sample_sets([question.id])
                    scorer.score(sample_set)
            run.end_session(session, provenance={"device": f"machine {shards}", "mode": mode}, seconds=7.0)
            if until is None:
                scorer.score_run()
                run.finish()
        return path

    return write


def _merge(paths: Sequence[Path], output: Path) -> Merged:
    return merge_runs(paths, output, run_signals=RUN_SIGNALS)


def _score(path: Path) -> None:
    with RunFile.open(path, writable=True) as run:
        audit = Audit(
            run,
            _job(path),
            Running(),
            load_generator=lambda *_: pytest.fail("drawn"),
            load_embedder=lambda _: ToyEmbedder(),
        )
        list(audit.events())


def _figures(path: Path) -> dict[str, Any]:
    """Return the report without what tells one run from another."""
    with RunFile.open(path) as run:
        found = to_json(build(run, draws=100))
    for name in ("id", "finished", "sessions", "seconds", "device", "versions"):
        del found["run"][name]
    # They name the run.
    del found["verdict"]["next"]
    return found


def test_a_merged_run_gives_the_report_of_the_unsharded_run(make: Make, tmp_path: Path) -> None:
    whole = make()
    merged = tmp_path / "merged.audit"
    # In another order than that of the shards, as a shell lists them.
    found = _merge([make(Shards((number,), 4)) for number in (3, 1, 4, 2)], merged)
    assert found.shards.missing == () and found.unfinished == () and found.warnings == ()
    _score(merged)
    assert _figures(merged) == _figures(whole)
    with RunFile.open(merged) as run, RunFile.open(whole) as other:
        assert run.status == "complete"
        assert run.parameters == other.parameters
        assert [question.id for question in run.questions()] == [question.id for question in QUESTIONS]
        assert {session.generations for session in run.sessions()} >= {8 * 5, 7 * 5}
        # Of the whole file: a shard's own questions are another pool.
        density = {key: value.value for key, value in other.signals()["density"].items()}
        assert {key: value.value for key, value in run.signals()["density"].items()} == density
        assert None not in density.values()


def test_the_times_of_all_shards_add_up(make: Make, tmp_path: Path) -> None:
    shards = [make(Shards((number,), 2)) for number in (1, 2)]
    for path, phases in zip(shards, ({"decode": 4.0, "other": 1.0}, {"decode": 8.0, "embedding": 2.0}), strict=True):
        with RunFile.open(path, writable=True) as run:
            run.phases = phases
    merged = tmp_path / "merged.audit"
    _merge(shards, merged)
    with RunFile.open(merged) as run:
        assert run.phases == {"decode": 12.0, "other": 1.0, "embedding": 2.0}


def test_nothing_is_scored_twice_but_the_signals_of_the_whole_run(make: Make, tmp_path: Path) -> None:
    merged = tmp_path / "merged.audit"
    _merge([make(Shards((number,), 2)) for number in (1, 2)], merged)
    with RunFile.open(merged) as run:
        assert not RUN_SIGNALS & run.signals().keys() and "semantic_entropy_jaccard" in run.signals()
        assert len(run.calls()) == 30 and len(run.token_pieces()) == 20
    with sqlite3.connect(merged) as connection:
        connection.execute("UPDATE signals SET seconds = 42 WHERE signal = 'semantic_entropy_jaccard'")
    connection.close()
    _score(merged)
    with RunFile.open(merged) as run:
        # A signal that was computed again would have lost its mark.
        assert {value.seconds for value in run.signals()["semantic_entropy_jaccard"].values()} == {42.0}


def test_a_run_that_lacks_a_shard_says_so_and_takes_it_later(make: Make, tmp_path: Path) -> None:
    partial, merged = tmp_path / "partial.audit", tmp_path / "merged.audit"
    found = _merge([make(Shards((number,), 4)) for number in (1, 3)], partial)
    assert found.shards.missing == (2, 4)
    _score(partial)
    with RunFile.open(partial) as run:
        report = build(run, draws=100)
        assert run.status == "started"
    assert "shards 2, 4 of 4 are missing: 15 of 30 questions of the file enter nothing" in report.validity.warnings
    assert report.run.question_source == "cities.jsonl, shards 1, 3 of 4"
    _merge([partial, *(make(Shards((number,), 4)) for number in (2, 4))], merged)
    _score(merged)
    assert _figures(merged) == _figures(make())


def test_draws_of_one_question_from_two_runs_come_together(make: Make, tmp_path: Path) -> None:
    merged = tmp_path / "merged.audit"
    halves = [make(name=f"{number}.audit", until=30, only=part) for number, part in enumerate([(GREEDY, 0), (1, 2, 3)])]
    assert _merge(halves, merged).unfinished == ()
    _score(merged)
    assert _figures(merged) == _figures(make())


def test_a_shard_of_before_samples_were_labelled_comes_with_the_labels_of_its_greedy_answers(
    make: Make, tmp_path: Path
) -> None:
    old, new, merged = make(Shards((1,), 2)), make(Shards((2,), 2)), tmp_path / "merged.audit"
    with RunFile.open(old) as run:
        judge = run.judges()[0]
        before = run.labels(judge)
    with sqlite3.connect(old) as connection:
        connection.executescript(
            "DELETE FROM labels WHERE sample_index >= 0; ALTER TABLE labels RENAME TO rest;"
            "CREATE TABLE labels (position INTEGER NOT NULL REFERENCES questions, judge TEXT NOT NULL, "
            "value TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (position, judge)) WITHOUT ROWID;"
            "INSERT INTO labels SELECT position, judge, value, reason FROM rest; DROP TABLE rest; DROP TABLE diversity;"
            "PRAGMA user_version = 3;"
        )
    connection.close()
    with RunFile.open(new) as run:
        after, of_samples = run.labels(judge), run.sample_labels(judge)
    _merge([old, new], merged)
    with RunFile.open(merged) as run:
        assert run.labels(judge) == before | after
        assert run.sample_labels(judge) == of_samples
        assert len(before) == len(of_samples) == 15


def test_unfinished_questions_are_named(make: Make, tmp_path: Path) -> None:
    found = _merge([make(Shards((1,), 2)), make(Shards((2,), 2), until=13)], tmp_path / "merged.audit")
    assert found.shards.missing == () and found.unfinished == ("q27", "q29")


def test_a_draw_that_two_runs_hold_must_be_the_same(make: Make, tmp_path: Path) -> None:
    merged = tmp_path / "merged.audit"
    one, same = make(), make(name="same.audit")
    _merge([one, same], merged)
    with RunFile.open(merged) as run:
        assert len(run.generation_keys()) == 30 * (SAMPLES + 1)

    def change(generation: Generation) -> Generation:
        return replace(generation, text="other") if generation.question_id == "q07" else generation

    other = make(name="other.audit", change=change)
    with pytest.raises(RunFileError, match=r"holds other draws .* of `q07` greedy, `q07` sample 0") as raised:
        _merge([one, other], tmp_path / "never.audit")
    assert raised.value.exit_code == 2
    assert sorted(path.name for path in tmp_path.glob("*never*")) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"decoding": Decoding(samples=SAMPLES, temperature=0.7)}, "`decoding.temperature` is 1.0 and 0.7"),
        ({"chat_template": "other"}, "`chat_template`"),
        ({"mode": "base"}, r'`prompt mode` is \["chat"\] and \["base"\]'),
        ({"shards": Shards((2,), 3)}, "`shard.of` is 2 and 3"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(
    make: Make, tmp_path: Path, options: dict[str, Any], named: str
) -> None:
    other = make(**{"shards": Shards((2,), 2), **options})
    with pytest.raises(ParametersDifferError, match=named):
        _merge([make(Shards((1,), 2)), other], tmp_path / "merged.audit")
    assert not (tmp_path / "merged.audit").exists()


def test_questions_that_were_changed_are_refused(make: Make, tmp_path: Path) -> None:
    paths = [make(Shards((number,), 2)) for number in (1, 2)]
    with sqlite3.connect(paths[1]) as connection:
        connection.execute("UPDATE questions SET text = 'Another one?' WHERE position = 3")
    connection.close()
    with pytest.raises(RunFileError, match="are not those of their question file"):
        _merge(paths, tmp_path / "merged.audit")


def test_runs_that_were_scored_in_two_ways_and_on_two_days_are_told(make: Make, tmp_path: Path) -> None:
    paths = [make(Shards((number,), 2)) for number in (1, 2)]
    with RunFile.open(paths[1], writable=True) as run:
        run.set_meta("created", "2026-03-02T00:30:00+00:00")
        run.scoring = replace(run.scoring, judge="overlap")
    days, scorings = _merge(paths, tmp_path / "merged.audit").warnings
    assert "on 2 different days" in days and "scored like the first" in scorings


def test_runs_whose_models_lie_at_two_places_were_scored_in_one_way(make: Make, tmp_path: Path) -> None:
    paths = [make(Shards((number,), 2)) for number in (1, 2)]
    with RunFile.open(paths[1], writable=True) as run:
        run.scoring = replace(run.scoring, embedder_source=replace(run.scoring.embedder_source, location="elsewhere"))
    assert _merge(paths, tmp_path / "merged.audit").warnings == ()


def test_what_a_model_judged_is_kept_with_its_calls_where_the_draws_come_together(make: Make, tmp_path: Path) -> None:
    key = "model:one#1"
    parts = [(GREEDY, 0), (GREEDY, 1, 2, 3)]
    paths = [make(name=f"{number}.audit", until=30, only=part) for number, part in enumerate(parts)]
    with RunFile.open(paths[1], writable=True) as run:
        run.add_calls([ModelCall("q03", key, 1.0, "", "correct", 9, 0.5)])
        run.add_labels([Label("q03", judge, LabelValue.CORRECT, "it is") for judge in (key, "overlap")])
    _merge(paths, tmp_path / "merged.audit")
    with RunFile.open(tmp_path / "merged.audit") as run:
        assert run.calls()["q03"][key].text == "correct"
        assert {name: label.value for name, label in run.labels(key).items()} == {"q03": LabelValue.CORRECT}
        # Of a judge that computes it is computed again from all draws.
        assert run.labels("overlap") == {}


def test_who_judged_and_embedded_is_known_in_the_merged_run_too(make: Make, tmp_path: Path) -> None:
    paths = [make(Shards((number,), 2)) for number in (1, 2)]
    for path, name in zip(paths, ("one", "two"), strict=True):
        with RunFile.open(path, writable=True) as run:
            run.judge_models = {f"model:{name}#1": JudgeUsed(name)}
    _merge(paths, tmp_path / "merged.audit")
    with RunFile.open(tmp_path / "merged.audit") as run:
        assert run.judge_models == {"model:one#1": JudgeUsed("one"), "model:two#1": JudgeUsed("two")}
        assert list(run.embedders) == [EMBEDDER.key]
