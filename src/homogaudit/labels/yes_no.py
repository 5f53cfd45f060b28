"""Questions whose references are yes or no, true or false: what an answer says of them first.

It knows English words only. An answer that says neither is no match: `The sky is blue.` says yes to people alone.
"""

import re

from homogaudit.labels.verdict import Verdict
from homogaudit.records import Generation, LabelValue, Question

__all__ = ["is_yes_no", "judge_yes_no"]

_YES = frozenset({"yes", "true"})
_NO = frozenset({"no", "false"})
_NAMES = {True: "yes", False: "no"}

_MARKS = r"[\s*_`\"'(\[#>-]*"
_FIRST = re.compile(rf"{_MARKS}(?:(yes|yeah|yep|true|correct)|(no|nope|false|incorrect))\b", re.IGNORECASE)
_BOTH = re.compile(rf"{_MARKS}yes\s+and\s+no\b", re.IGNORECASE)
_SAID = re.compile(
    r"\b(?:is|be|was|says?|answer:|verdict:)[\s*_`\"':]*(?:(?P<not>not|n't)\s+)?(?:(?P<yes>yes|true|correct)"
    r"|(?P<no>no(?=\s*(?:[.,;:!*_`\"')]|$))|false|incorrect))\b",
    re.IGNORECASE,
)
_ISNT = re.compile(r"\b(?:isn|wasn)['\u2019]t\s+(?:true|correct)\b", re.IGNORECASE)


def is_yes_no(question: Question) -> bool:
    """Whether the correct answers are all a yes or all a no, and no incorrect one is anything else."""
    correct = {answer.strip(" .!").casefold() for answer in question.answers}
    incorrect = {answer.strip(" .!").casefold() for answer in question.incorrect_answers}
    return bool(correct) and ((correct <= _YES and incorrect <= _NO) or (correct <= _NO and incorrect <= _YES))


def judge_yes_no(question: Question, greedy: Generation) -> Verdict:
    """Label an answer by the yes or no that it begins with, else by the only one that it says.

    Args:
        question: For which `is_yes_no`.
        greedy: A valid answer.
    """
    wanted = question.answers[0].strip(" .!").casefold() in _YES
    said = _said(greedy.answer)
    if said is None:
        return Verdict(LabelValue.NO_MATCH, "the answer says neither yes nor no")
    if len(said) > 1:
        return Verdict(LabelValue.AMBIGUOUS, "the answer says both yes and no")
    found = next(iter(said))
    return Verdict(LabelValue.CORRECT if found is wanted else LabelValue.INCORRECT, f"says {_NAMES[found]}")


def _said(answer: str) -> set[bool] | None:
    """Return what an answer says, `None` where it says neither."""
    if _BOTH.match(answer):
        return {True, False}
    if first := _FIRST.match(answer):
        return {first[1] is not None}
    said = {(match["yes"] is not None) is (match["not"] is None) for match in _SAID.finditer(answer)}
    if _ISNT.search(answer):
        said.add(False)
    return said or None
