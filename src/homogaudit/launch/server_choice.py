"""Which model a server serves, and what a run on it asks for and costs at most. Draws nothing."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from homogaudit.config import ResolvedGenerator
from homogaudit.errors import UsageError
from homogaudit.labels.model_judge import JUDGE_REPLY_TOKENS
from homogaudit.records import Decoding, Prompting, Question

_CHARACTERS_PER_TOKEN = 3.0
"""English has about four; fewer characters a token estimate more tokens."""

_TEMPLATE_TOKENS = 40
"""What a chat template adds to a prompt."""

_CALLS = 2
_CALL_TOKENS = 80
"""Of the two questions about each greedy answer: their own words, and the reply."""

_PROBE_TOKENS = 1500
"""Of all probes before the first draw."""

_WORK = {"judge": "judging", "model of meaning": "comparing meanings"}


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """A model on a server.

    Attributes:
        generator: With the model's own name, and the base URLs that its address means.
        model: As requests name it; `None` where the server takes none.
        parameters: What tells the model from another one; a resumed run must find the same.
    """

    generator: ResolvedGenerator
    model: str | None
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServerEstimate:
    """What a run asks of servers at most, if every answer takes its full length; prompt tokens are estimated.

    Attributes:
        price: Of a million tokens; `None` where it is not known.
        judging: What it asks of the server of a model that judges; `None` where that is none.
        comparing: What it asks of the server of a model of meaning; `None` where that is none.
    """

    requests: int
    prompt_tokens: int
    answer_tokens: int
    price: float | None = None
    judging: "ServerEstimate | None" = None
    comparing: "ServerEstimate | None" = None

    @property
    def cost(self) -> float | None:
        """In the currency of the prices; `None` where one is not known."""
        return None if self._unpriced else self.known_cost

    @property
    def known_cost(self) -> float:
        """Of the parts whose price is known."""
        return sum(x._own_cost or 0.0 for x in (self, *self._others.values()))

    @property
    def _own_cost(self) -> float | None:
        return None if self.price is None else (self.prompt_tokens + self.answer_tokens) * self.price / 1e6

    @property
    def _others(self) -> "dict[str, ServerEstimate]":
        """What is asked of other servers, by who is asked."""
        found = {"judge": self.judging, "model of meaning": self.comparing}
        return {name: x for name, x in found.items() if x is not None}

    @property
    def cost_text(self) -> str:
        """The known cost, and whose price is missing from it."""
        if self.cost is not None:
            return f"{self.cost:,.2f}"
        return f"at least {self.known_cost:,.2f} (the price of the {self._unpriced} is not known)"

    @property
    def text(self) -> str:
        """One line for people."""
        parts = [self._tokens_text] if self.requests or not self._others else []
        parts += [f"{_WORK[name]}: {x._tokens_text}" for name, x in self._others.items()]
        # Where no price is known, most often nothing has one.
        cost = "" if self.cost is None and not self.known_cost else f", a cost of {self.cost_text}"
        return "; ".join(parts) + cost

    @property
    def _unpriced(self) -> str:
        """Return whose price is not known; empty where all are."""
        asked = {"model": self, **self._others}
        return next((name for name, x in asked.items() if x._own_cost is None), "")

    @property
    def _tokens_text(self) -> str:
        return (
            f"at most {self.requests:,} requests, about {self.prompt_tokens:,} prompt tokens, "
            f"{self.answer_tokens:,} answer tokens"
        )

    def token_budget(self, max_cost: float | None) -> int | None:
        """Return the tokens that `max_cost` buys beside what others are asked, `None` for no limit.

        Raises:
            UsageError: It is no amount, a price is not known, or the run may cost more.
        """
        if max_cost is None:
            return None
        if not 0 <= max_cost < math.inf:
            raise UsageError(
                f"`--max-cost` must be a number that is not negative, not `{max_cost}`", "for example 2.50"
            )
        if self.price is None or self.cost is None:
            hint = "give the model an entry in models.toml with its URL and `price_per_million_tokens`"
            raise UsageError(f"`--max-cost` needs the {self._unpriced}'s price", hint)
        if self.cost > max_cost:
            less = (
                "lower `--samples`, `--max-tokens` or `--limit`"
                if self.requests
                else "choose another judge or model of meaning"
            )
            raise UsageError(
                f"the run may cost {self.cost:,.2f}, more than `--max-cost` {max_cost:g}", f"{less}, or raise it"
            )
        others = sum(x.cost or 0.0 for x in self._others.values())
        return int((max_cost - others) / self.price * 1e6) if self.price else None


def choose_server(
    generator: ResolvedGenerator, model: str | None, warn: Callable[[str], None], key_origins: Collection[str]
) -> ServerChoice:
    """Ask the server for its model.

    Raises:
        ModelError: The server cannot be reached, refuses the key, or does not say which model is meant.
    """
    from homogaudit.generation.server_address import find_location
    from homogaudit.generation.server_models import server_model

    place = find_location(generator.location)
    for line in place.warnings:
        warn(line)
    generator = replace(generator, location=place.location)

    def tell_loading(message: str) -> None:
        # Other troubles of a first contact pass within seconds, or end it.
        if "loading" in message.casefold():
            warn(message)

    found = server_model(generator.location, model, key_origins=key_origins, on_trouble=tell_loading)
    name = found.name or generator.name
    # llama-server names a model by the path of its file.
    short = PurePath(name).stem if name.endswith(".gguf") else name
    shown = generator if generator.entry else replace(generator, name=short)
    return ServerChoice(shown, found.name, {"kind": "server", "name": name, "reported": dict(found.identity)})


def estimate_requests(
    questions: Sequence[Question], decoding: Decoding, prompting: Prompting, price: float | None
) -> ServerEstimate:
    """Return what a run asks for at most: a request for each answer, and the calls about the greedy ones."""
    draws = decoding.samples + 1
    characters = sum(len(x.asked) + len(x.system or "") + len(prompting.system) for x in questions)
    prompt = round(characters / _CHARACTERS_PER_TOKEN) + _TEMPLATE_TOKENS * len(questions)
    calls = len(questions) * _CALLS * (_CALL_TOKENS + decoding.greedy_max_tokens)
    answers = len(questions) * (decoding.samples * decoding.max_tokens + decoding.greedy_max_tokens)
    return ServerEstimate(
        requests=len(questions) * (draws + _CALLS),
        prompt_tokens=prompt * (draws + _CALLS) + _PROBE_TOKENS,
        answer_tokens=answers + calls,
        price=price,
    )


def estimate_judging(asked: Sequence[tuple[Question, int]], template: str, price: float | None) -> ServerEstimate:
    """Return what a judge on a server is asked at most: once about each answer that has something to be judged by.

    Each question comes with the tokens of its greedy answer at most; the price is that of a million tokens.
    """
    judged = [(x, tokens) for x, tokens in asked if x.answers or x.incorrect_answers]
    characters = sum(
        len(template) + len(x.asked) + sum(map(len, (*x.answers, *x.incorrect_answers))) for x, _ in judged
    )
    return ServerEstimate(
        requests=len(judged),
        prompt_tokens=round(characters / _CHARACTERS_PER_TOKEN)
        + sum(_TEMPLATE_TOKENS + tokens for _, tokens in judged)
        + _PROBE_TOKENS,
        answer_tokens=JUDGE_REPLY_TOKENS * len(judged),
        price=price,
    )


def estimate_comparing(
    asked: Sequence[tuple[Question, int, int]], template: str, price: float | None
) -> ServerEstimate:
    """Return what a model of meaning on a server is asked at most: each pair of answers in both orders.

    Args:
        asked: Each question with its pairs, and the tokens of an answer at most.
        template: What every prompt holds beside the question and two answers.
        price: Of a million tokens.
    """
    fixed = estimate_tokens(template) + _TEMPLATE_TOKENS
    requests = [(2 * pairs, fixed + estimate_tokens(x.text) + 2 * tokens) for x, pairs, tokens in asked]
    return ServerEstimate(
        requests=sum(times for times, _ in requests),
        prompt_tokens=sum(times * prompt for times, prompt in requests) + _PROBE_TOKENS,
        answer_tokens=sum(times for times, _ in requests),
        price=price,
    )


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)
