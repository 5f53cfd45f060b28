"""Every signal beside the primary one: is its AUROC different, or equal enough, and do both flag the same questions.

Each pair is compared on the questions that have both signals. A constant signal is compared with nothing.
"""

from typing import Literal

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_inputs import PRIMARY_SIGNAL, AnalysisInputs
from homogaudit.report.analysis_records import Agreements, Comparisons, FlagAgreement, SignalDifference
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.statistics import MARGIN, Agreement, Comparison, agreement, compare_with_primary, equivalence, holm

_FLAGGED = 0.5
"""Share of the questions that each signal flags (METHODS)."""

_LEVEL = 0.05


def compare_signals(inputs: AnalysisInputs) -> Comparisons | Undefined:
    """Compare the AUROC of every signal with that of the primary one."""
    reason = inputs.without_primary()
    if reason is not None:
        return reason
    others = [name for name in inputs.usable() if name != PRIMARY_SIGNAL]
    rows = [inputs.row(name) for name in (PRIMARY_SIGNAL, *others)]
    found = dict(zip(others, compare_with_primary(np.stack(rows), inputs.scores.incorrect), strict=True))
    signals = {
        name: _difference(found[name]) if name in found else inputs.unusable(name) or Undefined("not compared")
        for name in inputs.scores.names
        if name != PRIMARY_SIGNAL
    }
    return Comparisons(PRIMARY_SIGNAL, MARGIN, signals)


def _difference(found: Comparison) -> SignalDifference | Undefined:
    if found.difference is None or found.p_holm is None:
        reason = (found.reason or "no test can be made").replace("`", "")
        return Undefined(f"{reason} in common with the primary signal")
    margins = equivalence(found.difference)
    return SignalDifference(
        delta=found.difference.delta,
        low=found.difference.low,
        high=found.difference.high,
        n=found.n,
        positives=found.positives,
        p=found.difference.p,
        p_holm=found.p_holm,
        p_equivalent=margins.p_equivalent,
        p_non_inferior=margins.p_non_inferior,
        reading=_reading(found.difference.delta, found.p_holm, margins.p_equivalent),
    )


def _reading(
    delta: float, p_holm: float, p_equivalent: float
) -> Literal["higher", "lower", "equivalent", "not shown to differ"]:
    if p_holm < _LEVEL:
        return "higher" if delta > 0 else "lower"
    return "equivalent" if p_equivalent < _LEVEL else "not shown to differ"


def compare_flags(inputs: AnalysisInputs) -> Agreements | Undefined:
    """Compare which questions every signal flags with which the primary one does, and whose flags are right."""
    reason = inputs.without_primary()
    if reason is not None:
        return reason
    found: dict[str, Agreement | Undefined] = {}
    for name in inputs.scores.names:
        if name == PRIMARY_SIGNAL:
            continue
        unusable = inputs.unusable(name)
        if unusable is not None:
            found[name] = unusable
            continue
        primary, other, incorrect = inputs.in_common(PRIMARY_SIGNAL, name)
        try:
            found[name] = agreement(other, primary, incorrect, _FLAGGED, inputs.seed)
        except UndefinedStatisticError as error:
            found[name] = undefined(error)
    tested = [name for name, x in found.items() if isinstance(x, Agreement)]
    p_values = [x.mcnemar.p for x in found.values() if isinstance(x, Agreement)]
    adjusted = dict(zip(tested, holm(p_values).tolist(), strict=True))
    signals = {name: x if isinstance(x, Undefined) else _flags(x, adjusted[name]) for name, x in found.items()}
    return Agreements(PRIMARY_SIGNAL, _FLAGGED, signals)


def _flags(found: Agreement, p_holm: float) -> FlagAgreement:
    return FlagAgreement(
        n=found.n,
        flagged=found.flagged,
        both=found.both,
        only_one=found.only_first,
        neither=found.neither,
        tied=found.tied,
        kappa=found.kappa or Undefined("nothing or everything is flagged"),
        right=found.right_first,
        right_primary=found.right_second,
        p=found.mcnemar.p,
        p_holm=p_holm,
    )
