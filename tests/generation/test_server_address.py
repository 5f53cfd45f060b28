"""Addresses that are no base URL yet, and redirects: where the key goes, and where it does not."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.errors import ModelError
from homogaudit.generation.openai_client import RetryPolicy
from homogaudit.generation.server_address import find_location
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.generation.server_models import listed_models, server_model
from homogaudit.store import RunFile

from ..patience import PATIENCE

KEY = "sk-of-this-test"
QUICK = RetryPolicy(attempts=2, first_seconds=0.001, most_seconds=0.01, timeout_seconds=PATIENCE)
SHORT = ["-n", "2", "--max-tokens", "8", "--no-embedder", "--signals", "response_length", "--json"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(KEY_VARIABLES[0], KEY)
    (tmp_path / "questions.jsonl").write_text('{"question": "What do bees make?"}\n{"question": "Where is Rome?"}\n')
    return tmp_path


def _root(server: Any) -> str:
    return server.url.removesuffix("/v1")


@pytest.mark.parametrize("has_list", [True, False])
@pytest.mark.parametrize(
    "ending",
    ["", "/", "/v1/chat/completions", "/v1/completions/", "/chat/completions", "/v1/models", "/api/generate", "/api"],
)
def test_the_base_url_is_found_without_the_key(faults: ModuleType, ending: str, has_list: bool) -> None:
    with faults.FaultServer(folder="/v1", key=KEY, model_list=None if has_list else 404) as server:
        typed = _root(server) + ending
        found = find_location(f"{typed}#toy", QUICK)
        assert found.location == f"{server.url}#toy"
        assert found.warnings == (f"`{typed.rstrip('/')}` is taken as the base URL `{server.url}`",)
        assert {key for _, key in server.seen} == {None}


def test_an_address_with_a_version_or_of_a_server_that_answers_there_is_taken_as_it_is(faults: ModuleType) -> None:
    with faults.FaultServer() as server:
        assert find_location(server.url, QUICK).location == server.url
        assert server.seen == []
        # Some servers answer without the usual folder, too.
        assert find_location(_root(server), QUICK).warnings == ()
    with faults.FaultServer(folder="/openai/deployments/gpt") as server:
        typed = f"{_root(server)}/openai/deployments/gpt/chat/completions?api-version=2024-10-21#gpt"
        right = f"{_root(server)}/openai/deployments/gpt?api-version=2024-10-21"
        assert find_location(typed, QUICK).location == f"{right}#gpt"


def test_a_site_that_serves_no_model_is_never_told_the_key(faults: ModuleType) -> None:
    with faults.FaultServer(folder="/elsewhere") as server:
        with pytest.raises(ModelError, match="does not list its models") as raised:
            find_location(_root(server), QUICK)
        assert raised.value.hint is not None and "usually ends in `/v1`" in raised.value.hint
        assert server.seen and {key for _, key in server.seen} == {None}


def test_the_command_says_the_base_url_and_stores_it(
    faults: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with faults.FaultServer(folder="/v1", key=KEY) as server:
        typed = _root(server).replace("http://127.0.0.1", "127.0.0.1")
        assert run_app(["run", typed, "questions.jsonl", "-o", "run.audit", *SHORT]) == 0
        keyed = {path for path, key in server.seen if key is not None}
    captured = capsys.readouterr()
    assert f"`{typed}` is taken as `http://{typed}`" in captured.err
    assert f"is taken as the base URL `{server.url}`" in captured.err
    assert all(path.startswith("/v1/") for path in keyed)
    with RunFile.open(folder / "run.audit") as run:
        assert run.meta("model_entry")["location"] == server.url and len(run.generation_keys()) == 6
    assert KEY.encode() not in (folder / "run.audit").read_bytes()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("example.invalid:8000/v1", "http://example.invalid:8000/v1"),
        ("192.0.2.7:8000", "http://192.0.2.7:8000"),
        ("api.example.invalid/v1", "https://api.example.invalid/v1"),
    ],
)
def test_an_address_elsewhere_without_a_scheme_is_hinted_at_and_not_asked(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["run", typed, "questions.jsonl", *SHORT]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["hint"] == f"did you mean `{meant}`?" and "has no scheme" in error["message"]


def test_a_scheme_in_capitals_is_the_same_scheme(faults: ModuleType, folder: Path) -> None:
    with faults.FaultServer(key=KEY) as server:
        assert run_app(["run", server.url.replace("http", "HTTP"), "questions.jsonl", "-o", "run.audit", *SHORT]) == 0


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_server_is_refused_with_its_name_and_without_the_key(
    faults: ModuleType, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with faults.FaultServer() as other, faults.FaultServer() as server:
        server.redirect = (status, lambda path: f"{_root(other)}{path}?token=secret")
        assert run_app(["run", server.url, "questions.jsonl", *SHORT]) == 3
        assert other.seen == []
    error = json.loads(capsys.readouterr().out)["error"]
    assert f"redirects to `{other.url}/models`, which is not followed" in error["message"]
    assert "name that one's base URL" in error["hint"] and KEY not in json.dumps(error)


@pytest.mark.parametrize("target", ["https://127.0.0.1:{port}/v1/models", "http://localhost:{port}/v1/models"])
def test_another_scheme_or_name_of_the_same_machine_is_another_server(faults: ModuleType, target: str) -> None:
    with faults.FaultServer() as server:
        port = _root(server).rpartition(":")[2]
        server.redirect = (302, lambda _: target.format(port=port))
        with pytest.raises(ModelError, match="redirects to"):
            server_model(server.url, policy=QUICK)
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_with_the_request(
    faults: ModuleType, folder: Path, status: int
) -> None:
    def inside(path: str) -> str | None:
        return f"/real{path}" if path.startswith("/v1") else None

    with faults.FaultServer(redirect=(status, inside)) as server:
        assert run_app(["run", server.url, "questions.jsonl", "-o", "run.audit", *SHORT]) == 0
    with RunFile.open(folder / "run.audit") as run:
        assert len(run.generation_keys()) == 6


def test_a_redirect_in_a_circle_is_one_clear_line(faults: ModuleType) -> None:
    with faults.FaultServer(redirect=(307, lambda path: path)) as server:
        with pytest.raises(ModelError, match="redirects in a circle"):
            server_model(server.url, policy=QUICK)
        assert len(server.seen) < 10


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"id": "a"}, {"id": "b"}]},
        {"data": ["a", "b"]},
        {"models": [{"name": "a", "model": "a"}, {"name": "b"}]},
        {"object": "list", "data": [{"id": "a"}, {"object": "model"}, 7, {"id": "b"}]},
    ],
)
def test_a_list_of_models_is_read_in_any_form(answer: dict[str, Any]) -> None:
    assert list(listed_models(answer)) == ["a", "b"]


def test_a_list_that_is_slow_is_done_without_where_the_model_is_named(
    faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homogaudit.generation.server_models._LIST_SECONDS", 0.2)
    with faults.FaultServer(list_seconds=60.0) as server:
        found = server_model(server.url, "toy", policy=QUICK)
        assert found.name == "toy" and not found.is_listed and "does not list its models in time" in found.warning


def test_a_wrong_name_is_told_with_the_ones_that_are_near(faults: ModuleType) -> None:
    with faults.FaultServer(models=("llama-8b", "qwen-4b")) as server:
        with pytest.raises(ModelError, match="has no model `lama-8b`") as raised:
            server_model(server.url, "lama-8b", policy=QUICK)
    assert raised.value.hint is not None and "did you mean `llama-8b`?" in raised.value.hint
