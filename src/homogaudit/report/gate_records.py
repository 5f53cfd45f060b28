"""What became of the bounds that a report was held against."""

from dataclasses import dataclass
from typing import Annotated, Literal

from homogaudit.codec import Count
from homogaudit.report.figure import Figure
from homogaudit.report.numbers import count, decimal
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate
from homogaudit.statistics.rates import POWER

GateState = Literal["passed", "failed", "not shown", "cannot be judged"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One bound, and whether the report is shown to keep it.

    Attributes:
        state: `passed`, `failed`, `not shown` or `cannot be judged`.
        reason: The figure in words, or why there is none.
        questions_needed: How many would decide, with a probability of 80% if the figure is the true one; `None` where
            it is decided, and where no practicable number would.
        is_sequential: Whether the run stops once it is decided, so that about half of such runs need more.
    """

    gate: Annotated[str, Figure("gate")]
    state: Annotated[GateState, Figure("state", term="gate_state")]
    found: Annotated[Rate | Estimate | Undefined, Figure("found", "The figure that a gate is about.")]
    questions_needed: Annotated[Count | None, Figure("questions needed")]
    reason: str
    is_sequential: bool = False

    @property
    def hint(self) -> str | None:
        """What would help, `None` where nothing would."""
        if self.state == "cannot be judged":
            return None if self.gate.startswith("--no-worse-than") else "the report says what is missing"
        if self.state != "not shown" or isinstance(self.found, Undefined):
            return None
        if self.questions_needed is None and self.is_sequential:
            return "its confidence sequence will hardly decide; with `--continue` an interval of the whole file may"
        if self.questions_needed is None:
            return "at this figure no practicable number of questions would decide"
        chance = "in half of such runs" if self.is_sequential else f"with a probability of {POWER:.0%}"
        value = decimal(self.found.value)
        return f"about {count(self.questions_needed)} questions would decide, {chance} if the true value is {value}"

    @property
    def sentence(self) -> str:
        """The gate, its state and why, in one line."""
        return f"`{self.gate}` {self.state}: {self.reason}"
