"""How far a run and each of its questions are: the one answer to what is drawn, asked, scored and complete."""

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """How far a run is, or a question of it; the glossary explains each under its name.

    A question is neither `partial` nor `complete`, `decided early` nor `rate only`.
    """

    WAITING = "waiting"
    UNFINISHED = "unfinished"
    DRAWN = "drawn"
    SCORED = "scored"
    PARTIAL = "partial"
    COMPLETE = "complete"
    DECIDED_EARLY = "decided early"
    RATE_ONLY = "rate only"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How many questions of a run have come how far; answers that came with a file are drawn as they came.

    Attributes:
        samples: N, to be drawn for each; of recorded answers the most that a question has.
        begun: Questions with an answer.
        drawn: Questions all of whose answers are stored.
        asked: Of these, those about whose greedy answer the model has said all that it is to be asked.
        scored: Of the drawn ones, those clustered, labelled and measured as the run was last asked to.
    """

    questions: int
    samples: int
    begun: int
    drawn: int
    asked: int
    scored: int
    state: RunState

    @property
    def text(self) -> str:
        """How far the run is, for people."""
        if self.state is RunState.DECIDED_EARLY:
            return f"decided early, {self.drawn:,} of {self.questions:,} questions are drawn"
        if self.state is RunState.RATE_ONLY:
            return f"all {self.questions:,} questions are drawn as far as their rate needs, and scored"
        if self.drawn < self.questions:
            return f"{self.drawn:,} of {self.questions:,} questions are drawn"
        if self.scored < self.questions:
            return f"all {self.questions:,} questions are drawn, {self.scored:,} of them scored"
        if self.state is RunState.COMPLETE:
            return f"all {self.questions:,} questions are drawn and scored"
        return f"all {self.questions:,} questions are drawn and scored, not all of them asked about and judged"


STATE = """
CASE WHEN NOT :is_recorded AND (coalesce(g.samples, 0) < iif(coalesce(f.stops, 0), :first, :samples)
        OR :needs_greedy AND NOT coalesce(g.greedy, 0))
     THEN iif(g.position IS NULL, 'waiting', 'unfinished')
     WHEN s.scoring = :scoring OR :is_complete THEN 'scored'
     ELSE 'drawn' END
"""
"""The state of a question, as a column of `STATE_TABLES`.

Parameters: `is_recorded`; `samples`, N; `first`, those of a question that stops after its first look;
`needs_greedy`, whether a question is not drawn without its greedy answer;
`scoring`, key of the scoring that counts; `is_complete`, whether every question counts as scored.
"""

STATE_TABLES = """
questions q LEFT JOIN (
    SELECT position, count(*) FILTER (WHERE sample_index >= 0) AS samples,
        count(*) FILTER (WHERE sample_index < 0) AS greedy FROM generations GROUP BY position
) g USING (position) LEFT JOIN scorings s ON s.position = q.position
LEFT JOIN {first_looks} f ON f.position = q.position
"""

UNASKED = """
EXISTS (SELECT 1 FROM generations d WHERE d.position = position_ AND d.sample_index < 0 AND d.state = 'valid')
AND EXISTS (SELECT 1 FROM json_each(:calls) kind
    WHERE NOT EXISTS (SELECT 1 FROM calls c WHERE c.position = position_ AND c.kind = kind.value))
"""
"""Whether the model is still to be asked about its greedy answer: one of the kinds `calls` is not stored."""
