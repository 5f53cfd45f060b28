"""Measures what an audit costs a server: tokens a second of the generator against a plain client's for the same work.

Run by hand: `python tests/generation/measure_server_speed.py URL [ROUNDS]`. The plain client sends everything at once
and reads nothing but the count of tokens, so it shows the server's own limit: with log-probabilities as an audit needs
them, and without. All take turns, because machines are noisy; compare the ratios.
"""

import asyncio
import statistics
import sys
import time
from datetime import UTC, datetime

import httpx

from homogaudit.config import resource
from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import OpenAIClient, parse_addresses
from homogaudit.generation.openai_format import Dialect, payload
from homogaudit.generation.server_probe import find_model
from homogaudit.questions import load_questions
from homogaudit.records import GREEDY, Decoding, Prompting

QUESTIONS = 20
DECODING = Decoding(samples=10, max_tokens=40, greedy_max_tokens=40)


def generator_speed(url: str, questions: list[str], seed: int) -> float:
    """Return the tokens a second of an audit's draws, the probes before them left out."""
    generator = OpenAIGenerator(url, Prompting(), now=datetime.now(UTC))
    try:
        indexes = (GREEDY, *range(DECODING.samples))
        requests = [DrawRequest(f"{seed}-{n}", generator.prompt(text), indexes) for n, text in enumerate(questions)]
        drawing = generator.draw(requests, DECODING)
        begun = time.perf_counter()
        while not drawing.is_done:
            drawing.step()
        return drawing.counts.tokens / (time.perf_counter() - begun)
    finally:
        generator.close()


async def plain_speed(url: str, model: str | None, questions: list[str], seed: int, *, logprobs: bool) -> float:
    """Return the tokens a second of the same requests, sent at once by a client that does nothing else."""
    dialect = Dialect(top_logprobs=20 if logprobs else 0)
    requests = [
        payload(
            dialect,
            model=model,
            prompt=text,
            system=Prompting().system,
            decoding=DECODING,
            temperature=temperature,
            max_tokens=DECODING.max_tokens,
            seed=1000 * seed + number,
            n=n,
        )
        for number, text in enumerate(questions)
        for temperature, n in ((0.0, 1), (1.0, DECODING.samples))
    ]
    limits = httpx.Limits(max_connections=len(requests))
    async with httpx.AsyncClient(timeout=600.0, limits=limits, trust_env=False) as client:
        begun = time.perf_counter()
        answers = await asyncio.gather(*(client.post(f"{url}/chat/completions", json=request) for request in requests))
        seconds = time.perf_counter() - begun
    return sum(answer.json()["usage"]["completion_tokens"] for answer in answers) / seconds


async def only_model(url: str) -> str | None:
    """Return the name of the server's model."""
    client = OpenAIClient(parse_addresses(url)[0])
    try:
        return (await find_model(client)).name
    finally:
        await client.close()


def main(url: str, rounds: int = 3) -> None:
    """Print the speeds of each round, and the ratios of their medians."""
    questions = [
        x.text for x in load_questions(resource("samples") / "misconceptions.jsonl", limit=QUESTIONS).questions
    ]
    model = asyncio.run(only_model(url))
    speeds: dict[str, list[float]] = {"audit": [], "plain client": [], "plain client without log-probabilities": []}
    for seed in range(rounds):
        found = [
            generator_speed(url, questions, seed),
            *(asyncio.run(plain_speed(url, model, questions, seed, logprobs=logprobs)) for logprobs in (True, False)),
        ]
        for row, speed in zip(speeds.values(), found, strict=True):
            row.append(speed)
    own = statistics.median(speeds["audit"])
    for name, row in speeds.items():
        middle = statistics.median(row)
        print(f"{name:40} {middle:6.0f} tokens/s  audit / this {own / middle:.2f}  rounds {[round(x) for x in row]}")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), *map(int, sys.argv[2:]))
