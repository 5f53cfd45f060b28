"""Which signal to recommend, and what the recommendation is worth on questions that it was not made on.

Everything is done again in every training fold: the tests of all signals, the choice, the threshold. What the fold held
out then gives is flattered by none of it. Nothing is recommended that is not shown to work on the whole.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_records import AnswerWhere
from homogaudit.report.records import Auroc, Estimate, SignalScore, Undefined
from homogaudit.report.signal_scores import LEVEL, LabelledScores
from homogaudit.statistics import accuracy_at_coverage, delong, holm, logit_interval, p_works, stratified_folds, wilson

_FOLDS = 5
_REPEATS = 10
_FEWEST = 2 * _FOLDS
"""Of each class: two in every held-out fold, the least that has a variance."""

_COVERAGE = 0.5
"""The coverage that the recommended signal's threshold is for."""


@dataclass(frozen=True, slots=True)
class SignalChoice:
    """The recommended signal, the AUROC of choosing it, and answering only below its threshold, on held-out folds."""

    name: str | None
    auroc: Estimate | Undefined
    where: AnswerWhere | Undefined


@dataclass(frozen=True, slots=True)
class _Fold:
    """What the choice of a training fold gives on the questions held out.

    Attributes:
        name: Of the chosen signal.
        recommends: Whether the training fold shows that it works, at the adjusted level.
        auroc: Held out.
        variance: Of it, DeLong's.
        accepted: Questions held out that are at or below the training fold's threshold.
        correct: Right answers among them.
        n: Questions held out that have the signal.
    """

    name: str
    recommends: bool
    auroc: float
    variance: float
    accepted: int
    correct: int
    n: int


def choose_signal(scores: LabelledScores, signals: Mapping[str, SignalScore], seed: int) -> SignalChoice:
    """Choose among the signals that are shown to work.

    Of the folds, those count whose training part would recommend a signal too: with all of them a signal is shown that
    was lucky on these questions, and the folds share its luck. Each by itself is held out from its own decision. The
    intervals reach as far as those of all folds, too: near the level few folds recommend, and those are held out on
    the unlucky questions.

    Args:
        scores: The labelled questions.
        signals: What each signal's AUROC reads on all of them.
        seed: Of the folds.

    Source:
        The interval of the AUROC is that of LeDell, Petersen and van der Laan (2015), "Computationally efficient
        confidence intervals for cross-validated area under the ROC curve estimates", with DeLong's variance in each
        fold. That of the accuracy is Wilson's of the questions that one repeat accepts.
    """
    working = {name for name, x in signals.items() if isinstance(x.auroc, Auroc) and x.auroc.reading == "works"}
    if not working:
        return _none("no signal shown to work")
    rows = [row for row in range(len(scores.names)) if _is_testable(scores, row)]
    if not working & {scores.names[row] for row in rows}:
        return _none(f"a held-out AUROC needs {_FEWEST} answers of each class")
    folds = list(_folds(scores, rows, seed))
    agreeing = [fold for fold in folds if fold.recommends]
    name = next((name for name, _ in Counter(x.name for x in agreeing).most_common() if name in working), None)
    if name is None:
        return _none("none is recommended on any training fold, so nothing can be held out")
    n = int(scores.incorrect.size)
    return SignalChoice(name, _auroc(agreeing, folds, n), _where(scores, name, signals[name], agreeing, folds))


def _none(reason: str) -> SignalChoice:
    return SignalChoice(None, Undefined(reason), Undefined("no signal is recommended"))


def _is_testable(scores: LabelledScores, row: int) -> bool:
    incorrect = scores.incorrect[~np.isnan(scores.matrix[row])]
    return min(int(incorrect.sum()), int((~incorrect).sum())) >= _FEWEST


def _folds(scores: LabelledScores, rows: list[int], seed: int) -> Iterator[_Fold]:
    """Choose in every training part of repeated stratified 5-fold and score what is held out."""
    generator = np.random.default_rng(seed)
    for _ in range(_REPEATS):
        fold = stratified_folds(scores.incorrect, _FOLDS, generator)
        for number in range(_FOLDS):
            try:
                yield _fold(scores, rows, np.flatnonzero(fold != number), np.flatnonzero(fold == number))
            except UndefinedStatisticError:
                # A signal with gaps can have one class in a fold; the other folds speak for it.
                continue


def _fold(scores: LabelledScores, rows: list[int], training: NDArray[np.intp], held_out: NDArray[np.intp]) -> _Fold:
    categories = [scores.categories[question] for question in training]
    p_values = p_works(scores.matrix[rows][:, training], scores.incorrect[training], categories)
    chosen = int(np.argmin(p_values))
    row = scores.matrix[rows[chosen]]
    known = training[~np.isnan(row[training])]
    found = accuracy_at_coverage(row[known], scores.incorrect[known], _COVERAGE)
    unseen = held_out[~np.isnan(row[held_out])]
    incorrect = scores.incorrect[unseen]
    area = delong(row[unseen], incorrect)
    accepted = row[unseen] <= found.threshold
    return _Fold(
        name=scores.names[rows[chosen]],
        recommends=bool(holm(p_values)[chosen] < LEVEL),
        auroc=area.value,
        variance=area.se**2,
        accepted=int(np.count_nonzero(accepted)),
        correct=int(np.count_nonzero(accepted & ~incorrect)),
        n=unseen.size,
    )


def _auroc(agreeing: list[_Fold], folds: list[_Fold], n: int) -> Estimate:
    ends = [logit_interval(_mean_auroc(x), _error(x)) for x in (agreeing, folds)]
    return Estimate(_mean_auroc(agreeing), min(x.low for x in ends), max(x.high for x in ends), n)


def _mean_auroc(folds: list[_Fold]) -> float:
    return float(np.mean([fold.auroc for fold in folds]))


def _error(folds: list[_Fold]) -> float:
    """Return the standard error of a mean over folds: repeats only smooth it, so that of the folds of one repeat."""
    return math.sqrt(float(np.mean([fold.variance for fold in folds])) * _REPEATS / len(folds))


def _where(
    scores: LabelledScores, name: str, signal: SignalScore, agreeing: list[_Fold], folds: list[_Fold]
) -> AnswerWhere | Undefined:
    """Return the threshold that accepts half of all questions, and what such thresholds gave where they were held out.

    Questions tied with the threshold are accepted too: a program that compares with it has no lot to draw.
    """
    accepted, correct = sum(fold.accepted for fold in agreeing), sum(fold.correct for fold in agreeing)
    if not accepted:
        return Undefined("no question held out is accepted")
    row = scores.matrix[scores.names.index(name)]
    has_value = ~np.isnan(row)
    found = accuracy_at_coverage(row[has_value], scores.incorrect[has_value], _COVERAGE)
    # As many as one repeat accepts: the questions are the same in each.
    once = [
        (round(sum(x.correct for x in of) / _REPEATS), round(sum(x.accepted for x in of) / _REPEATS))
        for of in (agreeing, folds)
    ]
    ends = [wilson(k, max(1, n)) for k, n in once]
    low, high = min(x.low for x in ends), max(x.high for x in ends)
    return AnswerWhere(
        threshold=signal.direction * found.threshold,
        direction=signal.direction,
        coverage=accepted / sum(fold.n for fold in agreeing),
        accuracy=Estimate(correct / accepted, low, high, once[0][1]),
    )
