"""What stands beside the accuracy: words shared with the references, and accuracy before and after the cutoff."""

import math
from collections.abc import Mapping

from homogaudit.labels.token_f1 import token_f1
from homogaudit.records import Label, LabelValue
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate

_FRESHNESS = "freshness"
_Z = 1.959963984540054
"""Of a 95% interval."""


def mean_token_f1(data: RunData, *, draws: int, seed: int) -> Estimate | Undefined:
    """Return the mean F1 of the greedy answers' words, over the questions that have reference answers."""
    values = [
        token_f1(x.greedy.answer, x.question.answers)
        for x in data.finished
        if x.greedy is not None and x.question.answers
    ]
    return mean_estimates([values], "no question has a reference and a greedy answer", draws=draws, seed=seed)[0]


def accuracy_by_cutoff(data: RunData, labels: Mapping[str, Label]) -> tuple[Rate | Undefined, Rate | Undefined]:
    """Return the accuracy of the questions set up to the end of the training data, and of those set after it."""
    fresh = data.signals.get(_FRESHNESS, {})
    known = {x: value.value for x, value in fresh.items() if value.value is not None}
    if not known:
        reason = next((value.reason for value in fresh.values()), f"{_FRESHNESS} is not computed")
        return Undefined(reason), Undefined(reason)
    decided: dict[bool, list[bool]] = {False: [], True: []}
    for x in data.finished_ids:
        if x in known and x in labels and labels[x].value in (LabelValue.CORRECT, LabelValue.INCORRECT):
            decided[known[x] > 0].append(labels[x].value is LabelValue.CORRECT)
    before, after = (
        rate(sum(decided[late]), len(decided[late]), f"no question set {when} the training cutoff is labelled")
        for late, when in ((False, "up to"), (True, "after"))
    )
    return before, after


def accuracy_decay(before: Rate | Undefined, after: Rate | Undefined) -> Estimate | Undefined:
    """Return how many times more often answers are right before the cutoff, with Katz's interval."""
    for found in (before, after):
        if isinstance(found, Undefined):
            return found
    assert isinstance(before, Rate) and isinstance(after, Rate)
    if not before.k or not after.k:
        return Undefined(f"no answer is right {'before' if not before.k else 'after'} the training cutoff")
    value = before.value / after.value
    error = math.sqrt(1 / before.k - 1 / before.n + 1 / after.k - 1 / after.n)
    factor = math.exp(_Z * error)
    return Estimate(value, value / factor, value * factor, before.n + after.n)
