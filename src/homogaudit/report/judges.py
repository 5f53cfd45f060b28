"""Several judges on one run: who the models among them are, how far they agree, and what each makes of the signals."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.labels.model_judge import REPLY_FAILED, UNPARSED, UNSURE
from homogaudit.records import Label, LabelValue
from homogaudit.report.run_data import RunData, rate
from homogaudit.report.side_by_side_records import Area, JudgeComparison, JudgeModel, JudgePair
from homogaudit.report.signal_scores import delong_interval, labelled_scores
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.report.validity import too_few_labels
from homogaudit.statistics import auroc, cohens_kappa

_CLASSES = (LabelValue.CORRECT, LabelValue.INCORRECT)


def judge_model(data: RunData, judge: str) -> JudgeModel | None:
    """Return the model behind a judge, `None` where the judge is a rule or came with a file."""
    used = data.run.judge_models.get(judge)
    if used is None:
        return None
    calls = data.calls
    replies = {
        x.question.id: calls[x.question.id][judge] for x in data.finished if judge in calls.get(x.question.id, {})
    }
    reasons = [reply.reason for reply in replies.values()]
    labels = data.labels[judge]
    # A reply that failed is stored as one without a verdict; the label beside it tells why.
    unread = [labels[x].reason for x, reply in replies.items() if reply.reason == UNPARSED and x in labels]
    failures = Counter(x.removeprefix(REPLY_FAILED) for x in unread if x.startswith(REPLY_FAILED))
    failed = failures.total()
    not_asked = "the judge was not asked"
    return JudgeModel(
        model=used.name,
        kind=used.kind,
        fingerprint=used.fingerprint,
        prompt_sha256=used.prompt_sha256,
        seed=used.seed,
        replies=len(replies),
        unsure=rate(reasons.count(UNSURE), len(replies), not_asked),
        unparsed=rate(reasons.count(UNPARSED) - failed, len(replies), not_asked),
        failed=rate(failed, len(replies), not_asked),
        failure=failures.most_common(1)[0][0] if failures else None,
    )


def compare_judges(data: RunData, *, draws: int, seed: int) -> JudgeComparison | Undefined:
    """Compare every judge that has stored labels.

    Args:
        data: Of the run.
        draws: Of kappa's bootstrap.
        seed: Of kappa's bootstrap.
    """
    judges = tuple(data.labels)
    if len(judges) < 2:
        return Undefined("labels of one judge only" if judges else "no labels are stored")
    scored = {x.question.id for x in data.finished}
    labels = {judge: _decided(data.labels[judge], scored) for judge in judges}
    pairs = [_pair((a, labels[a]), (b, labels[b]), draws, seed) for a, b in combinations(judges, 2)]
    aurocs: dict[str, dict[str, Area | Undefined]] = {}
    for judge in judges:
        scores = labelled_scores(data, labels[judge])
        values = list(labels[judge].values())
        warning = too_few_labels(judge, values.count(LabelValue.CORRECT), values.count(LabelValue.INCORRECT))
        for name, row in zip(scores.names, scores.matrix, strict=True):
            found = Undefined(warning) if warning else area(row, scores.incorrect)
            aurocs.setdefault(name, {})[judge] = found
    return JudgeComparison(tuple(pairs), aurocs)


def area(values: NDArray[Any], incorrect: NDArray[np.bool_]) -> Area | Undefined:
    """Return the AUROC of values with DeLong's interval; NaN is left out.

    Args:
        values: Shape (n,), higher is more uncertain.
        incorrect: Shape (n,), the positive class.
    """
    has_value = ~np.isnan(values)
    values, incorrect = values[has_value], incorrect[has_value]
    try:
        value = auroc(values, incorrect)
    except UndefinedStatisticError as error:
        return undefined(error) if values.size else Undefined("no labelled question has a value")
    found = delong_interval(values, incorrect)
    return Area(
        value, found.low if found else None, found.high if found else None, int(values.size), int(incorrect.sum())
    )


def _decided(labels: Mapping[str, Label], scored: set[str]) -> dict[str, LabelValue]:
    return {name: label.value for name, label in labels.items() if name in scored and label.value in _CLASSES}


def _pair(
    first: tuple[str, Mapping[str, LabelValue]], second: tuple[str, Mapping[str, LabelValue]], draws: int, seed: int
) -> JudgePair:
    """Compare two judges on what both decide: elsewhere one of them has said that it cannot tell."""
    (a, of_a), (b, of_b) = first, second
    both = [question_id for question_id in of_a if question_id in of_b]
    agreed = rate(sum(of_a[x] is of_b[x] for x in both), len(both), "no answer is labelled by both")
    if isinstance(agreed, Undefined):
        return JudgePair((a, b), agreed, agreed)
    try:
        kappa = cohens_kappa([of_a[x].value for x in both], [of_b[x].value for x in both], draws=draws, seed=seed)
    except UndefinedStatisticError as error:
        return JudgePair((a, b), agreed, undefined(error))
    # A judge that says one thing only gives every draw the same kappa, which is no certainty.
    return JudgePair((a, b), agreed, replace(kappa, low=None, high=None) if kappa.low == kappa.high else kappa)
