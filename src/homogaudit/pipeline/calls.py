"""Asks the model about its own greedy answers: whether they are true, and how sure it is.

One reply a question and kind, stored as soon as it is there. It draws no answer and computes no signal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from homogaudit.errors import ContextTooShortError, UndefinedStatisticError
from homogaudit.generation import DrawRequest, Generator
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, ModelCall, SampleSet
from homogaudit.signals.calls import p_true_from_logprobs, p_true_prompt, parse_confidence, verbalized_prompt

CALL_KINDS: Mapping[str, str] = {"call_p_true": "p_true", "call_verbalized": "verbalized"}
"""The kind of a stored call, by what a signal needs."""

_REPLY_TOKENS = 16
"""A percentage and some words around it; what comes later is an explanation."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote when it was asked about an answer, with the tokens and the seconds that it cost."""

    generation: Generation
    tokens: int
    seconds: float

    def call(self, kind: str, value: float | None, reason: str) -> ModelCall:
        """Return the record of a call of this kind."""
        reply = self.generation
        return ModelCall(reply.question_id, kind, value, reason, reply.text, self.tokens, self.seconds)


def ask_p_true(
    generator: Generator, answered: Sequence[SampleSet], *, begins_in_thinking: bool = False
) -> Iterator[ModelCall | None]:
    """Yield P(True) of each greedy answer, from the probabilities of the next token.

    `None` stands for a moment in which no reply came, so that whoever iterates can stop.

    `begins_in_thinking` is whether the answers have shown that thinking is opened where no prompt tells.
    """
    prompts = [call_prompt(generator, p_true_prompt(x.question.asked, _answer(x)), x.question.system) for x in answered]
    if begins_in_thinking or any(prompt.starts_in_thinking for prompt in prompts):
        reason = "the model thinks before it answers, so its next token is no answer"
        yield from (ModelCall(x.question.id, "p_true", None, reason) for x in answered)
        return
    waiting = iter(answered)
    for found in generator.next_tokens(prompts, ("true", "false")):
        if found is None:
            yield None
            continue
        sample_set = next(waiting)
        call = ModelCall(sample_set.question.id, "p_true", None, "", "", found.prompt_tokens, found.seconds)
        if found.reason:
            yield replace(call, reason=found.reason)
            continue
        try:
            yield replace(call, value=p_true_from_logprobs(found.texts, found.logprobs.tolist()))
        except UndefinedStatisticError as error:
            yield replace(call, reason=error.message)


def ask_verbalized(
    generator: Generator, answered: Sequence[SampleSet], decoding: Decoding, *, begins_in_thinking: bool = False
) -> Iterator[ModelCall | None]:
    """Yield the confidence that the model puts into words about each greedy answer, in the order they are written.

    `None` stands for a step in which no reply was finished, so that whoever iterates can stop.

    Replies are greedy and short, unless the model thinks first: a number in thoughts is no confidence.
    """
    prompts = {
        x.question.id: call_prompt(generator, verbalized_prompt(x.question.asked, _answer(x)), x.question.system)
        for x in answered
    }
    if begins_in_thinking:
        prompts = {key: replace(prompt, starts_in_thinking=True) for key, prompt in prompts.items()}
    for reply in greedy_replies(generator, prompts, _REPLY_TOKENS, thinking_tokens=decoding.greedy_max_tokens):
        yield reply and _verbalized(reply)


def _verbalized(reply: Reply) -> ModelCall:
    if reply.generation.state is GenerationState.ERROR:
        return reply.call("verbalized", None, reply.generation.text)
    value = parse_confidence(reply.generation.answer)
    reason = "" if value is not None else "the reply states no confidence"
    return reply.call("verbalized", value, reason)


def greedy_replies(
    generator: Generator, prompts: Mapping[str, Prompt], tokens: int, *, thinking_tokens: int
) -> Iterator[Reply | None]:
    """Yield the greedy reply to each prompt, in the order they are written.

    `None` stands for a step in which no reply was finished, so that whoever iterates can stop.

    They have `tokens` at most, and `thinking_tokens` where the model thinks first. A reply that was cut before it came
    out of its thinking, which no prompt of a server foretells, is asked for once more with these.
    """
    limit = thinking_tokens if any(prompt.starts_in_thinking for prompt in prompts.values()) else tokens
    cut: dict[str, Reply] = {}
    for reply in _replies(generator, prompts, limit):
        if reply is not None and limit < thinking_tokens and _is_cut_in_thinking(reply.generation):
            cut[reply.generation.question_id] = reply
            yield None
        else:
            yield reply
    if not cut:
        return
    try:
        for reply in _replies(generator, {question_id: prompts[question_id] for question_id in cut}, thinking_tokens):
            yield reply and _second(cut.pop(reply.generation.question_id), reply)
    except ContextTooShortError:
        yield from cut.values()


def _is_cut_in_thinking(reply: Generation) -> bool:
    """Whether a reply needs more tokens; a server may leave its thinking out, so that nothing is to be seen."""
    return reply.finish_reason == "length" and reply.state in (GenerationState.THINKING_UNCLOSED, GenerationState.EMPTY)


def _second(first: Reply, second: Reply) -> Reply:
    """Return what became of a reply that was asked for twice, at the cost of both."""
    better = first.generation if second.generation.state is GenerationState.ERROR else second.generation
    return Reply(better, first.tokens + second.tokens, first.seconds + second.seconds)


def _replies(generator: Generator, prompts: Mapping[str, Prompt], limit: int) -> Iterator[Reply | None]:
    """Yield the greedy replies of at most `limit` tokens; one whose prompt does not fit the context has failed."""
    requests = [DrawRequest(question_id, prompt, (GREEDY,)) for question_id, prompt in prompts.items()]
    decoding = Decoding(samples=0, max_tokens=limit, greedy_max_tokens=limit)
    try:
        drawing = generator.draw(requests, decoding)
    except ContextTooShortError as error:
        if not error.question_ids:
            raise
        reason = "the prompt and the reply do not fit its context"
        for question_id in error.question_ids:
            yield Reply(Generation(question_id, GREEDY, reason, "", GenerationState.ERROR), 0, 0.0)
        requests = [request for request in requests if request.question_id not in error.question_ids]
        if not requests:
            return
        drawing = generator.draw(requests, decoding)
    seen_prompt_tokens, seen_seconds = 0, 0.0
    while not drawing.is_done:
        finished = drawing.step()
        if not finished:
            yield None
            continue
        # Replies are written side by side: those that finish together share what was spent since the last ones.
        prompt_tokens = (drawing.counts.prompt_tokens - seen_prompt_tokens) // len(finished)
        seconds = (drawing.counts.seconds - seen_seconds) / len(finished)
        seen_prompt_tokens, seen_seconds = drawing.counts.prompt_tokens, drawing.counts.seconds
        yield from (Reply(reply, prompt_tokens + (reply.tokens or 0), seconds) for reply in finished)


def _answer(sample_set: SampleSet) -> str:
    assert sample_set.greedy is not None
    return sample_set.greedy.answer


def call_prompt(generator: Generator, text: str, system: str | None = None) -> Prompt:
    """Return the prompt of a call; to a base model the text itself, which ends where the reply begins.

    `system` is the system prompt of the question that the call is about.
    """
    if generator.facts.mode == "base":
        return Prompt(text, (Segment(text, trusted=False),), "base", ("\n",), False)
    return generator.prompt(text, system)
