"""`homogaudit import` and `homogaudit export`, scoring left out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from homogaudit.cli.recorded import export, import_
from homogaudit.errors import (
    EmbedderError,
    HomogauditError,
    RecordedFileError,
    RunFileError,
    StorageError,
    UsageError,
)
from homogaudit.events import Job
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import ScoreRequest
from homogaudit.records import (
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
)
from homogaudit.store import RunFile, Scoring

app = typer.Typer()
app.command("import")(import_)
app.command()(export)
runner = CliRunner()

LINES = [
    {"format": "homogaudit.recorded", "version": 1, "model": "Tiny [bold]\x1b[31m"},
    {
        "id": "a",
        "question": "Wer?",
        "greedy": {"text": "<think>x</think>Ä \x9b", "token_entropies": [0.5]},
        "samples": [{"text": "A"}, {"text": "B"}],
        "label": "correct",
        "signals": {"density": 0.5, "perplexity": 2.0},
    },
]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def scored(monkeypatch: pytest.MonkeyPatch) -> list[ScoreRequest]:
    """What scoring was asked for; the engine is not started."""
    asked: list[ScoreRequest] = []

    def plan_score(request: ScoreRequest, *_: object) -> Plan:
        # The lock is free and the file folded back: the engine can take it.
        assert not request.run.with_name(request.run.name + "-wal").exists()
        asked.append(request)
        return Plan(Job(str(request.run)))

    def carry_out(plan: Plan, **_: object) -> None:
        with RunFile.open(plan.path, writable=True) as run:
            run.finish()

    monkeypatch.setattr("homogaudit.launch.score.plan_score", plan_score)
    monkeypatch.setattr("homogaudit.cli.engine_job.carry_out", carry_out)
    return asked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    return path


def invoke(*arguments: object) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object, kind: type[HomogauditError]) -> HomogauditError:
    result = invoke(*arguments)
    assert isinstance(result.exception, kind), result.output
    return result.exception


def test_import_writes_a_run_in_the_runs_folder_and_scores_it(file: Path, runs: Path, scored: list[ScoreRequest]):
    result = invoke("import", file)
    assert result.exit_code == 0
    (path,) = runs.iterdir()
    assert path.name.startswith("Tiny-bold-31m-answers-20")
    assert scored == [ScoreRequest(path)]
    assert result.stdout == f"{path}\n"
    assert "read as recorded answers: 1 question, 2 samples each, greedy all, 1 label\n" in result.stderr
    assert f"homogaudit report {path}" in result.stderr
    with RunFile.open(path) as run:
        assert run.labels("recorded")["a"].value is LabelValue.CORRECT
        # A recorded signal never hides one that the project computes under the same name.
        assert set(run.signals()) == {"recorded:density", "recorded:perplexity"}
        (draws,) = run.sample_sets()
        assert draws.greedy is not None
        assert draws.greedy.answer == "Ä \x9b"


def test_what_was_guessed_is_said_and_kept_for_the_report(tmp_path: Path):
    file = tmp_path / "answers.csv"
    file.write_text("question,said\nWho?,A\nWhat?,C\nWho?,B\nWhat?,C\n")
    result = invoke("import", file, "-o", tmp_path / "r.audit", "--answer-column", "said")
    assert "read as one answer per row: 2 questions, 2 samples each, greedy none\n" in result.stderr
    assert "warning: `said` is taken as the model's answer, one per row\n" in result.stderr
    with RunFile.open(tmp_path / "r.audit") as run:
        assert run.meta("recorded")["warnings"] == ["`said` is taken as the model's answer, one per row"]
        assert [[x.text for x in draws.samples] for draws in run.sample_sets()] == [["A", "B"], ["C", "C"]]


def test_a_file_of_questions_beside_it_says_what_was_asked(tmp_path: Path):
    file, questions = tmp_path / "answers.jsonl", tmp_path / "questions.jsonl"
    file.write_text('{"id": "a", "samples": ["A", "B"]}\n')
    questions.write_text('{"id": "a", "question": "Who?", "answers": ["A"]}\n{"id": "b", "question": "What?"}\n')
    assert "no `question`" in refused("import", file, kind=RecordedFileError).message
    assert invoke("import", file, "-o", tmp_path / "r.audit", "--questions", questions).exit_code == 0
    with RunFile.open(tmp_path / "r.audit") as run:
        (question,) = run.questions()
        assert (question.id, question.text, question.answers) == ("a", "Who?", ("A",))


def test_import_passes_on_what_scoring_needs(file: Path, tmp_path: Path, scored: list[ScoreRequest]):
    target = tmp_path / "out" / "my run.audit"
    result = invoke("import", file, "-o", target, "--embedder", "e", "--judge", "exact", "-q", "--model", "M")
    assert result.exit_code == 0
    assert scored == [ScoreRequest(target, judge="exact", embedder="e")]
    assert (result.stdout, result.stderr) == (f"{target}\n", "")
    with RunFile.open(target) as run:
        assert run.meta("model") == "M"


def test_a_limit_of_cost_without_a_judge_on_a_server_leaves_no_run(file: Path, runs: Path, scored: list[ScoreRequest]):
    error = refused("import", file, "--judge", "exact", "--max-cost", "1", kind=UsageError)
    assert "`--max-cost` is for a judge or a model of meaning on a server" in error.message
    assert not runs.exists() and not scored


def test_import_can_do_without_an_embedder(file: Path, scored: list[ScoreRequest]):
    assert invoke("import", file, "--no-embedder").exit_code == 0
    assert scored[0].use_embedder is False
    refused("import", file, "--no-embedder", "--embedder", "e", kind=UsageError)


def test_import_can_keep_the_thinking(file: Path, tmp_path: Path):
    assert invoke("import", file, "-o", tmp_path / "r.audit", "--keep-thinking").exit_code == 0
    with RunFile.open(tmp_path / "r.audit") as run:
        (draws,) = run.sample_sets()
        assert draws.greedy is not None
        assert (draws.greedy.answer, draws.greedy.state) == ("<think>x</think>Ä \x9b", GenerationState.VALID)


def test_a_bad_line_leaves_no_run(file: Path, runs: Path, scored: list[ScoreRequest]):
    file.write_text('{"question": "Who?"}\n{"label": "correct"}')
    error = refused("import", file, kind=RecordedFileError)
    assert "line 2: no `question`" in error.message
    assert not runs.exists()
    assert not scored


def test_an_unknown_judge_leaves_no_run(file: Path, runs: Path):
    error = refused("import", file, "--judge", "overlapp", kind=UsageError)
    assert "`overlap`" in (error.hint or "")
    assert not runs.exists()


def test_import_does_not_write_over_a_run(file: Path, tmp_path: Path, scored: list[ScoreRequest]):
    target = tmp_path / "r.audit"
    assert invoke("import", file, "-o", target).exit_code == 0
    before = target.read_bytes()
    refused("import", file, "-o", target, kind=RunFileError)
    assert target.read_bytes() == before
    assert len(scored) == 1


def test_a_run_whose_scoring_failed_is_kept_and_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def plan_score(*_: object) -> Plan:
        raise EmbedderError("no embedder")

    monkeypatch.setattr("homogaudit.launch.score.plan_score", plan_score)
    result = invoke("import", file, "-o", tmp_path / "r.audit")
    assert isinstance(result.exception, EmbedderError)
    assert f"homogaudit score {tmp_path / 'r.audit'}" in result.stderr
    with RunFile.open(tmp_path / "r.audit") as run:
        assert run.status == "started"


# Export


@pytest.fixture
def run_path(file: Path, runs: Path) -> Path:
    assert invoke("import", file, "-q").exit_code == 0
    return next(runs.iterdir())


def test_export_gives_back_what_was_imported(run_path: Path):
    result = invoke("export")
    assert result.exit_code == 0
    assert result.stderr == ""
    header, line = map(json.loads, result.stdout.splitlines())
    assert header["model"] == LINES[0]["model"]
    assert line == LINES[1]
    # Escapes and the one-character form of a control sequence reach no terminal.
    assert "\x1b" not in result.stdout
    assert "\x9b" not in result.stdout
    assert "Ä" in result.stdout


def test_export_writes_a_file_whole_or_not_at_all(run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    refused("export", "-o", target, kind=UsageError)
    assert target.read_text() == "old"
    assert invoke("export", run_path.stem, "-o", target, "--force").exit_code == 0
    assert target.read_text(encoding="utf-8") == invoke("export").stdout
    before = sorted(tmp_path.iterdir())

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("homogaudit.store.recorded.export_run", fail)
    refused("export", "-o", target, "--force", kind=StorageError)
    assert sorted(tmp_path.iterdir()) == before
    assert json.loads(target.read_text(encoding="utf-8").splitlines()[1]) == LINES[1]


def test_export_does_not_write_over_a_run(run_path: Path):
    before = run_path.read_bytes()
    refused("export", "-o", run_path, kind=UsageError)
    assert run_path.read_bytes() == before


def test_export_to_a_folder_that_is_not_there_is_one_clear_error(run_path: Path, tmp_path: Path):
    refused("export", "-o", tmp_path / "absent" / "x.jsonl", kind=StorageError)


def test_export_writes_the_labels_of_the_judge_asked_for(run_path: Path):
    with RunFile.open(run_path, writable=True) as run:
        run.add_labels([Label("a", "exact", LabelValue.INCORRECT)])
    assert json.loads(invoke("export").stdout.splitlines()[1])["label"] == "correct"
    assert json.loads(invoke("export", "--judge", "exact").stdout.splitlines()[1])["label"] == "incorrect"
    refused("export", "--judge", "numeric", kind=UsageError)


def test_export_adds_computed_signals_on_demand(run_path: Path):
    with RunFile.open(run_path, writable=True) as run:
        run.add_signals([SignalValue("a", "sindex", 0.25), SignalValue("a", "perplexity", 9.0)])
    assert json.loads(invoke("export").stdout.splitlines()[1])["signals"] == {"density": 0.5, "perplexity": 2.0}
    with_computed = json.loads(invoke("export", "--signals").stdout.splitlines()[1])["signals"]
    assert with_computed == {"density": 0.5, "perplexity": 2.0, "sindex": 0.25}


def test_export_can_leave_labels_out(run_path: Path):
    assert "label" not in json.loads(invoke("export", "--judge", "none").stdout.splitlines()[1])


def test_a_file_that_ends_in_gz_is_compressed_and_the_same_each_time(run_path: Path, tmp_path: Path):
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        assert invoke("export", "-o", tmp_path / name).exit_code == 0
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert gzip.decompress(packed).decode() == invoke("export").stdout
    assert (tmp_path / "b.jsonl.gz").read_bytes() == packed


def test_import_takes_a_file_or_the_example(file: Path, scored: list[ScoreRequest]):
    refused("import", kind=UsageError)
    refused("import", file, "--example", kind=UsageError)
    assert scored == []


def test_export_says_when_a_run_is_not_complete(run_path: Path):
    with RunFile.open(run_path, writable=True) as run:
        run.set_meta("status", "started")
    result = invoke("export")
    assert "not complete" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_export_of_a_run_that_is_not_there_is_refused():
    refused("export", kind=RunFileError)
    refused("export", "nothing", kind=RunFileError)


def test_export_of_preference_pairs_says_how_many_there_are_and_why_not_more(tmp_path: Path):
    path, target = tmp_path / "run.audit", tmp_path / "pairs.jsonl"
    questions = [Question("q0", "Wo liegt Bern?"), Question("q1", "Wer?")]
    parameters = {"decoding": {"samples": 2}}
    method = ClusteringMethod("jaccard", "single", 0.4)
    with RunFile.create(path, model="m", question_source="q", questions=questions, parameters=parameters) as run:
        for question in questions:
            for index, text in enumerate(("In der Schweiz", "In Österreich")):
                run.add_generation(Generation(question.id, index, text, text, GenerationState.VALID))
        values = (LabelValue.CORRECT, LabelValue.INCORRECT)
        run.add_labels(Label("q0", "overlap", value, "", index) for index, value in enumerate(values))
        run.scoring = Scoring(judge=None, methods=(method,))
        run.add_labels([Label("q0", "overlap", LabelValue.CORRECT)])
        run.add_clusterings([Clustering(x.id, method, (0, 1)) for x in questions])
        run.finish()
    result = runner.invoke(app, ["export", str(path), "--preference-pairs", "--judge", "overlap", "-o", str(target)])
    assert result.exit_code == 0
    pair = {"prompt": "Wo liegt Bern?", "chosen": "In der Schweiz", "rejected": "In Österreich"}
    assert json.loads(target.read_text(encoding="utf-8")) == pair
    said = "1 pairs of 2 questions, labelled by `overlap`, most dissimilar by `jaccard`; "
    assert said + "no whole sample is labelled correct or incorrect: 1" in result.stderr
    with pytest.raises(UsageError, match="writes nothing but pairs"):
        runner.invoke(app, ["export", str(path), "--preference-pairs", "--signals"], catch_exceptions=False)
