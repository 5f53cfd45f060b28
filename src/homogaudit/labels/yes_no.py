"""Questions whose references are yes or no, true or false: what an answer says of them first.

It knows English words only. An answer that says neither is no match: `The sky is blue.` says yes to people alone.
"""

import re

from homogaudit.labels.verdict import Verdict
from homogaudit.records import Generation, LabelValue, Question

_YES = frozenset({"yes", "true"})
_NO = frozenset({"no", "false"})
_NAMES = {True: "yes", False: "no"}

_MARKS = r"[\s*_`\"'(\[#>-]*"
_NO_WORD = r"no(?=\s*(?:[^\w\s]|$)|\s+(?:i|it|he|she|we|you|they|this|that|there|the|because|since|not)\b)"
"""A `no` that answers: that of `no idea` and `no doubt` belongs to the word behind it."""
_FIRST = re.compile(
    rf"{_MARKS}(?:(yes|yeah|yep|true|correct)|({_NO_WORD}|nope|false|incorrect|(?:not|un)\s*true))\b", re.IGNORECASE
)
_TAKEN_BACK = re.compile(
    r"(?:\b(?:but|and|or|actually|wait|rather|sorry|well)\b[\s,.]*|/\s*|\.\.+\s*|\u2026\s*)"
    r"(?:(?P<yes>yes|true)|(?P<no>no(?=\s*(?:[.,;:!?*_`\"')]|$))|false))\b",
    re.IGNORECASE,
)
"""The other word behind a first one, with what people and models turn around by."""
_SAID = re.compile(
    r"(?:\b(?:is|be|was|says?|so|thus|therefore|answer:|verdict:)|\b(?:that|it)['\u2019]s)[\s*_`\"':,]*(?:(?P<not>not|n't)\s+)?"
    r"(?:(?P<yes>yes|true|correct)|(?P<no>no(?=\s*(?:[.,;:!*_`\"')]|$))|false|incorrect|untrue))\b",
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
    if first := _FIRST.match(answer):
        says_yes = first[1] is not None
        back = any((match["yes"] is not None) is not says_yes for match in _TAKEN_BACK.finditer(answer, first.end()))
        return {says_yes, not says_yes} if back else {says_yes}
    said = {(match["yes"] is not None) is (match["not"] is None) for match in _SAID.finditer(answer)}
    if _ISNT.search(answer):
        said.add(False)
    return said or None
