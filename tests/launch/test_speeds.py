"""Speeds that `bench` measured, kept beside the runs."""

from dataclasses import asdict
from pathlib import Path

import pytest

from homogaudit.events import Job, JobModel, Scoring
from homogaudit.launch.speeds import (
    Drawn,
    Speeds,
    find_paces,
    find_serial_speed,
    find_speeds,
    store_paces,
    store_speeds,
)
from homogaudit.records import Decoding, Question
from homogaudit.statistics.answer_lengths import AnswerLengths
from homogaudit.store import RunFile


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return path


def test_a_speed_is_found_by_the_content_of_the_file(tmp_path: Path, model: Path):
    store_speeds(tmp_path / "runs", model, Speeds(300.0, 100.0))
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(b"weights")
    assert find_speeds(tmp_path / "runs", copy) == Speeds(300.0, 100.0)
    copy.write_bytes(b"others")
    assert find_speeds(tmp_path / "runs", copy) is None


def test_a_later_measurement_replaces_the_earlier_one(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    store_speeds(tmp_path, model, Speeds(300.0, 100.0))
    store_speeds(tmp_path, model, Speeds(310.0, 110.0))
    assert find_serial_speed(str(model)) == 110.0


def test_a_damaged_file_or_a_missing_model_is_no_speed(tmp_path: Path, model: Path):
    (tmp_path / "bench.json").write_text("{", encoding="utf-8")
    assert find_speeds(tmp_path, model) is None
    assert find_speeds(tmp_path, tmp_path / "nowhere.gguf") is None


def test_what_a_run_measured_is_found_by_a_job_with_the_same_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    job = Job("a.audit", JobModel("/models/tiny.gguf"), scoring=Scoring(judge="model:x"))
    assert find_paces(job) == {}
    store_paces(job, {"answers": 1.5, "calls": 0.25, "judgements": 2.0})
    assert find_paces(job) == {"answers": 1.5, "calls": 0.25, "judgements": 2.0}
    other = Job("b.audit", JobModel("/models/large.gguf"), scoring=Scoring(judge="model:x"))
    assert find_paces(other) == {"judgements": 2.0}


def test_answers_of_another_length_have_a_pace_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))

    def job(max_tokens: int) -> Job:
        path = tmp_path / f"{max_tokens}.audit"
        if not path.exists():
            decoding = asdict(Decoding(max_tokens=max_tokens))
            RunFile.create(
                path,
                model="tiny",
                question_source="q",
                questions=[Question("a", "Who?")],
                parameters={"decoding": decoding},
            ).close()
        return Job(str(path), JobModel("/models/tiny.gguf"))

    store_paces(job(40), {"answers": 1.0})
    store_paces(job(200), {"answers": 4.0})
    assert find_paces(job(40)) == {"answers": 1.0}
    assert find_paces(job(200)) == {"answers": 4.0}
    # Where none was as long, the latest is the best that is known.
    assert find_paces(job(100)) == {"answers": 4.0}


def test_answers_of_a_length_that_was_never_drawn_take_as_long_as_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    short, long = Decoding(samples=4, max_tokens=16, greedy_max_tokens=16), Decoding(samples=9, max_tokens=100)
    path = tmp_path / "short.audit"
    questions = [Question("a", "Who?")]
    parameters = {"decoding": asdict(short), "questions": {"count": 1}}
    RunFile.create(path, model="tiny", question_source="q", questions=questions, parameters=parameters).close()
    model, quick = JobModel("/models/tiny.gguf"), Scoring(signals=("token_entropy_mean",))
    lengths = AnswerLengths()
    # None has ended, so that answers are taken to be as long as they may be.
    lengths.add(16, is_ended=False, answers=5)
    parts = {"tokens": 0.5, "prompts": 2.0, "asking": 3.0, "beside": 0.25}
    store_paces(Job(str(path), model), {"answers": 9.5, **parts}, lengths)
    # Drawn alike, its own pace counts.
    assert find_paces(Job(str(path), model))["answers"] == 9.5
    assert find_paces(Job("", model), Drawn(short, 7))["answers"] == 9.5
    # 100 tokens; the time of a prompt, and of what is asked, is shared by 10 answers.
    assert find_paces(Job("", model), Drawn(long, 7))["answers"] == pytest.approx(50 + 0.2 + 0.3 + 0.25)
    # Nothing is asked, so that it is another run with as many tokens too.
    assert find_paces(Job("", model, scoring=quick), Drawn(short, 7))["answers"] == pytest.approx(8 + 0.4 + 0.25)
    # Of the tokens of earlier answers half count: 5 answers of 16 tokens end, 2.5 went on.
    ended = AnswerLengths()
    ended.add(16, is_ended=True, answers=5)
    store_paces(Job(str(path), model), {}, ended)
    assert find_paces(Job("", model), Drawn(long, 7))["answers"] < 0.5 * 30


def test_loading_takes_longer_in_the_first_run_after_a_start_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    # Started at 10,000, now it is 10,100.
    monkeypatch.setattr("time.time", lambda: 10_100.0)
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    job = Job("a.audit", JobModel("/models/tiny.gguf"))
    store_paces(job, {"loading": 43.0, "loading again": 6.0})
    assert find_paces(job) == {"loading": 6.0}
    store_paces(job, {"loading": 7.0, "loading again": 5.0})
    assert find_paces(job) == {"loading": 7.0}
    # Another start, at 19,990.
    monkeypatch.setattr("time.time", lambda: 20_000.0)
    monkeypatch.setattr("time.monotonic", lambda: 10.0)
    assert find_paces(job) == {"loading": 43.0}
    store_paces(job, {"answers": 1.0})
    assert find_paces(job) == {"loading": 7.0, "answers": 1.0}


def test_the_ending_is_that_of_the_run_with_the_nearest_number_of_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    for name, questions in (("few", 2), ("many", 50)):
        path = tmp_path / f"{name}.audit"
        RunFile.create(
            path,
            model="tiny",
            question_source="q",
            questions=[Question("a", "Who?")],
            parameters={"decoding": asdict(Decoding()), "questions": {"count": questions}},
        ).close()
        store_paces(Job(str(path), JobModel("/models/tiny.gguf")), {"ending": float(questions)})
    job = Job("", JobModel("/models/tiny.gguf"))
    assert find_paces(job, Drawn(Decoding(), 2)) == {"ending": 2.0}
    assert find_paces(job, Drawn(Decoding(), 7)) == {"ending": 2.0}
    assert find_paces(job, Drawn(Decoding(), 12)) == {"ending": 50.0}


def test_a_file_of_speeds_that_is_spoilt_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    (tmp_path / "bench.json").write_text('{"paces": [1, 2]}')
    job = Job("a.audit", JobModel("/models/tiny.gguf"))
    assert find_paces(job) == {}
    store_paces(job, {"answers": 1.0})
