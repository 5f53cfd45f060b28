"""Small files in the layouts of other tools, written for these tests, and how they are read."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homogaudit.errors import RecordedFileError
from homogaudit.questions.thinking import split_thinking
from homogaudit.recordings import ImportOptions, ReadRecording, read_recording
from homogaudit.records import Prompting

Read = Callable[..., ReadRecording]
Refused = Callable[..., RecordedFileError]


def write(path: Path, content: Any) -> Path:
    """Write bytes, a text, a JSON document, or a list of objects as JSON Lines where the name says so."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, content)) + "\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def _read(name: str, content: Any, **options: Any) -> ReadRecording:
        path = write(tmp_path / name, content)
        return read_recording(
            path, parse_answer=lambda text: split_thinking(text, Prompting(), False), options=ImportOptions(**options)
        )

    return _read


@pytest.fixture
def refused(read: Read) -> Refused:
    def _refused(name: str, content: Any, **options: Any) -> RecordedFileError:
        with pytest.raises(RecordedFileError) as caught:
            read(name, content, **options)
        return caught.value

    return _refused


def samples(recording: ReadRecording) -> list[list[str]]:
    """Return the texts of the samples, a list a question."""
    return [[sample.text for sample in record.samples] for record in recording.file.records]


def greedy(recording: ReadRecording) -> list[str | None]:
    """Return the texts of the greedy answers, one a question."""
    return [None if record.greedy is None else record.greedy.text for record in recording.file.records]


def texts(recording: ReadRecording) -> list[str]:
    """Return the questions."""
    return [record.question.text for record in recording.file.records]


def labels(recording: ReadRecording) -> Sequence[str | None]:
    """Return the labels, one a question."""
    return [None if record.label is None else record.label.value for record in recording.file.records]
