"""Accuracy and label counts of every stored judge, over the scored questions."""

from collections import Counter
from collections.abc import Mapping

from homogaudit.errors import UsageError
from homogaudit.records import Label, LabelValue
from homogaudit.report.evidence import Evidence, mapping, rate
from homogaudit.report.records import JudgeCounts, Labels
from homogaudit.store.run_file import RunFile

__all__ = ["choose_judge", "count_labels"]


def choose_judge(run: RunFile, judge: str | None) -> str | None:
    """Return the judge whose labels the report goes by: the one asked for, the run's own, or any stored one.

    A run that was scored without a judge goes by none, whatever labels an earlier scoring left.

    Raises:
        UsageError: The judge asked for has no stored labels.
    """
    stored = run.judges()
    if judge is not None:
        if judge not in stored:
            known = ", ".join(f"`{name}`" for name in stored) or "none"
            hint = f"stored judges: {known}; `homogaudit score --judge {judge}` adds one"
            raise UsageError(f"the run holds no labels of judge `{judge}`", hint)
        return judge
    scoring = mapping(run.meta("scoring"))
    chosen = scoring.get("judge")
    if "judge" in scoring and chosen is None:
        return None
    if isinstance(chosen, str) and chosen in stored:
        return chosen
    return "recorded" if "recorded" in stored else next(iter(stored), None)


def count_labels(run: RunFile, evidence: Evidence, judge: str | None) -> Labels:
    """Count the labels of the scored questions by judge.

    Args:
        run: The run.
        evidence: The scored questions.
        judge: The chosen one, from `choose_judge`.
    """
    judges = {name: _counts(run.labels(name), evidence) for name in run.judges()}
    counts = judges[judge] if judge is not None else _counts({}, evidence)
    scoring = mapping(run.meta("scoring"))
    reason = str(scoring.get("judge_reason") or "") if scoring.get("judge") == judge else ""
    if judge is None and not reason:
        reason = "no labels are stored"
    return Labels(
        judge=judge,
        reason=reason,
        correct=counts.correct,
        incorrect=counts.incorrect,
        ambiguous=counts.ambiguous,
        no_match=counts.no_match,
        unlabelled=counts.unlabelled,
        labelled_share=counts.labelled_share,
        accuracy=counts.accuracy,
        judges=judges,
    )


def _counts(labels: Mapping[str, Label], evidence: Evidence) -> JudgeCounts:
    scored = [labels[x.question.id].value for x in evidence.scored if x.question.id in labels]
    values = Counter(scored)
    correct, incorrect = values[LabelValue.CORRECT], values[LabelValue.INCORRECT]
    return JudgeCounts(
        correct=correct,
        incorrect=incorrect,
        ambiguous=values[LabelValue.AMBIGUOUS],
        no_match=values[LabelValue.NO_MATCH],
        unlabelled=len(evidence.scored) - len(scored),
        labelled_share=rate(correct + incorrect, len(evidence.scored), "no question is scored"),
        accuracy=rate(correct, correct + incorrect, "no answer is labelled correct or incorrect"),
    )
