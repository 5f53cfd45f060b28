"""Finds out which dialect a server speaks: what it refuses is left out, put otherwise, or asked for under another name.

It draws nothing that is stored, and does not judge what the server does with the parameters that it takes.
"""

import re
from dataclasses import dataclass, replace

from homogaudit.errors import ModelError
from homogaudit.generation.dialect import (
    LESS_THINKING,
    ROUND_LIMITS,
    THINKING_OFF,
    Dialect,
    is_unfinished,
    least_tokens,
)
from homogaudit.generation.probe_requests import PROBE_TOKENS, ProbeReply, ProbeRequests
from homogaudit.generation.server_errors import RefusedError, UnreachableError
from homogaudit.generation.server_models import FIRST_ATTEMPTS
from homogaudit.questions.wording import with_nearest

_SYSTEM = "Answer briefly."
_LONGER_SYSTEM = "Answer briefly, in the language of the question, and say nothing that was not asked for."

_LOOK_TOKENS = 48
"""Enough for the answer to a probe, and to see that a model thinks before it."""

_THOUGHT_TOKENS = 512
"""Enough to compare how long a model thinks."""

_MOST_CONCESSIONS = 20

_GREEDY_LADDER = (1e-6, 1e-4, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Temperatures in place of 0."""

_CUT_THOUGHTS = "an answer that is cut off while the model thinks does not count; raise `--max-tokens` if that happens"

_NO_CHAT = re.compile(r"chat.template|template (?:not found|error)|template_error|not a chat model|support chat")
_NO_MODEL = re.compile(
    r"model.{0,80}(?:not found|not exist|unknown|no access|not available)|(?:no such|unknown) model|model_not_found"
)

_ACCEPTED_LESS = 0.5
"""Of a model that always thinks, an effort is lower where it writes at most this share of the thoughts."""


@dataclass(frozen=True, slots=True)
class DialectFound:
    """What a search has found.

    Attributes:
        dialect: The richest that the server takes.
        reply: To the plain probe in the dialect without a switch for thinking.
        tokens: That a probe needs.
        system_line: How the system prompt is sent, in words.
        thinking: What is known of the model's thinking, in words.
        is_thinking_off: Whether a switch was seen to turn it off: what arrives as thinking alone is an answer then.
        thinks: Whether the model thinks all the same.
        warnings: What of this the user should know.
        folding: What to tell where a system prompt is used; empty where it is sent as one.
        drawn_greedy: What to tell of greedy answers that are not asked for at temperature 0; empty where they are.
    """

    dialect: Dialect
    reply: ProbeReply
    tokens: int = PROBE_TOKENS
    system_line: str = ""
    thinking: str = ""
    is_thinking_off: bool = False
    thinks: bool = False
    warnings: tuple[str, ...] = ()
    folding: str = ""
    drawn_greedy: str = ""


class DialectSearch:
    """Asks one server until it answers.

    `mode` and `listed` are those of `ServerProbe`.
    """

    def __init__(
        self,
        requests: ProbeRequests,
        mode: str,
        *,
        thinking: bool = False,
        listed: tuple[str, ...] = (),
        model: str | None = None,
    ) -> None:
        self._requests = requests
        self._mode = mode
        self._thinking = thinking
        self._listed = listed
        self._model = model
        self._tokens = PROBE_TOKENS
        self._warnings: list[str] = []
        self._drawn_greedy = ""

    async def run(self) -> DialectFound:
        """Return the dialect.

        Raises:
            ModelError: The server answers no request at all.
            EngineError: It is gone.
        """
        try:
            dialect, reply = await self._plain()
            if self._mode == "auto" and not dialect.chat:
                self._warnings.append("the server offers completions only, so it is asked as a base model is")
            dialect, system_line, folding = await self._system(dialect, reply)
            dialect = await self._greedy(dialect)
            dialect, thinking, is_off, thinks = await self._think(dialect, reply)
        except UnreachableError as gone:
            raise gone.error from gone
        return DialectFound(
            dialect,
            reply,
            self._tokens,
            system_line,
            thinking,
            is_off,
            thinks,
            tuple(self._warnings),
            folding,
            self._drawn_greedy,
        )

    # Parameters

    async def _plain(self) -> tuple[Dialect, ProbeReply]:
        """Leave out what the server names in its refusals until it answers."""
        dialect = Dialect(chat=self._mode != "base")
        first: RefusedError | None = None
        for _ in range(_MOST_CONCESSIONS):
            try:
                reply = await self._requests.ask(dialect, max_tokens=self._tokens, attempts=FIRST_ATTEMPTS)
            except RefusedError as refusal:
                first = first or refusal
                changed = self._conceding(dialect, refusal)
                if changed is None:
                    break
                dialect = changed
            except UnreachableError as failure:
                if failure.status not in (500, 200):
                    raise
                built = await self._build_up(dialect.bare())
                if built is None and self._mode == "auto" and dialect.chat:
                    built = await self._build_up(replace(dialect, chat=False).bare())
                if built is None:
                    raise
                return built
            else:
                if reply.choices:
                    return dialect, reply
                raise self._refused("it gives no answer")
        assert first is not None
        built = await self._build_up(dialect.bare()) if first.status in (400, 413, 422) else None
        if built is None:
            raise self._refused(first.reason, first)
        return built

    def _conceding(self, dialect: Dialect, refusal: RefusedError) -> Dialect | None:
        """Return the dialect to try after a refusal, `None` where the server names nothing."""
        said = refusal.whole.casefold()
        is_no_model = refusal.status == 404 and _NO_MODEL.search(said)
        if self._mode == "auto" and dialect.chat and not is_no_model:
            if refusal.status in (404, 405, 501) or _NO_CHAT.search(said):
                return replace(dialect, chat=False)
        if refusal.status not in (400, 413, 422):
            return None
        if is_unfinished(said):
            if self._tokens >= _THOUGHT_TOKENS:
                return None
            self._tokens = _THOUGHT_TOKENS
            return dialect
        least = least_tokens(refusal.whole, max(self._tokens, dialect.least_tokens))
        if least is not None:
            return replace(dialect, least_tokens=least)
        return dialect.without(refusal.whole)

    def _longer(self, dialect: Dialect, refusal: RefusedError) -> Dialect | None:
        """Return the dialect that asks for more tokens, for a server that may want them and does not say so."""
        asked = max(self._tokens, dialect.least_tokens)
        longer = next((limit for limit in ROUND_LIMITS[::2] if limit > asked), None)
        return replace(dialect, least_tokens=longer) if longer and refusal.status in (400, 422) else None

    async def _build_up(self, dialect: Dialect) -> tuple[Dialect, ProbeReply] | None:
        """Begin with nothing but the prompt and add what the server takes; for refusals that name no parameter."""
        reply: ProbeReply | RefusedError = await self._requests.try_once(dialect, max_tokens=self._tokens)
        for _ in range(_MOST_CONCESSIONS):
            if isinstance(reply, ProbeReply):
                break
            changed = self._conceding(dialect, reply)
            if changed is None or changed == dialect:
                changed = self._longer(dialect, reply)
            if changed is None:
                return None
            dialect = changed
            reply = await self._requests.try_once(dialect, max_tokens=self._tokens)
        if isinstance(reply, RefusedError) or not reply.choices:
            return None
        tried: set[Dialect] = set()
        while left := [richer for richer in dialect.additions() if richer not in tried]:
            tried.add(left[0])
            richer = await self._requests.try_once(left[0], max_tokens=self._tokens)
            if isinstance(richer, ProbeReply) and richer.choices:
                dialect, reply = left[0], richer
        return dialect, reply

    def _refused(self, reason: str, refusal: RefusedError | None = None) -> ModelError:
        url = self._requests.client.address.url
        if refusal is not None and refusal.status == 404 and self._listed and self._model:
            hint = with_nearest(self._model, self._listed, "check the model's name")
        elif refusal is not None and refusal.status == 403:
            hint = "check the key, and whether it may use this model"
        else:
            hint = "try `--mode base` or `--mode chat`, and check the model's name and the key"
        return ModelError(f"the server `{url}` refuses a plain request: {reason}", hint)

    # The system prompt

    async def _system(self, dialect: Dialect, plain: ProbeReply) -> tuple[Dialect, str, str]:
        """Return the dialect that gets a system prompt through, how it does so, and what to tell of it."""
        if not dialect.chat:
            return dialect, "", ""
        options = {"system": _SYSTEM, "max_tokens": self._tokens}
        own = await self._requests.try_once(dialect, **options)
        folded = replace(dialect, system_role=False)
        if isinstance(own, ProbeReply):
            if _has_as_many(own, plain):
                # A template may have put a line of its own in place of none.
                longer = {**options, "system": _LONGER_SYSTEM}
                longest = [await self._requests.try_once(x, **longer) for x in (dialect, folded)]
                sent, head = ((x if isinstance(x, ProbeReply) else plain) for x in longest)
                if _has_as_many(sent, own) and not _has_as_many(head, own):
                    return folded, "folded into the user's turn", self._folding("silently drops the system prompt")
            return dialect, "in a role of its own", ""
        other = await self._requests.try_once(folded, **options)
        # A server that hiccups once is no server without the role.
        again = await self._requests.try_once(dialect, **options) if isinstance(other, ProbeReply) else own
        if isinstance(again, ProbeReply):
            return dialect, "in a role of its own", ""
        if isinstance(other, RefusedError):
            raise self._refused(other.reason)
        return folded, "folded into the user's turn", self._folding("takes no system role")

    def _folding(self, what: str) -> str:
        url = self._requests.client.address.url
        return f"the server `{url}` {what}: the system prompt is put at the head of the user's turn"

    # The greedy answer

    async def _greedy(self, dialect: Dialect) -> Dialect:
        """Return the dialect with the lowest temperature that is accepted."""
        if not dialect.sampling:
            self._drawn_greedy = "the server accepts no temperature: samples and greedy answers are drawn at its own"
            return replace(dialect, greedy_temperature=None)
        refusal = await self._refusal_of(dialect)
        if refusal is None:
            return dialect
        named = {float(text) for text in re.findall(r"\d+\.\d+|\d+", refusal.whole[:2000])}
        ladder = sorted({*_GREEDY_LADDER, *(value for value in named if 0 < value <= 1)})
        for value in (*ladder, None):
            lower = replace(dialect, greedy_temperature=value)
            if await self._refusal_of(lower) is None:
                break
        else:
            raise self._refused(refusal.reason)
        if await self._refusal_of(dialect) is None:
            return dialect
        how = "without one" if value is None else f"at T = {value:g}, the lowest that it accepts"
        self._drawn_greedy = f"the server refuses temperature 0: greedy answers are drawn {how}"
        return lower

    async def _refusal_of(self, dialect: Dialect) -> RefusedError | None:
        found = await self._requests.try_once(dialect, temperature=0.0, max_tokens=self._tokens)
        return found if isinstance(found, RefusedError) else None

    # Thinking

    async def _think(self, dialect: Dialect, plain: ProbeReply) -> tuple[Dialect, str, bool, bool]:
        """Return the dialect in which the model thinks least, what was found, whether it is off, and whether it thinks.

        A switch is sent only where it was seen to help: servers refuse what they do not know, or ignore it.
        """
        if not dialect.chat or self._thinking:
            said = "left on by `--thinking`" if self._thinking else ""
            return dialect, said, False, plain.thinks
        first, *others = THINKING_OFF
        # A reply that shows nothing at all may be thinking that the server keeps.
        if not plain.thinks and plain.first.text.strip():
            switched = await self._requests.try_once(replace(dialect, thinking_switch=first), max_tokens=self._tokens)
            if isinstance(switched, ProbeReply) and _template_heeds(switched, plain):
                return self._switched(dialect, first, "the template heeds it")
            return dialect, "none was seen", False, False
        long = max(self._tokens, _LOOK_TOKENS)
        base = await self._requests.ask(dialect, max_tokens=long)
        for name in (first, *others):
            switched = await self._requests.try_once(replace(dialect, thinking_switch=name), max_tokens=long)
            if isinstance(switched, ProbeReply) and _is_off(switched, base):
                return self._switched(dialect, name, "the probe shows none")
        if not base.thinks:
            # An empty reply, and no sign of why.
            return dialect, "none was seen", False, False
        name = await self._least(dialect)
        if name is not None:
            said = f"less with `{name}`, which is as far as it goes"
            self._warnings.append(f"the model thinks before it answers, {said}: {_CUT_THOUGHTS}")
            return replace(dialect, thinking_switch=name), said, False, True
        self._warnings.append(
            f"the model thinks before it answers, and no way to switch that off was found: {_CUT_THOUGHTS}"
        )
        return dialect, "cannot be switched off", False, True

    def _switched(self, dialect: Dialect, name: str, why: str) -> tuple[Dialect, str, bool, bool]:
        said = f"switched off with `{name}`"
        self._warnings.append(f"thinking is {said}: {why}")
        return replace(dialect, thinking_switch=name), said, True, False

    async def _least(self, dialect: Dialect) -> str | None:
        """Return what makes a model that always thinks do so much less, `None` where nothing does."""
        base = await self._requests.ask(dialect, max_tokens=_THOUGHT_TOKENS)
        found: dict[str, int] = {}
        for name in LESS_THINKING:
            reply = await self._requests.try_once(replace(dialect, thinking_switch=name), max_tokens=_THOUGHT_TOKENS)
            if isinstance(reply, ProbeReply) and reply.choices and not reply.is_hidden:
                found[name] = reply.thoughts
        name = min(found, key=lambda name: found[name], default=None)
        return name if name is not None and found[name] <= _ACCEPTED_LESS * base.thoughts else None


def _is_off(switched: ProbeReply, base: ProbeReply) -> bool:
    """Whether a switch has turned thinking off.

    The answer may still arrive as if it were thinking: it is then far shorter than the thoughts were, or the answer
    that stood behind them.
    """
    if switched.is_hidden and not base.is_hidden:
        answer, thoughts = switched.first.reasoning.strip(), base.first.reasoning
        return answer == base.first.text.strip() or 2 * len(answer) <= len(thoughts)
    return bool(switched.first.text.strip()) and not switched.thinks


def _has_as_many(reply: ProbeReply, other: ProbeReply) -> bool:
    """Whether two prompts have as many tokens; not where the server does not count them."""
    return reply.usage.prompt is not None and reply.usage.prompt == other.usage.prompt


def _template_heeds(switched: ProbeReply, plain: ProbeReply) -> bool:
    """Whether the template made another prompt of the same question."""
    counts = (switched.usage.prompt, plain.usage.prompt)
    return bool(switched.choices) and None not in counts and counts[0] != counts[1]
