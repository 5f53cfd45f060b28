"""`homogaudit guide`: the topics, and the format of recorded answers with an example that is imported."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homogaudit.cli.app import app
from homogaudit.errors import UsageError
from homogaudit.questions.thinking import split_thinking
from homogaudit.recordings import read_recording
from homogaudit.recordings.names import ANSWER_LISTS, ANSWER_TEXTS
from homogaudit.records import Prompting
from homogaudit.store.recorded_lines import ARRAY_KEYS, QUESTION_KEYS

runner = CliRunner()


def guide_text() -> str:
    return files("homogaudit").joinpath("guides", "recorded.md").read_text(encoding="utf-8")


def test_the_topics_are_listed_with_their_titles():
    result = runner.invoke(app, ["guide"])
    assert ["recorded", "Answers", "drawn", "elsewhere"] in [line.split() for line in result.stdout.splitlines()]


def test_a_topic_is_printed_as_markdown_where_nobody_looks():
    assert runner.invoke(app, ["guide", "recorded"]).stdout == guide_text()


def test_an_unknown_topic_names_the_nearest():
    result = runner.invoke(app, ["guide", "record"])
    assert isinstance(result.exception, UsageError)
    assert "`recorded`" in (result.exception.hint or "")


def test_the_example_of_the_guide_is_read_to_its_last_key(tmp_path: Path):
    (example,) = re.findall(r"```jsonl\n(.*?)```", guide_text(), flags=re.DOTALL)
    path = tmp_path / "example.jsonl"
    path.write_text(example, encoding="utf-8")
    recording = read_recording(path, parse_answer=lambda text: split_thinking(text, Prompting(), False))
    assert recording.summary == "read as recorded answers: 2 questions, 3 samples each, greedy all, 1 label"
    assert not recording.warnings
    assert recording.file.model == "my-model"
    assert recording.file.directions == {"density": -1}
    for record in recording.file.records:
        # A key that the format does not know would be kept here.
        assert not record.question.extra
        assert not record.generation_extra
    greedy = recording.file.records[1].greedy
    assert greedy is not None
    assert greedy.tokens == 2


@pytest.mark.parametrize("key", [*sorted(QUESTION_KEYS), *ARRAY_KEYS])
def test_every_key_of_the_format_is_explained(key: str):
    assert f"`{key}`" in guide_text()


def test_the_help_of_import_shows_a_line_of_the_format_and_names_the_guide(tmp_path: Path):
    text = re.sub(r"\s*│?\s*\n\s*│?\s*", " ", runner.invoke(app, ["import", "--help"], terminal_width=100).output)
    assert "homogaudit guide recorded" in text
    (line,) = re.findall(r"\{\"question\".*?\]\}", re.sub(r"\s+", " ", text))
    path = tmp_path / "help.jsonl"
    path.write_text(line, encoding="utf-8")
    recording = read_recording(path, parse_answer=None)
    assert recording.summary == "read as one question per record: 1 question, 2 samples each, greedy all"


def test_the_names_in_the_guide_are_known():
    (row,) = re.findall(r"\| answers under another name \|(.*)\|", guide_text())
    named = set(re.findall(r"`(\w+)`", row))
    assert named
    assert named <= {*ANSWER_LISTS, *ANSWER_TEXTS}
