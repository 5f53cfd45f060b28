"""What a server may answer, at its worst: every reply is read, or is one clear error of this project."""

import asyncio
import copy
import gzip
import json
import math
import time
import zlib
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homogaudit.errors import EngineError, HomogauditError
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, ServerAddress
from homogaudit.generation.openai_format import aligned_tokens, choices_of, usage_of
from homogaudit.generation.server_errors import RefusedError
from homogaudit.generation.server_models import listed_models
from homogaudit.generation.server_replies import Unpacker, parsed

_ONCE = RetryPolicy(attempts=1, first_seconds=0.0, most_seconds=0.0)

_HEAD = [{"token": "Ro", "logprob": -0.1, "bytes": [82, 111]}]
_REPLY = {
    "id": "x",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Ro"},
            "logprobs": {"content": [{**_HEAD[0], "top_logprobs": _HEAD}]},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 0}},
    "data": [{"id": "m", "max_model_len": 4096, "meta": {"n_vocab": 5}, "embedding": [0.5, 0.5], "created": 1}],
}


def ask(body: bytes, status: int = 200, **headers: str) -> dict[str, Any]:
    """Send one request to a server that answers so."""

    async def main() -> dict[str, Any]:
        client = OpenAIClient(ServerAddress("http://x/v1"), key="sk-0123456789abcdef", policy=_ONCE)

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

        client._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        try:
            return await client.post("chat/completions", {})
        finally:
            await client.close()

    return asyncio.run(main())


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [2**63, -(2**70), 10**400, 10**5000, 1e308, -1e308, math.inf, math.nan, "", "\ud800", "x" * 70_000]
    ),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=5),
    st.recursive(
        st.integers() | st.text(max_size=3), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good reply with one to three values, at any depth, in the place of others."""
    reply: Any = copy.deepcopy(_REPLY)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = reply
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(_ODD)
            break
    return reply


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated(), st.sampled_from([200, 200, 200, 400, 404, 422, 429, 500]))
def test_any_reply_is_read_or_one_clear_error(reply: Any, status: int) -> None:
    body = _dumped(reply).encode("utf-8", "surrogatepass")
    begun = time.process_time()
    _read(body, status)
    assert time.process_time() - begun < 2


def _read(body: bytes, status: int) -> None:
    try:
        found = ask(body, status)
    except (HomogauditError, RefusedError) as error:
        assert "\n" not in str(error)
        return
    usage = usage_of(found)
    for number in (usage.prompt, usage.completion, usage.reasoning):
        assert number is None or 0 <= number < 2**63
    for choice in choices_of(found, 4):
        choice.text.encode()
        aligned_tokens(choice, usage.completion)
        for token in choice.tokens or ():
            assert math.isfinite(token.logprob)
    listed_models(found)


def _dumped(value: Any) -> str:
    """Return JSON with whole numbers of any length, which Python does not write."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_dumped(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumped, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**4000:
        return "9" * 5000
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), (str(2**63), 2.0**63), ("9" * 5000, math.inf), ("-" + "9" * 400, -math.inf)]
)
def test_whole_numbers_beyond_64_bits_are_floats(text: str, value: float) -> None:
    found = parsed(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_a_packed_reply_is_read(pack: Any) -> None:
    name = "gzip" if pack is gzip.compress else "deflate"
    assert ask(pack(b'{"choices": []}'), **{"Content-Encoding": name}) == {"choices": []}


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "gzip, deflate", "zstd"])
def test_a_reply_that_is_packed_otherwise_is_refused(encoding: str) -> None:
    with pytest.raises(RefusedError, match="packed as"):
        ask(gzip.compress(b"{}"), **{"Content-Encoding": encoding})


def test_a_small_reply_that_unpacks_to_much_is_refused_before_it_fills_the_memory() -> None:
    packed = gzip.compress(bytes(300 << 20))
    unpacker = Unpacker("gzip")
    assert len(unpacker.unpack(packed, 1000)) == 1000
    with pytest.raises(RefusedError, match="larger than 64 MiB"):
        ask(packed, **{"Content-Encoding": "gzip"})


def test_a_damaged_packed_reply_is_refused() -> None:
    with pytest.raises(RefusedError, match="damaged"):
        ask(b"no gzip at all", **{"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "wait", ["-5", "nan", "inf", "-inf", "Tue, 29 Oct 0001 16:56:32 GMT", "x, 99 Oct 99999 1:1:1 GMT"]
)
def test_a_time_to_wait_that_is_none_leaves_the_waiting_to_us(wait: str) -> None:
    with pytest.raises(EngineError) as caught:
        ask(b"busy", 429, **{"Retry-After": wait})
    assert "asks to wait" not in str(caught.value)


def test_a_key_in_an_escaped_answer_is_found() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in "sk-0123456789abcdef")
    found = ask(f'{{"choices": [{{"message": {{"content": "{escaped}"}}}}]}}'.encode())
    assert found["choices"][0]["message"]["content"] == "***"
