"""Which judge labels the greedy answers, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from homogaudit.errors import UsageError
from homogaudit.records import Question

__all__ = ["JudgeChoice", "choose_judge"]


@dataclass(frozen=True, slots=True)
class JudgeChoice:
    """A judge, `None` for nobody, and the reason in words."""

    judge: str | None
    reason: str


def choose_judge(asked: str | None, questions: Sequence[Question], *, recorded: bool = False) -> JudgeChoice:
    """Return the judge that was asked for, or the one that fits the questions.

    Args:
        asked: `auto` or `None` to choose, `none` for no labels, else a judge's name.
        questions: With their reference answers.
        recorded: Whether labels came with the run.

    Raises:
        UsageError: The judge is not known, or there are no recorded labels.
    """
    from homogaudit.config import did_you_mean
    from homogaudit.labels.judges import JUDGES, RECORDED, default_judge

    if asked == "none":
        return JudgeChoice(None, "switched off by `--judge none`")
    if asked not in (None, "auto"):
        if asked == RECORDED and not recorded:
            raise UsageError("the run has no recorded labels", f"choose one of {', '.join(JUDGES)}")
        if asked != RECORDED and asked not in JUDGES:
            hint = did_you_mean(asked, [*JUDGES, RECORDED, "none", "auto"], f"one of {', '.join(JUDGES)}, none, auto")
            raise UsageError(f"unknown judge `{asked}`", hint)
        return JudgeChoice(asked, "chosen by `--judge`")
    if recorded:
        return JudgeChoice(RECORDED, "labels came with the recorded generations")
    judge = default_judge(questions)
    reason = "fits the reference answers of most questions" if judge else "the questions have no reference answers"
    return JudgeChoice(judge, reason)
