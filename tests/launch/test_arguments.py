"""MODEL and QUESTIONS before anything is loaded: samples by name, and the wrong order."""

import json
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.config import load_models, resource
from homogaudit.errors import UsageError
from homogaudit.launch.arguments import check_order, packaged_questions, question_source
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.run import plan_run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text(json.dumps({"question": "Where is Rome?"}) + "\n")
    Path("tiny.gguf").write_bytes(b"GGUF\3\0\0\0")
    Path("kept.audit").write_bytes(b"SQLite format 3\0")
    return tmp_path


def test_a_packaged_sample_is_named_by_its_stem_and_a_file_of_that_name_goes_before_it(folder: Path):
    assert "factual" in packaged_questions() and "answer_pairs" not in packaged_questions()
    assert question_source(" factual ") == str(resource("samples") / "factual.jsonl")
    assert question_source("-") == "-"
    assert question_source(None) is question_source("  ") is None
    (folder / "factual").write_text("Where is Rome?\n")
    assert question_source("factual") == "factual"


@pytest.mark.parametrize("text", ["factual", "factual.jsonl", "samples/factual.jsonl", "samples/factual"])
def test_a_sample_is_known_however_lists_and_documents_write_it_and_beside_a_folder_of_its_name(
    folder: Path, text: str
):
    sample = str(resource("samples") / "factual.jsonl")
    assert question_source(text) == sample
    (folder / "samples").mkdir()
    (folder / text).mkdir()
    assert question_source(text) == sample
    (folder / text).rmdir()
    (folder / text).write_text("Where is Rome?\n")
    assert question_source(text) == text


def test_a_run_takes_the_name_of_a_sample(folder: Path):
    plan = plan_run(RunRequest("tiny.gguf", "factual", limit=2, use_embedder=False), lambda _: None)
    assert "factual" in plan.path.name


@pytest.mark.parametrize(
    ("model", "questions", "message", "hint"),
    [
        ("mine.jsonl", None, "`mine.jsonl` is a question file", "`homogaudit run demo mine.jsonl`"),
        ("mine.jsonl", "tiny.gguf", "`mine.jsonl` is a question file", "`homogaudit run tiny.gguf mine.jsonl`"),
        ("mine.jsonl", "demo", "`mine.jsonl` is a question file", "`homogaudit run demo mine.jsonl`"),
        ("factual", None, "`factual` is a question file", "`homogaudit run demo factual`"),
        # Not there, and still no model of the Hub.
        ("samples/factual.jsonl", None, "`samples/factual.jsonl` is a question", "run demo samples/factual.jsonl`"),
        ("data/absent.csv", "demo", "`data/absent.csv` is a question file", "`homogaudit run demo data/absent.csv`"),
        ("kept.audit", None, "`kept.audit` is a run file", "`homogaudit report kept.audit`"),
        ("kept.audit", "mine.jsonl", "`kept.audit` is a run file", "`homogaudit tui --run kept.audit`"),
        ("demo", "tiny.gguf", "`tiny.gguf` is a model", "name a question file"),
        ("demo", "absent.gguf", "`absent.gguf` is a model", "name a question file"),
        ("demo", "qwen3-0.6b", "`qwen3-0.6b` is a model", "name a question file"),
        ("demo", "http://localhost:1/v1", "`http://localhost:1/v1` is a model", "name a question file"),
    ],
)
def test_a_model_and_questions_in_each_other_s_place_are_told(
    model: str, questions: str | None, message: str, hint: str
):
    with pytest.raises(UsageError) as caught:
        check_order(model, questions, load_models())
    assert caught.value.message.startswith(message)
    assert hint in str(caught.value.hint)


def test_what_stands_in_its_place_is_let_through(folder: Path):
    models = load_models()
    # A model file goes by its first bytes, whatever its name is.
    (folder / "odd.txt").write_bytes(b"GGUF\3\0\0\0")
    for model in ("demo", "tiny.gguf", "odd.txt", "http://localhost:1/v1", "org/name", "absent.gguf"):
        check_order(model, "mine.jsonl", models)
    for questions in ("-", "factual", "absent.jsonl", None):
        check_order("demo", questions, models)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "chatt"], "no prompt mode `chatt`"),
        (["--preset", "quik"], "unknown preset `quik`"),
        (["--judge", "exakt"], "unknown judge `exakt`"),
        (["--signals", "perplexitty"], "unknown signal"),
        (["--clustering", "jacard"], "unknown"),
        (["--shard", "3/2"], "`3/2` is not a shard"),
        (["--limit", "0"], "a limit of `0`"),
        (["-n", "1"], "`--samples` must lie"),
        (["--temperature", "-1"], "`--temperature` must lie"),
        (["--top-p", "0"], "`--top-p` must lie"),
        (["--slots", "0"], "`--slots` must be"),
        (["--threads", "99999999999999"], "`--threads` must be"),
        (["--context", "hidden"], "`--context` is `hidden`"),
        (["--prompt-template", "absent.jinja"], ""),
        (["--density-pool", "absent.jsonl"], "no question file"),
        (["--category", "absent"], ""),
        (["absent.jsonl"], "no question file"),
        (["--max-scr", "2"], "`--max-scr` must lie"),
    ],
)
def test_a_wrong_flag_is_told_before_a_server_is_contacted(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    # Nothing listens there: contacting it is exit code 3.
    assert run_app(["run", "http://127.0.0.1:9/v1", *arguments]) == 2
    assert f"error: {message}" in capsys.readouterr().err
