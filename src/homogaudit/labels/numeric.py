"""The `numeric` judge: the answer's last number against the reference number.

It knows how a number is written, not how it was reached.
"""

from homogaudit.clustering.final_answer import final_number
from homogaudit.labels.verdict import Verdict
from homogaudit.records import Generation, LabelValue, Question

__all__ = ["judge_numeric"]


def judge_numeric(question: Question, greedy: Generation) -> Verdict:
    """Label an answer `correct` where its final number equals that of a reference answer, else `incorrect`.

    Equality is that of decimals: 18, 18.0 and $18 are one number. A truncated answer is `no_match`: its last number may
    be one of the way, not of the end. So is an answer, or a reference, without a number.

    Args:
        question: With `answers`.
        greedy: A valid answer.
    """
    references = [number for answer in question.answers if (number := final_number(answer)) is not None]
    if not references:
        return Verdict(LabelValue.NO_MATCH, "the question has no reference number")
    if greedy.is_truncated:
        return Verdict(LabelValue.NO_MATCH, "the answer was cut at the token limit")
    number = final_number(greedy.answer)
    if number is None:
        return Verdict(LabelValue.NO_MATCH, "the answer holds no number")
    if number in references:
        return Verdict(LabelValue.CORRECT, f"the final number is {number:.12g}")
    expected = " or ".join(f"{reference:.12g}" for reference in references)
    return Verdict(LabelValue.INCORRECT, f"the final number is {number:.12g}, not {expected}")
