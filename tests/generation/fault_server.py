"""An OpenAI-compatible server on loopback that can misbehave: its model draws words from one known distribution.

`server_behaviours` names what servers that people have do otherwise than the interface says.

`python fault_server.py PORT LOG MOST` is one that ignores `n`, in a process of its own that can be killed; LOG gains a
line of JSON a request, and after MOST requests every one hangs.
"""

import json
import math
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

WORDS = [f" w{number:02}" for number in range(40)]
END = "<end>"

LOGITS = np.linspace(2.0, -2.0, len(WORDS))
LOGPROBS = LOGITS - math.log(np.exp(LOGITS).sum())
"""ln p of each word, at every position and after every prompt."""

ENTROPY = float(-(np.exp(LOGPROBS) * LOGPROBS).sum())

Fault = str | None
"""`hang`, `cut`, `half`, `html`, `429`, `500`, `no_choices`, `fewer`, `duplicate`, `no_logprobs`, `short_logprobs`,
`refuse`, `403`, `404`, `flagged`, `filter`; `None` for a good answer."""


@dataclass
class FaultServer:
    """Runs until it is closed.

    Attributes:
        fault: Names what goes wrong with the request of this number, counted over all after the probes.
        ignores: Parameters without effect: `n`, `seed`, `top_k`, `min_p`, `logprobs`.
        refuses: Parameters that are answered with status 400.
        key: The only key that is accepted; `None` for any.
        cached: Whether every answer is the first one.
        tempered: Whether log-probabilities are those after temperature and truncation.
        displaces: Whether the drawn token, where it is not among the likeliest, takes the place of the last of them.
        is_vllm: Whether the list of models lacks V, and a bias of a token that is none is refused with it.
        length: Words of an answer.
        thinks: Words of the thinking before it, which a chat answer tells apart.
        requests: All payloads, in their order.
        slow_seconds: How long every answer takes.
        port: 0 for any that is free.
        log: Gains a line of JSON for each request.
        refusal: Returns status and body of what is not answered, `None` for a good answer.
        reshape: Returns what is sent in place of a good answer: an object, or bytes.
        model_list: What the list of models is in place of the usual one: a status, or a body.
        list_seconds: How long the list takes.
        folder: The only path under which anything lies; `None` for any.
        redirect: Where every request is sent, with which status.
        stops_thinking: Whether a request switches the thinking off.
        headers: Sent with every good answer.
        seen: The path and the `Authorization` of every request.
    """

    fault: Callable[[int, dict[str, Any]], Fault] = lambda number, request: None
    ignores: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    key: str | None = None
    cached: bool = False
    tempered: bool = False
    displaces: bool = False
    has_chat: bool = True
    is_vllm: bool = False
    length: int = 4
    thinks: int = 0
    retry_after: str = "0.01"
    models: tuple[str, ...] = ("toy",)
    requests: list[dict[str, Any]] = field(default_factory=list)
    is_probed: bool = False
    slow_seconds: float = 0.0
    port: int = 0
    log: Path | None = None
    refusal: Callable[[dict[str, Any], bool], tuple[int, Any] | None] = lambda request, is_chat: None
    reshape: Callable[[dict[str, Any], dict[str, Any]], Any] = lambda body, request: body
    model_list: Any = None
    list_seconds: float = 0.0
    folder: str | None = None
    redirect: tuple[int, Callable[[str], str | None]] | None = None
    stops_thinking: Callable[[dict[str, Any]], bool] = lambda request: False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    seen: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    _number: int = 0

    def __enter__(self) -> "FaultServer":
        self._released = threading.Event()
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._unless_closed(owner.list_models)

            def do_POST(self) -> None:
                self._unless_closed(owner.answer)

            def _unless_closed(self, act: Callable[[BaseHTTPRequestHandler], None]) -> None:
                # A connection that was kept outlives the server that took it.
                if owner._released.is_set():
                    self.close_connection = True
                    return
                length = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(length)
                owner.seen.append((self.path, self.headers.get("Authorization")))
                if not owner.turns_away(self):
                    act(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._http.daemon_threads = True
        # A client that gives up leaves half a request behind.
        self._http.handle_error = lambda *_: None
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def turns_away(self, handler: BaseHTTPRequestHandler) -> bool:
        """Send a redirect, or a 404 for a path under which nothing lies; return whether one was sent."""
        target = self.redirect[1](handler.path) if self.redirect else None
        if self.redirect and target is not None:
            _send(handler, self.redirect[0], {}, {"Location": target})
            return True
        if self.folder is not None and not handler.path.startswith(f"{self.folder}/"):
            _send(handler, 404, {"detail": "Not Found"})
            return True
        return False

    def list_models(self, handler: BaseHTTPRequestHandler) -> None:
        self._released.wait(self.list_seconds)
        if self.key is not None and handler.headers.get("Authorization") != f"Bearer {self.key}":
            given = handler.headers.get("Authorization", "")
            _send(handler, 401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        elif isinstance(self.model_list, int):
            _send(handler, self.model_list, {"detail": "Not Found"})
        elif self.model_list is not None:
            _send(handler, 200, self.model_list)
        else:
            own = {"owned_by": "vllm"} if self.is_vllm else {"meta": {"n_vocab": len(WORDS)}}
            meta = {"max_model_len": 512, **own}
            _send(handler, 200, {"data": [{"id": name, **meta} for name in self.models]})

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.key is not None and handler.headers.get("Authorization") != f"Bearer {self.key}":
            _send(handler, 401, {"error": {"message": "Incorrect API key provided"}})
            return
        request = json.loads(handler.body)  # type: ignore[attr-defined]
        with self._lock:
            self.requests.append(request)
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(json.dumps(request) + "\n")
            fault = None
            if self.is_probed:
                fault = self.fault(self._number, request)
                self._number += 1
        is_chat = handler.path.endswith("/chat/completions")
        if is_chat and not self.has_chat:
            _send(handler, 404, {"detail": "Not Found"})
            return
        named = next((name for name in self.refuses if name in request), None)
        if named is not None:
            _send(handler, 400, {"error": {"message": f"Unrecognized request argument supplied: {named}"}})
            return
        refused = self.refusal(request, is_chat)
        if refused is not None:
            _send(handler, *refused)
            return
        self._released.wait(self.slow_seconds)
        if self.is_vllm and "logit_bias" in request:
            refusal = f"token_id(s) [1] in logit_bias contain out-of-vocab token ids. Vocabulary size: {len(WORDS)}"
            _send(handler, 400, {"error": {"message": refusal}})
            return
        body = self.completion(request, is_chat)
        choices = body["choices"]
        match fault:
            case "hang":
                self._released.wait()
                handler.close_connection = True
            case "cut":
                handler.close_connection = True
            case "half":
                text = json.dumps(body).encode()
                _send_bytes(handler, 200, text[: len(text) // 2], length=len(text))
                handler.close_connection = True
            case "html":
                _send_bytes(handler, 200, b"<html><body>busy</body></html>")
            case "429":
                _send(handler, 429, {"error": {"message": "slow down"}}, {"Retry-After": self.retry_after})
            case "500":
                _send(handler, 500, {"error": {"message": "boom"}})
            case "refuse":
                _send(handler, 400, {"error": {"message": "this prompt breaks our rules", "code": "content_filter"}})
            case "403" | "404":
                _send(handler, int(fault), {"error": {"message": "no access to this model"}})
            case "flagged":
                _send(handler, 403, {"error": {"message": "your input was flagged"}})
            case "filter":
                for choice in choices:
                    choice["finish_reason"] = "content_filter"
                _send(handler, 200, body)
            case _:
                if fault == "no_choices":
                    body["choices"] = []
                elif fault == "fewer":
                    body["choices"] = choices[:-1] or choices
                elif fault == "duplicate":
                    body["choices"] = [choices[0], *choices]
                elif fault == "no_logprobs":
                    for choice in choices:
                        choice["logprobs"] = None
                elif fault == "short_logprobs":
                    for choice in choices:
                        choice["logprobs"]["content"] = choice["logprobs"]["content"][1:]
                sent = self.reshape(body, request)
                raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
                _send_bytes(handler, 200, raw, headers=self.headers)

    def completion(self, request: dict[str, Any], is_chat: bool) -> dict[str, Any]:
        n = 1 if "n" in self.ignores else request.get("n", 1)
        prompt = json.dumps(request.get("messages") or request.get("prompt"))
        most = request.get("max_tokens", request.get("max_completion_tokens", 16))
        thought = 0 if self.stops_thinking(request) else min(self.thinks, most)
        limit = most - thought
        temperature = request.get("temperature", 1.0)
        drawn = _distribution(request, temperature, self.ignores)
        shown = drawn if self.tempered else LOGPROBS
        choices: list[dict[str, Any]] = []
        for index in range(n):
            seed = request.get("seed")
            if seed is None or "seed" in self.ignores:
                seed = len(self.requests) * 1000
            name = "cached" if self.cached else f"{prompt}{seed}{index}"
            random = np.random.default_rng(list(name.encode()))
            length = min(self.length, limit)
            ids = [
                int(LOGPROBS.argmax()) if temperature == 0 else int(random.choice(len(WORDS), p=np.exp(drawn)))
                for _ in range(length)
            ]
            text = "".join(WORDS[number] for number in ids)
            choice: dict[str, Any] = {"index": index, "finish_reason": "stop" if length < limit else "length"}
            rows = [_row(WORDS[number], shown, number, request, displaces=self.displaces) for number in ids]
            if length < limit:
                rows.append({**rows[0], "token": END, "bytes": list(END.encode())})
            if is_chat:
                choice["message"] = {"role": "assistant", "content": text}
                if thought:
                    choice["message"]["reasoning_content"] = " hm" * thought
                asked = request.get("logprobs") and "logprobs" not in self.ignores
                choice["logprobs"] = {"content": rows} if asked else None
            else:
                choice["text"] = text
                choice["logprobs"] = _columns(rows) if request.get("logprobs") else None
            choices.append(choice)
        return {
            "choices": choices,
            "usage": {
                "prompt_tokens": 7,
                "completion_tokens": (sum(map(_row_count, choices)) or self.length * n) + thought * n,
            },
        }


def _row_count(choice: dict[str, Any]) -> int:
    logprobs = choice["logprobs"] or {}
    return len(logprobs.get("content", logprobs.get("tokens", ())))


def _distribution(request: dict[str, Any], temperature: float, ignores: frozenset[str]) -> np.ndarray:
    """Return ln p after temperature and truncation."""
    logits = LOGITS / (temperature or 1e-3)
    top_k = 0 if "top_k" in ignores else request.get("top_k", 0)
    if top_k > 0:
        logits = np.where(np.arange(len(logits)) < top_k, logits, -9999.0)
    if "min_p" not in ignores:
        logits = np.where(logits >= logits.max() + math.log(request.get("min_p", 0) or 1e-30), logits, -9999.0)
    logits = np.maximum(logits, -9999.0)
    return logits - logits.max() - math.log(np.exp(logits - logits.max()).sum())


def _row(
    word: str, shown: np.ndarray, number: int, request: dict[str, Any], *, displaces: bool = False
) -> dict[str, Any]:
    count = int(request.get("top_logprobs", request.get("logprobs", 0)))
    likeliest = np.argsort(-shown, kind="stable")[:count].tolist()
    if displaces and number not in likeliest:
        likeliest = [number, *likeliest[:-1]]
    top = [{"token": WORDS[i], "logprob": float(shown[i])} for i in likeliest]
    return {"token": word, "logprob": float(shown[number]), "bytes": list(word.encode()), "top_logprobs": top}


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "tokens": [row["token"] for row in rows],
        "token_logprobs": [row["logprob"] for row in rows],
        "top_logprobs": [
            # As servers do: the drawn token is added where it is not among the likeliest.
            {x["token"]: x["logprob"] for x in row["top_logprobs"]} | {row["token"]: row["logprob"]}
            for row in rows
        ],
    }


def _send(handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    _send_bytes(handler, status, raw, headers=headers)


def _send_bytes(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    *,
    length: int | None = None,
    headers: dict[str, str] | None = None,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


if __name__ == "__main__":
    port, log, most = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    with FaultServer(
        lambda number, _: "hang" if number >= most else None, frozenset({"n"}), port=port, log=log, is_probed=True
    ):
        # Whoever started it closes this.
        sys.stdin.read()
