"""Do two signals flag the same questions, and which flags rightly; Cohen's kappa of any two raters.

It does not know the cascade's thresholds: a signal flags the given share of the questions that it finds most
uncertain.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import BoolArray, FloatArray, class_vector, score_vector
from homogaudit.statistics.bootstrap import DRAWS, Estimate, percentile_interval
from homogaudit.statistics.tests import McNemar, mcnemar


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two signals flag, and how often a flag is right.

    A flag is right where the answer is incorrect, its absence where the answer is correct.

    Attributes:
        n: Questions.
        flagged: Questions that each signal flags.
        both: Flagged by both.
        only_first: Flagged by the first alone; as many as by the second alone.
        neither: Flagged by none.
        tied: Questions that share the score at either signal's cut and so were flagged by lot.
        kappa: Of the flags; `None` where nothing or everything is flagged.
        right_first: Share of questions on which the first signal is right.
        right_second: Share on which the second is.
        mcnemar: Of the two signals' being right.
    """

    n: int
    flagged: int
    both: int
    only_first: int
    neither: int
    tied: int
    kappa: Estimate | None
    right_first: float
    right_second: float
    mcnemar: McNemar


def agreement(first: ArrayLike, second: ArrayLike, positive: ArrayLike, share: float = 0.5, seed: int = 0) -> Agreement:
    """Compare what two signals flag when each flags the same share of the questions.

    As many are flagged by the first alone as by the second alone, so McNemar's test of the flags themselves would say
    nothing: it is made on whether they are right. Questions tied at the cut are flagged by a seeded lot, never by
    their order in the file.

    Args:
        first: Scores of the first signal, shape (n,), finite.
        second: Scores of the second, shape (n,), finite.
        positive: Shape (n,), True for an incorrect answer.
        share: Of the questions flagged; floor(n * share) are.
        seed: Of the lots and of kappa's bootstrap.

    Raises:
        UndefinedStatisticError: There are no questions, or a score is not finite.
    """
    a, b = score_vector(first), score_vector(second)
    labels = class_vector(positive, a.size)
    if a.size != b.size:
        raise ValueError(f"expected two signals on the same questions, not {a.size} and {b.size}")
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share between 0 and 1, not {share}")
    if not a.size:
        raise UndefinedStatisticError("an agreement over `0` questions", "it needs at least one question")
    # Without the addition 100 * 0.29 gives 28.
    flagged = int(a.size * share + 1e-9)
    generator = np.random.default_rng(seed)
    flags, tied = zip(*(_flags(scores, flagged, generator) for scores in (a, b)), strict=True)
    try:
        kappa = cohens_kappa(flags[0].tolist(), flags[1].tolist(), seed=seed)
    except UndefinedStatisticError:
        kappa = None
    right = [own == labels for own in flags]
    return Agreement(
        n=a.size,
        flagged=flagged,
        both=int(np.count_nonzero(flags[0] & flags[1])),
        only_first=int(np.count_nonzero(flags[0] & ~flags[1])),
        neither=int(np.count_nonzero(~flags[0] & ~flags[1])),
        tied=int(np.count_nonzero(tied[0] | tied[1])),
        kappa=kappa,
        right_first=float(right[0].mean()),
        right_second=float(right[1].mean()),
        mcnemar=mcnemar(*right),
    )


def _flags(scores: FloatArray, flagged: int, generator: np.random.Generator) -> tuple[BoolArray, BoolArray]:
    """Return which questions are flagged, and which of all are decided by lot."""
    order = np.lexsort((generator.permutation(scores.size), scores))
    flags = np.zeros(scores.size, dtype=np.bool_)
    flags[order[scores.size - flagged :]] = True
    lots = np.zeros(scores.size, dtype=np.bool_)
    if 0 < flagged < scores.size and scores[order[-flagged]] == scores[order[-flagged - 1]]:
        lots = scores == scores[order[-flagged]]
    return flags, lots


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable], draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Return Cohen's kappa of two raters of the same questions.

    Args:
        first: One category a question.
        second: The same from the other rater.
        draws: Bootstrap resamples of the questions; those in which kappa is undefined are left out.
        seed: Of the resampling.

    Raises:
        UndefinedStatisticError: There are no questions, or both raters use one and the same category only.

    Source:
        Cohen (1960), "A coefficient of agreement for nominal scales".
    """
    if len(first) != len(second):
        raise ValueError(f"expected two ratings of the same questions, not {len(first)} and {len(second)}")
    categories = {category: number for number, category in enumerate(dict.fromkeys([*first, *second]))}
    if len(categories) < 2:
        raise UndefinedStatisticError(
            f"`{len(categories)}` categories in `{len(first)}` ratings",
            "kappa needs raters that use two categories or more",
        )
    size = len(categories)
    cells = np.array([categories[a] * size + categories[b] for a, b in zip(first, second, strict=True)], dtype=np.intp)
    table = np.bincount(cells, minlength=size * size)
    # To resample questions is to draw the table's cells.
    drawn = np.random.default_rng(seed).multinomial(len(first), table / len(first), size=draws)
    interval = percentile_interval(_kappas(drawn.reshape(draws, size, size)))
    value = float(_kappas(table.reshape(1, size, size))[0])
    return Estimate(value, interval and interval.low, interval and interval.high, len(first))


def _kappas(tables: NDArray[np.integer]) -> FloatArray:
    """Return the kappa of every table, NaN where chance alone would agree always."""
    n = tables.sum(axis=(1, 2), dtype=np.float64)
    observed = np.trace(tables, axis1=1, axis2=2) / n
    expected = np.einsum("ij,ij->i", tables.sum(axis=1, dtype=np.float64), tables.sum(axis=2, dtype=np.float64)) / n**2
    undefined = np.full(n.size, np.nan)
    return np.divide(observed - expected, 1 - expected, out=undefined, where=expected < 1)
