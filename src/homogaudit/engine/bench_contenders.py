"""What `homogaudit bench` times in turn: the engine, and the ways in which one would draw the same answers without it.

Each is loaded once and measured round by round on the same questions; none knows of the others. Prompts, limits and
sampling parameters are the same for all, and so are the threads of those that run in this process.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from homogaudit.errors import ModelError
from homogaudit.generation import DrawRequest
from homogaudit.generation.dialect import payload
from homogaudit.generation.local_generator import LocalGenerator
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient, parse_addresses
from homogaudit.generation.openai_format import usage_of
from homogaudit.generation.server_errors import RefusedError
from homogaudit.generation.server_keys import api_key
from homogaudit.generation.server_models import find_model
from homogaudit.generation.server_probe import ServerProbe
from homogaudit.questions.prompts import PromptRenderer
from homogaudit.records import GREEDY, Decoding, Prompting

_BASE_PROMPT, _BASE_STOP = "Q: {}\nA:", "\n"
"""What a base model is asked, and what ends its answer, as in a run."""

_CONNECTIONS = 1024
"""Requests at the same time: a server is to choose for itself how much it does together."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One round of one contender.

    Attributes:
        tokens: Answer tokens drawn; the token that ends an answer is counted by servers alone.
        details: What it tells of itself, by name.
    """

    tokens: int
    seconds: float
    details: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def speed(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


class Contender(Protocol):
    """One way to draw a greedy answer and samples for each question; loaded and warm once it is made."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it calls, and with what."""
        ...

    def measure(self, questions: Sequence[str], seed: int) -> Timing:
        """Draw the answers to some questions, and return how long that took."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Engine:
    """homogaudit's own sampler, with or without the tree in which samples share equal beginnings."""

    def __init__(self, generator: LocalGenerator[Any], decoding: Decoding, *, share_prefixes: bool = True) -> None:
        self.name = "engine" if share_prefixes else "engine without prefix tree"
        self._generator = generator
        self._decoding = decoding
        self._share_prefixes = share_prefixes
        self.arguments: Mapping[str, Any] = {"share_prefixes": share_prefixes}

    def measure(self, questions: Sequence[str], seed: int) -> Timing:
        """Draw as an audit does; what it warms up with before it draws is left out."""
        indexes = (GREEDY, *range(self._decoding.samples))
        prompts = [self._generator.prompt(text) for text in questions]
        requests = [DrawRequest(f"{seed}-{n}", prompt, indexes) for n, prompt in enumerate(prompts)]
        drawing = self._generator.draw(requests, self._decoding, share_prefixes=self._share_prefixes)
        live = unshared = 0
        while not drawing.is_done:
            for generation in drawing.step():
                # The first token comes with the prompt; an answer that ends by itself needs a pass to say so.
                unshared += (generation.tokens or 0) - (generation.finish_reason == "length")
            live += drawing.live
        counts = drawing.counts
        details = {
            "host_share": 1 - counts.model_seconds / counts.seconds,
            "slots_in_use": live / max(1, counts.steps),
            "passes": counts.passes,
            "passes_saved": 1 - counts.passes / max(1, unshared),
            "forwarded_per_second": (counts.passes + counts.prompt_tokens) / counts.seconds,
        }
        return Timing(counts.tokens, counts.seconds, details)

    def close(self) -> None:
        """Leave the generator to whoever made it."""


class LlamaLoop:
    """The loop that users of llama-cpp-python write: one call a sample, the prompt's cells reused by the library."""

    name = "serial loop"

    def __init__(self, path: Path, decoding: Decoding, *, mode: str, threads: int, gpu_layers: int | None) -> None:
        import llama_cpp

        loading: dict[str, Any] = {
            "n_ctx": 2048,
            "n_threads": threads,
            "n_threads_batch": threads,
            "n_gpu_layers": -1 if gpu_layers is None else gpu_layers,
            "logits_all": False,
            "verbose": False,
        }
        self._calling: dict[str, Any] = {
            "max_tokens": decoding.max_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": decoding.top_k,
            "min_p": decoding.min_p,
            "repeat_penalty": 1.0,
        }
        self._calls = decoding.samples + 1
        self._is_base = mode == "base"
        self._model: Any = llama_cpp.Llama(str(path), **loading)
        self.arguments = {
            "function": "create_completion" if self._is_base else "create_chat_completion",
            "Llama": loading,
            "call": self._calling,
        }
        self._answer("Hello?")

    def measure(self, questions: Sequence[str], seed: int) -> Timing:
        """Call once for each answer."""
        self._model.set_seed(seed)
        begun = time.perf_counter()
        tokens = sum(self._answer(question) for question in questions for _ in range(self._calls))
        return Timing(tokens, time.perf_counter() - begun)

    def _answer(self, question: str) -> int:
        """Return the tokens of an answer."""
        if self._is_base:
            answer = self._model.create_completion(_BASE_PROMPT.format(question), stop=[_BASE_STOP], **self._calling)
        else:
            messages = [{"role": "system", "content": Prompting().system}, {"role": "user", "content": question}]
            answer = self._model.create_chat_completion(messages, **self._calling)
        return answer["usage"]["completion_tokens"]

    def close(self) -> None:
        """Free the model."""
        self._model.close()


class TransformersGenerate:
    """`generate` of transformers: a call for the greedy answer, and one for all samples or one for each."""

    def __init__(
        self, folder: Path, decoding: Decoding, *, threads: int, gpu_layers: int | None, one_by_one: bool = False
    ) -> None:
        import torch

        from homogaudit.generation.transformers_folder import check_folder
        from homogaudit.generation.transformers_loading import best_device, load_model, load_tokens

        check_folder(folder)
        torch.set_num_threads(threads)
        device = "cpu" if gpu_layers == 0 else best_device()
        self._torch: Any = torch
        self._model: Any = load_model(folder, torch.device(device))
        self.name = "serial loop" if one_by_one else "transformers generate"
        self._tokens = tokens = load_tokens(folder, self._model)
        self._renderer = PromptRenderer(
            Prompting(),
            chat_template=tokens.chat_template,
            bos_token=tokens.bos_text,
            eos_token=tokens.eos_text,
            now=datetime.now(UTC),
            has_token=tokens.has_token,
        )
        ends = [number for number in range(tokens.vocabulary) if tokens.ends(number)]
        limit = {"max_new_tokens": decoding.max_tokens, "eos_token_id": ends, "pad_token_id": ends[0] if ends else 0}
        sampling = {
            "do_sample": True,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": decoding.top_k,
            "min_p": decoding.min_p or None,
        }
        greedy = {"do_sample": False}
        drawn = sampling if decoding.temperature > 0 else greedy
        alone = one_by_one or drawn is greedy
        repeated = [drawn] * decoding.samples if alone else [{**drawn, "num_return_sequences": decoding.samples}]
        self._calls = [limit | call for call in (greedy, *repeated)]
        self.arguments = {"function": "generate", "dtype": str(self._model.dtype), "call": self._calls[-1]}
        self._generate("Hello?", self._calls[0])

    def measure(self, questions: Sequence[str], seed: int) -> Timing:
        """Call question by question."""
        self._torch.manual_seed(seed)
        begun = time.perf_counter()
        tokens = sum(self._generate(question, call) for question in questions for call in self._calls)
        return Timing(tokens, time.perf_counter() - begun)

    def _generate(self, question: str, call: Mapping[str, Any]) -> int:
        """Return the tokens of the answers, without those that end or pad them."""
        ids = self._tokens.prompt_tokens(self._renderer.render(question))
        prompt = self._torch.tensor([ids], device=self._model.device)
        with self._torch.inference_mode():
            rows = self._model.generate(input_ids=prompt, attention_mask=self._torch.ones_like(prompt), **call)
        answers = rows[:, len(ids) :].tolist()
        return sum(next((n for n, x in enumerate(row) if self._tokens.ends(x)), len(row)) for row in answers)

    def close(self) -> None:
        """Free the model."""
        self._model = None


class ServerContender:
    """An OpenAI-compatible server that is sent everything at once and asked for no log-probabilities.

    `location` is `URL[#MODEL]`; for `key_origins` see `api_key`.

    Raises:
        ModelError: It cannot be reached, refuses the key, lacks the model, or counts no tokens.
        EngineError: It is gone.
    """

    def __init__(self, location: str, decoding: Decoding, key_origins: Sequence[str]) -> None:
        address = parse_addresses(location)[0]
        self.name = address.url
        self._decoding = decoding
        self._client = OpenAIClient(address, key=api_key(address.url, key_origins), connections=_CONNECTIONS)
        self._loop = LoopThread()
        self._model = self._loop.run(find_model(self._client)).name
        found = self._loop.run(ServerProbe(self._client, self._model, "auto").run())
        self._dialect = replace(found.dialect, top_logprobs=0)
        self._together = decoding.samples if found.honours_n else 1
        self.arguments = {"function": self._path, "n": self._together, "connections": _CONNECTIONS}

    @property
    def _path(self) -> str:
        return "chat/completions" if self._dialect.chat else "completions"

    def measure(self, questions: Sequence[str], seed: int) -> Timing:
        """Send the requests of all questions at once; the queue is the server's."""
        begun = time.perf_counter()
        tokens = self._loop.run(self._ask_all(questions, seed))
        return Timing(tokens, time.perf_counter() - begun)

    async def _ask_all(self, questions: Sequence[str], seed: int) -> int:
        samples = (self._decoding.temperature, self._together)
        calls = [(0.0, 1), *[samples] * (self._decoding.samples // self._together)]
        wanted = [(question, *call) for question in questions for call in calls]
        return sum(
            await asyncio.gather(*(self._ask(*work, seed=seed * len(wanted) + n) for n, work in enumerate(wanted)))
        )

    async def _ask(self, question: str, temperature: float, n: int, *, seed: int) -> int:
        """Return the tokens of the answers to one request."""
        request = payload(
            self._dialect,
            model=self._model,
            prompt=question if self._dialect.chat else _BASE_PROMPT.format(question),
            system=Prompting().system,
            decoding=self._decoding,
            temperature=temperature,
            max_tokens=self._decoding.max_tokens,
            seed=seed,
            n=n,
            stop=() if self._dialect.chat else (_BASE_STOP,),
        )
        try:
            tokens = usage_of(await self._client.post(self._path, request)).completion
        except RefusedError as refusal:
            raise ModelError(f"the server `{self.name}` refuses a request: {refusal.reason}") from refusal
        if tokens is None:
            raise ModelError(f"the server `{self.name}` does not count tokens", "leave out `--against`")
        return tokens

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self._client.close())
        self._loop.close()
