"""What a run for the rate alone was asked to do, as it stands among the run's parameters."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from homogaudit.records import random_rank

FIRST_SAMPLES = 3
"""Samples after which a question whose answers lie apart stops. In thirteen recorded runs three saved as much as two
where 5% of questions or more were single, and where most were, a fifth fewer were apart at first and single in the end
(1.8 against 2.3% of all questions). A fourth costs more than it saves."""

AUDIT_SHARE = 0.3
"""Of the questions, drawn to the end whatever they look like. At 790 questions, 15% of them single and at most 0.5% of
those that lie apart single in the end, the interval is up to 5% wider for 69% of the answers, with a fifth up to 10%
for 64%. Where 1% are single it is 1.4 to 1.6 times as wide for 57% of the answers, with a fifth 1.9 to 2.0 times; half
leaves little to save."""


@dataclass(frozen=True, slots=True)
class RateOnly:
    """Draw a question no further once its first samples lie apart, unless it is one of a random share.

    Attributes:
        audit_share: Of the questions, which are drawn to the end.
        seed: Of their choice.
        first: Samples that are looked at.
    """

    audit_share: float = AUDIT_SHARE
    seed: int = 0
    first: int = FIRST_SAMPLES

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Self | None:
        """Return what the parameters of a run say, `None` where they ask for all answers."""
        found = parameters.get("rate_only")
        return None if found is None else cls(**found)

    def as_parameter(self) -> dict[str, Any]:
        """Return what `of_parameters` reads."""
        return asdict(self)

    def audited(self, question_ids: Iterable[str]) -> frozenset[str]:
        """Return the questions that are drawn to the end; which they are depends on the seed and on all ids alone."""
        ids = sorted(question_ids, key=lambda question_id: random_rank(self.seed, question_id))
        return frozenset(ids[: self.audited_of(len(ids))])

    def audited_of(self, questions: int) -> int:
        """Return how many of so many questions are drawn to the end."""
        return math.ceil(round(self.audit_share * questions, 6))


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What became of the first samples of a question.

    Attributes:
        is_apart: Whether they form two clusters or more.
        stops: Whether the question is drawn no further.
    """

    is_apart: bool
    stops: bool
