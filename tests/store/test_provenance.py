"""What an exported file tells of where its answers come from, and what it leaves out on demand."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.questions.thinking import split_thinking
from homogaudit.records import Generation, GenerationState, Prompting, Question
from homogaudit.store.facts import ModelSource
from homogaudit.store.provenance import public_name
from homogaudit.store.recorded import ExportOptions, export_run
from homogaudit.store.run_file import RunFile

PRIVATE = ("/home/ann", "C:\\Users", "10.0.0.7", "buildhost", "31337", "secret")


@pytest.fixture
def run(tmp_path: Path) -> RunFile:
    """A run that knows paths, a host and a process."""
    question = Question("a", "Who?", extra={"note": "/home/ann/secret.txt"})
    parameters = {
        "model": {"kind": "gguf", "fingerprint": {"size": 5}},
        "decoding": {"temperature": 0.7},
        "prompting": {"mode": "chat", "system": "Be brief."},
    }
    path = tmp_path / "1.audit"
    run = RunFile.create(
        path, model="/home/ann/m.gguf", question_source="q", questions=[question], parameters=parameters
    )
    run.note_model_entry(ModelSource(location="/home/ann/m.gguf", stage="instruct", sha256="ab"))
    run.add_generation(Generation("a", 0, "Ann", "Ann", GenerationState.VALID, seconds=1.5))
    run.begin_session(
        "generate",
        31337,
        {
            "platform": "Linux-6.1-buildhost",
            "device": "CPU (2 threads)",
            "versions": {"homogaudit": "0.1.0"},
            "details": {"model": "qwen2 Q4_K", "path": "C:\\Users\\ann", "server": "http://10.0.0.7:8000/v1"},
        },
    )
    return run


def lines(run: RunFile, **options: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    export_run(
        run,
        stream,
        parse_answer=lambda text: split_thinking(text, Prompting(), False),
        options=ExportOptions(**options),
    )
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_file_tells_model_prompts_and_versions(run: RunFile):
    header = lines(run)[0]["provenance"]
    assert header["model"]["location"] == "/home/ann/m.gguf"
    assert header["prompting"] == {"mode": "chat", "system": "Be brief."}
    assert header["platform"] == "Linux-6.1-buildhost"
    assert header["drawn"] == run.created


def test_a_redacted_file_tells_nothing_of_the_machine(run: RunFile):
    header, line = lines(run, redact=True)
    text = json.dumps([header, line])
    assert not [word for word in PRIVATE if word in text]
    assert header["model"] == "m.gguf"
    assert header["provenance"] == {
        "model": {"kind": "gguf", "fingerprint": {"size": 5}, "stage": "instruct", "sha256": "ab"},
        "details": {"model": "qwen2 Q4_K"},
        "prompting": {"mode": "chat", "system": "Be brief."},
        "drawn": run.created[:10],
        "versions": {"homogaudit": "0.1.0"},
        "device": "CPU (2 threads)",
    }
    assert line == {"id": "a", "question": "Who?", "samples": [{"text": "Ann", "seconds": 1.5}]}


def test_the_name_given_stands_before_that_of_the_run(run: RunFile):
    assert lines(run, redact=True, model="Org/Model")[0]["model"] == "Org/Model"


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("Org/Model", "Org/Model"),
        ("demo", "demo"),
        ("./m.gguf", "m.gguf"),
        ("~/models/m/", "m"),
        ("C:\\models\\m.gguf", "m.gguf"),
        ("\\\\host\\share\\m.gguf", "m.gguf"),
        ("http://10.0.0.7:8000/v1#org/model", "org/model"),
        ("https://10.0.0.7/v1", "a model on a server"),
    ],
)
def test_a_name_that_is_a_path_or_an_address_keeps_its_last_part(name: str, public: str):
    assert public_name(name) == public
