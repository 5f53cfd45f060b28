"""Logs of inspect_ai, as its version 0.3 writes them: JSON, and zip archives with deflated or Zstandard members."""

import io
import json
import struct
import sys
import zipfile
from typing import Any

import pytest

from .conftest import Read, Refused, greedy, labels, samples, texts


def sample(name: str, epoch: int, answer: str, value: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": epoch,
        "input": {"p1": "Which river runs through Cairo?"}.get(name, [{"role": "user", "content": "Who painted it?"}]),
        "target": {"p1": "Nile"}.get(name, ["Picasso", "Pablo Picasso"]),
        "messages": [],
        "output": {
            "model": "mockllm/model",
            "choices": [{"message": {"role": "assistant", "content": answer}, "stop_reason": "stop"}],
            "completion": answer,
        },
        "scores": {"includes": {"value": value, "answer": answer}},
    } | changes


SAMPLES = [
    sample("p1", 1, "The Nile.", "C"),
    sample("p2", 1, "Dalí", "I"),
    sample("p1", 2, "Congo", "I"),
    sample("p2", 2, "Goya", "I"),
    sample("p1", 3, "Nile", "C"),
    sample("p2", 3, "Picasso", "C"),
]
HEADER = {
    "version": 2,
    "status": "success",
    "eval": {"model": "mockllm/model", "task": "t", "config": {"epochs": 3}, "model_generate_config": {}},
    "plan": {"name": "plan", "steps": [], "config": {"temperature": 1.0}},
}


def archive(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as log:
        for item in SAMPLES:
            log.writestr(f"samples/{item['id']}_epoch_{item['epoch']}.json", json.dumps(item))
        log.writestr("header.json", json.dumps(HEADER))
    return buffer.getvalue()


def repacked(data: bytes) -> bytes:
    """Return an archive whose members are packed with Zstandard, which `zipfile` cannot write before 3.14."""
    zstandard = pytest.importorskip("zstandard")
    source = zipfile.ZipFile(io.BytesIO(data))
    members, directory = b"", b""
    for info in source.infolist():
        packed = zstandard.ZstdCompressor().compress(source.read(info))
        name = info.filename.encode()
        sizes = struct.pack("<IIIHH", info.CRC, len(packed), info.file_size, len(name), 0)
        fields = struct.pack("<HHHHH", 63, 0, 93, 0, 33)
        directory += (
            b"PK\1\2" + struct.pack("<H", 63) + fields + sizes + struct.pack("<HHHII", 0, 0, 0, 0, len(members)) + name
        )
        members += b"PK\3\4" + fields + sizes + name + packed
    count = len(source.infolist())
    return (
        members + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(members), 0)
    )


def check(recording: Any) -> None:
    assert recording.summary == "read as an inspect_ai log: 2 questions, 3 samples each, greedy none, 2 labels"
    assert texts(recording) == ["Which river runs through Cairo?", "Who painted it?"]
    assert samples(recording) == [["The Nile.", "Congo", "Nile"], ["Dalí", "Goya", "Picasso"]]
    assert [x.question.answers for x in recording.file.records] == [("Nile",), ("Picasso", "Pablo Picasso")]
    assert [x.question.id for x in recording.file.records] == ["p1", "p2"]
    assert labels(recording) == ["correct", "incorrect"]
    assert recording.file.model == "mockllm/model"


def test_epochs_are_samples_and_the_score_of_most_is_the_label(read: Read):
    check(read("log.json", HEADER | {"samples": SAMPLES}))
    check(read("log.eval", archive()))
    check(read("log.eval", repacked(archive(zipfile.ZIP_STORED))))


def test_one_epoch_at_temperature_zero_is_the_greedy_answer(read: Read):
    plan = {"config": {"temperature": 0.0}}
    recording = read("log.json", HEADER | {"plan": plan, "samples": SAMPLES[:2]})
    assert greedy(recording) == ["The Nile.", "Dalí"]
    assert labels(recording) == ["correct", "incorrect"]


def test_samples_that_failed_are_counted(read: Read, refused: Refused):
    failed = sample("p1", 4, "", None, error={"message": "x"}, output={"choices": [], "completion": ""})
    recording = read("log.json", HEADER | {"status": "error", "samples": [*SAMPLES, failed]})
    assert "1 sample failed or holds no answer and is left out" in recording.warnings
    assert "the evaluation ended with status `error`: what it logged is read" in recording.warnings
    error = refused("log.json", HEADER | {"status": "error", "samples": [failed]})
    assert "no answers: its only sample failed; the evaluation ended with status `error`" in error.message
    error = refused("log.json", HEADER | {"samples": [failed, failed]})
    assert "each of its 2 samples failed" in error.message


def test_reasoning_parts_are_thinking(read: Read):
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Nile"}]
    output = {"choices": [{"message": {"content": parts}, "stop_reason": "max_tokens"}]}
    (record,) = read("log.json", HEADER | {"samples": [sample("p1", 1, "", "C", output=output)]}).file.records
    assert (record.samples[0].answer, record.samples[0].finish_reason) == ("Nile", "length")
    assert record.samples[0].text.startswith("<think>hm</think>")


def test_an_archive_that_is_cut_off_or_not_readable_is_one_error(refused: Refused, monkeypatch: pytest.MonkeyPatch):
    data = archive()
    broken = data.replace(b"PK\3\4", b"PK\3\4", 1).replace(data[60:90], b"\0" * 30, 1)
    assert "cannot be read" in refused("log.eval", broken).message
    assert "zip archive that cannot be read" in refused("log.eval", data[: len(data) // 2]).message
    packed = repacked(archive(zipfile.ZIP_STORED))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    error = refused("log.eval", packed)
    assert "`zstandard` is not installed" in error.message
    assert "pip install" in (error.hint or "")
