"""One figure of two runs beside each other: the difference, its interval, its test. Knows no run."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.comparison.records import AurocChange, MeanChange, RateChange, Reading
from homogaudit.comparison.signals import SignalTable
from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.judges import area
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.statistics import (
    Rate,
    mcnemar,
    p_equivalent_rates,
    paired_aurocs,
    paired_means,
    rate_difference,
    wilcoxon,
    wilson,
)

LEVEL = 0.05
"""p below which a run is said to differ from the baseline."""


def reading(difference: float, p: float) -> Reading:
    """Return which way a run differs from the baseline, if it is shown to."""
    if p >= LEVEL:
        return "not shown"
    return "higher" if difference > 0 else "lower"


def rate_change(
    baseline: Mapping[str, bool], run: Mapping[str, bool], margin: float, reason: str
) -> RateChange | Undefined:
    """Return a rate of a run against the baseline's, over the questions that count in both.

    Args:
        baseline: Whether each question counts as a hit, by its id; a question that does not count is not there.
        run: The same of the run.
        margin: The largest difference that does not matter.
        reason: Why there is none, should no question count in both.
    """
    shared = [x for x in baseline if x in run]
    if not shared:
        return Undefined(reason)
    before, after = ([own[x] for x in shared] for own in (baseline, run))
    found, test = rate_difference(after, before), mcnemar(after, before)
    return RateChange(
        baseline=_rate(before),
        run=_rate(after),
        difference=found,
        p=test.p,
        method="exact" if test.method == "exact" else "chi_square",
        p_holm=None,
        margin=margin,
        p_equivalent=p_equivalent_rates(found, margin),
        reading=reading(found.value, test.p),
    )


def _rate(hits: list[bool]) -> Rate:
    return wilson(sum(hits), len(hits))


def mean_change(
    baseline: Mapping[str, float] | Undefined, run: Mapping[str, float] | Undefined, draws: int, seed: int
) -> MeanChange | Undefined:
    """Return a mean over questions of a run against the baseline's, over the questions that have both."""
    if isinstance(baseline, Undefined):
        return baseline
    if isinstance(run, Undefined):
        return run
    shared = [x for x in baseline if x in run]
    before, after = (np.array([own[x] for x in shared]) for own in (baseline, run))
    try:
        found = paired_means(after, before, draws, seed)
    except UndefinedStatisticError as error:
        return undefined(error)
    p = 1.0 if np.array_equal(before, after) else wilcoxon(after, before).p
    return MeanChange(
        baseline=found.second,
        run=found.first,
        difference=found.difference,
        ratio=found.ratio or Undefined("a mean is not above 0"),
        p=p,
        p_holm=p,
        reading=reading(found.difference.value, p),
    )


def auroc_changes(
    names: Sequence[str], baseline: SignalTable, run: SignalTable, margin: float, draws: int, seed: int
) -> dict[str, AurocChange | Undefined]:
    """Return the AUROC of each signal in a run against that in the baseline, or why there is none."""
    reasons = {name: baseline.unscored(name) or run.unscored(name) for name in names}
    scored = [name for name, reason in reasons.items() if reason is None]
    found: dict[str, AurocChange | Undefined] = {
        name: Undefined(reason) for name, reason in reasons.items() if reason is not None
    }
    if not scored:
        return found
    incorrect = np.stack([run.incorrect, baseline.incorrect])
    before, after = (np.stack([table.labelled(name) for name in scored]) for table in (baseline, run))
    compared = paired_aurocs(after, before, incorrect, draws, seed, margin)
    for name, change, one, other in zip(scored, compared, before, after, strict=True):
        if change is None:
            found[name] = Undefined("a run has too few labelled answers with a value, or values that are all equal")
            continue
        found[name] = AurocChange(
            baseline=_area(change.second, one, baseline.incorrect),
            run=_area(change.first, other, run.incorrect),
            difference=change.difference,
            p=change.p,
            p_holm=change.p,
            p_equivalent=change.p_equivalent,
            reading=reading(change.difference.value, change.p),
        )
    return {name: found[name] for name in names}


def _area(value: float, scores: NDArray[np.float64], incorrect: NDArray[np.bool_]) -> Area:
    counted = ~np.isnan(scores)
    return Area(value, None, None, int(counted.sum()), int(incorrect[counted].sum()))


def tells_where_it_helps(name: str, baseline: SignalTable, run: SignalTable) -> Area | Undefined:
    """Return the AUROC of a baseline's signal for the answers that are wrong there and right in the run."""
    if (missing := baseline.unscored(name) or run.label_reason) is not None:
        return Undefined(missing)
    before, after = baseline.correct, run.correct
    helped = np.array([after.get(x) is True and before.get(x) is False for x in baseline.question_ids], dtype=np.bool_)
    decided = np.array([x in before and x in after for x in baseline.question_ids], dtype=np.bool_)
    return area(np.where(decided, baseline.row(name), np.nan), helped)
