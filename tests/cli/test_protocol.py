"""`homogaudit protocol`, with the commands as processes of their own."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from homogaudit.cli.app import run_app
from homogaudit.protocols import ProtocolResults
from homogaudit.protocols.schema import schema
from homogaudit.records import Generation, GenerationState, Question
from homogaudit.report.schema import generate
from homogaudit.store import RunFile, Scoring


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve questions of two samples that share every second word."""
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    questions = [Question(f"q{x}", f"Question {x}?") for x in range(12)]
    path = tmp_path / "made.audit"
    parameters = {"decoding": {"samples": 2}, "prompting": {}}
    with RunFile.create(path, model="m", question_source="q", questions=questions, parameters=parameters) as made:
        for question in questions:
            for index, text in enumerate(("one two", "three four")):
                made.add_generation(Generation(question.id, index, text, text, GenerationState.VALID, "stop", 2))
            made.mark_scored(question.id, "test")
        made.scoring = Scoring(
            judge=None, judge_reason="none", embedder_source=None, embedder_reason="none", methods=()
        )
        made.finish()
    return path


def test_a_protocol_prints_what_its_command_said(run: Path, capsys: pytest.CaptureFixture[str]):
    assert run_app(["protocol", "run", "recorded-answers", "--run", str(run), "--json", "--quiet"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert schema() == generate(ProtocolResults, "protocol", 1)
    Draft202012Validator(schema()).validate(document)
    assert document["schema"] == "homogaudit.protocol/1"
    (protocol,) = document["protocols"]
    figures = {x["name"]: x["measured"] for x in protocol["figures"]}
    assert figures["samples"] == {"value": 24.0, "low": None, "high": None, "k": None, "n": None}
    assert figures["single-cluster rate, shared words"]["value"] is None
    assert protocol["runs"] == {"answers": str(run)}


def test_where_nothing_is_measured_the_exit_code_says_so(run: Path, capsys: pytest.CaptureFixture[str]):
    assert run_app(["protocol", "run", "stages", "nli-entropy", "--run", str(run), "--quiet", "--markdown"]) == 3
    out, err = capsys.readouterr()
    assert "needs `--sft MODEL" in out and "needs `--nli NAME" in out
    assert err.startswith("error: no figure could be measured\n")


def test_the_list_names_what_each_needs(capsys: pytest.CaptureFixture[str]):
    assert run_app(["protocol", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(not line.startswith(" " * 10) for line in lines) == 28 and max(map(len, lines)) <= 80
    assert lines[0].split() == [
        "1",
        "domain-zones",
        *"Where token entropy works (--model)".split(),
    ]
    assert run_app(["protocol", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["protocols"]) == 28


def test_both_formats_at_once_are_refused(capsys: pytest.CaptureFixture[str]):
    assert run_app(["protocol", "run", "1", "--json", "--markdown"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "usage"
