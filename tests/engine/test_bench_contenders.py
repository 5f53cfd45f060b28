"""What `bench` compares the engine with: each does the same work, and counts it alike."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.engine.bench_contenders import Engine, ServerContender, TransformersGenerate
from homogaudit.errors import ModelError
from homogaudit.generation.transformers_model import TransformersGenerator
from homogaudit.records import Decoding, Prompting

QUESTIONS = ["Who was it?", "Why is the sky green?"]


@contextmanager
def counted(faults: ModuleType, decoding: Decoding, **options: Any) -> Iterator[tuple[Any, ServerContender]]:
    with faults.FaultServer(**options) as server, closing(ServerContender(server.url, decoding, ())) as contender:
        server.requests.clear()
        yield server, contender


def test_generate_and_the_engine_draw_the_same_greedy_answers(tiny_llama: Path):
    # At temperature 0 every sample is the greedy answer, so both must count the same tokens.
    decoding = Decoding(samples=2, temperature=0.0, max_tokens=12, greedy_max_tokens=12)
    generator = TransformersGenerator(tiny_llama, Prompting(), now=datetime.now(UTC), gpu_layers=0, threads=1)
    with closing(generator):
        expected = [
            Engine(generator, decoding, share_prefixes=shared).measure(QUESTIONS, 1) for shared in (True, False)
        ]
    assert expected[0].tokens == expected[1].tokens
    # Three equal answers need three times the passes apart that they need together.
    assert expected[1].details["passes"] == 3 * expected[0].details["passes"]
    with closing(TransformersGenerate(tiny_llama, decoding, threads=1, gpu_layers=0)) as generate:
        assert generate.measure(QUESTIONS, 1).tokens == expected[0].tokens


@pytest.mark.parametrize(("one_by_one", "name"), [(False, "transformers generate"), (True, "serial loop")])
def test_generate_draws_samples_together_or_one_by_one(tiny_llama: Path, one_by_one: bool, name: str):
    decoding = Decoding(samples=3, max_tokens=5, greedy_max_tokens=5)
    made = TransformersGenerate(tiny_llama, decoding, threads=1, gpu_layers=0, one_by_one=one_by_one)
    with closing(made) as generate:
        rows: list[int] = []
        inner: Callable[..., Any] = generate._model.generate  # pyright: ignore[reportPrivateUsage]

        def spy(**options: Any) -> Any:
            found = inner(**options)
            rows.append(len(found))
            return found

        generate._model.generate = spy  # pyright: ignore[reportPrivateUsage]
        timing = generate.measure(QUESTIONS, 1)
    assert made.name == name
    # The greedy answer, then the samples; of each question.
    assert rows == ([1, 1, 1, 1] if one_by_one else [1, 3]) * 2
    assert 0 < timing.tokens <= 2 * 4 * 5
    assert timing.speed == timing.tokens / timing.seconds


def test_a_server_is_asked_for_all_samples_of_a_question_at_once_and_for_no_log_probabilities(faults: ModuleType):
    decoding = Decoding(samples=5, temperature=0.7, max_tokens=20, greedy_max_tokens=20)
    with counted(faults, decoding) as (server, contender):
        timing = contender.measure(QUESTIONS, 1)
    assert contender.name == server.url
    # The server counts 4 words an answer: 2 questions, the greedy answer and 5 samples.
    assert timing.tokens == 2 * 6 * 4
    assert sorted((x["temperature"], x["n"]) for x in server.requests) == [(0.0, 1)] * 2 + [(0.7, 5)] * 2
    assert not any("logprobs" in request for request in server.requests)
    assert len({request["seed"] for request in server.requests}) == 4


def test_a_server_that_ignores_n_is_asked_sample_by_sample(faults: ModuleType):
    decoding = Decoding(samples=3, max_tokens=20, greedy_max_tokens=20)
    with counted(faults, decoding, ignores=frozenset({"n"})) as (server, contender):
        assert contender.measure(QUESTIONS, 1).tokens == 2 * 4 * 4
    assert [request["n"] for request in server.requests] == [1] * 8


def test_a_server_without_chat_gets_the_prompt_of_a_base_model(faults: ModuleType):
    with counted(faults, Decoding(samples=2), has_chat=False) as (server, contender):
        contender.measure(QUESTIONS[:1], 1)
    assert {request["prompt"] for request in server.requests} == {"Q: Who was it?\nA:"}
    assert {tuple(request["stop"]) for request in server.requests} == {("\n",)}


def test_a_server_that_does_not_count_tokens_is_no_contender(faults: ModuleType):
    def uncounted(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "usage"}

    with counted(faults, Decoding(samples=2), reshape=uncounted) as (_, contender):
        with pytest.raises(ModelError, match="does not count tokens"):
            contender.measure(QUESTIONS, 1)
