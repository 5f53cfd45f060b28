"""A rate corrected for the errors of what found it, by questions that a person judged as a whole.

It does not know what is found: `found` is what a test says of each question, `true` what a person says. The labelled
questions are a sample of their own from those found and from those not, so their shares say nothing of the rate.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from homogaudit.codec import Count
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics.arrays import FloatArray
from homogaudit.statistics.bootstrap import DRAWS, Estimate

_T = TypeVar("_T", float, FloatArray)

FEWEST_LABELLED = 50
"""With fewer questions labelled there is no corrected rate."""


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """What the labels of whole questions make of a rate; n is the number of labelled questions.

    Attributes:
        rate: The share of the questions that are true.
        sensitivity: The share of the true ones that are found.
        specificity: The share of the others that are not found.
        labelled: Questions that a person judged.
    """

    rate: Estimate
    sensitivity: Estimate
    specificity: Estimate
    labelled: Count


def corrected_rate(
    found: tuple[int, int],
    true_of_found: tuple[int, int],
    true_of_others: tuple[int, int],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> CorrectedRate:
    """Return Rogan and Gladen's estimate of a rate, clipped to [0, 1], with its 95% interval.

    Sensitivity and specificity weigh each stratum of the labelled questions with its share in the run. For labels that
    were sampled by what the test found the estimate equals rate * P(true | found) + (1 - rate) * P(true | not found).

    The interval combines the samples by melding: each of the three shares is drawn from the two confidence
    distributions behind its Clopper-Pearson interval, and an end takes of each share the one that puts it further out.
    A plain bootstrap has no width where a stratum holds no error; this has, and does not fall below 95% by design.

    Args:
        found: (k, n) of the run: how many are found, of how many.
        true_of_found: (k, n) of the labelled questions that are found: how many are true, of how many.
        true_of_others: (k, n) of the labelled questions that are not.
        draws: From each distribution.
        seed: Of the draws.

    Raises:
        UndefinedStatisticError: Too few questions are labelled, none of one stratum is, or the interval of
            sensitivity + specificity - 1 reaches 0.

    Source:
        Rogan and Gladen (1978), "Estimating prevalence from the results of a screening test", Am J Epidemiol 107;
        Fay, Proschan and Brittain (2015), "Combining one-sample confidence procedures for inference in the two-sample
        case", Biometrics 71.
    """
    labelled = true_of_found[1] + true_of_others[1]
    if labelled < FEWEST_LABELLED:
        raise UndefinedStatisticError(
            f"`{labelled}` labelled questions enter the rate", f"a corrected rate needs {FEWEST_LABELLED}"
        )
    for (_, n), stratum in ((true_of_found, "one cluster"), (true_of_others, "several clusters")):
        if n == 0:
            raise UndefinedStatisticError(f"no question of {stratum} is labelled", "a corrected rate needs both")
    rng = np.random.default_rng(seed)
    # Of each share the draws for the lower and for the upper end.
    rate, hit, missed = (_draws(k, n, draws, rng) for k, n in (found, true_of_found, true_of_others))
    # The sign of sensitivity + specificity - 1 is that of the difference between the strata.
    if found[0] in (0, found[1]) or np.quantile(hit[0] - missed[1], 0.025) <= 0:
        raise UndefinedStatisticError(
            "the interval of sensitivity + specificity - 1 reaches 0", "the clusters tell too little of one meaning"
        )
    share = found[0] / found[1]
    p, q = (k / n for k, n in (true_of_found, true_of_others))
    sensitivity, specificity = _sensitivity(share, p, q), _specificity(share, p, q)
    corrected = min(1.0, max(0.0, (share + specificity - 1) / (sensitivity + specificity - 1)))
    low = np.minimum(_mixed(rate[0], hit[0], missed[0]), _mixed(rate[1], hit[0], missed[0]))
    high = np.maximum(_mixed(rate[0], hit[1], missed[1]), _mixed(rate[1], hit[1], missed[1]))
    return CorrectedRate(
        _estimate(corrected, low, high, labelled),
        _estimate(
            sensitivity,
            _sensitivity(rate[0], hit[0], missed[1]),
            _sensitivity(rate[1], hit[1], missed[0]),
            labelled,
        ),
        _estimate(
            specificity,
            _specificity(rate[1], hit[0], missed[1]),
            _specificity(rate[0], hit[1], missed[0]),
            labelled,
        ),
        labelled,
    )


def _draws(k: int, n: int, draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return draws of a share for the lower and for the upper end of what rests on it."""
    low = rng.beta(k, n - k + 1, draws) if k else np.zeros(draws)
    high = rng.beta(k + 1, n - k, draws) if k < n else np.ones(draws)
    return low, high


def _mixed(rate: _T, hit: _T, missed: _T) -> _T:
    """Return the share of the true ones."""
    return rate * hit + (1 - rate) * missed


def _sensitivity(rate: _T, hit: _T, missed: _T) -> _T:
    return rate * hit / (rate * hit + (1 - rate) * missed)


def _specificity(rate: _T, hit: _T, missed: _T) -> _T:
    # Exactly 1 where no found one is false.
    return (1 - rate) * (1 - missed) / ((1 - rate) * (1 - missed) + rate * (1 - hit))


def _estimate(value: float, low: FloatArray, high: FloatArray, n: int) -> Estimate:
    return Estimate(value, float(np.quantile(low, 0.025)), float(np.quantile(high, 0.975)), n)
