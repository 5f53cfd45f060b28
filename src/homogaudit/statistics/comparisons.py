"""Are two AUROCs on the same questions different, or equal enough: one primary signal against a family of others.

It knows the DeLong placements of `auroc` and Holm's correction, and nothing of signals' names or cascades.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import class_vector, require_classes, score_matrix
from homogaudit.statistics.auroc import PairedDeLong, Placements, difference, placements
from homogaudit.statistics.tests import holm

MARGIN = 0.05
"""Two AUROCs closer than this serve an auditor alike (METHODS, Statistics)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A signal's AUROC against that of the primary signal, on the questions for which both have a score.

    Attributes:
        n: Questions with both scores.
        positives: Of these, in the positive class.
        difference: The signal minus the primary; `None` where no test can be made.
        p_holm: Holm's p over all tests of the family; `None` where there is no test.
        reason: Why there is no test.
    """

    n: int
    positives: int
    difference: PairedDeLong | None
    p_holm: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """One-sided tests of an AUROC difference against a margin, by the normal distribution.

    Attributes:
        margin: The largest difference that does not matter.
        p_non_inferior: Of "the first is worse by the margin or more"; small shows non-inferiority.
        p_non_superior: Of "the first is better by the margin or more".
        p_equivalent: The larger of the two (TOST).
    """

    margin: float
    p_non_inferior: float
    p_non_superior: float
    p_equivalent: float


def compare_with_primary(scores: ArrayLike, positive: ArrayLike, primary: int = 0) -> tuple[Comparison, ...]:
    """Test every other signal's AUROC against the primary one's by paired DeLong, with Holm over the family.

    Args:
        scores: Shape (signals, n); NaN where a signal is undefined for a question.
        positive: Shape (n,), True for the positive class.
        primary: Row of the primary signal.

    Returns:
        One a signal other than the primary, in the order of the rows.

    Raises:
        UndefinedStatisticError: A score is infinite.

    Source:
        DeLong, DeLong and Clarke-Pearson (1988), as in `delong_paired`; Holm (1979).
    """
    matrix = score_matrix(scores)
    labels = class_vector(positive, matrix.shape[1])
    defined = ~np.isnan(matrix)
    # Most signals are defined on the same questions: the primary is then ranked once for all of them.
    placed: dict[bytes, Placements] = {}
    untested: list[Comparison] = []
    for row in range(matrix.shape[0]):
        if row == primary:
            continue
        both = defined[row] & defined[primary]
        classes = labels[both]
        found, reason = None, None
        try:
            require_classes(classes, 2, "a paired DeLong test")
            key = both.tobytes()
            if key not in placed:
                placed[key] = placements(matrix[primary, both], classes)
            found = difference(placements(matrix[row, both], classes), placed[key])
        except UndefinedStatisticError as error:
            reason = error.message
        untested.append(Comparison(classes.size, int(np.count_nonzero(classes)), found, None, reason))
    adjusted = iter(holm([x.difference.p for x in untested if x.difference is not None]))
    return tuple(
        x if x.difference is None else Comparison(x.n, x.positives, x.difference, float(next(adjusted)))
        for x in untested
    )


def equivalence(found: PairedDeLong, margin: float = MARGIN) -> Equivalence:
    """Test whether the first AUROC is non-inferior to the second, and whether both are equivalent.

    Equal rankings, whose difference has no variance, are equivalent with p = 0. Two coin flips are equivalent too:
    it says nothing about whether either works.

    Args:
        found: From `delong_paired`, first minus second.
        margin: Above 0.

    Source:
        Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach".
    """
    if not margin > 0:
        raise ValueError(f"expected a margin above 0, not {margin}")
    non_inferior = _upper_tail(found.delta + margin, found.se)
    non_superior = _upper_tail(margin - found.delta, found.se)
    return Equivalence(margin, non_inferior, non_superior, max(non_inferior, non_superior))


def _upper_tail(distance: float, se: float) -> float:
    """Return P(Z >= distance / se)."""
    if se == 0:
        return 0.0 if distance > 0 else 1.0
    return math.erfc(distance / se / math.sqrt(2)) / 2
