"""`homogaudit bench`: how speed is told; the figures themselves are the machine's."""

import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from homogaudit.cli.app import run_app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    return tmp_path


SMALL = ["--questions", "2", "-n", "2", "--max-tokens", "4", "--repeats", "1", "--threads", "1"]


def test_a_measurement_is_told_as_json_and_as_text(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run_app(["bench", str(demo_model), "--json", *SMALL]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert captured.err == ""
    assert next(iter(figures)) == "speedup_over_serial"
    assert figures["speedup_over_serial"] == pytest.approx(
        figures["engine_tokens_per_second"] / figures["serial_tokens_per_second"]
    )
    engine, bare, loop = figures["contenders"]
    assert [engine["name"], bare["name"], loop["name"]] == ["engine", "engine without prefix tree", "serial loop"]
    assert 0 <= figures["host_share"] <= 1
    assert 0 < figures["slots_in_use"] <= figures["slots"]
    # The same answers, whether samples share their beginnings or not; these need fewer passes together.
    assert engine["rounds"][0]["tokens"] == bare["rounds"][0]["tokens"]
    assert engine["rounds"][0]["passes"] <= bare["rounds"][0]["passes"]
    # The loop gets what the engine gets: 2 questions x 3 answers of at most 4 tokens, no logits of the prompt.
    assert loop["arguments"]["Llama"]["logits_all"] is False
    assert loop["arguments"]["call"]["max_tokens"] == 4
    assert 0 < loop["rounds"][0]["tokens"] <= 2 * 3 * 4
    limit = figures["device_limit"]
    assert limit["tokens_per_second"] == limit["by_kind"][limit["kind"]] == min(limit["by_kind"].values())
    assert limit["reached"] == pytest.approx(figures["forwarded_per_second"] / limit["tokens_per_second"])
    # The same figures as text, without measuring again.
    measured = subprocess.CompletedProcess([], 0, stdout=captured.out)
    monkeypatch.setattr("subprocess.run", lambda *arguments, **options: measured)
    assert run_app(["bench", str(demo_model), *SMALL]) == 0
    shown = capsys.readouterr().out
    assert f"{loop['tokens_per_second']['median']:.0f} (" in shown
    assert f"{figures['speedup_over_serial']:.2f} (" in shown
    assert f"device's limit  {limit['kind']}: " in shown
    assert "create_chat_completion(" in shown
    assert "logits_all=False" in shown


def test_a_folder_takes_turns_with_generate_and_with_servers(
    tiny_llama: Path, faults: ModuleType, capsys: pytest.CaptureFixture[str]
):
    with faults.FaultServer() as server:
        command = ["bench", str(tiny_llama), "--gpu-layers", "0", "--against", server.url, "--json", *SMALL]
        assert run_app([*command, "--repeats", "3"]) == 0
    contenders = json.loads(capsys.readouterr().out)["contenders"]
    names = ["engine", "engine without prefix tree", "serial loop", "transformers generate", server.url]
    assert [row["name"] for row in contenders] == names
    for row in contenders:
        speeds = sorted(x["tokens"] / x["seconds"] for x in row["rounds"])
        assert row["tokens_per_second"] == pytest.approx({"low": speeds[0], "median": speeds[1], "high": speeds[2]})
        ratios = sorted(
            (e["tokens"] / e["seconds"]) / (x["tokens"] / x["seconds"])
            for e, x in zip(contenders[0]["rounds"], row["rounds"], strict=True)
        )
        assert row["engine_speedup"] == pytest.approx({"low": ratios[0], "median": ratios[1], "high": ratios[2]})
    # 2 questions x 3 answers x 4 words, as the server counts.
    assert [x["tokens"] for x in contenders[-1]["rounds"]] == [24] * 3


def test_a_measurement_that_dies_is_a_model_error(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    died = subprocess.CompletedProcess([], -6, stdout="")
    monkeypatch.setattr("subprocess.run", lambda *arguments, **options: died)
    assert run_app(["bench", str(demo_model)]) == 3
    assert capsys.readouterr().err.startswith(f"error: the measurement of `{demo_model}` crashed (")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent.gguf"], 2, "no such model file or folder: `absent.gguf`"),
        (["text.gguf"], 3, "`{folder}/text.gguf` is not a GGUF file"),
        (["demo", "--questions", "0"], 2, "`--questions` must lie between 1 and 10000, not `0`"),
        (["demo", "--questions", "9" * 25], 2, f"`--questions` must lie between 1 and 10000, not `{'9' * 25}`"),
        (
            ["http://localhost:1/v1"],
            2,
            "`localhost:1` is a server, and `bench` compares a model on this machine with it",
        ),
        (["demo", "--against", "demo"], 2, "`demo` is not the URL of one server"),
        (["demo", "--against", "http://a/v1,http://b/v1"], 2, "`http://a/v1,http://b/v1` is not the URL of one server"),
        (["demo", "--transformers", "demo"], 2, "`demo` is no Hugging Face model"),
        (["demo", "-n", "0"], 2, "`--samples` must lie between 1 and 1000, not `0`"),
        (["demo", "--temperature", "nan"], 2, "`--temperature` must lie between 0 and 10, not `nan`"),
        (["demo", "--repeats", "1001"], 2, "`--repeats` must lie between 1 and 1000, not `1001`"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_a_hint(
    arguments: list[str], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "text.gguf").write_text("no model")
    assert run_app(["bench", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    error, hint = captured.err.splitlines()
    assert error == f"error: {message.format(folder=folder)}"
    assert hint.startswith("hint: ")
