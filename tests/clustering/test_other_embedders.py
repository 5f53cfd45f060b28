"""Embedders behind llama.cpp and behind an OpenAI-compatible server, and how a job finds them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.clustering.gguf_embedder import LlamaCppEmbedder
from homogaudit.clustering.load_embedder import load_embedder
from homogaudit.clustering.server_embedder import ServerEmbedder
from homogaudit.config import load_models, resolve_embedder
from homogaudit.errors import EmbedderError
from homogaudit.events import JobEmbedder
from homogaudit.generation.openai_client import RetryPolicy
from homogaudit.launch.embedder_choice import resolve_job_embedder

TEXTS = ["Rome is in Italy.", "Berne is in Switzerland.", "Rome is in Italy.", ""]
ONCE = RetryPolicy(attempts=1)


def test_a_gguf_model_gives_unit_rows_that_depend_on_their_own_text_alone(demo_model: Path) -> None:
    embedder = LlamaCppEmbedder("smol", demo_model, threads=1, gpu_layers=0)
    rows = embedder.embed(TEXTS)
    assert rows.shape[0] == 4 and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert float(rows[0] @ rows[1]) < 0.999
    np.testing.assert_allclose(embedder.embed(TEXTS[1:2])[0], rows[1], atol=1e-5)
    assert np.isfinite(embedder.embed(["word " * 2000])).all()
    assert embedder.embed([]).shape == (0, rows.shape[1])


def test_a_file_that_is_no_gguf_model_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no model")
    with pytest.raises(EmbedderError, match="`x` cannot be loaded"):
        LlamaCppEmbedder("x", tmp_path / "x.gguf")


def test_a_job_takes_a_gguf_file_or_a_url_as_embedder(
    demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(tmp_path / "thresholds.json"))
    models = load_models()
    by_file, _ = resolve_job_embedder(str(demo_model), models, wanted=True)
    assert by_file is not None and by_file.location == str(demo_model)
    assert by_file.key.startswith(f"{by_file.name}#") and len(by_file.key.partition("#")[2]) == 8
    found = resolve_embedder("http://localhost:9/v1#small", models)
    assert found.location == "http://localhost:9/v1#small"


class EmbeddingServer:
    """Embeds a text as its counts of letters; `fault` breaks its answers."""

    def __init__(self) -> None:
        self.fault = ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                names = ["one", "two"] if outer.fault == "two models" else ["one"]
                self.reply({"data": [{"id": name} for name in names]})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(asked)
                outer.keys.append(self.headers.get("Authorization"))
                data = [
                    {"index": i, "embedding": [float(text.count(letter)) for letter in "abe "]}
                    for i, text in enumerate(asked["input"])
                ]
                match outer.fault:
                    case "reversed":
                        data.reverse()
                    case "one missing":
                        data.pop()
                    case "no numbers":
                        data[0]["embedding"] = ["x"]
                    case "lengths":
                        data[0]["embedding"] = [1.0]
                    case "infinite":
                        data[0]["embedding"] = [1e999] * 4
                    case "twice":
                        data[0]["index"] = 1
                    case _:
                        pass
                self.reply({"data": data}, 404 if outer.fault == "404" else 200)

            def reply(self, content: dict[str, Any], status: int = 200) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
    monkeypatch.delenv("HOMOGAUDIT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running = EmbeddingServer()
    yield running
    running.server.shutdown()
    running.thread.join()
    running.server.server_close()


@pytest.mark.parametrize("fault", ["", "reversed"])
def test_a_server_gives_unit_rows_in_the_order_of_the_texts(server: EmbeddingServer, fault: str) -> None:
    server.fault = fault
    rows = ServerEmbedder("served", server.url, policy=ONCE).embed(["a", "b b", "abe"])
    expected = np.array([[1, 0, 0, 0], [0, 2, 0, 1], [1, 1, 1, 0]]) / np.sqrt([[1], [5], [3]])
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert [request["model"] for request in server.requests] == ["one"]
    assert server.keys == [None]


def test_many_texts_go_in_several_requests_and_an_empty_one_as_a_space(server: EmbeddingServer) -> None:
    rows = ServerEmbedder("served", f"{server.url}#mine", prompt="", policy=ONCE).embed(["a"] * 70 + [""])
    assert rows.shape == (71, 4)
    assert [len(request["input"]) for request in server.requests] == [64, 7]
    assert server.requests[1]["input"][-1] == " "
    assert {request["model"] for request in server.requests} == {"mine"}


def test_the_key_comes_from_the_environment(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", "secret")
    ServerEmbedder("served", server.url, policy=ONCE).embed(["a"])
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize("fault", ["one missing", "no numbers", "lengths", "infinite", "twice", "404", "two models"])
def test_an_answer_that_is_no_embedding_is_one_error(server: EmbeddingServer, fault: str) -> None:
    server.fault = fault
    with pytest.raises(EmbedderError):
        ServerEmbedder("served", server.url, policy=ONCE).embed(["a", "b"])


def test_a_server_that_is_gone_is_one_error() -> None:
    with pytest.raises(EmbedderError, match=r"127\.0\.0\.1:1"):
        ServerEmbedder("served", "http://127.0.0.1:1/v1", policy=ONCE)


def test_an_embedder_takes_no_more_threads_than_the_model_may(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", taken.append)
    for threads in (1, None):
        with pytest.raises(EmbedderError):
            load_embedder(JobEmbedder("s", "s#", "/nowhere"), (), threads)
    assert taken == [1]


def test_a_job_s_embedder_is_loaded_by_what_its_location_is(server: EmbeddingServer, demo_model: Path) -> None:
    assert isinstance(load_embedder(JobEmbedder("s", "s#", f"{server.url}#m"), ()), ServerEmbedder)
    assert isinstance(load_embedder(JobEmbedder("g", "g#", str(demo_model)), ()), LlamaCppEmbedder)
