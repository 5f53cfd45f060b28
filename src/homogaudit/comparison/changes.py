"""One figure of two runs beside each other: the difference, its interval, its test. Knows no run."""

from collections.abc import Mapping

import numpy as np

from homogaudit.comparison.records import AurocChange, MeanChange, RateChange, Reading
from homogaudit.comparison.signals import SignalTable
from homogaudit.errors import UndefinedStatisticError
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


def auroc_change(
    name: str, baseline: SignalTable, run: SignalTable, margin: float, draws: int, seed: int
) -> AurocChange | Undefined:
    """Return the AUROC of a signal in a run against that in the baseline."""
    tables = (baseline, run)
    missing = next((reason for x in tables if (reason := x.unscored(name)) is not None), None)
    if missing is not None:
        return Undefined(missing)
    scores, incorrect = (np.stack(rows) for rows in zip(*(x.labelled(name) for x in reversed(tables)), strict=True))
    try:
        found = paired_aurocs(scores, incorrect, draws, seed, margin)
    except UndefinedStatisticError as error:
        return undefined(error)
    counted = ~np.isnan(scores)
    before, after = (
        Area(value, None, None, int(counts.sum()), int(own[counts].sum()))
        for value, counts, own in zip((found.second, found.first), counted[::-1], incorrect[::-1], strict=True)
    )
    return AurocChange(
        baseline=before,
        run=after,
        difference=found.difference,
        p=found.p,
        p_holm=found.p,
        p_equivalent=found.p_equivalent,
        reading=reading(found.difference.value, found.p),
    )
