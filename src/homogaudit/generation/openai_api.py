"""The generator for OpenAI-compatible servers: vLLM, SGLang, llama-server, Ollama, LM Studio, hosted models.

It knows the servers by their HTTP interface alone. Several base URLs are replicas of one model and share one queue.
"""

import dataclasses
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import numpy as np

from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.generator import DrawRequest, GeneratorFacts, NextTokens, SamplerCounts
from homogaudit.generation.openai_client import (
    LoopThread,
    OpenAIClient,
    RefusedError,
    RetryPolicy,
    api_key,
    parse_addresses,
)
from homogaudit.generation.openai_format import choices_of, payload, usage_of
from homogaudit.generation.server_drawing import Server, ServerDrawing, ServerWork, StatisticsPlan, draw_seed
from homogaudit.generation.server_probe import ServerModel, ServerProbe, find_model, head_fault, same_head
from homogaudit.questions.prompts import Prompt, PromptRenderer, Segment
from homogaudit.records import GREEDY, Decoding, Prompting

__all__ = ["DEFAULT_CONCURRENCY", "OpenAIGenerator", "server_model"]

DEFAULT_CONCURRENCY = 16
"""Requests at the same time on each server: they fill a batch, and a server of one slot still answers in time."""

_NEUTRAL = Decoding()
_HEAD_TRIES = 3

_FIRST_CONTACT = RetryPolicy(first_seconds=0.2, timeout_seconds=30.0)
"""Before a run is made a user waits for the answer; a list of models needs no longer."""


class OpenAIGenerator:
    """Draws answers from one or several servers of one model.

    Args:
        location: `URL[#MODEL][,URL[#MODEL]...]`.
        prompting: How questions become prompts. In chat mode the server renders its own template; a template given
            here is rendered here and goes to `completions`.
        now: The run's date, so that a resumed run renders the same prompts.
        model: The model's name where an address holds none; `None` for the only one of the server.
        concurrency: Requests at the same time on each server; `None` for the default.
        token_budget: Prompt and answer tokens to spend at most; `None` for no limit.
        policy: When to try again.

    Raises:
        ModelError: A server cannot be reached, refuses the key or lacks the model.
        ConfigError: The prompt template cannot be used.
    """

    def __init__(
        self,
        location: str,
        prompting: Prompting,
        *,
        now: datetime,
        model: str | None = None,
        concurrency: int | None = None,
        token_budget: int | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._prompting = prompting
        self._budget = token_budget
        self._spent: list[SamplerCounts] = []
        self._concurrency = concurrency or DEFAULT_CONCURRENCY
        self._warnings: list[str] = []
        self._plan: StatisticsPlan | None = None
        self._faults: dict[Decoding, tuple[str, str]] = {}
        self._loop = LoopThread()
        self._clients: list[OpenAIClient] = []
        try:
            for address in parse_addresses(location, model):
                client = OpenAIClient(
                    address, key=api_key(), connections=self._concurrency, policy=policy, on_trouble=self._warn
                )
                self._clients.append(client)
            self._models = [self._loop.run(find_model(client)) for client in self._clients]
            needs_renderer = prompting.template is not None or prompting.mode == "base"
            mode = "base" if needs_renderer else prompting.mode
            pairs = zip(self._clients, self._models, strict=True)
            self._probes = [ServerProbe(client, model.name, mode) for client, model in pairs]
            self._found = self._loop.run(self._probes[0].run())
            self._renderer: PromptRenderer | None = None
            if not self._found.dialect.chat:
                rendered = prompting if prompting.template else dataclasses.replace(prompting, mode="base")
                self._renderer = PromptRenderer(rendered, chat_template=None, now=now)
            self._check_replicas()
        except BaseException:
            self.close()
            raise
        self._warnings += self._found.warnings

    @property
    def facts(self) -> GeneratorFacts:
        """What the servers are; warnings and details grow while answers are drawn."""
        context = min((model.context for model in self._models if model.context), default=0)
        return GeneratorFacts(
            device=", ".join(client.address.url for client in self._clients),
            slots=self._concurrency * len(self._clients),
            context=context,
            memory_bytes=0,
            mode=self._renderer.mode if self._renderer else "chat",
            warnings=tuple(self._warnings),
            details=self._details(),
        )

    def _details(self) -> dict[str, Any]:
        found = self._found
        plan = self._plan
        said = {True: "honoured", False: "ignored", None: "cannot be told"}
        return {
            "server_model": self._models[0].name,
            "interface": "chat completions" if found.dialect.chat else "completions",
            "n": "honoured" if found.honours_n else "separate requests",
            "seed": said[found.honours_seed],
            "top_k": said[found.honours_top_k],
            "min_p": said[found.honours_min_p],
            "top_logprobs": found.top_logprobs,
            "token_entropies": self._entropy_words(),
            "token_entropy_bounds": _mean_bounds(plan),
            "without_token_statistics": dict(plan.missing) if plan else {},
        } | dict(self._models[0].identity)

    def _entropy_words(self) -> str:
        if self._found.no_statistics:
            return f"not available: {self._found.no_statistics}"
        if not self._found.top_logprobs:
            return "not available: the server gives the log-probability of the token alone"
        return f"bounded by the top {self._found.top_logprobs} log-probabilities"

    def prompt(self, question: str) -> Prompt:
        """Render the prompt of one question; in chat mode it is the user's turn, which the server renders."""
        if self._renderer is not None:
            return self._renderer.render(question)
        text = question.strip()
        return Prompt(text, (Segment(text, trusted=False),), "chat", (), False)

    def draw(self, requests: Sequence[DrawRequest], decoding: Decoding) -> ServerDrawing:
        """Start to draw.

        Raises:
            ContextTooShortError: An answer of the wanted length leaves no room for a prompt.
            ModelError: The server refuses these parameters.
            EngineError: It is gone.
        """
        self._check_length(decoding)
        greedy, sample = self._statistics_faults(decoding)
        is_neutral = decoding.temperature == 1.0 and _truncation(decoding) == _truncation(_NEUTRAL)
        plan = StatisticsPlan(
            k=self._found.top_logprobs,
            vocabulary=self._models[0].vocabulary,
            is_unbiased=is_neutral,
            greedy_fault=greedy,
            sample_fault=sample,
        )
        # What is told of the statistics is of the answers, not of the replies about them that are drawn later.
        self._plan = self._plan or plan
        spent = sum(counts.tokens + counts.prompt_tokens for counts in self._spent)
        drawing = ServerDrawing(
            requests,
            start=lambda work, server: self._start(work, server, decoding),
            servers=[
                Server(client, model.name, self._concurrency)
                for client, model in zip(self._clients, self._models, strict=True)
            ],
            decoding=decoding,
            prompting=self._prompting,
            several=self._found.honours_n,
            plan=plan,
            token_budget=None if self._budget is None else max(0, self._budget - spent),
            warn=self._warn,
        )
        self._spent.append(drawing.counts)
        return drawing

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens]:
        """Yield, for each prompt, the tokens among the likeliest that spell one of `words`.

        What lies outside the server's head is not known. Where there is no head, `reason` says why.

        Raises:
            EngineError: The server is gone.
        """
        if fault := self._found.no_statistics or ("" if self._found.top_logprobs else self._entropy_words()):
            yield from (NextTokens((), np.empty(0), 0, 0.0, fault) for _ in prompts)
            return
        live: deque[tuple[float, Future[dict[str, Any]]]] = deque()
        waiting = enumerate(prompts)
        while True:
            while len(live) < self._concurrency * len(self._clients) and (entry := next(waiting, None)) is not None:
                number, prompt = entry
                place = number % len(self._clients)
                request = self._payload(prompt, self._models[place].name, _NEUTRAL, 1.0, 1, seed=0, n=1)
                future = self._loop.start(self._clients[place].post(self._path, request))
                live.append((time.perf_counter(), future))
            if not live:
                return
            begun, future = live.popleft()
            try:
                answer = future.result()
            except RefusedError as refusal:
                yield NextTokens((), np.empty(0), 0, time.perf_counter() - begun, refusal.reason)
                continue
            yield _next_tokens(answer, words, time.perf_counter() - begun)

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return nothing: servers tell no token ids."""
        return {}

    def close(self) -> None:
        """Give up what is under way and close the connections."""
        if not self._loop.is_open:
            return
        for client in self._clients:
            self._loop.run(client.close())
        self._loop.close()

    # Requests

    def _start(self, work: ServerWork, server: Server, decoding: Decoding) -> "Future[dict[str, Any]]":
        is_greedy = work.sample_indexes[0] == GREEDY
        request = self._payload(
            work.request.prompt,
            server.model,
            decoding,
            0.0 if is_greedy else decoding.temperature,
            decoding.greedy_max_tokens if is_greedy else decoding.max_tokens,
            seed=draw_seed(decoding.seed, work),
            n=len(work.sample_indexes),
        )
        return self._loop.start(server.client.post(self._path, request))

    def _payload(
        self,
        prompt: Prompt,
        model: str | None,
        decoding: Decoding,
        temperature: float,
        max_tokens: int,
        *,
        seed: int,
        n: int,
    ) -> dict[str, Any]:
        return payload(
            self._found.dialect,
            model=model,
            prompt=prompt.text,
            system=self._prompting.system.strip(),
            decoding=decoding,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            n=n,
            stop=prompt.stop,
            thinking=self._prompting.thinking,
        )

    @property
    def _path(self) -> str:
        return "chat/completions" if self._found.dialect.chat else "completions"

    def _warn(self, message: str) -> None:
        self._warnings.append(message)

    # Checks

    def _check_replicas(self) -> None:
        """Warn where two servers give the same prompt different probabilities: they would not be one model."""
        if len(self._clients) < 2 or not self._found.top_logprobs or self._found.no_statistics:
            return
        heads = [self._head(probe, _NEUTRAL, 1.0) for probe in self._probes]
        for client, head in zip(self._clients[1:], heads[1:], strict=True):
            if not same_head(heads[0], head):
                self._warn(f"`{client.address.url}` and `{self._clients[0].address.url}` do not serve the same model")

    def _check_length(self, decoding: Decoding) -> None:
        """Tell before the first request what the server would refuse of every question."""
        room = self.facts.context
        longest = max(decoding.max_tokens, decoding.greedy_max_tokens)
        if room and longest >= room:
            raise ContextTooShortError(
                f"an answer of {longest} tokens leaves no room for a prompt in the server's context of {room}",
                "lower `--max-tokens`",
            )

    def _statistics_faults(self, decoding: Decoding) -> tuple[str, str]:
        """Return why the greedy answer's and the samples' log-probabilities are of no use; empty where they are.

        Those of the same first token under the run's parameters must be those at T = 1 without truncation.
        """
        found = self._found
        if found.no_statistics:
            return found.no_statistics, found.no_statistics
        if not found.top_logprobs:
            return "", ""
        key = dataclasses.replace(decoding, samples=0, max_tokens=0, greedy_max_tokens=0, seed=0)
        if key not in self._faults:
            neutral = self._head(self._probes[0], _NEUTRAL, 1.0)
            faults: list[str] = []
            for temperature in (0.0, decoding.temperature):
                if temperature == 1.0 and _truncation(decoding) == _truncation(_NEUTRAL):
                    faults.append("")
                    continue
                head = self._head(self._probes[0], decoding, temperature)
                fault = "" if same_head(neutral, head) else "its log-probabilities are tempered or truncated"
                faults.append(head_fault([list(head.values())]) or (fault and f"at T = {temperature:g} {fault}"))
            for what, fault in zip(("the greedy answers", "the samples"), faults, strict=True):
                if fault:
                    self._warn(f"no token statistics of {what}: {fault}")
            self._faults[key] = (faults[0], faults[1])
        return self._faults[key]

    def _head(self, probe: ServerProbe, decoding: Decoding, temperature: float) -> dict[str, float]:
        try:
            # An answer may be missing by accident; the statistics of a whole run hang on it.
            for _ in range(_HEAD_TRIES):
                if head := self._loop.run(probe.head(self._found.dialect, decoding, temperature)):
                    return head
            return {}
        except RefusedError as refusal:
            raise ModelError(f"the server refuses the run's sampling parameters: {refusal.reason}") from None


def server_model(location: str, model: str | None = None, policy: RetryPolicy | None = None) -> ServerModel:
    """Return what the first server of `location` says of its model, without drawing anything.

    Raises:
        ModelError: It cannot be reached, refuses the key or lacks the model.
    """
    loop = LoopThread()
    client = OpenAIClient(parse_addresses(location, model)[0], key=api_key(), policy=policy or _FIRST_CONTACT)
    try:
        return loop.run(find_model(client))
    finally:
        loop.run(client.close())
        loop.close()


def _mean_bounds(plan: StatisticsPlan | None) -> dict[str, float | None] | None:
    """Return the means of the lower and upper bounds over all tokens, nats; no upper one where V is not known."""
    if plan is None or not plan.tokens:
        return None
    return {"low": plan.low / plan.tokens, "high": plan.high / plan.tokens if plan.vocabulary else None}


def _truncation(decoding: Decoding) -> tuple[float, int, float]:
    return decoding.top_p, decoding.top_k, decoding.min_p


def _next_tokens(answer: dict[str, Any], words: Collection[str], seconds: float) -> NextTokens:
    choices = choices_of(answer, 1)
    tokens = choices[0].tokens if choices else None
    length = usage_of(answer).prompt or 0
    if not tokens or not tokens[0].head:
        return NextTokens((), np.empty(0), length, seconds, "the server gave no log-probabilities of the next token")
    pairs = zip(tokens[0].head_texts, tokens[0].head, strict=True)
    found = [(text, value) for text, value in pairs if text.strip().casefold() in words]
    reason = "" if found else f"neither word is among the {len(tokens[0].head)} likeliest next tokens"
    return NextTokens(
        tuple(text for text, _ in found), np.array([value for _, value in found]), length, seconds, reason
    )
