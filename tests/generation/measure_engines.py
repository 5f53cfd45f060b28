"""Measures how far llama.cpp, transformers and a vLLM server agree on the same weights.

Run by hand: `python tests/generation/measure_engines.py MODEL.gguf FOLDER URL [RUN.audit ...]`, where the folder holds
the GGUF file's weights for transformers and the server serves that folder. It prints

- what each given run file found, one row a run;
- the differences of the log-probabilities that the engines give one token sequence a question;
- how often the bounds from the server's 20 likeliest tokens hold the entropy of the whole distribution, for answers
  that the server itself drew.

llama.cpp's own figures come from float16 weights; for the others start vLLM with `--dtype float32`.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from homogaudit.config import resource
from homogaudit.generation.openai_client import OpenAIClient, parse_addresses
from homogaudit.generation.openai_format import (
    Dialect,
    ServerToken,
    aligned_tokens,
    choices_of,
    payload,
    usage_of,
)
from homogaudit.generation.server_probe import find_model
from homogaudit.generation.server_statistics import token_entropy
from homogaudit.questions import load_questions
from homogaudit.records import Decoding, Prompting
from homogaudit.report.build import build
from homogaudit.store import RunFile

QUESTIONS = 20
TOKENS = 40
DRAWS = 3
"""Answers of the server to each question: the greedy one and two samples."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """An answer of the server: the ids of its prompt and of its tokens, and what the server tells of each of these."""

    prompt: list[int]
    tokens: list[int]
    told: tuple[ServerToken, ...]
    is_greedy: bool


class Server:
    """A vLLM server, with its extensions that tell token ids."""

    def __init__(self, url: str) -> None:
        self._client = OpenAIClient(parse_addresses(url)[0])

    async def draw(self, questions: Sequence[str]) -> list[Drawn]:
        """Return the greedy answer and samples to each question, as an audit asks for them."""
        self._model = (await find_model(self._client)).name
        wanted = [(text, seed) for text in questions for seed in range(DRAWS)]
        return await asyncio.gather(*(self._draw(*pair) for pair in wanted))

    async def _draw(self, question: str, seed: int) -> Drawn:
        request = payload(
            Dialect(),
            model=self._model,
            prompt=question,
            system=Prompting().system,
            decoding=Decoding(),
            temperature=1.0 if seed else 0.0,
            max_tokens=TOKENS,
            seed=seed,
        )
        answer = await self._client.post("chat/completions", request | {"return_token_ids": True})
        (choice,) = choices_of(answer, 1)
        told = aligned_tokens(choice, usage_of(answer).completion)
        assert told is not None, "the log-probabilities are of another length than the tokens"
        return Drawn(answer["prompt_token_ids"], answer["choices"][0]["token_ids"][: len(told)], told, not seed)

    async def logprobs(self, sequences: Sequence[Drawn]) -> list[Array]:
        """Return ln p of given tokens."""
        return await asyncio.gather(*(self._logprobs(sequence) for sequence in sequences))

    async def _logprobs(self, sequence: Drawn) -> Array:
        ids = [*sequence.prompt, *sequence.tokens]
        request = {"model": self._model, "prompt": ids, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 1}
        answer = await self._client.post("completions", request)
        rows = answer["choices"][0]["prompt_logprobs"][len(sequence.prompt) :]
        return np.array([row[str(token)]["logprob"] for row, token in zip(rows, sequence.tokens, strict=True)])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def transformers_distributions(folder: Path, sequences: Sequence[Drawn]) -> list[Array]:
    """Return (tokens, V) log-probabilities of each sequence, in float32 by one plain pass."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found: list[Array] = []
    for sequence in sequences:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*sequence.prompt, *sequence.tokens]])).logits[0]
        found.append(log_softmax(logits[len(sequence.prompt) - 1 : -1].double().numpy(), axis=1))
    return found


def llama_distributions(path: Path, sequences: Sequence[Drawn]) -> list[Array]:
    """Return (tokens, V) log-probabilities of each sequence by llama-cpp-python's own class."""
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False)
    found: list[Array] = []
    for sequence in sequences:
        model.reset()
        model.eval([*sequence.prompt, *sequence.tokens])
        start, length = len(sequence.prompt) - 1, len(sequence.tokens)
        found.append(log_softmax(np.array(model.scores[start : start + length], np.float64), axis=1))
    model.close()
    return found


def chosen(distributions: Sequence[Array], sequences: Sequence[Drawn]) -> list[Array]:
    """Return ln p of the tokens."""
    return [rows[np.arange(len(x.tokens)), x.tokens] for rows, x in zip(distributions, sequences, strict=True)]


def entropies(distributions: Sequence[Array]) -> Array:
    """Return -sum p ln p of every row, nats."""
    return np.concatenate([-(np.exp(rows) * rows).sum(axis=1) for rows in distributions])


def show_differences(name: str, one: Array, other: Array) -> None:
    """Print quantiles of the absolute differences."""
    found = np.abs(one - other)
    quantiles = "  ".join(
        f"{label} {np.percentile(found, share):.2g}" for label, share in (("median", 50), ("99%", 99), ("most", 100))
    )
    print(f"  {name:44} {quantiles}")


def show_bounds(drawn: Sequence[Drawn], distributions: Sequence[Array]) -> None:
    """Print how the bounds of the server's tokens lie about the entropies of whole distributions."""
    exact = entropies(distributions)
    vocabulary = distributions[0].shape[1]
    found = [
        token_entropy(token, k=20, vocabulary=vocabulary, is_greedy=x.is_greedy) for x in drawn for token in x.told
    ]
    low = np.array([bounds.low for bounds in found])
    high = np.array([bounds.high for bounds in found], np.float64)
    print(f"bounds from the 20 likeliest of {len(exact)} tokens in {len(drawn)} answers of the server, nats")
    print(f"  mean low {low.mean():.4f}, entropy {exact.mean():.4f}, high {high.mean():.4f}")
    is_drawn = np.array([not x.is_greedy for x in drawn for _ in x.told])
    estimates = np.array([bounds.estimate for bounds in found])[is_drawn]
    error = (estimates - exact[is_drawn]).std(ddof=1) / np.sqrt(len(estimates))
    print(f"  samples: mean estimate {estimates.mean():.4f}, entropy {exact[is_drawn].mean():.4f}, error {error:.4f}")
    print(f"  below low: {(exact < low).sum()}, by at most {max(0.0, (low - exact).max()):.2g}")
    print(f"  above high: {(exact > high).sum()}, by at most {max(0.0, (exact - high).max()):.2g}")


def show_run(path: Path) -> None:
    """Print one row of the table of runs."""
    with RunFile.open(path) as run:
        report = build(run)
        costs = [cost for cost in run.costs() if cost.resource in ("greedy", "samples")]
        greedy = [x.greedy.statistics.entropies for x in run.sample_sets() if x.greedy is not None]
        means = [rows.mean() for rows in greedy if rows is not None and len(rows)]
    speed = sum(cost.tokens or 0 for cost in costs) / max(1e-9, sum(cost.seconds for cost in costs))
    rates = "  ".join(
        f"{name} {method.scr.value:.3f} [{method.scr.low:.3f}, {method.scr.high:.3f}] of {method.scr.n}"
        for name, method in report.homogenization.methods.items()
    )
    entropy = f"{np.mean(means):.4f} over {len(means)}" if means else "not given"
    print(f"  {path.stem}: {speed:.0f} tokens/s  SCR {rates}  entropy of greedy answers {entropy}")


async def measure(gguf: Path, folder: Path, url: str) -> None:
    """Print the differences and the bounds."""
    questions = load_questions(resource("samples") / "misconceptions.jsonl", limit=QUESTIONS).questions
    server = Server(url)
    drawn = await server.draw([question.text for question in questions])
    # One sequence a question: a sample, whose tokens are less alike than those of the greedy answer.
    sequences = drawn[1::DRAWS]
    served = np.concatenate(await server.logprobs(sequences))
    await server.close()
    distributions = {
        "transformers": transformers_distributions(folder, sequences),
        "llama.cpp": llama_distributions(gguf, sequences),
    }
    own = {name: np.concatenate(chosen(rows, sequences)) for name, rows in distributions.items()}
    print(f"absolute differences of ln p, {len(served)} tokens of {len(sequences)} answers, nats")
    show_differences("llama.cpp - transformers", own["llama.cpp"], own["transformers"])
    show_differences("vLLM - transformers", served, own["transformers"])
    show_differences("vLLM - llama.cpp", served, own["llama.cpp"])
    drawing = np.array([token.logprob for x in sequences for token in x.told])
    show_differences("vLLM: of the prompt - while drawing", served, drawing)
    print("absolute differences of the entropies")
    show_differences("llama.cpp - transformers", *(entropies(distributions[x]) for x in ("llama.cpp", "transformers")))
    show_bounds(drawn, transformers_distributions(folder, drawn))


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("url")
    parser.add_argument("runs", type=Path, nargs="*")
    arguments = parser.parse_args()
    if arguments.runs:
        print("runs")
        for path in arguments.runs:
            show_run(path)
    asyncio.run(measure(arguments.gguf, arguments.folder, arguments.url))


if __name__ == "__main__":
    main()
