import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from homogaudit.errors import EngineError, ModelError
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, ServerAddress, parse_addresses
from homogaudit.generation.openai_format import Choice, ServerToken, aligned_tokens
from homogaudit.generation.server_keys import KEY_VARIABLES, api_key
from homogaudit.generation.server_models import ServerModel, find_model
from homogaudit.generation.server_probe import ServerFacts, ServerProbe, same_head

from ..patience import PATIENCE

QUICK = RetryPolicy(attempts=2, first_seconds=0.001, most_seconds=0.05, timeout_seconds=PATIENCE)


@pytest.fixture
def probe(faults: ModuleType) -> Callable[..., ServerFacts]:
    def run(*, mode: str = "auto", policy: RetryPolicy = QUICK, **options: Any) -> ServerFacts:
        async def ask(url: str) -> ServerFacts:
            client = OpenAIClient(ServerAddress(url), policy=policy)
            try:
                return await ServerProbe(client, "toy", mode).run()
            finally:
                await client.close()

        with faults.FaultServer(length=8, **options) as server:
            return asyncio.run(ask(server.url))

    return run


@pytest.fixture
def find(faults: ModuleType) -> Callable[..., ServerModel]:
    def run(model: str | None = None, **options: Any) -> ServerModel:
        async def ask(url: str) -> ServerModel:
            client = OpenAIClient(ServerAddress(url, model), policy=QUICK)
            try:
                return await find_model(client)
            finally:
                await client.close()

        with faults.FaultServer(**options) as server:
            return asyncio.run(ask(server.url))

    return run


def test_a_good_server_honours_everything(probe: Callable[..., ServerFacts]) -> None:
    found = probe()
    assert found.honours_n and found.honours_seed and found.honours_top_k and found.honours_min_p
    assert found.top_logprobs == 20 and not found.no_statistics and not found.warnings


@pytest.mark.parametrize(
    ("name", "warning"), [("seed", "ignores the seed"), ("top_k", "`top_k`"), ("min_p", "`min_p`")]
)
def test_a_parameter_without_effect_is_told(probe: Callable[..., ServerFacts], name: str, warning: str) -> None:
    found = probe(ignores=frozenset({name}))
    assert getattr(found, f"honours_{name}") is False
    assert any(warning in text for text in found.warnings)


def test_a_server_that_ignores_n_is_asked_for_one_answer_at_a_time(probe: Callable[..., ServerFacts]) -> None:
    found = probe(ignores=frozenset({"n"}))
    assert not found.honours_n and not found.warnings


def test_equal_answers_from_a_cache_are_told(probe: Callable[..., ServerFacts]) -> None:
    found = probe(cached=True)
    assert any("a cache" in text and "10 answers" in text for text in found.warnings)
    assert found.honours_seed is None


def test_a_slow_server_is_found_to_do_what_a_fast_one_does(probe: Callable[..., ServerFacts]) -> None:
    assert probe(slow_seconds=0.1) == probe()


def test_a_server_slower_than_the_time_limit_is_one_clear_error(probe: Callable[..., ServerFacts]) -> None:
    with pytest.raises(EngineError, match="does not answer in time") as raised:
        probe(slow_seconds=60.0, policy=replace(QUICK, timeout_seconds=0.1))
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("name", ["top_k", "min_p", "repeat_penalty", "chat_template_kwargs", "logprobs", "seed"])
def test_a_parameter_that_is_refused_is_left_out(probe: Callable[..., ServerFacts], name: str) -> None:
    found = probe(refuses=frozenset({name}))
    assert found.dialect.sampling and found.dialect.penalties
    if name == "logprobs":
        assert found.no_statistics == "the server gives no log-probabilities" and found.dialect.extensions
    elif name == "seed":
        assert found.honours_seed is False and found.top_logprobs == 20
    elif name != "chat_template_kwargs":
        assert not found.dialect.extensions and found.top_logprobs == 20


def test_max_completion_tokens_is_used_where_max_tokens_is_refused(probe: Callable[..., ServerFacts]) -> None:
    found = probe(refuses=frozenset({"max_tokens"}))
    assert found.dialect.limit_name == "max_completion_tokens" and found.top_logprobs == 20


def test_a_server_without_chat_gets_completions_where_that_is_left_to_it(probe: Callable[..., ServerFacts]) -> None:
    assert not probe(has_chat=False).dialect.chat
    with pytest.raises(ModelError, match="refuses a plain request"):
        probe(has_chat=False, mode="chat")


def test_the_only_model_is_meant(find: Callable[..., ServerModel]) -> None:
    assert find() == ServerModel("toy", 512, 40, {"n_vocab": 40})


def test_the_vocabulary_of_vllm_is_read_from_a_refusal(find: Callable[..., ServerModel]) -> None:
    assert find(is_vllm=True) == ServerModel("toy", 512, 40)


def test_of_several_models_one_must_be_named(find: Callable[..., ServerModel]) -> None:
    with pytest.raises(ModelError, match="has 2 models: `a`, `b`"):
        find(models=("a", "b"))
    assert find("b", models=("a", "b")).name == "b"
    with pytest.raises(ModelError, match="has no model `c`"):
        find("c", models=("a", "b"))


def test_addresses_share_the_model_that_one_of_them_names() -> None:
    assert parse_addresses("http://a/v1/, http://b/v1#org/model") == [
        ServerAddress("http://a/v1", "org/model"),
        ServerAddress("http://b/v1", "org/model"),
    ]
    assert parse_addresses("http://a/v1", "m") == [ServerAddress("http://a/v1", "m")]


def test_the_key_of_this_project_goes_before_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    url = "https://api.example-7.com:8443/v1"
    assert api_key(url) is None
    monkeypatch.setenv("OPENAI_API_KEY", "common")
    assert api_key(url) == "common"
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", "own")
    assert api_key(url) == "own"
    monkeypatch.setenv("HOMOGAUDIT_API_KEY_API_EXAMPLE_7_COM", "the host's")
    assert api_key(url) == "the host's"
    assert api_key("https://other.com/v1") == "own"


def _choice(text: str, *tokens: str | bytes, finish: str = "stop") -> Choice:
    pieces = tuple(ServerToken(x if isinstance(x, bytes) else x.encode(), -1.0) for x in tokens)
    return Choice(0, text, finish, "", pieces)


@pytest.mark.parametrize(
    ("choice", "count", "kept"),
    [
        (_choice("Rome.", "Ro", "me", ".", "<end>"), 4, 3),
        (_choice("Rome.", "Ro", "me", "."), 4, 3),
        (_choice("Rome", " Rome", "\n", "Q:"), 3, 1),
        (_choice("Rome", " ", "Rome"), 2, 2),
        (_choice("é", b"\xc3", b"\xa9", finish="length"), 2, 2),
        # Halves of a character as a server shows them: only their number tells.
        (_choice("é!", "\ufffd", "\ufffd", "!"), 3, 3),
        (_choice("é!", "\ufffd", "\ufffd", "!", "<end>"), 4, 3),
        (_choice("é!", "\ufffd", "!"), 5, None),
        (_choice("Rome.", "me", "."), 3, None),
        (_choice("Rome", "Paris"), 1, None),
        (_choice("", "<end>"), 1, 0),
    ],
)
def test_tokens_are_those_that_wrote_the_text(choice: Choice, count: int, kept: int | None) -> None:
    found = aligned_tokens(choice, count)
    assert (None if found is None else len(found)) == kept


def test_two_heads_are_the_same_where_most_log_probabilities_are() -> None:
    head = {"a": -0.5, "b": -1.5, "c": -3.0}
    assert same_head(head, {"a": -0.52, "b": -1.5, "c": -3.3})
    assert not same_head(head, {"a": -0.1, "b": -2.5, "c": -5.5})
    assert not same_head(head, {"a": 0.0})
    assert not same_head(head, {})
