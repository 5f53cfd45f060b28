"""Rate and level of a run, as its report has them, without the rest of the report."""

from dataclasses import dataclass

from homogaudit.report.homogenization import method_outcomes, missing_reason, outcomes, primary_name, run_methods
from homogaudit.report.labels import count_labels
from homogaudit.report.level import VerdictLevel, level_of
from homogaudit.report.records import Undefined
from homogaudit.report.run_data import read_run
from homogaudit.report.validity import assess
from homogaudit.report.verdict import invalid_reasons
from homogaudit.statistics import Rate
from homogaudit.store import RunFile


@dataclass(frozen=True, slots=True)
class Headline:
    """What a list of runs says of the figures of one.

    Attributes:
        level: That of the verdict.
        scr: The single-cluster rate that it is read from.
    """

    level: VerdictLevel
    scr: Rate | Undefined


def headline(run: RunFile) -> Headline:
    """Return the headline of a run that is open for reading.

    Raises:
        HomogauditError: The run cannot be read.
    """
    data = read_run(run)
    methods = run_methods(run)
    primary = primary_name(methods)
    found = outcomes(data, {}) if primary is None else method_outcomes(data, methods[primary])
    reason = missing_reason(data)
    validity = assess(data, count_labels(data, None, draws=1, seed=0))
    return Headline("invalid" if invalid_reasons(validity) else level_of(found.level_rate(reason)), found.rate(reason))
