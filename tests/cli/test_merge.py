"""`homogaudit run --shard` and `homogaudit merge`: a file drawn in two shards on two servers, against one run of it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.store import RunFile

SHORT = ["-n", "3", "--max-tokens", "6", "--no-embedder", "--signals", "token_entropy_mean,p_true", "--json"]
SHORT += ["--clustering", "jaccard"]
COUNT = 13

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    questions = [{"id": f"q{number}", "question": f"Question {number}?", "answers": ["w00"]} for number in range(COUNT)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return tmp_path


@pytest.fixture
def draw(capsys: Captured) -> Callable[..., dict[str, Any]]:
    """Return a function that draws on a server and returns the report."""

    def run(server: Any, *options: str) -> dict[str, Any]:
        assert run_app(["run", server.url, "questions.jsonl", *SHORT, *options]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return what does not hang on the time that something took."""
    run = {
        key: report["run"][key] for key in ("model", "question_source", "questions", "status", "samples", "decoding")
    }
    aurocs = {name: found["auroc"] for name, found in report["signals"].items()}
    keys = ("validity", "homogenization", "labels", "comparisons", "agreement", "verdict")
    found = {"run": run, "aurocs": aurocs} | {key: report[key] for key in keys}
    # The next commands name the run.
    return found | {"verdict": {key: value for key, value in found["verdict"].items() if key != "next"}}


def test_shards_on_two_servers_merge_into_the_run_of_the_whole_file(
    faults: ModuleType, draw: Callable[..., dict[str, Any]], folder: Path, capsys: Captured
) -> None:
    with faults.FaultServer() as one, faults.FaultServer() as other:
        whole = draw(one)
        shards = [draw(server, "--shard", f"{number}/2") for number, server in ((1, one), (2, other))]
        urls = [one.url, other.url]
    assert [shard["run"]["shards"] for shard in shards] == [{"held": [1], "of": 2}, {"held": [2], "of": 2}]
    assert [shard["run"]["questions"] for shard in shards] == [7, 6]
    assert "`questions.jsonl, shard 2/2`" in shards[1]["verdict"]["sentences"][-1]
    names = sorted(path.name for path in (folder / "runs").glob("*of2*.audit"))
    assert ["-1of2-" in names[0], "-2of2-" in names[1], len(names)] == [True, True, 2]

    assert run_app(["merge", names[0], "-o", "part.audit", "--json"]) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["run"]["status"] == "started"
    assert "is not complete: shard 2/2 is missing" in captured.err

    assert run_app(["merge", *reversed(names), "-o", "merged.audit", "--json"]) == 0
    merged = json.loads(capsys.readouterr().out)
    assert _figures(merged) == _figures(whole)
    assert merged["run"]["device"].split(", ") in (urls, urls[::-1])
    with RunFile.open(folder / "merged.audit") as run:
        assert len(run.generation_keys()) == COUNT * 4

    assert run_app(["merge", *names, "-o", "merged.audit"]) == 2
    assert "`merged.audit` exists" in capsys.readouterr().err


def test_a_wrong_shard_is_told_before_anything_is_drawn(faults: ModuleType, folder: Path, capsys: Captured) -> None:
    with faults.FaultServer() as server:
        assert run_app(["run", server.url, "questions.jsonl", "--shard", "3/2"]) == 2
        assert "`3/2` is not a shard" in capsys.readouterr().err
        assert run_app(["run", server.url, "questions.jsonl", "--shard", "1/14"]) == 2
        assert "13 questions cannot be cut into 14 shards" in capsys.readouterr().err
        assert server.requests == []
    assert not (folder / "runs").exists()


def test_a_merge_asks_a_paid_judge_about_answers_without_a_verdict_only_where_that_is_agreed_to(
    faults: ModuleType,
    draw: Callable[..., dict[str, Any]],
    folder: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faults.FaultServer() as server:
        entry = f'[generators.paid]\nsource = "{server.url}"\nprice_per_million_tokens = 1000.0\n'
        (folder / "models.toml").write_text(entry)
        monkeypatch.setenv("HOMOGAUDIT_MODELS", str(folder / "models.toml"))
        for number in (1, 2):
            draw(server, "--shard", f"{number}/2", "-o", f"{number}.audit", "--judge", "model:paid", "--yes")
        with sqlite3.connect(folder / "2.audit") as connection:
            connection.execute("DELETE FROM labels WHERE position = 0")
        asked = len(server.requests)
        assert run_app(["merge", "1.audit", "2.audit", "-o", "merged.audit"]) == 2
        error = capsys.readouterr().err
        assert "the run may cost" in error and "continue with `homogaudit score merged.audit`" in error
        assert len(server.requests) == asked
        assert run_app(["merge", "1.audit", "2.audit", "-o", "agreed.audit", "--max-cost", "100"]) == 0
        assert len(server.requests) > asked
