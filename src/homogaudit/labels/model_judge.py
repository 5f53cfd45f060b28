"""A model as judge: what it is shown, and how its reply is read. It makes no call.

The reply is read strictly: a verdict stands at its beginning or on a line `Verdict: ...`. A reply that holds none, or
two that differ, gives no label; guessing one from its words would count the reader's opinion as the judge's.
"""

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from homogaudit.errors import ConfigError
from homogaudit.labels.verdict import Verdict
from homogaudit.questions.sandbox import CompiledTemplate, TemplateFailure
from homogaudit.questions.wording import quoted
from homogaudit.records import Generation, GenerationState, LabelValue, Question

JUDGE_REPLY_TOKENS = 80
"""Of a reply at most: a word and a short sentence."""

UNSURE, UNPARSED = "unsure", "unparsed"
"""Why a reply has no value: the judge says that it cannot tell, or says nothing that can be read."""

REPLY_FAILED = "the judge's reply failed: "
"""What the reason of a label begins with where there was no reply to read."""

_VALUES = {"correct": LabelValue.CORRECT, "incorrect": LabelValue.INCORRECT, UNSURE: LabelValue.AMBIGUOUS}
_WORDS = "(?:correct|incorrect|unsure)"
_QUOTES = "*_\"'`\u201c\u201d\u2018\u2019"
# A judge that repeats its choices ("correct, incorrect or unsure"), its instructions ("the answer is correct if") or
# what it was shown ("correct reference answer: ...") has said nothing.
_NO_ECHO = (
    rf"(?![ \t,/|(){_QUOTES}]*(?:(?:or|and)\b[ \t{_QUOTES}]*)?{_WORDS}\b)(?!\s+(?:if|(?:reference\s+)?answers?)\b)"
)
_VERDICT = rf"({_WORDS})\b{_NO_ECHO}"
_MARKS = rf"[\s#>{_QUOTES}\[(:.-]*"
_TITLE = r"(?:final\s+)?verdict\W+"
_FIRST = re.compile(
    rf"{_MARKS}(?:{_TITLE}|(?:the|this)\s+(?:given\s+|proposed\s+)?answer\s+is\s+[{_QUOTES}]*)?{_VERDICT}",
    re.IGNORECASE,
)
_LINE = re.compile(rf"^{_MARKS}{_TITLE}{_VERDICT}", re.IGNORECASE | re.MULTILINE)
_SHOWN = 300
"""Characters of an unreadable reply that its reason quotes; the whole of it is stored beside."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference answer as the judge sees it."""

    text: str
    is_correct: bool


def shuffled_references(question: Question, seed: int) -> list[Reference]:
    """Return the reference answers of a question in an order of the seed and the question's id.

    A judge prefers what it reads first or last, so that the correct answers must not always stand there.
    """
    references = [Reference(text, True) for text in question.answers]
    references += [Reference(text, False) for text in question.incorrect_answers]
    random.Random(f"{seed}\0{question.id}").shuffle(references)
    return references


def default_prompt() -> str:
    """Return the packaged template of a judge's prompt."""
    return files("homogaudit.labels").joinpath("judge_prompt.jinja").read_text(encoding="utf-8")


class JudgePrompt:
    """What a judge is asked about one answer.

    Args:
        template: Jinja; sees `question`, `answer` and `references`, each with `text` and `is_correct`.
        seed: Of the order of the references.

    Raises:
        ConfigError: It is no template, or leaves the question or the answer out.
    """

    def __init__(self, template: str, seed: int) -> None:
        self._seed = seed
        try:
            self._template = CompiledTemplate(template, now=datetime(2000, 1, 1, tzinfo=UTC))
        except TemplateFailure as failure:
            raise _error(failure) from None
        plain = Question("q", "one", answers=("a",))
        if self.text(plain, "two") in (
            self.text(plain, "three"),
            self.text(Question("q", "four", answers=("a",)), "two"),
        ):
            raise ConfigError(
                "the judge's prompt leaves the question or the answer out",
                "it must write `{{ question }}` and `{{ answer }}`",
            )

    def text(self, question: Question, answer: str) -> str:
        """Return the prompt.

        Raises:
            ConfigError: The template fails on this question.
        """
        references = [
            {"text": reference.text, "is_correct": reference.is_correct}
            for reference in shuffled_references(question, self._seed)
        ]
        try:
            return self._template.render(
                {"question": question.asked, "answer": answer, "references": references}
            ).strip()
        except TemplateFailure as failure:
            raise _error(failure) from None


def read_verdict(reply: Generation) -> Verdict | None:
    """Return what a judge's reply says, with its reason in the judge's own words; `None` where it holds no verdict.

    The verdict is the word that the reply begins with, or that of its lines `Verdict: ...`; two that differ are none.
    `unsure` is ambiguous.
    """
    if reply.state is not GenerationState.VALID:
        return None
    first = _FIRST.match(reply.answer)
    found = [*([first] if first else []), *_LINE.finditer(reply.answer)]
    words = {match[1].lower() for match in found}
    if len(words) != 1:
        return None
    rest = reply.answer[first.end() :] if first else reply.answer[: found[0].start()]
    reason = " ".join(rest.split()).lstrip(" *_\"'`\u201d\u2019.,:;!)]}-\u2013\u2014")
    return Verdict(_VALUES[words.pop()], reason or "the judge gives no reason")


def unparsed_reason(reply: Generation) -> str:
    """Return why a reply holds no verdict."""
    match reply.state:
        case GenerationState.VALID:
            text = " ".join(reply.answer.split())
            return "the judge's reply holds no verdict: " + (text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
        case GenerationState.ERROR:
            return REPLY_FAILED + " ".join(reply.text.split())[:_SHOWN]
        case GenerationState.THINKING_UNCLOSED:
            return "the judge's reply never came out of its thinking"
        case GenerationState.EMPTY:
            return "the judge's reply is empty"


def _error(failure: TemplateFailure) -> ConfigError:
    where = "" if failure.line is None else f" line {failure.line}"
    return ConfigError(
        f"the judge's prompt{where} cannot be used: {quoted(failure.reason, 160)}",
        "it is a Jinja template that sees `question`, `answer` and `references`",
    )
