"""Where the time of a run went, phase by phase, as figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from homogaudit.codec import Share
from homogaudit.phases import Phase
from homogaudit.report.figure import Figure
from homogaudit.report.numbers import duration, percent
from homogaudit.report.undefined import Undefined

_LEAST_SHARE = 0.0005

PHASES = Figure(
    "phases",
    "Where the time of all sessions went; a pause belongs to no phase, and the shares add up to 1. "
    + " ".join(f"`{phase}`: {phase.means}." for phase in Phase),
    unit="seconds, and share of all phases",
)


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """What one phase took."""

    seconds: Annotated[float, Figure("time taken", term="phases", written=duration)]
    share: Annotated[Share, Figure("share of time", term="phases", written=percent)]


PhaseTimes = Annotated[Mapping[str, PhaseTime] | Undefined, PHASES]


def phase_times(seconds: Mapping[str, float]) -> Mapping[str, PhaseTime] | Undefined:
    """Return time and share of each phase in their order; phases that round to nothing are among the others."""
    total = sum(seconds.values())
    if not total:
        return Undefined("no session measured its phases")
    known = {phase: x for phase in Phase if (x := seconds.get(phase, 0.0)) >= _LEAST_SHARE * total}
    known[Phase.OTHER] = max(0.0, total - sum(x for phase, x in known.items() if phase is not Phase.OTHER))
    return {phase.value: PhaseTime(x, x / total) for phase, x in known.items()}
