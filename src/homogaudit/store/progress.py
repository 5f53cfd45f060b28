"""How far a run and each of its questions are: the one answer to what is drawn, asked, scored and complete."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["STATE", "STATE_TABLES", "Read", "RunProgress", "RunState", "question_states", "run_progress"]

Read = Callable[[str, Mapping[str, Any]], list[Any]]
"""Returns the rows of a query."""


class RunState(StrEnum):
    """How far a run is, or a question of it; the glossary explains each under its name.

    A question is neither `partial` nor `complete`.
    """

    WAITING = "waiting"
    UNFINISHED = "unfinished"
    DRAWN = "drawn"
    SCORED = "scored"
    PARTIAL = "partial"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How many questions of a run have come how far; answers that came with a file are drawn as they came.

    Attributes:
        questions: Of the run.
        samples: N, to be drawn for each; of recorded answers the most that a question has.
        begun: Questions with an answer.
        drawn: Questions all of whose answers are stored.
        asked: Of these, those about whose greedy answer the model has said all that it is to be asked.
        scored: Of the drawn ones, those clustered, labelled and measured as the run was last asked to.
        state: Of the run.
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
        if self.drawn < self.questions:
            return f"{self.drawn:,} of {self.questions:,} questions are drawn"
        if self.scored < self.questions:
            return f"all {self.questions:,} questions are drawn, {self.scored:,} of them scored"
        if self.state is RunState.COMPLETE:
            return f"all {self.questions:,} questions are drawn and scored"
        return f"all {self.questions:,} questions are drawn and scored, not all of them asked about and judged"


STATE = """
CASE WHEN NOT :is_recorded AND (coalesce(g.samples, 0) < :samples OR :needs_greedy AND NOT coalesce(g.greedy, 0))
     THEN iif(g.position IS NULL, 'waiting', 'unfinished')
     WHEN s.scoring = :scoring OR :is_complete THEN 'scored'
     ELSE 'drawn' END
"""
"""The state of a question, as a column of `STATE_TABLES`.

Parameters: `is_recorded`; `samples`, N; `needs_greedy`, whether a question is not drawn without its greedy answer;
`scoring`, key of the scoring that counts; `is_complete`, whether every question counts as scored.
"""

STATE_TABLES = """
questions q LEFT JOIN (
    SELECT position, count(*) FILTER (WHERE sample_index >= 0) AS samples,
        count(*) FILTER (WHERE sample_index < 0) AS greedy FROM generations GROUP BY position
) g USING (position) LEFT JOIN scorings s ON s.position = q.position
"""

_UNASKED = """
EXISTS (SELECT 1 FROM generations d WHERE d.position = position_ AND d.sample_index < 0 AND d.state = 'valid')
AND EXISTS (SELECT 1 FROM json_each(:calls) kind
    WHERE NOT EXISTS (SELECT 1 FROM calls c WHERE c.position = position_ AND c.kind = kind.value))
"""


def question_states(read: Read, parameters: Mapping[str, Any]) -> dict[str, RunState]:
    """Return how far each question is, by its id, in the order of the file."""
    query = f"SELECT q.id, {STATE} FROM {STATE_TABLES} ORDER BY q.position"
    return {name: RunState(state) for name, state in read(query, parameters)}


def run_progress(read: Read, parameters: Mapping[str, Any], *, calls: Sequence[str], lacks_shards: bool) -> RunProgress:
    """Return how far a run is.

    Args:
        read: Returns the rows of a query.
        parameters: What `STATE` depends on.
        calls: What the model is to be asked about each valid greedy answer.
        lacks_shards: Whether the run is merged of some shards of its question file.
    """
    # A run of the first version has no table of calls, and none that are wanted.
    unasked = f"coalesce(sum(state IN ('drawn', 'scored') AND {_UNASKED}), 0)" if calls else "0"
    ((questions, waiting, drawn, scored, open_calls),) = read(
        "SELECT count(*), coalesce(sum(state = 'waiting'), 0), coalesce(sum(state IN ('drawn', 'scored')), 0), "
        f"coalesce(sum(state = 'scored'), 0), {unasked} "
        f"FROM (SELECT q.position AS position_, {STATE} AS state FROM {STATE_TABLES})",
        {**parameters, **({"calls": json.dumps(calls)} if calls else {})},
    )
    if parameters["is_complete"]:
        state = RunState.COMPLETE
    elif waiting == questions:
        state = RunState.WAITING
    elif drawn < questions:
        state = RunState.UNFINISHED
    elif scored < questions:
        state = RunState.DRAWN
    else:
        state = RunState.PARTIAL if lacks_shards else RunState.SCORED
    return RunProgress(questions, parameters["samples"], questions - waiting, drawn, drawn - open_calls, scored, state)
