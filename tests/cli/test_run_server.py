"""`homogaudit run URL`: the whole path over a server on loopback, and what is told before anything is drawn."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from homogaudit.cli.app import run_app
from homogaudit.generation.openai_client import KEY_VARIABLES
from homogaudit.launch.resume import resume_job
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


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    path = Path(__file__).parent.parent / "generation" / "fault_server.py"
    spec = importlib.util.spec_from_file_location("fault_server", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


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
    job = resume_job(target)
    assert (job.model, job.model_kind, job.server_model) == (server.url, "server", "org/toy")


def test_a_server_that_is_not_there_is_exit_code_3(folder: Path, capsys: Captured) -> None:
    assert run_app(["run", "http://127.0.0.1:9/v1", "questions.jsonl"]) == 3
    assert "error: the server `http://127.0.0.1:9/v1` cannot be reached" in capsys.readouterr().err
    assert not (folder / "runs").exists()


@pytest.fixture
def priced(server: ModuleType, folder: Path) -> Callable[[float], None]:
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
