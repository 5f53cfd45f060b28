"""`homogaudit run URL`: the whole path over a server on loopback, and what is told before anything is drawn."""

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.events import JobModel
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.launch.resume import stored_job
from homogaudit.store import RunFile

SHORT = ["-n", "2", "--max-tokens", "4", "--no-embedder", "--signals", "token_entropy_mean", "--json"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    questions = [{"question": "What do bees make?"}, {"question": "Where is Rome?"}]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return tmp_path


@pytest.fixture
def server(faults: ModuleType) -> Iterator[object]:
    with faults.FaultServer(models=("org/toy",)) as server:
        yield server


Captured = pytest.CaptureFixture[str]


def test_a_server_is_audited_like_a_file(server: ModuleType, folder: Path, capsys: Captured) -> None:
    target = folder / "served.audit"
    assert run_app(["run", server.url, "questions.jsonl", "-o", str(target), *SHORT]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["run"]["model"] == "org/toy"
    assert "server: at most 10 requests" in captured.err
    with RunFile.open(target) as stored:
        assert len(stored.generation_keys()) == 6
        assert stored.parameters["model"] == {"kind": "server", "name": "org/toy", "reported": {"n_vocab": 40}}
    job = stored_job(target)
    assert job.model == JobModel(server.url, "server", "org/toy")


def test_a_server_that_opens_thinking_in_its_prompt_is_read_by_what_its_answers_say(
    faults: ModuleType, folder: Path, capsys: Captured
) -> None:
    def thinking(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        # Of each question the greedy answer alone is cut.
        for choice in body["choices"]:
            is_cut = request["temperature"] == 0
            choice["message"]["content"] = "It asks" if is_cut else "It asks of a place.\n</think>\n\nHoney"
            choice["finish_reason"] = "length" if is_cut else "stop"
            choice["logprobs"] = None
        return body

    target = folder / "served.audit"
    with faults.FaultServer(reshape=thinking) as server:
        arguments = [server.url, "questions.jsonl", "-o", str(target), "-n", "3", "--no-embedder", "--json"]
        assert run_app(["run", *arguments]) == 0
        told = capsys.readouterr().err
        for _ in range(2):
            with RunFile.open(target) as stored:
                answers = [(x.sample_index, x.answer or x.state.value) for x in stored.raw_draws()]
            assert sorted(answers) == [(-1, "thinking_unclosed")] * 2 + [(n, "Honey") for n in (0, 0, 1, 1, 2, 2)]
            # Scored again, nothing changes.
            assert run_app(["score", str(target), "--no-embedder"]) == 0
    line = "6 of 6 finished answers close thinking that they never opened: it began in the prompt, and the 2 that never"
    assert f"{line} close it are no answers; start again with more `--max-tokens`" in " ".join(told.split())


def test_a_server_that_is_not_there_is_exit_code_3(folder: Path, capsys: Captured) -> None:
    assert run_app(["run", "http://127.0.0.1:9/v1", "questions.jsonl"]) == 3
    assert "error: the server `http://127.0.0.1:9/v1` cannot be reached" in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_a_wrong_key_is_exit_code_3_with_a_hint_and_is_not_shown(
    faults: ModuleType, folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", "sk-wrong-one")
    with faults.FaultServer(key="right-one") as server:
        assert run_app(["run", server.url, "questions.jsonl", "-o", "keyed.audit", *SHORT[:-1]]) == 3
        error = capsys.readouterr().err
        assert "does not accept the key" in error and "hint: set HOMOGAUDIT_API_KEY" in error
        assert "sk-wrong-one" not in error and not (folder / "keyed.audit").exists()
        monkeypatch.setenv("HOMOGAUDIT_API_KEY", "right-one")
        assert run_app(["run", server.url, "questions.jsonl", "-o", "keyed.audit", *SHORT]) == 0
    assert b"right-one" not in (folder / "keyed.audit").read_bytes()


def test_a_web_site_is_no_server_of_models(folder: Path, capsys: Captured) -> None:
    (folder / "page").mkdir()
    (folder / "page" / "models").write_text("<html><body>Welcome</body></html>")
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{site.server_address[1]}"
        assert run_app(["run", f"{url}/nowhere", "questions.jsonl"]) == 3
        assert "does not list its models" in (error := capsys.readouterr().err) and "usually ends in `/v1`" in error
        assert run_app(["run", f"{url}/page", "questions.jsonl"]) == 3
        assert "answers with a web page in place of JSON" in capsys.readouterr().err
        site.shutdown()
        thread.join()
    assert not (folder / "runs").exists()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def priced(server: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    monkeypatch.setenv("HOMOGAUDIT_MODELS", str(folder / "models.toml"))

    def write(price: float) -> None:
        entry = f'[generators.hosted]\nsource = "{server.url}"\nprice_per_million_tokens = {price}\n'
        (folder / "models.toml").write_text(entry)

    return write


def test_a_run_that_costs_money_is_agreed_to_first(
    priced: Callable[[float], None], folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    priced(100.0)
    assert run_app(["run", "hosted", "questions.jsonl", *SHORT]) == 2
    assert (
        json.loads(capsys.readouterr().out)["error"]["hint"] == "agree with `--yes`, or set a limit with `--max-cost`"
    )
    assert list((folder / "runs").glob("*.audit")) == []
    assert run_app(["run", "hosted", "questions.jsonl", "--max-cost", "0.01", *SHORT]) == 2
    assert "more than `--max-cost` 0.01" in capsys.readouterr().out


def test_a_limit_of_cost_needs_a_price(server: ModuleType, capsys: Captured) -> None:
    assert run_app(["run", server.url, "questions.jsonl", "--max-cost", "1"]) == 2
    assert "error: `--max-cost` needs the model's price" in capsys.readouterr().err


def test_flags_of_servers_are_refused_for_files(demo_model: Path, capsys: Captured) -> None:
    assert run_app(["run", str(demo_model), "questions.jsonl", "--concurrency", "4"]) == 2
    assert "`--concurrency` is for servers" in capsys.readouterr().err
