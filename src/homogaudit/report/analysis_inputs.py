"""What the analyses of the labelled questions start from: the scores, how each signal did, which ones lead.

It decides which signals enter and with what reason the others do not; it computes no figure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.report.records import Auroc, SignalScore
from homogaudit.report.signal_scores import LabelledScores
from homogaudit.report.undefined import Undefined

PRIMARY_SIGNAL = "token_entropy_mean"
"""What every other signal is compared with (METHODS): it needs no second answer."""

_BEST = 2
"""Signals of highest AUROC among the leading ones; a bootstrap of all would take longer than the rest of the report."""


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisInputs:
    """The labelled scores and what is known of each signal.

    Attributes:
        scores: Of the labelled questions.
        signals: How each signal did.
        recommended: The recommended signal, `None` without one.
        draws: Of every bootstrap.
        seed: Of everything random.
    """

    scores: LabelledScores
    signals: Mapping[str, SignalScore]
    recommended: str | None
    draws: int
    seed: int

    def usable(self) -> tuple[str, ...]:
        """Return the signals that have an AUROC and more than one value, in the report's order."""
        return tuple(name for name in self.scores.names if self.unusable(name) is None)

    def unusable(self, name: str) -> Undefined | None:
        """Return why a signal enters no analysis, `None` where it does."""
        signal = self.signals.get(name)
        if signal is None:
            return Undefined(f"{name} is not stored")
        if isinstance(signal.auroc, Undefined):
            return signal.auroc
        return Undefined("all values are equal") if signal.auroc.constant else None

    def without_primary(self) -> Undefined | None:
        """Return why nothing can be compared with the primary signal, `None` where it can."""
        reason = self.unusable(PRIMARY_SIGNAL)
        return reason and Undefined(f"no comparison with the primary signal {PRIMARY_SIGNAL}: {reason.reason}")

    def row(self, name: str) -> NDArray[np.float64]:
        """Return the oriented values of a signal, shape (n,), NaN where it has none."""
        return self.scores.matrix[self.scores.names.index(name)]

    def defined(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the values of a signal, and whether the answer is incorrect, where it has a value."""
        row = self.row(name)
        has_value = ~np.isnan(row)
        return row[has_value], self.scores.incorrect[has_value]

    def in_common(self, first: str, second: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the values of two signals, and whether the answer is incorrect, where both have a value."""
        a, b = self.row(first), self.row(second)
        both = ~np.isnan(a) & ~np.isnan(b)
        return a[both], b[both], self.scores.incorrect[both]

    def chosen(self) -> tuple[str, ...]:
        """Return the primary and the recommended signal, as far as they are usable."""
        names = (PRIMARY_SIGNAL, *([self.recommended] if self.recommended else []))
        return tuple(name for name in dict.fromkeys(names) if self.unusable(name) is None)

    def leading(self) -> tuple[str, ...]:
        """Return the primary, the recommended, and the signals of highest AUROC."""
        aurocs = {name: self.signals[name].auroc for name in self.usable()}
        values = {name: auroc.value for name, auroc in aurocs.items() if isinstance(auroc, Auroc)}
        best = sorted(values, key=lambda name: -values[name])[:_BEST]
        return tuple(dict.fromkeys([*self.chosen(), *best]))
