"""Asks the model about its own greedy answers: whether they are true, and how sure it is.

One reply a question and kind, asked beside the answers that are still being drawn where the engine can, else after
them. It draws no answer, stores nothing and computes no signal.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from homogaudit.errors import ContextTooShortError, UndefinedStatisticError
from homogaudit.generation import DrawRequest, FollowUp, FollowUpReply, FollowUps, Generator, NextTokens
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, ModelCall, Question, SampleSet
from homogaudit.signals.calls import (
    P_TRUE_FOLLOW_UP,
    VERBALIZED_FOLLOW_UP,
    p_true_from_logprobs,
    p_true_prompt,
    parse_confidence,
    verbalized_prompt,
)

_REPLY_TOKENS = 16
"""A percentage and some words around it; what comes later is an explanation."""

_TRUTH_WORDS = frozenset(("true", "false"))


@dataclass(frozen=True, slots=True)
class _Wording:
    """How something is asked: of question and answer in a prompt of its own, and where they are the conversation."""

    prompt: Callable[[str, str], str]
    follow_up: str


_WORDINGS: Mapping[str, _Wording] = {
    "p_true": _Wording(p_true_prompt, P_TRUE_FOLLOW_UP),
    "verbalized": _Wording(verbalized_prompt, VERBALIZED_FOLLOW_UP),
}


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


def follow_ups(
    generator: Generator,
    questions: Iterable[Question],
    kinds: Collection[str],
    decoding: Decoding,
    *,
    in_conversation: bool,
) -> FollowUps:
    """Return what is to be asked about greedy answers as soon as they are there; `follow_up_call` reads the replies."""
    by_id = {question.id: question for question in questions}

    def about(answer: Generation) -> list[FollowUp]:
        if not answer.is_valid:
            return []
        question = by_id[answer.question_id]
        found: list[FollowUp] = []
        for kind in kinds:
            prompt = asked_prompt(generator, kind, question, answer.answer, in_conversation=in_conversation)
            if kind == "verbalized":
                limit = decoding.greedy_max_tokens if prompt.starts_in_thinking else _REPLY_TOKENS
                found.append(FollowUp(kind, prompt, limit))
            elif not prompt.starts_in_thinking:
                found.append(FollowUp(kind, prompt, words=_TRUTH_WORDS))
        return found

    return FollowUps(about, max(_REPLY_TOKENS, decoding.greedy_max_tokens))


def follow_up_call(reply: FollowUpReply) -> ModelCall | None:
    """Return the record of what was said to a follow-up, `None` where it has to be asked again with more tokens."""
    if isinstance(reply.said, NextTokens):
        return replace(_p_true(reply.question_id, reply.said), tokens=reply.tokens)
    if _is_cut_in_thinking(reply.said):
        return None
    return _verbalized(Reply(reply.said, reply.tokens, reply.seconds))


def asked_prompt(generator: Generator, kind: str, question: Question, answer: str, *, in_conversation: bool) -> Prompt:
    """Return the prompt that asks for this kind of call about an answer.

    `in_conversation` is whether it goes on behind the answer, where the model's template can.
    """
    wording = _WORDINGS[kind]
    if in_conversation:
        prompt = generator.follow_up_prompt(question.asked, answer, wording.follow_up, question.system)
        if prompt is not None:
            # What a model adds below its number explains it.
            is_plain = not (prompt.families or prompt.starts_in_thinking)
            return replace(prompt, stop=("\n",)) if is_plain and kind == "verbalized" else prompt
    return call_prompt(generator, wording.prompt(question.asked, answer), question.system)


def ask_p_true(
    generator: Generator,
    answered: Sequence[SampleSet],
    *,
    in_conversation: bool = False,
    begins_in_thinking: bool = False,
) -> Iterator[ModelCall | None]:
    """Yield P(True) of each greedy answer, from the probabilities of the next token.

    `None` stands for a moment in which no reply came, so that whoever iterates can stop.

    `begins_in_thinking` is whether the answers have shown that thinking is opened where no prompt tells.
    """
    prompts = [
        asked_prompt(generator, "p_true", x.question, _answer(x), in_conversation=in_conversation) for x in answered
    ]
    if begins_in_thinking or any(prompt.starts_in_thinking for prompt in prompts):
        reason = "the model thinks before it answers, so its next token is no answer"
        yield from (ModelCall(x.question.id, "p_true", None, reason) for x in answered)
        return
    waiting = iter(answered)
    for found in generator.next_tokens(prompts, _TRUTH_WORDS):
        yield found and _p_true(next(waiting).question.id, found)


def _p_true(question_id: str, found: NextTokens) -> ModelCall:
    call = ModelCall(question_id, "p_true", None, found.reason, "", found.prompt_tokens, found.seconds)
    if found.reason:
        return call
    try:
        return replace(call, value=p_true_from_logprobs(found.texts, found.logprobs.tolist()))
    except UndefinedStatisticError as error:
        return replace(call, reason=error.message)


def ask_verbalized(
    generator: Generator,
    answered: Sequence[SampleSet],
    decoding: Decoding,
    *,
    in_conversation: bool = False,
    begins_in_thinking: bool = False,
) -> Iterator[ModelCall | None]:
    """Yield the confidence that the model puts into words about each greedy answer, in the order they are written.

    `None` stands for a step in which no reply was finished, so that whoever iterates can stop.

    Replies are greedy and short, unless the model thinks first: a number in thoughts is no confidence.
    """
    prompts = {
        x.question.id: asked_prompt(generator, "verbalized", x.question, _answer(x), in_conversation=in_conversation)
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
