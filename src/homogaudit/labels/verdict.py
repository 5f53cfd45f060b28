"""What a judge returns before it is tied to a question: a value and its reason."""

from dataclasses import dataclass

from homogaudit.records import LabelValue

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's value with its reason in words."""

    value: LabelValue
    reason: str
