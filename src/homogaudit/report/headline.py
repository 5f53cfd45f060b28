"""Rate and level of a run, as its report has them, without the rest of the report.

The last report of a run that was worked on leaves them in the run file, where lists find them.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homogaudit import __version__
from homogaudit.codec import from_values, to_values
from homogaudit.errors import HomogauditError
from homogaudit.report.homogenization import method_outcomes, missing_reason, outcomes, primary_name, run_methods
from homogaudit.report.labels import count_labels
from homogaudit.report.level import VerdictLevel, level_of
from homogaudit.report.numbers import percent
from homogaudit.report.records import Report, Undefined
from homogaudit.report.run_data import read_run
from homogaudit.report.validity import assess
from homogaudit.report.verdict import invalid_reasons
from homogaudit.statistics import Rate
from homogaudit.store import RunFile
from homogaudit.store.run_lock import RunLock

_KEY = "headline"


@dataclass(frozen=True, slots=True)
class Headline:
    """What a list of runs says of the figures of one.

    Attributes:
        level: That of the verdict.
        scr: The single-cluster rate that it is read from.
    """

    level: VerdictLevel
    scr: Rate | Undefined

    @property
    def rate_words(self) -> str:
        """The rate as a list shows it."""
        return "no rate yet" if isinstance(self.scr, Undefined) else percent(self.scr.value)

    @property
    def words(self) -> str:
        """Level and rate in a few words."""
        return self.rate_words if isinstance(self.scr, Undefined) else f"{self.level}, {self.rate_words}"


def read_headline(path: Path) -> Headline | None:
    """Return the headline of a run file, `None` where it cannot be read: a list says of such a file what it can."""
    try:
        with RunFile.open(path) as run:
            return _noted(run) or headline(run)
    except (HomogauditError, OSError, ValueError, TypeError):
        return None


def note_headline(path: Path, report: Report) -> None:
    """Leave rate and level in the run file that the report was just made of; one that cannot be written stays as it is.

    Nobody has it open in this process, and the file was written last: lists are ordered by that.
    """
    found = report.homogenization
    if found.primary is None:
        return
    values = to_values(Headline(report.verdict.level, found.methods[found.primary].scr))
    with suppress(HomogauditError), RunLock(path), RunFile.open(path, writable=True) as run:
        run.note(_KEY, {"version": __version__, **values})


def _noted(run: RunFile) -> Headline | None:
    """Return what the last report has left, `None` where the run has changed since, or what a report says of it may."""
    values = run.noted(_KEY)
    if isinstance(values, dict) and values.pop("version", None) == __version__:
        with suppress(ValueError):
            return from_values(Headline, values)
    return None


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
