"""Accuracy and label counts of every stored judge, over the scored questions."""

from collections import Counter
from collections.abc import Mapping

from homogaudit.errors import UsageError
from homogaudit.records import Label, LabelValue
from homogaudit.report.judges import compare_judges, judge_model
from homogaudit.report.label_figures import accuracy_by_cutoff, accuracy_decay, mean_token_f1
from homogaudit.report.records import JudgeCounts, Labels
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.report.side_by_side_records import JudgeModel
from homogaudit.report.undefined import Undefined
from homogaudit.statistics.bootstrap import Estimate
from homogaudit.store.run_file import RunFile


def choose_judge(run: RunFile, judge: str | None) -> str | None:
    """Return the judge whose labels the report goes by: the one asked for, the run's own, or any stored one.

    A run that was scored without a judge goes by none, whatever labels an earlier scoring left.

    Raises:
        UsageError: The judge asked for has no stored labels.
    """
    stored = run.judges()
    if judge is not None:
        # A model's judge may be named without what tells it from the same model under another prompt.
        named = [name for name in stored if judge in (name, name.partition("#")[0])]
        if len(named) == 1:
            return named[0]
        if judge not in stored:
            known = ", ".join(f"`{name}`" for name in stored) or "none"
            hint = f"stored judges: {known}; `homogaudit score --judge {judge}` adds one"
            raise UsageError(f"the run holds no labels of judge `{judge}`", hint)
        return judge
    if (scoring := run.scoring) is not None and (scoring.judge is None or scoring.judge in stored):
        return scoring.judge
    return "recorded" if "recorded" in stored else next(iter(stored), None)


def count_labels(data: RunData, judge: str | None, *, draws: int, seed: int) -> Labels:
    """Count the labels of the scored questions by judge.

    Args:
        data: Of the run.
        judge: The chosen one, from `choose_judge`.
        draws: Of every bootstrap.
        seed: Of every bootstrap.
    """
    judges = {name: judge_counts(found, data, judge_model(data, name)) for name, found in data.labels.items()}
    counts = judges[judge] if judge is not None else judge_counts({}, data, None)
    scoring = data.scoring
    before, after = accuracy_by_cutoff(data, data.labels[judge] if judge is not None else {})
    reason = scoring.judge_reason if scoring is not None and scoring.judge == judge else ""
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
        sample_accuracy=_sample_accuracy(data, judge, draws=draws, seed=seed),
        token_f1=mean_token_f1(data, draws=draws, seed=seed),
        accuracy_before_cutoff=before,
        accuracy_after_cutoff=after,
        accuracy_decay=accuracy_decay(before, after),
        judges=judges,
        comparison=compare_judges(data, draws=draws, seed=seed),
    )


def _sample_accuracy(data: RunData, judge: str | None, *, draws: int, seed: int) -> Estimate | Undefined:
    """Return the mean share of correct samples, over the questions that have a labelled one."""
    if judge is None:
        return Undefined("no judge")
    shares = [correct / labelled for correct, labelled in sample_counts(data, judge).values() if labelled]
    return mean_estimates([shares], "no sample is labelled correct or incorrect", draws=draws, seed=seed)[0]


def sample_counts(data: RunData, judge: str) -> dict[str, tuple[int, int]]:
    """Return how many samples of each finished question are correct, and how many are correct or incorrect."""
    counts: dict[str, tuple[int, int]] = dict.fromkeys(data.finished_ids, (0, 0))
    sets = {x.question.id: x for x in data.finished}
    for question_id, labels in data.run.sample_label_values(judge):
        if (sample_set := sets.get(question_id)) is not None:
            values = [labels[x.sample_index] for x in sample_set.samples if x.sample_index in labels]
            correct = values.count(LabelValue.CORRECT)
            counts[question_id] = correct, correct + values.count(LabelValue.INCORRECT)
    return counts


def judge_counts(labels: Mapping[str, Label], data: RunData, model: JudgeModel | None) -> JudgeCounts:
    """Count the labels of one judge on the greedy answers of the finished questions."""
    scored = [labels[x.question.id].value for x in data.finished if x.question.id in labels]
    values = Counter(scored)
    correct, incorrect = values[LabelValue.CORRECT], values[LabelValue.INCORRECT]
    return JudgeCounts(
        correct=correct,
        incorrect=incorrect,
        ambiguous=values[LabelValue.AMBIGUOUS],
        no_match=values[LabelValue.NO_MATCH],
        unlabelled=len(data.finished) - len(scored),
        labelled_share=rate(correct + incorrect, len(data.finished), "no question is scored"),
        accuracy=rate(correct, correct + incorrect, "no answer is labelled correct or incorrect"),
        model=model,
    )
