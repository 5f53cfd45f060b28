"""Draws in progress on servers: which requests they take, and what the answers become.

Requests are made as they are started, so that memory does not grow with the number of questions. A new one starts in
`step` alone: whoever stops stepping pauses the servers. Each (question, sample) is handed out once.
"""

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homogaudit.errors import EngineError, HomogauditError, ModelError
from homogaudit.generation.dialect import is_unfinished
from homogaudit.generation.generator import DrawRequest, FollowUpReply, SamplerCounts
from homogaudit.generation.openai_format import Choice, ServerToken, aligned_tokens, choices_of, usage_of
from homogaudit.generation.server_errors import RefusedError
from homogaudit.generation.server_probe import head_fault
from homogaudit.generation.server_queue import Reply, RequestQueue
from homogaudit.generation.server_statistics import StatisticsPlan, token_entropy
from homogaudit.generation.token_texts import answer_mask
from homogaudit.questions.thinking import locate_answer, split_thinking
from homogaudit.questions.wording import quoted
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting, TokenStatistics

_MOST_CHOICES = 64
"""Answers asked for in one request."""

_MOST_TRIES = 5
"""Requests for the same answers that came back without all of them."""

_HOPELESS = 20
"""Requests refused in a row before the first answer, or questions after it: it is not the questions.

Of a question that breaks a server's rules every single sample is refused, which says nothing of the others.
"""


@dataclass(frozen=True, slots=True)
class ServerWork:
    """The draws of one request, all of one temperature.

    Attributes:
        tries: Requests that came back without these draws.
    """

    request: DrawRequest
    sample_indexes: tuple[int, ...]
    is_first: bool = False
    tries: int = 0


class ServerDrawing:
    """Draws every requested answer over one or several servers.

    With `several` one request may ask for several answers. Where thinking was seen to be off, what arrives as thinking
    alone is an answer; `thinks` is whether the model was seen to think all the same. `token_budget` are prompt and
    answer tokens to spend at most, `None` for no limit; `note` is told what the user should know, once or more often.

    Raises:
        EngineError: While stepping, when every server fails again and again, or the budget is spent.
        ModelError: While stepping, when the key or the model is refused, or every request in a row.
    """

    def __init__(
        self,
        requests: Iterable[DrawRequest],
        queue: RequestQueue[ServerWork],
        *,
        decoding: Decoding,
        prompting: Prompting,
        several: bool,
        plan: StatisticsPlan,
        is_thinking_off: bool = False,
        thinks: bool = False,
        token_budget: int | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._most = _MOST_CHOICES if several and decoding.temperature > 0 else 1
        self._works = _works(requests, self._most)
        self._later: dict[str, DrawRequest] = {}
        self._next = next(self._works, None)
        self._again: deque[ServerWork] = deque()
        self._queue = queue
        self._prompting = prompting
        self._plan = plan
        self._is_thinking_off = is_thinking_off
        self._thinks = thinks
        self._note = note
        self._budget = token_budget
        self._started: list[str] = []
        self._refused: list[tuple[int, Generation]] = []
        self._last_answered = -1
        self._error: HomogauditError | None = None
        self.counts = SamplerCounts()

    @property
    def is_done(self) -> bool:
        """Whether every requested draw is finished."""
        return self._next is None and not self._again and not self._queue.live and self._error is None

    @property
    def live(self) -> int:
        """Answers being drawn now."""
        return sum(len(work.sample_indexes) for work in self._queue.live)

    def live_texts(self) -> dict[tuple[str, int], str]:
        """Return nothing: an answer is known once it is whole."""
        return {}

    def live_tokens(self) -> list[int]:
        """Return nothing, as `live_texts`."""
        return []

    def draw_later(self, question_id: str) -> None:
        """Ask for what a request has left for later next; its other draws are finished."""
        request = self._later.pop(question_id)
        rest = _works([replace(request, sample_indexes=request.later)], self._most)
        self._again += [replace(work, is_first=False) for work in rest]

    def take_replies(self) -> list[FollowUpReply]:
        """Return nothing: a server is asked about answers when they are drawn."""
        return []

    def take_started(self) -> list[str]:
        """Return the ids of the questions whose first draw has started since the last call."""
        started, self._started = self._started, []
        return started

    def step(self) -> list[Generation]:
        """Start requests where servers are free; return the draws that finished in a tenth of a second."""
        begun = time.perf_counter()
        try:
            self._check_budget()
            if self._error is None and not self._seems_hopeless():
                self._queue.fill(self._pop)
            finished: list[Generation] = []
            for reply in self._queue.arrived():
                finished += self._take(reply)
            if not self._queue.live and self._error is None:
                if self._seems_hopeless():
                    self._error = ModelError(
                        f"the server refuses every request: {self._refused[-1][1].text}",
                        "what was drawn is stored; once it answers, run the same command again to continue",
                    )
                elif self._next is None and not self._again:
                    finished += self._failed_before(math.inf)
            # Nothing may come of the requests that are under way either.
            is_urgent = self._queue.is_waiting or isinstance(self._error, ModelError)
            # What has arrived is stored before the reason to stop is told.
            if self._error is not None and not finished and (not self._queue.live or is_urgent):
                raise self._error
            return finished
        finally:
            # Waiting for a server that is gone is no time that an answer took.
            if not self._queue.is_waiting:
                spent = time.perf_counter() - begun
                self.counts.seconds += spent
                self.counts.model_seconds += spent

    # Starting

    def _check_budget(self) -> None:
        if self._budget is not None and self.counts.tokens + self.counts.prompt_tokens >= self._budget:
            self._error = self._error or EngineError(
                "the tokens that `--max-cost` allows are used up",
                "what was drawn is stored; raise it, and run the same command again to continue",
            )

    def _pop(self) -> ServerWork | None:
        if self._again:
            return self._again.popleft()
        work, self._next = self._next, None
        if work is not None:
            self._next = next(self._works, None)
            if work.is_first:
                self._started.append(work.request.question_id)
                if work.request.later:
                    self._later[work.request.question_id] = work.request
        return work

    # Finishing

    def _take(self, reply: Reply[ServerWork]) -> list[Generation]:
        work = reply.work
        if isinstance(reply.error, RefusedError):
            return self._refuse(work, reply.error, reply.number)
        if reply.answer is None:
            self._error = self._error or reply.error
            self._again.appendleft(replace(work, is_first=False))
            return []
        self.counts.steps += 1
        found = self._generations(work, reply.answer, reply.seconds, reply.number)
        return self._failed_before(self._last_answered) + found

    def _generations(
        self, work: ServerWork, answer: Mapping[str, Any], seconds: float, number: int
    ) -> list[Generation]:
        indexes = work.sample_indexes
        choices = choices_of(answer, len(indexes))
        if choices:
            self._last_answered = max(self._last_answered, number)
        usage = usage_of(answer)
        if usage.reasoning or self._thinks:
            # It thought until the limit, and the server keeps what it thought.
            hidden = self._prompting.think_open
            choices = [replace(x, text=hidden) if _is_textless_cut(x) else x for x in choices]
        self.counts.prompt_tokens += usage.prompt or 0
        lengths = _lengths(choices, len(indexes), usage.completion)
        found = [
            self._generation(work, indexes[choice.index], choice, length, seconds)
            for choice, length in zip(choices, lengths, strict=True)
        ]
        tokens = usage.completion
        if tokens is None:
            tokens = sum(generation.tokens or 0 for generation in found)
        self.counts.tokens += tokens
        self.counts.passes += tokens
        got = {choice.index for choice in choices}
        if missing := tuple(index for place, index in enumerate(indexes) if place not in got):
            tries = work.tries + (not choices)
            self._ask_again(replace(work, sample_indexes=missing, is_first=False, tries=tries), number)
        return found

    def _ask_again(self, work: ServerWork, number: int) -> None:
        """Ask for answers that did not come; those of a question that gets none again and again have failed.

        Some filters answer with no choice at all. The run must be able to go on without the question.
        """
        if work.tries < _MOST_TRIES:
            self._again.append(work)
        elif len(work.sample_indexes) > 1:
            self._again += [replace(work, sample_indexes=(index,), tries=0) for index in work.sample_indexes]
        else:
            reason = f"a reply without an answer, {work.tries} times"
            question = work.request.question_id
            self._refused += [(number, _failed(question, index, reason)) for index in work.sample_indexes]

    def _refuse(self, work: ServerWork, refusal: RefusedError, number: int) -> list[Generation]:
        """Ask for the answers one by one, since several at once may be too many; hold a refused one back.

        Whether it has failed is known with the answer to a later request: a key may be withdrawn in the midst of a run.
        """
        indexes = list(work.sample_indexes)
        if is_unfinished(refusal.whole):
            # It thought until the limit, of which this server makes a refusal.
            state, opened = GenerationState.THINKING_UNCLOSED, self._prompting.think_open
            return [Generation(work.request.question_id, x, opened, "", state, "length") for x in indexes]
        if len(indexes) > 1:
            singles = [replace(work, sample_indexes=(index,), is_first=False) for index in indexes]
            self._again.extendleft(reversed(singles))
            return []
        self._refused.append((number, _failed(work.request.question_id, indexes[0], refusal.reason)))
        return self._failed_before(self._last_answered)

    def _seems_hopeless(self) -> bool:
        """Whether to start nothing more until what is under way has told: a refusal is quicker than an answer."""
        questions = {generation.question_id for _, generation in self._refused}
        return len(self._refused if self._last_answered < 0 else questions) >= _HOPELESS

    def _failed_before(self, number: float) -> list[Generation]:
        """Return the refused draws that were asked for before a request: where that is answered, they have failed."""
        failed = [generation for asked, generation in self._refused if asked < number]
        self._refused = [(asked, generation) for asked, generation in self._refused if asked >= number]
        return failed

    def _generation(
        self, work: ServerWork, sample_index: int, choice: Choice, completion: int | None, seconds: float
    ) -> Generation:
        prompt, prompting = work.request.prompt, self._prompting
        question_id = work.request.question_id
        if choice.finish_reason == "content_filter":
            return _failed(question_id, sample_index, "the server's content filter stopped the answer")
        stops = [at for stop in prompt.stop if (at := choice.text.find(stop)) >= 0]
        if stops:
            choice = replace(choice, text=choice.text[: min(stops)], finish_reason="stop")
        if choice.unknown_reason:
            reason = quoted(choice.unknown_reason)
            self._note(f"the server ends answers with {reason}: whether they were cut at the limit is not known")
        if _is_textless_cut(choice):
            self._note(
                "answers end at the limit and hold no text: the model may think where the server does not show it; "
                "raise `--max-tokens`"
            )
        is_alone = bool(choice.reasoning) and not choice.text.strip()
        if is_alone and self._is_thinking_off and choice.finish_reason == "stop":
            # The server takes it for thinking, of which there is none.
            choice, is_alone = replace(choice, text=choice.reasoning, reasoning=""), False
            self._note("answers arrive where thinking belongs; thinking is off, so they are taken as the answers")
        text = choice.text
        if choice.finish_reason == "length":
            # The server has cut the last character.
            text = text.rstrip("\N{REPLACEMENT CHARACTER}")
        if choice.reasoning:
            # What is nothing but thinking has not come out of it. A marker beside a quotation mark would be a word.
            closing = "" if is_alone else f"\n{prompting.think_close}\n"
            text = f"{prompting.think_open}\n{choice.reasoning}{closing}{text}"
        parsed = split_thinking(text, prompting, prompt.starts_in_thinking)
        tokens = aligned_tokens(choice, completion)
        statistics = TokenStatistics()
        if fault := self._fault(choice, tokens, sample_index):
            self._plan.missing[fault] = self._plan.missing.get(fault, 0) + 1
        elif tokens is not None:
            pieces = [x.text for x in tokens]
            part = locate_answer(parsed, text, b"".join(pieces).decode("utf-8", "replace"))
            mask = answer_mask(pieces, part.start, part.stop)
            statistics = self._statistics(tokens, None if mask.all() else mask, sample_index)
        return Generation(
            question_id=question_id,
            sample_index=sample_index,
            text=text,
            answer=parsed.answer,
            state=parsed.state,
            finish_reason=choice.finish_reason,
            tokens=completion if tokens is None else len(tokens),
            statistics=statistics,
            seconds=seconds,
        )

    def _fault(self, choice: Choice, tokens: Sequence[ServerToken] | None, sample_index: int) -> str:
        """Return why an answer has no token statistics; empty where it has."""
        plan = self._plan
        if fault := plan.greedy_fault if sample_index == GREEDY else plan.sample_fault:
            return fault
        if choice.tokens is None:
            return "the server gave no log-probabilities"
        if tokens is None:
            return "the log-probabilities are of another length than the tokens"
        return head_fault([token.head for token in tokens])

    def _statistics(self, tokens: Sequence[ServerToken], mask: Any, sample_index: int) -> TokenStatistics:
        plan = self._plan
        logprobs = np.array([token.logprob for token in tokens], np.float32)
        if not plan.k or not all(token.head for token in tokens):
            return TokenStatistics(logprobs=logprobs, answer_mask=mask)
        is_greedy = sample_index == GREEDY
        is_likeliest = is_greedy and plan.is_likeliest
        found = [token_entropy(x, k=plan.k, vocabulary=plan.vocabulary, is_greedy=is_likeliest) for x in tokens]
        (plan.greedy if is_greedy else plan.samples).add(found)
        # The estimate is for tokens that chance drew; the likeliest token says nothing of what lies outside the head.
        is_estimated = plan.is_unbiased and not is_greedy
        entropies = np.array([x.estimate if is_estimated else x.low for x in found], np.float32)
        return TokenStatistics(entropies=entropies, logprobs=logprobs, answer_mask=mask)


def _is_textless_cut(choice: Choice) -> bool:
    """Whether the limit was reached before anything was said."""
    return choice.finish_reason == "length" and not choice.text.strip() and not choice.reasoning


def _failed(question_id: str, sample_index: int, reason: str) -> Generation:
    """Return the record of a draw that the server will never give."""
    return Generation(question_id, sample_index, reason, "", GenerationState.ERROR)


def draw_seed(seed: int, work: ServerWork) -> int:
    """Return the seed of one request, in [0, 2^31): of the run's, the question and the first sample in it."""
    name = f"{seed}\0{work.request.question_id}\0{work.sample_indexes[0]}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big") >> 1


def _lengths(choices: Sequence[Choice], n: int, total: int | None) -> list[int | None]:
    """Return the tokens of each answer as the server counts them, `None` where its total does not tell."""
    if n == 1:
        return [total] * len(choices)
    given = [len(choice.tokens or ()) for choice in choices]
    # The end of an answer may count as a token and have no log-probability.
    ends = [int(choice.finish_reason == "stop") for choice in choices]
    if total == sum(given):
        return [*given]
    if total == sum(given) + sum(ends):
        return [length + end for length, end in zip(given, ends, strict=True)]
    return [None] * len(choices)


def _works(requests: Iterable[DrawRequest], most: int) -> Iterator[ServerWork]:
    """Yield the requests to make, one at a time: the greedy answer by itself, samples up to `most` together."""
    for request in requests:
        is_first = True
        samples = [index for index in request.sample_indexes if index != GREEDY]
        parts: list[tuple[int, ...]] = [(GREEDY,)] if GREEDY in request.sample_indexes else []
        parts += [tuple(samples[start : start + most]) for start in range(0, len(samples), most)]
        for part in parts:
            yield ServerWork(request, part, is_first)
            is_first = False
