"""What only a file names: a stored URL, a `models.toml` of the working folder, and who is told the key."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.cli.consent import make_consent
from homogaudit.config import user_models_file
from homogaudit.config.trust import ForeignSource
from homogaudit.errors import UsageError
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile

KEY = "sk-of-this-user-0123456789"


class Listener:
    """A server of one model that answers everything alike and keeps what it was told."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"data": [{"id": "toy"}]})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                texts = asked.get("input", [])
                message = {"role": "assistant", "content": "Verdict: correct"}
                vectors = [{"index": number, "embedding": [1.0, 0.0]} for number in range(len(texts))]
                self._answer(
                    {
                        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 5, "completion_tokens": 3},
                        "data": vectors,
                    }
                )

            def _answer(self, content: dict[str, Any]) -> None:
                owner.keys.append(self.headers.get("Authorization"))
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HOMOGAUDIT_MODELS", raising=False)
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", KEY)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    Path("questions.jsonl").write_text('{"question": "What do bees make?", "answers": ["honey"]}\n')
    return work


@pytest.fixture
def shared(folder: Path, server: Listener) -> Path:
    """A run that somebody has sent, scored by a judge on a server, with an answer that is not judged yet."""
    path = folder / "shared.audit"
    questions = [Question("bees", "What do bees make?", answers=("honey",))]
    parameters = {"recorded": True, "decoding": {"samples": 2}}
    with RunFile.create(path, model="m", question_source="q", questions=questions, parameters=parameters) as run:
        for index in (GREEDY, 0, 1):
            run.add_generation(Generation("bees", index, "Honey.", "Honey.", GenerationState.VALID))
    assert run_app(["score", str(path), "--judge", f"model:{server.url}", "--no-embedder", "-q"]) == 0
    with RunFile.open(path, writable=True) as run, run.transaction():
        run._connection.execute("DELETE FROM labels")
        run._connection.execute("DELETE FROM calls")
        run._connection.execute("DELETE FROM scorings")
    server.keys.clear()
    return path


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        code = run_app([str(argument) for argument in arguments])
        return code, capsys.readouterr().err

    return call


def assert_refused(result: tuple[int, str], url: str, file: Path) -> None:
    code, told = result
    assert code == 2
    error, hint = told.strip().splitlines()[-2:]
    assert error.startswith("error: ") and url in error and f"`{file}`" in error and "did not name" in error
    assert hint.startswith("hint: agree with `--yes`")
    assert KEY not in told


def test_a_judge_that_only_a_run_file_names_is_not_contacted_before_the_user_agrees(
    shared: Path, server: Listener, call: Call
):
    assert_refused(call("score", shared, "--no-embedder"), server.url, shared)
    assert server.keys == []


def test_a_judge_that_only_a_run_file_names_is_told_no_key_even_where_the_user_agrees(
    shared: Path, server: Listener, call: Call
):
    code, told = call("score", shared, "--no-embedder", "--yes")
    assert code == 0
    line = f"the judge is on the server `{server.url}`, according to `{shared}`: used because of `--yes`"
    assert f"warning: {line}" in told
    assert server.keys and set(server.keys) == {None}


def test_a_judge_that_the_command_names_is_told_the_key(shared: Path, server: Listener, call: Call):
    assert call("score", shared, "--no-embedder", "--judge", f"model:{server.url}")[0] == 0
    assert server.keys and set(server.keys) == {f"Bearer {KEY}"}


def test_a_key_that_is_the_server_s_own_goes_to_it_once_the_user_agrees(
    shared: Path, server: Listener, call: Call, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY_127_0_0_1", "sk-its-own")
    assert_refused(call("score", shared, "--no-embedder"), server.url, shared)
    assert call("score", shared, "--no-embedder", "--yes")[0] == 0
    assert set(server.keys) == {"Bearer sk-its-own"}


def test_a_server_of_the_user_configuration_needs_no_question_and_gets_the_key(
    shared: Path, server: Listener, call: Call
):
    user_models_file().parent.mkdir(parents=True)
    user_models_file().write_text(f'[generators.mine]\nsource = "{server.url}"\n')
    assert call("score", shared, "--no-embedder")[0] == 0
    assert server.keys and set(server.keys) == {f"Bearer {KEY}"}


def test_the_same_server_in_a_models_toml_of_the_working_folder_changes_nothing(
    shared: Path, server: Listener, call: Call
):
    Path("models.toml").write_text(f'[generators.mine]\nsource = "{server.url}"\n')
    assert_refused(call("score", shared, "--no-embedder"), server.url, shared)
    # Named by the user it does.
    assert call("score", shared, "--no-embedder", "--models", "models.toml")[0] == 0
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_what_is_judged_already_needs_no_agreement(shared: Path, server: Listener, call: Call):
    assert call("score", shared, "--no-embedder", "--yes")[0] == 0
    server.keys.clear()
    assert call("score", shared, "--no-embedder")[0] == 0
    assert server.keys == []


def test_another_judge_in_the_command_needs_no_agreement_to_the_stored_one(shared: Path, server: Listener, call: Call):
    assert call("score", shared, "--no-embedder", "--judge", "overlap")[0] == 0
    assert server.keys == []


def test_an_embedder_that_only_a_run_file_names_is_asked_about_too(folder: Path, server: Listener, call: Call):
    recorded = {"question": "What do bees make?", "samples": [{"text": "Honey."}, {"text": "Wax."}]}
    Path("recorded.jsonl").write_text(json.dumps(recorded) + "\n")
    path = folder / "shared.audit"
    assert call("import", "recorded.jsonl", "-o", path, "--embedder", f"{server.url}#toy")[0] == 0
    assert set(server.keys) == {f"Bearer {KEY}"}
    server.keys.clear()
    assert_refused(call("score", path, "--signals", "density"), server.url, path)
    assert server.keys == []


@pytest.mark.parametrize("table", ["generators.demo", 'embedders."all-minilm-l6-v2"'])
def test_a_models_toml_of_the_working_folder_sends_nothing_anywhere_before_the_user_agrees(
    folder: Path, server: Listener, demo_model: Path, call: Call, table: str
):
    file = folder / "models.toml"
    file.write_text(f'[{table}]\nsource = "{server.url}"\n')
    arguments = ["run", "demo", "questions.jsonl", "-n", "2", "--max-tokens", "3", "-o", "x.audit"]
    assert_refused(call(*arguments), server.url, file)
    assert server.keys == []
    assert not Path("x.audit").exists()
    call(*arguments, "--yes")
    assert server.keys and set(server.keys) == {None}


def test_a_model_that_a_models_toml_of_the_working_folder_gives_is_told_with_the_file(
    folder: Path, demo_model: Path, call: Call
):
    file = folder / "models.toml"
    file.write_text(f'[generators.demo]\nsource = "{demo_model}"\n')
    arguments = ["run", "demo", "questions.jsonl", "-n", "2", "--max-tokens", "2", "--no-embedder", "-o", "x.audit"]
    code, told = call(*arguments)
    assert code == 0
    assert told.count(f"warning: model `demo` is `{demo_model}`, according to `{file}`\n") == 1
    # Named by the user there is nothing to tell.
    assert "according to" not in call(*arguments, "--models", "models.toml")[1]


def test_the_embedder_in_the_settings_of_a_found_models_toml_is_asked_about(
    folder: Path, server: Listener, demo_model: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    file = folder / "models.toml"
    file.write_text(f'[settings]\nembedder = "{server.url}"\n')
    arguments = ["run", "demo", "questions.jsonl", "-n", "2", "--max-tokens", "3", "-o", "x.audit"]
    assert_refused(call(*arguments), server.url, file)
    assert server.keys == []
    # The environment is the user's.
    monkeypatch.setenv("HOMOGAUDIT_EMBEDDER", server.url)
    call(*arguments)
    assert server.keys and set(server.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("table", ["generators.demo", 'embedders."all-minilm-l6-v2"', "nli.tiny"])
def test_a_models_toml_of_the_working_folder_runs_no_function_before_the_user_agrees(
    folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch, table: str
):
    (folder / "beside.py").write_text("open('executed', 'w').close()\ndef f():\n    return 'absent.gguf'\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    file = folder / "models.toml"
    file.write_text(f'[{table}]\nsource = "package:beside:f"\n')
    model = "demo" if "generators" in table else "questions.gguf"
    Path("questions.gguf").write_bytes(b"GGUF")
    arguments = ["run", model, "questions.jsonl", *(["--nli", "tiny"] if "nli" in table else [])]
    assert_refused(call(*arguments), "beside:f", file)
    assert not Path("executed").exists()
    code, told = call(*arguments, "--yes")
    assert code in (2, 3)
    assert Path("executed").exists()
    assert "warning: " in told and "according to `" in told


def test_a_command_that_cannot_ask_refuses_and_names_the_flag(folder: Path, call: Call):
    file = folder / "models.toml"
    file.write_text('[generators.demo]\nsource = "package:beside:f"\n')
    code, told = call("bench", "demo")
    assert code == 2
    assert f"name the file: `--models {file}`, or HOMOGAUDIT_MODELS" in told


def test_a_merge_asks_before_the_judge_of_the_runs_is_contacted(
    folder: Path, server: Listener, demo_model: Path, call: Call
):
    questions = [{"question": f"What is {number} and one?", "answers": ["2"]} for number in range(2)]
    Path("two.jsonl").write_text("\n".join(map(json.dumps, questions)) + "\n")
    for shard in (1, 2):
        arguments = ["run", demo_model, "two.jsonl", "--shard", f"{shard}/2", "-n", "2", "--max-tokens", "2"]
        judge = ["--judge", f"model:{server.url}", "--no-embedder", "--signals", "free"]
        assert call(*arguments, *judge, "-o", f"{shard}.audit")[0] == 0
    with RunFile.open(Path("1.audit"), writable=True) as run, run.transaction():
        run._connection.execute("DELETE FROM labels")
        run._connection.execute("DELETE FROM calls")
    server.keys.clear()
    result = call("merge", "1.audit", "2.audit", "-o", "all.audit")
    assert_refused((result[0], result[1]), server.url, Path("all.audit"))
    assert server.keys == []


@pytest.mark.parametrize(
    ("location", "expected"),
    [("https://theirs.example/v1", "Send it questions and answers?"), ("package:here:f", "Run it?")],
)
@pytest.mark.parametrize("agrees", [True, False])
def test_who_is_asked_at_a_terminal_reads_what_would_be_done(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    location: str,
    expected: str,
    agrees: bool,
):
    asked: list[str] = []

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return agrees

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm)
    source = ForeignSource("the judge", location, Path("/somewhere/shared.audit"))
    if agrees:
        make_consent(is_agreed=False)(source)
    else:
        with pytest.raises(UsageError):
            make_consent(is_agreed=False)(source)
    assert asked == [expected]
    said = capsys.readouterr().err
    assert location.removeprefix("package:") in said
    assert "/somewhere/shared.audit" in said
