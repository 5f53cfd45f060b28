"""Gates: bounds that a report keeps, breaks, or is too small to be held against. Pure, and knows no command.

A gate is passed by the unfavourable end of the interval that decides its figure elsewhere in the report, and failed by
the favourable one; in between it is not shown.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Literal

from homogaudit.report.gate_records import Gate, GateState
from homogaudit.report.level import bound_starts
from homogaudit.report.numbers import count, decimal, interval, share
from homogaudit.report.parts import line, record_table
from homogaudit.report.records import Auroc, Estimate, MethodFigures, Report, Undefined
from homogaudit.report.section import Column, Line, Section, Tone
from homogaudit.report.verdict import questions_to_decide
from homogaudit.statistics import MARGIN, Rate, clopper_pearson, questions_needed
from homogaudit.statistics.decision_sequence import questions_to_one_band
from homogaudit.statistics.rates import MOST_QUESTIONS, POWER

GATE_TONES: Mapping[GateState, Tone] = {
    "passed": "good",
    "failed": "bad",
    "not shown": "doubtful",
    "cannot be judged": "doubtful",
}


@dataclass(frozen=True, slots=True)
class Gates:
    """The bounds that are asked for; that the audit is valid is implied by each of them.

    Attributes:
        max_scr: Highest single-cluster rate.
        min_auroc: Lowest AUROC by signal.
        max_missed: Highest share of the wrong answers on which all samples agree.
        no_worse_than: The earlier run whose rate is not to be exceeded; judged in `comparison`.
        margin: By how much it may be.
        valid: Whether validity is a gate of its own.
        by: Whether an interval decides, or the estimate alone.
    """

    max_scr: float | None = None
    min_auroc: Mapping[str, float] = field(default_factory=dict[str, float])
    max_missed: float | None = None
    no_worse_than: Path | None = None
    margin: float = MARGIN
    valid: bool = False
    by: Literal["interval", "estimate"] = "interval"

    def __bool__(self) -> bool:
        """Whether there is any."""
        bounds = (self.max_scr, self.max_missed, self.no_worse_than)
        return self.valid or bool(self.min_auroc) or any(bound is not None for bound in bounds)


def judge_gates(report: Report, gates: Gates) -> Report:
    """Return the report with what became of each gate."""
    return replace(report, gates=(*report.gates, *_judged(report, gates)))


def _judged(report: Report, gates: Gates) -> list[Gate]:
    primary = report.homogenization.primary
    figures = report.homogenization.methods[primary] if primary is not None else None
    found: list[Gate] = []
    if gates.valid:
        found.append(_validity_gate(report))
    if gates.max_scr is not None:
        found.append(_scr_gate(report, figures, gates.max_scr, gates.by))
    for signal, bound in gates.min_auroc.items():
        found.append(_auroc_gate(report, signal, bound, gates.by))
    if gates.max_missed is not None:
        found.append(_missed_gate(report, figures, gates.max_missed, gates.by))
    return found


def blocked(report: Report) -> str | None:
    """Return why no figure of this report can pass a gate, `None` where one can."""
    if report.run.status != "complete":
        return "the run is not complete"
    if report.verdict.level == "invalid":
        return f"the audit is invalid, {report.verdict.level_reason}"
    return None


def _validity_gate(report: Report) -> Gate:
    name, valid = "--fail-on invalid", report.validity.samples_valid
    if report.run.status != "complete":
        return not_judged(name, "the run is not complete")
    if report.verdict.level == "invalid":
        return Gate(name, "failed", Undefined("validity is no figure"), None, report.verdict.level_reason)
    why = f"{share(valid, report.validity.samples)} samples hold an answer" if report.validity.samples else "no samples"
    return Gate(name, "passed", Undefined("validity is no figure"), None, why)


def _scr_gate(report: Report, figures: MethodFigures | None, bound: float, by: str) -> Gate:
    name = f"--max-scr {bound:g}"
    rate = figures.level_rate if figures else Undefined("nothing was clustered")
    reason = blocked(report) or _sequence_alone(report, by)
    if reason is not None or isinstance(rate, Undefined):
        return not_judged(name, reason or _reason(rate))
    state = state_of(rate, bound, by)
    assert figures is not None
    needed = questions_to_decide(figures, (bound,), report.run.deciding) if state == "not shown" else None
    return replace(_gate(name, state, "SCR", rate, needed, by), is_sequential=figures.is_sequential)


def _missed_gate(report: Report, figures: MethodFigures | None, bound: float, by: str) -> Gate:
    name = f"--max-missed {bound:g}"
    rate = figures.missed_rate if figures else Undefined("nothing was clustered")
    reason = blocked(report) or _sequence_alone(report, by)
    if reason is not None or isinstance(rate, Undefined):
        return not_judged(name, reason or _reason(rate))
    state = state_of(rate, bound, by)
    needed = None
    is_sequential = figures is not None and figures.is_sequential
    if state == "not shown" and (wrong := _wrong_needed(rate, bound, is_sequential=is_sequential)) is not None:
        # As many questions as have so many wrong answers among them.
        needed = math.ceil(wrong * report.validity.questions_scored / rate.n)
    return replace(_gate(name, state, "missed errors", rate, needed, by), is_sequential=is_sequential)


def _sequence_alone(report: Report, by: str) -> str | None:
    """Return why an estimate decides nothing of a run that stops once it is decided; `None` where it may."""
    is_open = by != "estimate" or report.run.deciding is None
    return None if is_open else "the estimate of a run that stops once it is decided decides nothing"


def _wrong_needed(rate: Rate, bound: float, *, is_sequential: bool) -> int | None:
    """Return how many wrong answers would decide, if those of a category stay as much alike as they are."""
    if is_sequential:
        about = questions_to_one_band(rate.value, bound_starts(bound), of=())
        return None if about is None else max(about, rate.n + 1)
    alone = clopper_pearson(rate.k, rate.n)
    weight = max(1.0, ((rate.high - rate.low) / (alone.high - alone.low)) ** 2)
    found = questions_needed(rate.value, (bound,), weight=weight)
    return None if found is None else max(found, rate.n + 1)


def _auroc_gate(report: Report, signal: str, bound: float, by: str) -> Gate:
    name = f"--min-auroc {signal}={bound:g}"
    scored = report.signals.get(signal)
    found = scored.auroc if scored else Undefined(f"{signal} is not among the signals of this run")
    reason = blocked(report)
    if report.run.deciding is not None and report.run.deciding.is_stopped:
        reason = reason or "the run stopped once it was decided, and an AUROC needs the whole file"
    if reason is not None or isinstance(found, Undefined):
        return not_judged(name, reason or _reason(found))
    area = _area(found)
    if by == "interval" and area.low is None:
        why = "it is the same everywhere" if found.constant else "right and wrong answers do not overlap"
        return not_judged(name, f"AUROC {decimal(area.value)} of {count(area.n)} has no interval: {why}")
    state = state_of(area, bound, by, at_least=True)
    needed = None
    if state == "not shown" and (labelled := _labels_needed(area, bound)) is not None:
        needed = math.ceil(labelled * report.validity.questions_scored / area.n)
    return _gate(name, state, "AUROC", area, needed, by)


def _area(found: Auroc) -> Estimate:
    """Return an AUROC with the interval that its reading goes by: that over categories where it is wider."""
    if found.by_category is not None:
        return Estimate(found.value, found.by_category.low, found.by_category.high, found.n)
    return Estimate(found.value, found.low, found.high, found.n)


def _labels_needed(area: Estimate, bound: float) -> int | None:
    """Return how many labelled answers would put the interval to one side of a bound, by its width on the log-odds.

    There the interval is near to symmetric, and narrows with the square root of the number.
    """
    inside = area.low is not None and area.high is not None and 0 < area.low and area.high < 1
    if not inside or area.value == bound or not 0 < bound < 1:
        return None
    assert area.low is not None and area.high is not None
    wide = _log_odds(area.high) - _log_odds(area.low)
    z, z_power = (NormalDist().inv_cdf(x) for x in (0.975, POWER))
    shown = abs(_log_odds(area.value) - _log_odds(bound))
    needed = area.n * ((z + z_power) * wide / (2 * z * shown)) ** 2
    return max(math.ceil(needed), area.n + 1) if needed <= MOST_QUESTIONS else None


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def state_of(found: Rate | Estimate, bound: float, by: str, *, at_least: bool = False) -> GateState:
    """Return whether a figure keeps a bound, by both ends of its interval or by itself.

    Args:
        found: With an interval, unless it is to decide by itself.
        bound: The highest value allowed, or the lowest.
        by: `interval` or `estimate`.
        at_least: Whether the bound is the lowest.
    """
    low, high = (found.value, found.value) if by == "estimate" else (found.low, found.high)
    assert low is not None and high is not None
    if at_least:
        return "passed" if low >= bound else "failed" if high < bound else "not shown"
    return "passed" if high <= bound else "failed" if low > bound else "not shown"


def _gate(name: str, state: GateState, what: str, found: Rate | Estimate, needed: int | None, by: str) -> Gate:
    over = share(found.k, found.n) if isinstance(found, Rate) else f"n {count(found.n)}"
    ends = "" if found.low is None else f" {interval(found.low, found.high)}"
    decides = ", by the estimate" if by == "estimate" else ""
    return Gate(name, state, found, needed, f"{what} {decimal(found.value)}{ends} ({over}){decides}")


def not_judged(name: str, reason: str) -> Gate:
    """Return a gate that has no figure."""
    return Gate(name, "cannot be judged", Undefined(reason), None, reason)


def _reason(found: object) -> str:
    return found.reason if isinstance(found, Undefined) else ""


def gate_section(report: Report) -> tuple[Section, ...]:
    """Return the section on the gates; none where none was asked for."""
    if not report.gates:
        return ()
    table = record_table(
        {x.gate: x for x in report.gates},
        Column("gate", "gate"),
        ("state", "found", "found.interval", "found.of", "questions_needed"),
    )
    lines = [line(_whole(x), "gate", GATE_TONES[x.state]) for x in report.gates if x.state != "passed"]
    passed = all(x.state == "passed" for x in report.gates)
    return (Section("gates", "Gates", "gate", (table, *lines), "good" if passed else "bad"),)


def _whole(gate: Gate) -> str:
    """Return the sentence of a gate as a paragraph, with how many questions it needs."""
    return f"{gate.sentence}; {gate.hint}." if gate.state == "not shown" else f"{gate.sentence}."


def gate_lines(report: Report) -> list[Line]:
    """Return a line a gate for the short report."""
    return [
        line(f"`{x.gate}` {x.state}", "gate", GATE_TONES[x.state], label="" if number else "Gates")
        for number, x in enumerate(report.gates)
    ]
