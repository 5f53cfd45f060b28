"""Asks a model that judges about the greedy answers: one reply a question, read as a label. It stores nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from homogaudit.events import JobJudge
from homogaudit.generation import Generator
from homogaudit.labels.model_judge import (
    JUDGE_REPLY_TOKENS,
    UNPARSED,
    UNSURE,
    JudgePrompt,
    read_verdict,
    unparsed_reason,
)
from homogaudit.pipeline.calls import Reply, call_prompt, greedy_replies
from homogaudit.records import Label, LabelValue, ModelCall, Prompting, SampleSet

JUDGE_PROMPTING = Prompting(system="", all_switches=True)
"""The instructions are in the question, where a template without a system role keeps them too."""

_THINKING_TOKENS = 2048
"""Of a judge whose template leaves thinking on."""

_VALUES = {LabelValue.CORRECT: 1.0, LabelValue.INCORRECT: 0.0}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's reply as it is stored, and the label that it gives."""

    call: ModelCall
    label: Label


def ask_judge(generator: Generator, judge: JobJudge, answered: Sequence[SampleSet]) -> Iterator[Judgement | None]:
    """Yield the judgement of each greedy answer, in the order they are written.

    `None` stands for a step in which no reply was finished, so that whoever iterates can stop.

    All have reference answers and a valid greedy answer.
    """
    prompt = JudgePrompt(judge.prompt, judge.seed)
    # A base model goes on with the text, so that its reply must begin in it.
    begun = "\nVerdict:" if generator.facts.mode == "base" else ""
    prompts = {
        x.question.id: call_prompt(generator, prompt.text(x.question, x.greedy.answer) + begun)
        for x in answered
        if x.greedy is not None
    }
    for reply in greedy_replies(generator, prompts, JUDGE_REPLY_TOKENS, thinking_tokens=_THINKING_TOKENS):
        yield reply and _judgement(reply, judge.key)


def _judgement(reply: Reply, key: str) -> Judgement:
    verdict = read_verdict(reply.generation)
    question_id = reply.generation.question_id
    if verdict is None:
        label = Label(question_id, key, LabelValue.NO_MATCH, unparsed_reason(reply.generation))
        return Judgement(reply.call(key, None, UNPARSED), label)
    value = _VALUES.get(verdict.value)
    return Judgement(
        reply.call(key, value, UNSURE if value is None else ""), Label(question_id, key, verdict.value, verdict.reason)
    )
