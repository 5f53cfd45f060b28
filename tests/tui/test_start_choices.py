"""What the start screen offers."""

from pathlib import Path

import pytest

from homogaudit.config import load_models
from homogaudit.errors import UsageError
from homogaudit.events import Job, JobModel, Scoring
from homogaudit.launch.arguments import packaged_questions, question_source
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.run_summary import RunSummary
from homogaudit.launch.speeds import Speeds, store_paces, store_speeds
from homogaudit.tui.screens.start import workload_content
from homogaudit.tui.start_choices import list_models, path_completion, workload_of


def test_a_path_is_completed_to_folders_and_files_that_fit(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf").touch()
    (tmp_path / "models" / "tiny.txt").touch()
    assert path_completion(f"{tmp_path}/mo", (".gguf",)) == f"{tmp_path}/models/"
    assert path_completion(f"{tmp_path}/models/ti", (".gguf",)) == f"{tmp_path}/models/tiny.gguf"
    assert path_completion(f"{tmp_path}/models/x", (".gguf",)) is None
    assert path_completion(f"{tmp_path}/nowhere/x", (".gguf",)) is None
    assert path_completion("de", (".gguf",), ["demo"]) == "demo"
    assert path_completion("", (".gguf",)) is None


def test_a_sample_is_meant_by_its_name_and_anything_else_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert "misconceptions" in packaged_questions()
    source = question_source("factual")
    assert source is not None and Path(source).is_file()
    assert question_source("mine.jsonl") == "mine.jsonl"
    assert question_source(" ") is None


def test_an_estimate_counts_answers_and_takes_the_speed_of_a_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    questions = tmp_path / "q.txt"
    questions.write_text("One?\nTwo?\nThree?\n", encoding="utf-8")
    request = RunRequest(str(model), str(questions), samples=4, max_tokens=10, limit=2)
    found = workload_of(request)
    assert (found.questions, found.draws, found.tokens, found.seconds) == (2, 10, 100, None)
    store_speeds(tmp_path, model, Speeds(50.0, 20.0))
    assert workload_of(request).seconds == pytest.approx(2.0)
    with pytest.raises(UsageError, match="samples"):
        workload_of(RunRequest(str(model), str(questions), samples=1))


def test_an_estimate_goes_by_earlier_runs_with_all_phases_as_the_run_itself_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    questions = tmp_path / "q.txt"
    questions.write_text("One?\nTwo?\nThree?\n", encoding="utf-8")
    request = RunRequest(str(model), str(questions), samples=4, use_embedder=False, judge="model:x")
    assert workload_of(request).expected_seconds is None
    assert workload_content(workload_of(request)).plain.splitlines()[1].startswith("no earlier run")
    job = Job("", JobModel(str(model)), scoring=Scoring(judge="model:x"))
    store_paces(job, {"loading": 8.0, "loading again": 8.0, "answers": 2.0, "judgements": 0.5, "ending": 4.0})
    # Loading, 3 x 5 answers, 3 judgements and what comes behind them.
    found = workload_of(request)
    assert found.expected_seconds == pytest.approx(8 + 30 + 1.5 + 4)
    assert workload_content(found).plain.splitlines()[1] == "about 43.5 s, as earlier runs took"
    shown = workload_content(found, may_stop=True).plain.splitlines()
    assert shown[1] == "at most 43.5 s, as earlier runs took"
    assert shown[0].startswith("3 questions, up to 15 answers, ")


def test_models_of_earlier_runs_are_offered_while_their_files_are_there(tmp_path: Path):
    model = tmp_path / "used.gguf"
    model.touch()
    runs = [
        RunSummary("a", "a", "used", 1, 1, 2, "complete", None, None, 1, str(model)),
        RunSummary("b", "b", "gone", 1, 1, 2, "complete", None, None, 1, str(tmp_path / "gone.gguf")),
    ]
    offered = [choice.text for choice in list_models(load_models(), runs, tmp_path / "empty")]
    assert str(model) in offered
    assert not any("gone" in text for text in offered)
