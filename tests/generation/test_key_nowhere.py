"""A server that repeats the key, wherever and however it writes it: no output, log, run file or event holds it."""

import base64
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from homogaudit import events
from homogaudit.cli.app import run_app
from homogaudit.generation.server_keys import KEY_VARIABLES

KEY = "sk-T0p/Secret+Key=='0\"123~x"
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "repr": lambda key: repr(f"Bearer {key}\r\n"),
    "url": lambda key: quote(key, safe=""),
    "url in small letters": lambda key: quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of the header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 of URLs": lambda key: base64.urlsafe_b64encode(f"a{key}".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "hex in capitals": lambda key: key.encode().hex().upper(),
    "JSON": lambda key: json.dumps({"key": key}),
    "URL escapes": lambda key: "".join(f"%{ord(char):02X}" for char in key),
    "HTML": lambda key: html.escape(key),
    "HTML escapes": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "JSON escapes": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
}


def _traces(key: str) -> Iterator[bytes]:
    """Yield what tells that the key is there: each form, of base64 what no neighbour of the key changes."""
    written = [repr(key)[1:-1], json.dumps(key)[1:-1], quote(key), quote(key, safe=""), key.encode().hex()]
    written += [FORMS[name](key) for name in ("JSON escapes", "URL escapes", "HTML", "HTML escapes")]
    for text in (key, *written):
        yield from {text.encode(), text.encode().upper(), text.encode().lower()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"?" * before + key.encode())[4:-4]


class Behaviour:
    """Where a server repeats the key, as options of the server of faults."""

    said = "; ".join(f"you sent `{form(KEY)}`" for form in FORMS.values())

    def in_answers(self) -> dict[str, Any]:
        def reshape(body: dict[str, Any], _: dict[str, Any]) -> dict[str, Any]:
            for choice in body["choices"]:
                choice["message"]["content"] = self.said
                choice["message"]["reasoning_content"] = self.said
                choice["finish_reason"] = self.said
                for row in (choice["logprobs"] or {}).get("content", [])[:1]:
                    row["token"] = self.said
            return {**body, "model": self.said, "id": self.said, "system_fingerprint": self.said}

        return {"reshape": reshape, "headers": {"X-Request-Id": self.said}}

    def in_refusals(self) -> dict[str, Any]:
        def refusal(request: dict[str, Any], _: bool) -> tuple[int, Any] | None:
            said = {"error": {"message": self.said, "code": self.said, "param": self.said}}
            return (400, said) if "Rome" in str(request) else None

        return {"refusal": refusal}

    def in_errors_of(self, status: int) -> dict[str, Any]:
        body = {"error": {"message": self.said, "type": self.said}}
        return {"refusal": lambda *_: (status, body, {"Retry-After": "0", "WWW-Authenticate": self.said})}

    def in_pages(self) -> dict[str, Any]:
        page = f"<html><title>{self.said}</title><body>{self.said}</body></html>".encode()
        return {"reshape": lambda *_: page}

    def in_the_list_of_models(self) -> dict[str, Any]:
        return {"model_list": {"data": [{"id": self.said, "owned_by": self.said}, {"id": "toy"}]}}


PLACES: dict[str, Callable[[Behaviour], dict[str, Any]]] = {
    "answers": Behaviour.in_answers,
    "refusals": Behaviour.in_refusals,
    "status 401": lambda behaviour: behaviour.in_errors_of(401),
    "status 500": lambda behaviour: behaviour.in_errors_of(500),
    "pages": Behaviour.in_pages,
    "list of models": Behaviour.in_the_list_of_models,
}


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines of the engine, as they cross the pipe."""
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(KEY_VARIABLES[0], KEY)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").write_text('{"question": "What do bees make?"}\n{"question": "Where is Rome?"}\n')
    lines: list[bytes] = []
    decode = events.decode

    def kept(line: bytes) -> events.Event:
        lines.append(line)
        return decode(line)

    monkeypatch.setattr(events, "decode", kept)
    return lines


@pytest.mark.parametrize("place", PLACES)
def test_the_key_is_nowhere(
    faults: ModuleType, seen: list[bytes], capfd: pytest.CaptureFixture[str], place: str
) -> None:
    told: list[str] = []
    with faults.FaultServer(**PLACES[place](Behaviour()), is_probed=True) as server:
        shape = ["-n", "2", "--max-tokens", "8", "--no-embedder", "--signals", "response_length", "-o", "x.audit"]
        run_app(["run", f"{server.url}#toy", "questions.jsonl", *shape])
        for command in (["report", "--full"], ["report", "--json"], ["report", "--html", "x.html"], ["export"]):
            run_app([command[0], "x.audit", *command[1:]])
        run_app(["doctor"])
        run_app(["runs", "show", "x.audit", "--json"])
        assert any(key == f"Bearer {KEY}" for _, key in server.seen), "the server was never told the key"
    told += capfd.readouterr()
    written = {path.name: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    written |= {"stdout and stderr": "\n".join(told).encode(), "events": b"\n".join(seen)}
    assert seen or place == "list of models" or place == "status 401"
    found = {name: trace for name, content in written.items() for trace in _traces(KEY) if trace in content}
    assert not found
    if place in ("answers", "refusals"):
        assert b"***" in written["x.audit"]
