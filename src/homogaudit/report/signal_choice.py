"""Which signal to recommend, and how well the choice does on questions that it was not made on.

The choice is made again in every training fold and scored on the fold held out, so that the figure shown for it is
not flattered by the choosing. Nothing is recommended that is not shown to work on the whole.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.numbers import decimal, interval
from homogaudit.report.records import Auroc, Estimate, SignalScore, Undefined
from homogaudit.report.signal_scores import LabelledScores
from homogaudit.statistics import delong, p_works, stratified_folds
from homogaudit.statistics.auroc import Z_95

__all__ = ["SignalChoice", "choose_signal"]

_FOLDS = 5
_REPEATS = 10
_FEWEST = 2 * _FOLDS
"""Of each class: two in every held-out fold, the least that has a variance."""


@dataclass(frozen=True, slots=True)
class SignalChoice:
    """The recommended signal and the AUROC of choosing it, on held-out folds."""

    name: str | None
    auroc: Estimate | Undefined


def choose_signal(scores: LabelledScores, signals: Mapping[str, SignalScore], seed: int) -> SignalChoice:
    """Choose among the signals that are shown to work.

    Args:
        scores: The labelled questions.
        signals: What each signal's AUROC reads on all of them.
        seed: Of the folds.

    Source:
        The interval is that of LeDell, Petersen and van der Laan (2015), "Computationally efficient confidence
        intervals for cross-validated area under the ROC curve estimates", with DeLong's variance in each fold.
    """
    working = {name for name, x in signals.items() if isinstance(x.auroc, Auroc) and x.auroc.reading == "works"}
    if not working:
        return SignalChoice(None, Undefined("no signal shown to work"))
    rows = [row for row in range(len(scores.names)) if _is_testable(scores, row)]
    if not working & {scores.names[row] for row in rows}:
        reason = f"a held-out AUROC needs {_FEWEST} answers of each class"
        return SignalChoice(None, Undefined(reason))
    chosen: Counter[str] = Counter()
    values: list[float] = []
    variances: list[float] = []
    for training, held_out in _folds(scores.incorrect, seed):
        try:
            p_values = p_works(scores.matrix[rows][:, training], scores.incorrect[training])
            best = rows[int(np.argmin(p_values))]
            row = scores.matrix[best, held_out]
            defined = ~np.isnan(row)
            incorrect = scores.incorrect[held_out][defined]
            found = delong(row[defined], incorrect)
        except UndefinedStatisticError:
            # A signal with gaps can have one class in a fold; the other folds speak for it.
            continue
        values.append(found.value)
        variances.append(found.se**2)
        chosen[scores.names[best]] += 1
    name = next((name for name, _ in chosen.most_common() if name in working), None)
    if name is None or len(values) < _FOLDS:
        return SignalChoice(None, Undefined("no signal is chosen on the training folds"))
    value = float(np.mean(values))
    # The mean over the folds of one repeat has this variance; repeats only smooth it.
    half = Z_95 * math.sqrt(float(np.mean(variances)) / _FOLDS)
    low, high = max(0.0, value - half), min(1.0, value + half)
    if low <= 0.5:
        held_out = f"{decimal(value)} {interval(low, high)}"
        return SignalChoice(None, Undefined(f"the choice does not hold on held-out questions, AUROC {held_out}"))
    return SignalChoice(name, Estimate(value, low, high, int(scores.incorrect.size)))


def _is_testable(scores: LabelledScores, row: int) -> bool:
    incorrect = scores.incorrect[~np.isnan(scores.matrix[row])]
    return min(int(incorrect.sum()), int((~incorrect).sum())) >= _FEWEST


def _folds(incorrect: NDArray[np.bool_], seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield (training, held out) question numbers of repeated stratified 5-fold."""
    generator = np.random.default_rng(seed)
    for _ in range(_REPEATS):
        fold = stratified_folds(incorrect, _FOLDS, generator)
        for number in range(_FOLDS):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
