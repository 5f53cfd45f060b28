"""Text that is not whole: halves of surrogate pairs in a server's JSON, and characters cut at the limit of tokens."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.generation.server_replies import reason_in, status_in, well_formed
from homogaudit.generation.token_texts import answer_mask, decoded_answer
from homogaudit.records import GenerationState
from homogaudit.store import RunFile

FFFD = "\N{REPLACEMENT CHARACTER}"


def test_half_of_a_pair_becomes_a_replacement_character_and_a_whole_pair_one_character():
    body = '{"text": "a\\ud83d b", "list": ["\\ude00", "\\ud83d\\ude00", "é", 3, null], "\\ud83dkey": {"x": "\\ud83d"}}'
    found = well_formed(json.loads(body))
    expected = {"text": f"a{FFFD} b", "list": [FFFD, "\U0001f600", "é", 3, None], f"{FFFD}key": {"x": FFFD}}
    assert found == expected
    assert json.dumps(found, ensure_ascii=False).encode("utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    Path("q.jsonl").write_text('{"question": "Who?", "answers": ["me"]}\n')
    return tmp_path


def run(url: str, *, quiet: bool = True) -> int:
    arguments = ["-n", "2", "--max-tokens", "8", "--no-embedder", "--signals", "free", "-o", "x.audit"]
    return run_app(["run", url, "q.jsonl", *arguments, *(["-q"] if quiet else [])])


def test_a_server_that_sends_half_of_a_pair_is_drawn_from_resumed_and_exported(
    folder: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    class HalfPairs:
        loads = staticmethod(json.loads)

        @staticmethod
        def dumps(value: Any) -> str:
            return json.dumps(value).replace("HALF", "\\ud83d")

    monkeypatch.setattr(faults, "WORDS", [f" w{number}HALF" for number in range(len(faults.WORDS))])
    monkeypatch.setattr(faults, "json", HalfPairs)
    with faults.FaultServer(length=2) as server:
        assert run(server.url) == 0, capsys.readouterr().err
        with RunFile.open(Path("x.audit"), writable=True) as stored:
            (found,) = stored.sample_sets()
            assert found.greedy is not None
            assert all(FFFD in draw.text for draw in (*found.samples, found.greedy))
            with stored.transaction():
                stored._connection.execute("DELETE FROM generations WHERE sample_index = 1")
            stored.set_meta("status", "started")
        assert run(server.url) == 0, capsys.readouterr().err
    assert run_app(["export", "x.audit", "-o", "out.jsonl"]) == 0
    assert FFFD in Path("out.jsonl").read_text(encoding="utf-8")


def test_the_beginning_of_a_character_that_the_limit_has_cut_is_left_out():
    pieces = [b"caf\xc3\xa9 ", b"\xf0\x9f", b"\x98"]
    assert decoded_answer(pieces, is_cut=True) == "café "
    assert decoded_answer(pieces, is_cut=False) == f"café {FFFD}"
    # What is no beginning of a character is broken in earnest.
    assert decoded_answer([b"a\xff"], is_cut=True) == f"a{FFFD}"
    assert decoded_answer([b"\xf0\x9f", b"\x98\x80"], is_cut=True) == "\U0001f600"
    assert answer_mask(pieces, 0, len("café ")).tolist()[0]


def test_a_server_s_answer_that_is_cut_in_a_character_ends_before_it(
    folder: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(faults, "WORDS", [f" w{number}{FFFD}" for number in range(len(faults.WORDS))])
    with faults.FaultServer(length=20) as server:
        assert run(server.url) == 0
    with RunFile.open(Path("x.audit")) as stored:
        (found,) = stored.sample_sets()
    for draw in found.samples:
        assert draw.finish_reason == "length" and draw.state is GenerationState.VALID
        assert draw.text and not draw.text.endswith(FFFD) and FFFD in draw.text


def test_a_run_in_which_every_draw_failed_ends_with_exit_code_3_and_the_reason(
    folder: Path, faults: ModuleType, capsys: pytest.CaptureFixture[str]
):
    with faults.FaultServer(length=2) as server:
        assert run(server.url) == 0
    with RunFile.open(Path("x.audit"), writable=True) as stored, stored.transaction():
        stored._connection.execute("UPDATE generations SET state = 'error', answer = '', text = 'no such voice'")
        stored._connection.execute("UPDATE generations SET text = 'another' WHERE sample_index = 0")
        stored._connection.execute("DELETE FROM scorings")
    for command in (["score", "x.audit", "--no-embedder", "-q"], ["report", "x.audit"]):
        capsys.readouterr()
        assert run_app(command) == 3
        err = capsys.readouterr().err
        assert "all 3 draws of `x.audit` failed, most of them because of `no such voice`" in err
        assert "hint: " in err
    capsys.readouterr()
    assert run_app(["report", "x.audit", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"]["level"] == "invalid"
    assert any("no such voice" in line for line in report["validity"]["warnings"])


def test_recorded_answers_that_all_failed_end_with_exit_code_3(folder: Path, capsys: pytest.CaptureFixture[str]):
    failed = {"text": "no such voice", "state": "error", "answer": ""}
    Path("r.jsonl").write_text(json.dumps({"question": "Who?", "samples": [failed, failed]}) + "\n")
    assert run_app(["import", "r.jsonl", "-o", "r.audit", "--no-embedder", "-q"]) == 3
    assert "failed, most of them because of `no such voice`" in capsys.readouterr().err


def test_an_answer_that_repeats_the_key_is_stored_without_it_and_that_is_said(
    folder: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", key := "sk-0123456789abcdef")
    monkeypatch.setattr(faults, "WORDS", [f" w{number}-{key}" for number in range(len(faults.WORDS))])
    with faults.FaultServer(length=2) as server:
        assert run(server.url, quiet=False) == 0, capsys.readouterr().err
    with RunFile.open(Path("x.audit")) as stored:
        (found,) = stored.sample_sets()
        assert all("-*** " in f"{draw.text} " for draw in found.samples)
    said = capsys.readouterr().err
    assert said.count("repeats the key") == 1
    assert key not in said
    assert not [path for path in folder.iterdir() if key.encode() in path.read_bytes()]


def test_a_short_word_in_the_place_of_a_key_leaves_answers_as_they_are(
    folder: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", "EMPTY")
    monkeypatch.setattr(faults, "WORDS", [f" w{number}EMPTY" for number in range(len(faults.WORDS))])
    with faults.FaultServer(length=2) as server:
        assert run(server.url) == 0, capsys.readouterr().err
    with RunFile.open(Path("x.audit")) as stored:
        assert all("EMPTY" in draw.text for found in stored.sample_sets() for draw in found.samples)


def test_json_that_is_nested_too_deeply_and_codes_of_many_digits_are_no_crash():
    # Deep enough for this project's own walk, not for the parser, whose limits differ between versions.
    deep = b'{"error": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert reason_in(deep, 400)
    assert status_in({"error": {"code": "9" * 5000}}) is None
    assert status_in({"error": {"code": "429"}}) == 429


def test_a_server_that_always_answers_with_deep_json_ends_the_run_with_one_line(
    folder: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    deep = b'{"choices": ' + b"[" * 900 + b"]" * 900 + b"}"
    monkeypatch.setattr("homogaudit.generation.openai_client.RetryPolicy.first_seconds", 0.0)
    with faults.FaultServer(reshape=lambda body, request: deep) as server:
        assert run(server.url) == 3
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert f"`{server.url}`" in said


def test_a_server_that_refuses_in_the_middle_of_the_probe_ends_the_run_with_one_line(
    folder: Path, faults: ModuleType, capsys: pytest.CaptureFixture[str]
):
    def refuse(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
        return (400, {"error": {"message": "flagged"}}) if request.get("seed") not in (None, 1001) else None

    with faults.FaultServer(refusal=refuse) as server:
        assert run(server.url) == 3
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert "flagged" in said
