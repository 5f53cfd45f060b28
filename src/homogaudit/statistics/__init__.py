"""Statistics as pure functions on arrays: rates, AUROC, effect size, intervals, corrections.

The package does no I/O and knows nothing of run files, signals' names or reports. Scores are oriented so that higher is
more uncertain and the positive class is an incorrect answer. A figure that does not exist raises
`UndefinedStatisticError` with the reason.
"""

from homogaudit.statistics.auroc import DeLong, PairedDeLong, auroc, delong, delong_paired, p_works
from homogaudit.statistics.bootstrap import (
    DRAWS,
    bootstrap_auroc,
    bootstrap_auroc_by_category,
    bootstrap_cohens_d,
    bootstrap_mean,
)
from homogaudit.statistics.effect import cohens_d
from homogaudit.statistics.rates import Rate, questions_needed, wilson
from homogaudit.statistics.tests import holm

__all__ = [
    "DRAWS",
    "DeLong",
    "PairedDeLong",
    "Rate",
    "auroc",
    "bootstrap_auroc",
    "bootstrap_auroc_by_category",
    "bootstrap_cohens_d",
    "bootstrap_mean",
    "cohens_d",
    "delong",
    "delong_paired",
    "holm",
    "p_works",
    "questions_needed",
    "wilson",
]
