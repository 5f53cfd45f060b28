import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import LlamaSequences
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, ServerAddress
from homogaudit.generation.openai_format import choices_of
from homogaudit.generation.top_k_entropy import top_k_entropy
from homogaudit.records import GREEDY, Decoding, Prompting

from .conftest import LlamaServing

PROMPT = "Q: Name a city in Italy.\nA:"


def test_log_probabilities_and_entropy_bounds_are_those_of_the_model_in_this_process(
    llama_server: str, smollm_f16: Path
) -> None:
    async def ask() -> dict[str, object]:
        client = OpenAIClient(ServerAddress(llama_server))
        request = {"model": "smol", "prompt": PROMPT, "max_tokens": 10, "logprobs": 20, "seed": 4}
        answer = await client.post("completions", {**request, "temperature": 1.0, "top_p": 1.0, "top_k": 0})
        await client.close()
        return answer

    (choice,) = choices_of(asyncio.run(ask()), 1)
    assert choice.tokens
    model = LlamaModel(smollm_f16)
    sequences = LlamaSequences(model, sequences=2, cells=256, threads=2)
    position = len(tokens := model.tokenize(PROMPT))
    logits = sequences.prefill(0, tokens, 0)
    by_text = {model.piece(number): number for number in range(model.vocabulary - 1, -1, -1)}
    differences: list[float] = []
    for token in choice.tokens:
        own = logits.astype(np.float64) - np.logaddexp.reduce(logits.astype(np.float64))
        number = by_text[token.text]
        differences.append(abs(float(own[number]) - token.logprob))
        exact = -float((np.exp(own) * own).sum())
        head = token.head[:20]
        bounds = top_k_entropy(head, token.logprob, in_head=token.logprob >= head[-1], vocabulary=model.vocabulary)
        assert bounds.high is not None
        # Two processes round the same weights a little differently.
        assert bounds.low - 0.02 <= exact <= bounds.high + 0.02
        logits = sequences.prefill(0, [number], position)
        position += 1
    sequences.close()
    model.close()
    assert np.median(differences) < 0.02
    assert np.percentile(differences, 99) < 0.2


@pytest.fixture(scope="module")
def generator(llama_serving: LlamaServing) -> Iterator[OpenAIGenerator]:
    """One for both tests: the probes take most of their time."""
    policy = RetryPolicy(first_seconds=0.1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = OpenAIGenerator(llama_serving.url, Prompting(mode="base"), now=now, concurrency=1, policy=policy)
    yield made
    made.close()


def _requests(generator: OpenAIGenerator, *indexes: int) -> list[DrawRequest]:
    return [DrawRequest("q0", generator.prompt("Name a city in Italy."), indexes)]


def test_the_probes_find_what_the_server_does(generator: OpenAIGenerator) -> None:
    drawing = generator.draw(_requests(generator, GREEDY, 0), Decoding(max_tokens=6, greedy_max_tokens=6))
    found = [generation for _ in iter(lambda: drawing.is_done, True) for generation in drawing.step()]
    facts = generator.facts
    assert facts.details["top_k"] == facts.details["min_p"] == facts.details["seed"] == "honoured"
    assert facts.details["n"] == "separate requests" and facts.details["top_logprobs"] == 20 and not facts.warnings
    assert {x.sample_index for x in found} == {GREEDY, 0}
    assert all(x.statistics.entropies is not None and len(x.statistics.entropies) == x.tokens for x in found)


def test_draws_go_on_when_the_server_is_back_after_it_was_killed(
    llama_serving: LlamaServing, generator: OpenAIGenerator
) -> None:
    drawing = generator.draw(_requests(generator, GREEDY, 0, 1), Decoding(max_tokens=6, greedy_max_tokens=6))
    found = []
    while not found:
        found += drawing.step()
    llama_serving.kill()
    while not any("the run waits for it" in warning for warning in generator.facts.warnings):
        found += drawing.step()
    assert len(found) < 3 and not drawing.is_done
    llama_serving.start()
    while not drawing.is_done:
        found += drawing.step()
    assert sorted(x.sample_index for x in found) == [GREEDY, 0, 1]
    assert generator.facts.warnings[-1] == f"the server `{llama_serving.url}` answers again"
