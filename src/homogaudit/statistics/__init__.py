"""Statistics as pure functions on arrays: rates, AUROC, effect size, intervals, tests, selection, dependence.

The package does no I/O and knows nothing of run files, signals' names or reports. Scores are oriented so that higher is
more uncertain and the positive class is an incorrect answer. A figure that does not exist raises
`UndefinedStatisticError` with the reason.
"""

from homogaudit.statistics.agreement import Agreement, agreement, cohens_kappa
from homogaudit.statistics.auroc import DeLong, PairedDeLong, auroc, delong, delong_paired, logit_interval
from homogaudit.statistics.bootstrap import (
    DRAWS,
    Estimate,
    bootstrap_auroc,
    bootstrap_auroc_by_category,
    bootstrap_cohens_d,
    bootstrap_mean,
    bootstrap_means,
)
from homogaudit.statistics.calibration import (
    Calibrated,
    brier_score,
    calibrate_out_of_fold,
    ece_by_chance,
    expected_calibration_error,
)
from homogaudit.statistics.categories import (
    CategoryAuroc,
    CategoryDifference,
    CategoryZone,
    Zone,
    auroc_by_category,
    category_difference,
    category_zones,
)
from homogaudit.statistics.comparisons import MARGIN, Comparison, Equivalence, compare_with_primary, equivalence
from homogaudit.statistics.corrected_rate import CorrectedRate, corrected_rate
from homogaudit.statistics.dependence import Correlation, Dependence, Permuted, dependence, pearson, spearman
from homogaudit.statistics.effect import cohens_d
from homogaudit.statistics.folds import stratified_folds
from homogaudit.statistics.mann_whitney import p_inverted, p_works, tells_categories_apart
from homogaudit.statistics.paired_bootstrap import PairedAurocs, PairedMeans, paired_aurocs, paired_means
from homogaudit.statistics.paired_rates import (
    RateDifference,
    difference_questions_needed,
    p_below,
    p_equivalent_rates,
    rate_difference,
)
from homogaudit.statistics.rates import Rate, clopper_pearson, grouped_interval, questions_needed, wilson
from homogaudit.statistics.risk_control import RiskBound, risk_bound
from homogaudit.statistics.selective import (
    COVERAGES,
    CoverageAccuracy,
    RiskCoverage,
    SelectiveIntervals,
    accuracy_at_coverage,
    aurc,
    bootstrap_selective,
    prr,
    risk_coverage_curve,
)
from homogaudit.statistics.tests import McNemar, Wilcoxon, holm, mcnemar, wilcoxon
from homogaudit.statistics.zones import held_out_zones, in_sample_zones, zone_auroc

__all__ = [
    "COVERAGES",
    "DRAWS",
    "MARGIN",
    "Agreement",
    "Calibrated",
    "CategoryAuroc",
    "CategoryDifference",
    "CategoryZone",
    "Comparison",
    "CorrectedRate",
    "Correlation",
    "CoverageAccuracy",
    "DeLong",
    "Dependence",
    "Equivalence",
    "Estimate",
    "McNemar",
    "PairedAurocs",
    "PairedDeLong",
    "PairedMeans",
    "Permuted",
    "Rate",
    "RateDifference",
    "RiskBound",
    "RiskCoverage",
    "SelectiveIntervals",
    "Wilcoxon",
    "Zone",
    "accuracy_at_coverage",
    "agreement",
    "aurc",
    "auroc",
    "auroc_by_category",
    "bootstrap_auroc",
    "bootstrap_auroc_by_category",
    "bootstrap_cohens_d",
    "bootstrap_mean",
    "bootstrap_means",
    "bootstrap_selective",
    "brier_score",
    "calibrate_out_of_fold",
    "category_difference",
    "category_zones",
    "clopper_pearson",
    "cohens_d",
    "cohens_kappa",
    "compare_with_primary",
    "corrected_rate",
    "delong",
    "delong_paired",
    "dependence",
    "difference_questions_needed",
    "ece_by_chance",
    "equivalence",
    "expected_calibration_error",
    "grouped_interval",
    "held_out_zones",
    "holm",
    "in_sample_zones",
    "logit_interval",
    "mcnemar",
    "p_below",
    "p_equivalent_rates",
    "p_inverted",
    "p_works",
    "paired_aurocs",
    "paired_means",
    "pearson",
    "prr",
    "questions_needed",
    "rate_difference",
    "risk_bound",
    "risk_coverage_curve",
    "spearman",
    "stratified_folds",
    "tells_categories_apart",
    "wilcoxon",
    "wilson",
    "zone_auroc",
]
