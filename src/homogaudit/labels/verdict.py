"""What a judge returns before it is tied to a question: a value and its reason; and why there is nothing to judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from homogaudit.records import GenerationState, LabelValue

NO_ANSWER: Mapping[GenerationState, str] = MappingProxyType(
    {
        GenerationState.EMPTY: "the greedy answer is empty",
        GenerationState.THINKING_UNCLOSED: "the greedy answer never came out of its thinking",
        GenerationState.ERROR: "the greedy answer failed",
    }
)
"""Why a greedy answer that is not valid has no label and no signal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's value with its reason in words."""

    value: LabelValue
    reason: str
