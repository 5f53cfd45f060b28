"""The gate against an earlier run: its single-cluster rate is not exceeded by more than a margin. Knows no command."""

import shlex
from typing import Literal

from homogaudit.comparison.pairing import pair_runs, run_names
from homogaudit.errors import UndefinedStatisticError, UsageError
from homogaudit.report.gate_records import Gate
from homogaudit.report.gates import blocked, not_judged, state_of
from homogaudit.report.headline import headline
from homogaudit.report.numbers import count, decimal, interval
from homogaudit.report.records import Report
from homogaudit.report.run_data import RunData
from homogaudit.statistics import Estimate, difference_questions_needed, rate_difference
from homogaudit.store import RunFile


def check_earlier(run: RunFile, earlier: RunFile) -> None:
    """Check that a run can be held against an earlier one, as far as its questions tell before it is drawn.

    Raises:
        UsageError: The earlier one is not complete, or has none of its questions.
    """
    if earlier.status != "complete":
        raise UsageError(f"`{earlier.path}` is not complete, so no run can be held against it", "complete it first")
    if not {x.id for x in run.questions()} & {x.id for x in earlier.questions()}:
        raise UsageError(
            f"`{earlier.path}` has none of the questions of this run",
            f"questions are paired by their ids; it asks `{earlier.question_source}`",
        )


def no_worse_gate(
    report: Report, run: RunData, earlier: RunData, margin: float, by: Literal["interval", "estimate"]
) -> Gate:
    """Return whether the rate of a run, minus that of an earlier one on the same questions, is at most a margin.

    It is judged by Tango's interval of the paired difference, and only where the runs are comparable.

    Args:
        report: Of the run.
        run: The run itself.
        earlier: What it is held against.
        margin: Between 0 and 1.
        by: What decides.
    """
    name = f"--no-worse-than {shlex.quote(earlier.run.path.name)} --margin {margin:g}"
    if (reason := blocked(report)) is not None:
        return not_judged(name, reason)
    if earlier.run.status != "complete":
        return not_judged(name, f"{earlier.run.path.name} is not complete")
    if headline(earlier.run).level == "invalid":
        return not_judged(name, f"the audit of {earlier.run.path.name} is invalid")
    try:
        paired = pair_runs([earlier, run])
        before, after = (paired.runs[x].outcomes.known_single() for x in run_names([earlier, run]))
        shared = [x for x in before if x in after]
        found = rate_difference([after[x] for x in shared], [before[x] for x in shared])
    except (UsageError, UndefinedStatisticError) as error:
        return not_judged(name, error.message.replace("`", ""))
    estimate = Estimate(found.value, found.low, found.high, found.n)
    state = state_of(estimate, margin, by)
    needed = None
    if state == "not shown" and (about := difference_questions_needed(found, margin)) is not None:
        needed = max(about, found.n + 1)
    decides = ", by the estimate" if by == "estimate" else ""
    counts = f"{count(sum(after[x] for x in shared))} against {count(sum(before[x] for x in shared))}"
    return Gate(
        name,
        state,
        estimate,
        needed,
        f"SCR difference {decimal(found.value)} {interval(found.low, found.high)} ({counts} of {count(found.n)} "
        f"paired questions){decides}",
    )
