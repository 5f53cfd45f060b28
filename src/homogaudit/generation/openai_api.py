"""The generator for OpenAI-compatible servers: vLLM, SGLang, llama-server, Ollama, LM Studio, hosted models.

It knows the servers by their HTTP interface alone. Several base URLs are replicas of one model and share one queue.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import numpy as np

from homogaudit.errors import ContextTooShortError, EngineError, ModelError
from homogaudit.generation.dialect import payload
from homogaudit.generation.generator import DrawRequest, FollowUps, GeneratorFacts, NextTokens, SamplerCounts
from homogaudit.generation.loop_thread import LoopThread
from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, parse_addresses
from homogaudit.generation.openai_format import choices_of, usage_of
from homogaudit.generation.server_drawing import ServerDrawing, ServerWork, draw_seed
from homogaudit.generation.server_errors import RefusedError
from homogaudit.generation.server_keys import api_key
from homogaudit.generation.server_models import ServerModel, find_model
from homogaudit.generation.server_probe import ServerProbe, head_fault, same_head
from homogaudit.generation.server_queue import RequestQueue, Server
from homogaudit.generation.server_statistics import BoundSums, StatisticsPlan
from homogaudit.questions.prompts import Prompt, PromptRenderer, Segment, joined_system
from homogaudit.records import GREEDY, Decoding, Prompting

DEFAULT_CONCURRENCY = 16
"""Requests at the same time on each server: they fill a batch, and a server of one slot still answers in time."""

W = TypeVar("W")

_NEUTRAL = Decoding()
_HEAD_TRIES = 3


class OpenAIGenerator:
    """Draws answers from one or several servers of one model.

    `location` is `URL[#MODEL][,URL[#MODEL]...]`, and `model` for the addresses that name none. In chat mode the server
    renders its own template; one that is given is rendered here with the run's date, so that a resumed run renders the
    same prompts, and goes to `completions`. `concurrency` are requests at the same time on each server, and
    `token_budget` prompt and answer tokens to spend at most, `None` for no limit. For `key_origins` see `api_key`.

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
        key_origins: Collection[str] | None = None,
    ) -> None:
        self._prompting = prompting
        self._budget = token_budget
        self._spent: list[SamplerCounts] = []
        self._concurrency = concurrency or DEFAULT_CONCURRENCY
        self._warnings: list[str] = []
        self._noted: list[str] = []
        self._plan: StatisticsPlan | None = None
        self._faults: dict[Decoding, tuple[str, str]] = {}
        self._loop = LoopThread()
        self._clients: list[OpenAIClient] = []
        try:
            for address in parse_addresses(location, model):
                client = OpenAIClient(
                    address,
                    key=api_key(address.url, key_origins),
                    connections=self._concurrency,
                    policy=policy,
                    on_trouble=self._warn,
                )
                self._clients.append(client)
            self._servers = self._find_models()
            needs_renderer = prompting.template is not None or prompting.mode == "base"
            mode = "base" if needs_renderer else prompting.mode
            self._probes = [
                ServerProbe(x.client, x.model, mode, thinking=prompting.thinking, listed=self._model.others)
                for x in self._servers
                if x.failure is None
            ]
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
        self._folding = self._found.folding
        if prompting.system.strip():
            self._tell_folding()

    @property
    def facts(self) -> GeneratorFacts:
        """What the servers are; warnings and details grow while answers are drawn."""
        context = min((model.context for model in self._models.values() if model.context), default=0)
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
            "server_model": self._model.name,
            "interface": "chat completions" if found.dialect.chat else "completions",
            "n": "honoured" if found.honours_n else "separate requests",
            "seed": said[found.honours_seed],
            "top_k": said[found.honours_top_k],
            "min_p": said[found.honours_min_p],
            "top_logprobs": found.top_logprobs,
            "system_line": found.system_line,
            "thinking": found.thinking,
            "greedy_temperature": found.dialect.greedy_temperature,
            "least_tokens": found.dialect.least_tokens,
            "token_entropies": "not available" if self._no_entropies() else "bounded",
            "no_token_entropies": {
                "greedy": self._no_entropies() or (plan.greedy_fault if plan else ""),
                "samples": self._no_entropies() or (plan.sample_fault if plan else ""),
            },
            "token_entropy_bounds": {"greedy": _bounds(plan, plan.greedy), "samples": _bounds(plan, plan.samples)}
            if plan
            else {},
            "without_token_statistics": dict(plan.missing) if plan else {},
            "probe_warnings": [*self._found.warnings, *self._noted],
        } | dict(self._model.identity)

    @property
    def _model(self) -> ServerModel:
        """The model as the first server that answers tells it."""
        return next(iter(self._models.values()))

    def _no_entropies(self) -> str:
        """Return why there are no token entropies at all; empty where they are bounded."""
        if self._found.no_statistics:
            return self._found.no_statistics
        return "" if self._found.top_logprobs else "the server gives the log-probability of the token alone"

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        """Render the prompt of one question; in chat mode it is the user's turn, which the server renders."""
        if self._renderer is not None:
            return self._renderer.render(question, system)
        text = question.strip()
        line = joined_system(system, self._prompting.system)
        if line:
            self._tell_folding()
        return Prompt(text, (Segment(text, trusted=False),), "chat", (), False, line)

    def follow_up_prompt(self, question: str, answer: str, follow_up: str, system: str | None = None) -> None:
        """Return nothing: what is asked about an answer is a question of its own."""

    def draw(
        self, requests: Iterable[DrawRequest], decoding: Decoding, follow_ups: FollowUps | None = None
    ) -> ServerDrawing:
        """Start to draw; no follow-up is asked beside the answers.

        Raises:
            ContextTooShortError: An answer of the wanted length leaves no room for a prompt.
            ModelError: The server refuses these parameters.
            EngineError: It is gone.
        """
        self._check_length(decoding)
        self._check_parameters(decoding)
        greedy, sample = self._statistics_faults(decoding)
        is_neutral = decoding.temperature == 1.0 and _truncation(decoding) == _truncation(_NEUTRAL)
        plan = StatisticsPlan(
            k=self._found.top_logprobs,
            vocabulary=self._model.vocabulary,
            is_unbiased=is_neutral,
            greedy_fault=greedy,
            sample_fault=sample,
            is_likeliest=self._found.dialect.greedy_temperature == 0.0,
        )
        # What is told of the statistics is of the answers, not of the replies about them that are drawn later.
        if decoding.samples:
            self._plan = plan
        spent = sum(counts.tokens + counts.prompt_tokens for counts in self._spent)
        drawing = ServerDrawing(
            requests,
            self._queue(lambda work, server: self._work_payload(work, server, decoding)),
            decoding=decoding,
            prompting=self._prompting,
            several=self._found.honours_n,
            is_thinking_off=self._found.is_thinking_off,
            thinks=self._found.thinks,
            plan=plan,
            note=self._note,
            token_budget=None if self._budget is None else max(0, self._budget - spent),
        )
        self._spent.append(drawing.counts)
        return drawing

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens | None]:
        """Yield, for each prompt, the tokens among the likeliest that spell one of `words`.

        What lies outside the server's head is not known. Where there is no head, `reason` says why. `None` stands for
        a moment in which no answer came.

        Raises:
            EngineError: Every server fails again and again.
        """
        fault = self._no_entropies()
        if self._found.thinks:
            fault = "the model thinks before it answers, so its next token is no answer"
        if fault:
            yield from (NextTokens((), np.empty(0), 0, 0.0, fault) for _ in prompts)
            return

        def asked(number: int, server: Server) -> dict[str, Any]:
            fields = self._prompt_fields(prompts[number], server)
            return payload(self._found.dialect, **fields, decoding=_NEUTRAL, temperature=1.0, max_tokens=1, seed=0)

        queue = self._queue(asked)
        waiting = deque(range(len(prompts)))
        found: dict[int, NextTokens] = {}
        given = 0
        while given < len(prompts):
            queue.fill(lambda: waiting.popleft() if waiting else None)
            for reply in queue.arrived():
                if isinstance(reply.error, RefusedError):
                    found[reply.work] = NextTokens((), np.empty(0), 0, reply.seconds, reply.error.reason)
                elif reply.error is not None:
                    raise reply.error
                elif reply.answer is None:
                    waiting.appendleft(reply.work)
                else:
                    found[reply.work] = _next_tokens(reply.answer, words, reply.seconds)
            if given not in found:
                yield None
            while given in found:
                yield found.pop(given)
                given += 1

    def token_pieces(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Return nothing: servers tell no token ids."""
        return {}

    def close(self) -> None:
        """Give up what is under way and close the connections."""
        if not self._loop.is_open:
            return
        self._loop.close(*(client.close() for client in self._clients))

    # Requests

    def _queue(self, payload_of: "Callable[[W, Server], dict[str, Any]]") -> "RequestQueue[W]":
        return RequestQueue(
            self._servers,
            self._loop,
            send=lambda work, server: server.client.send(self._path, payload_of(work, server)),
            probe=self._check_return,
            warn=self._warn,
        )

    def _work_payload(self, work: ServerWork, server: Server, decoding: Decoding) -> dict[str, Any]:
        is_greedy = work.sample_indexes[0] == GREEDY
        return payload(
            self._found.dialect,
            **self._prompt_fields(work.request.prompt, server),
            decoding=decoding,
            temperature=0.0 if is_greedy else decoding.temperature,
            max_tokens=decoding.greedy_max_tokens if is_greedy else decoding.max_tokens,
            seed=draw_seed(decoding.seed, work),
            n=len(work.sample_indexes),
        )

    def _prompt_fields(self, prompt: Prompt, server: Server) -> dict[str, Any]:
        """Return what a request says of one prompt, and to which model."""
        return {"model": server.model, "prompt": prompt.text, "system": prompt.system, "stop": prompt.stop}

    @property
    def _path(self) -> str:
        return "chat/completions" if self._found.dialect.chat else "completions"

    def _warn(self, message: str) -> None:
        self._warnings.append(message)

    def _note(self, message: str) -> None:
        """Warn once, and keep it with the run."""
        if message not in self._noted:
            self._noted.append(message)
            self._warn(message)

    def _tell_folding(self) -> None:
        """Say that there is no system role, once there is a system prompt."""
        if self._folding:
            self._note(self._folding)

    # Checks

    def _find_models(self) -> list[Server]:
        """Ask every server for its model; one that cannot be reached is set aside where others can."""
        servers: list[Server] = []
        self._models: dict[str, ServerModel] = {}
        lost: list[tuple[Server, ModelError]] = []
        for client in self._clients:
            server = Server(client, client.address.model, self._concurrency)
            servers.append(server)
            try:
                found = self._loop.run(find_model(client))
            except ModelError as error:
                if not isinstance(error.__cause__, EngineError):
                    raise
                server.failure = error
                lost.append((server, error))
            else:
                server.model = found.name
                self._models[client.address.url] = found
                if found.warning:
                    self._note(found.warning)
        if not self._models:
            raise lost[0][1]
        for server, error in lost:
            server.model = server.model or self._model.name
            self._warn(f"{error.message}: the other servers continue until it is back")
        return servers

    async def _check_return(self, server: Server) -> None:
        """Return where a server is back with the model that it had.

        Raises:
            EngineError: It is not.
            ModelError: It has another model now, or does not accept the key.
        """
        url = server.client.address.url
        try:
            async with asyncio.timeout(server.client.policy.connect_seconds):
                found = await find_model(server.client, attempts=1)
        except ModelError as error:
            # That it is still gone is no news.
            raise error.__cause__ if isinstance(error.__cause__, EngineError) else error from None
        known = self._models.get(url, dataclasses.replace(self._model, name=found.name))
        is_known = found.is_listed and known.is_listed
        if is_known and (found.name, dict(found.identity)) != (known.name, dict(known.identity)):
            raise ModelError(f"the server `{url}` has another model now", "start it with the model of this run")
        self._models.setdefault(url, found)

    def _check_replicas(self) -> None:
        """Warn where two servers give the same prompt different probabilities: they would not be one model."""
        if len(self._probes) < 2 or not self._found.top_logprobs or self._found.no_statistics:
            return
        urls = [server.client.address.url for server in self._servers if server.failure is None]
        heads = [self._head(probe, _NEUTRAL, 1.0) for probe in self._probes]
        for url, head in zip(urls[1:], heads[1:], strict=True):
            if not same_head(heads[0], head):
                self._warn(f"`{url}` and `{urls[0]}` do not serve the same model")

    def _check_length(self, decoding: Decoding) -> None:
        """Tell before the first request what the server would refuse of every question."""
        room = self.facts.context
        longest = max(decoding.max_tokens, decoding.greedy_max_tokens)
        if room and longest >= room:
            raise ContextTooShortError(
                f"an answer of {longest} tokens leaves no room for a prompt in the server's context of {room}",
                "lower `--max-tokens`",
            )

    def _check_parameters(self, decoding: Decoding) -> None:
        """Tell before the first request what the server does of the run's own parameters."""
        if not decoding.samples:
            return
        least = self._found.dialect.least_tokens
        if min(decoding.max_tokens, decoding.greedy_max_tokens) < least:
            self._note(f"the server accepts no limit below {least} tokens: answers may be longer than `--max-tokens`")
        is_neutral = decoding.temperature == 1.0 and _truncation(decoding) == _truncation(_NEUTRAL)
        if not is_neutral and not self._found.top_logprobs:
            # Where there are log-probabilities, they are asked for under these parameters.
            self._checked_head(self._probes[0], decoding, decoding.temperature)

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
            greedy = found.dialect.greedy_temperature
            shown = (
                "the server's own temperature" if greedy is None else f"T = {greedy:g}",
                f"T = {decoding.temperature:g}",
            )
            for temperature, at in zip((0.0, decoding.temperature), shown, strict=True):
                if temperature == 1.0 and _truncation(decoding) == _truncation(_NEUTRAL):
                    faults.append("")
                    continue
                head = self._head(self._probes[0], decoding, temperature)
                fault = "" if same_head(neutral, head) else "its log-probabilities are tempered or truncated"
                faults.append(head_fault([list(head.values())]) or (fault and f"at {at} {fault}"))
            for what, fault in zip(("the greedy answers", "the samples"), faults, strict=True):
                if fault:
                    self._warn(f"no token statistics of {what}: {fault}")
            self._faults[key] = (faults[0], faults[1])
        return self._faults[key]

    def _head(self, probe: ServerProbe, decoding: Decoding, temperature: float) -> dict[str, float]:
        # An answer may be missing by accident; the statistics of a whole run hang on it.
        for _ in range(_HEAD_TRIES):
            if head := self._checked_head(probe, decoding, temperature):
                return head
        return {}

    def _checked_head(self, probe: ServerProbe, decoding: Decoding, temperature: float) -> dict[str, float]:
        try:
            return self._loop.run(probe.head(self._found.dialect, decoding, temperature))
        except RefusedError as refusal:
            raise ModelError(f"the server refuses the run's sampling parameters: {refusal.reason}") from None


def _bounds(plan: StatisticsPlan, sums: BoundSums) -> dict[str, Any]:
    """Return how many tokens have bounds, and the means of these, nats; no upper one where V is not known."""
    if not sums.tokens:
        return {"tokens": 0}
    high = sums.high / sums.tokens if plan.vocabulary else None
    return {"tokens": sums.tokens, "low": sums.low / sums.tokens, "high": high}


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
