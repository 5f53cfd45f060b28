"""The analyses of the labelled questions, in one go: each its section, or why there is none."""

from dataclasses import dataclass

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.analysis_records import Agreements, Calibration, Categories, Comparisons, Dependences, Selective
from homogaudit.report.calibration import score_calibration
from homogaudit.report.categories import score_categories
from homogaudit.report.comparisons import compare_flags, compare_signals
from homogaudit.report.dependence import score_dependence
from homogaudit.report.selective import score_selective
from homogaudit.report.undefined import WITH_FULL, Undefined


@dataclass(frozen=True, slots=True)
class Analyses:
    """The sections of a report that need labels and signals; see their records."""

    comparisons: Comparisons | Undefined
    selective: Selective | Undefined
    agreement: Agreements | Undefined
    categories: Categories | Undefined
    calibration: Calibration | Undefined
    dependence: Dependences | Undefined


def analyse(
    inputs: AnalysisInputs, *, unlabelled: str | None, full: bool, target_risk: float | None = None
) -> Analyses:
    """Make every analysis that was asked for.

    Args:
        inputs: The labelled scores.
        unlabelled: Why the labels carry no figure, `None` where they do.
        full: Whether to make more than the comparisons and the accuracies at a coverage.
        target_risk: Of the risk bounds; `None` for three quarters of the share of incorrect answers.
    """
    if unlabelled is not None:
        reason = Undefined(unlabelled.replace("`", ""))
        return Analyses(reason, reason, *[reason if full else WITH_FULL] * 4)
    return Analyses(
        comparisons=compare_signals(inputs),
        selective=score_selective(inputs, full=full, target_risk=target_risk),
        agreement=compare_flags(inputs) if full else WITH_FULL,
        categories=score_categories(inputs) if full else WITH_FULL,
        calibration=score_calibration(inputs) if full else WITH_FULL,
        dependence=score_dependence(inputs) if full else WITH_FULL,
    )
