"""How signals depend on each other: one of each boundary by pairs, and every signal with the primary one.

Dependence says nothing about which signal works. Signals of one boundary are expected to depend on each other;
boundaries that do bring less than their number promises.
"""

from itertools import combinations

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_inputs import PRIMARY_SIGNAL, AnalysisInputs
from homogaudit.report.analysis_records import BoundaryPair, Dependences, SignalCorrelation
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.signals.registry import SIGNALS
from homogaudit.signals.signal import BOUNDARIES
from homogaudit.statistics import dependence, pearson, spearman

PERMUTATIONS = 99
"""The least p is 0.01. A thousand would take a second and a half a pair of 800 questions, and pairs can be ten."""


def score_dependence(inputs: AnalysisInputs) -> Dependences | Undefined:
    """Measure the dependence of signals on the labelled questions, at most 2,000 of them for a pair of boundaries."""
    if not inputs.usable():
        return Undefined("no signal can be scored")
    represented = _best_covered(inputs)
    pairs = tuple(
        _pair(inputs, (first, represented[first]), (second, represented[second]))
        for first, second in combinations(sorted(represented), 2)
    )
    signals: dict[str, SignalCorrelation | Undefined] = {}
    for name in inputs.scores.names:
        if name != PRIMARY_SIGNAL:
            signals[name] = inputs.without_primary() or inputs.unusable(name) or _correlation(inputs, name)
    return Dependences(PRIMARY_SIGNAL, PERMUTATIONS, pairs or (Undefined("fewer than two boundaries"),), signals)


def _best_covered(inputs: AnalysisInputs) -> dict[str, str]:
    """Return the signal of each boundary that has the most values, the project's own definitions first."""
    found: dict[str, str] = {}
    for boundary in BOUNDARIES:
        names = [name for name in inputs.usable() if inputs.signals[name].boundary == boundary]
        if names:
            found[boundary] = max(names, key=lambda name: (_values(inputs, name), _rank(name)))
    return found


def _values(inputs: AnalysisInputs, name: str) -> int:
    return int(np.count_nonzero(~np.isnan(inputs.row(name))))


def _rank(name: str) -> int:
    """Return 3 for the primary signal, 2 for own values, 1 for recorded ones of an own definition, else 0."""
    if name == PRIMARY_SIGNAL:
        return 3
    return 2 if name in SIGNALS else int(name.removeprefix("recorded:") in SIGNALS)


def _pair(inputs: AnalysisInputs, first: tuple[str, str], second: tuple[str, str]) -> BoundaryPair | Undefined:
    a, b, _ = inputs.in_common(first[1], second[1])
    try:
        found = dependence(a, b, PERMUTATIONS, inputs.seed)
        ranks = spearman(a, b)
    except UndefinedStatisticError as error:
        return Undefined(f"{first[1]} and {second[1]}: {undefined(error).reason}")
    return BoundaryPair(
        boundaries=(first[0], second[0]),
        pair=(first[1], second[1]),
        n=found.n,
        pearson=pearson(a, b),
        spearman=ranks,
        distance_correlation=found.distance_correlation,
        hsic=found.hsic,
        mutual_information=found.mutual_information,
    )


def _correlation(inputs: AnalysisInputs, name: str) -> SignalCorrelation | Undefined:
    primary, other, _ = inputs.in_common(PRIMARY_SIGNAL, name)
    try:
        return SignalCorrelation(pearson(primary, other), spearman(primary, other))
    except UndefinedStatisticError as error:
        return undefined(error)
