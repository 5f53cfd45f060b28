"""How far a run and its questions are, and what a list shows of each question."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from homogaudit.records import ClusteringMethod, LabelValue
from homogaudit.store.draws import DrawCount, Draws
from homogaudit.store.progress import STATE, STATE_TABLES, UNASKED, RunProgress, RunState
from homogaudit.store.rate_only import RateOnly


@dataclass(frozen=True, slots=True)
class QuestionOverview:
    """What a list shows of one question.

    Attributes:
        position: Its place in the file, from 0.
        is_stopped: It is drawn no further than its first samples, because the run is for the rate alone.
        assignment: Of its valid samples by one clustering, `None` where it is not clustered.
        scoring: Under which it is scored, `None` before.
    """

    position: int
    id: str
    text: str
    category: str | None
    state: RunState
    drawn: DrawCount
    is_stopped: bool
    assignment: tuple[int, ...] | None
    label: LabelValue | None
    signal: float | None
    scoring: str | None


class Overviews(Draws):
    """Progress, and the rows of lists."""

    def progress(self) -> RunProgress:
        """Return how far the run is."""
        parameters, calls = self._state_parameters(), self.wanted_calls
        # A run of the first version has no table of calls, and none that are wanted.
        unasked = f"coalesce(sum(state IN ('drawn', 'scored') AND {UNASKED}), 0)" if calls else "0"
        ((questions, waiting, drawn, scored, open_calls),) = self.rows(
            "SELECT count(*), coalesce(sum(state = 'waiting'), 0), coalesce(sum(state IN ('drawn', 'scored')), 0), "
            f"coalesce(sum(state = 'scored'), 0), {unasked} "
            f"FROM (SELECT q.position AS position_, {STATE} AS state FROM {self._state_tables})",
            {**parameters, **({"calls": json.dumps(calls)} if calls else {})},
        )
        if parameters["is_complete"]:
            state = RunState.COMPLETE
            if drawn < questions and self.stopping_rule is not None:
                state = RunState.DECIDED_EARLY
            elif self.rate_rule is not None:
                state = RunState.RATE_ONLY
        elif waiting == questions:
            state = RunState.WAITING
        elif drawn < questions:
            state = RunState.UNFINISHED
        elif scored < questions:
            state = RunState.DRAWN
        else:
            state = RunState.PARTIAL if self.missing_shards else RunState.SCORED
        samples, asked = parameters["samples"], drawn - open_calls
        return RunProgress(questions, samples, questions - waiting, drawn, asked, scored, state)

    def question_states(self, scoring: str | None = None) -> dict[str, RunState]:
        """Return how far each question is, by its id, in the order of the file.

        `scoring` is the key of the one that counts; `None` for the run's last, under which a complete run is scored.
        """
        query = f"SELECT q.id, {STATE} FROM {self._state_tables} ORDER BY q.position"
        return {name: RunState(state) for name, state in self.rows(query, self._state_parameters(scoring))}

    def audited_alone(self) -> frozenset[str] | None:
        """Return the random share of a run for the rate alone, as long as not all is drawn; `None` of any other run.

        Of the other questions those that are drawn to the end are no fair sample: their first answers are alike.
        """
        rule = RateOnly.of_parameters(self.parameters)
        if rule is None:
            return None
        states = self.question_states()
        if self.continued and {RunState.DRAWN, RunState.SCORED}.issuperset(states.values()):
            return None
        return rule.audited(states)

    def finished_in_order(self, scoring: str | None = None) -> tuple[str, ...]:
        """Return the questions, from the first on, all of whose draws are stored, up to the first that lacks some."""
        states = self.question_states(scoring)
        finished = (RunState.DRAWN, RunState.SCORED)
        return tuple(takewhile(lambda name: states[name] in finished, states))

    def _state_parameters(self, scoring: str | None = None) -> dict[str, Any]:
        """Return what the states of questions depend on."""
        decoding, samples, last = self.parameters.get("decoding"), self.expected_samples(), self.scoring
        return {
            "is_recorded": self.is_recorded,
            "samples": samples,
            "first": samples if self.rate_rule is None else self.rate_rule.first,
            "needs_greedy": samples == 0 or (isinstance(decoding, dict) and "greedy_max_tokens" in decoding),
            "scoring": scoring if scoring is not None else last and last.key,
            "is_complete": scoring is None and self.status == "complete",
        }

    @property
    def _state_tables(self) -> str:
        """Where the states of questions come from; a file of an earlier version that is only read has no looks."""
        looks = "first_looks" if self._version >= 6 else "(SELECT NULL AS position, NULL AS stops)"
        return STATE_TABLES.format(first_looks=looks)

    def question_marks(self) -> dict[int, tuple[int, str | None]]:
        """Return what tells that a question has changed, by position: its stored draws, and its scoring."""
        rows = self.rows(
            "SELECT q.position, coalesce(g.draws, 0), s.scoring FROM questions q LEFT JOIN "
            "(SELECT position, count(*) AS draws FROM generations GROUP BY position) g USING (position) "
            "LEFT JOIN scorings s USING (position) ORDER BY q.position"
        )
        return {position: (draws, scoring) for position, draws, scoring in rows}

    def overviews(
        self,
        *,
        method: ClusteringMethod | None,
        judge: str | None,
        signal: str,
        positions: Iterable[int] | None = None,
    ) -> list[QuestionOverview]:
        """Return what a list shows of the questions, in their order, in one query.

        Positions count from 0; `None` stands for all of them, for no clusters and no labels.
        """
        is_short = self.rate_rule is not None
        chosen = "" if positions is None else "WHERE q.position IN (SELECT value FROM json_each(:positions)) "
        rows = self.rows(
            f"SELECT q.position, q.id, q.text, q.category, {STATE}, coalesce(g.samples, 0), coalesce(g.greedy, 0), "
            f"coalesce(f.stops, 0), c.assignment, l.value, v.value, s.scoring FROM {self._state_tables} "
            "LEFT JOIN clusterings c ON c.position = q.position AND c.key = :method "
            f"LEFT JOIN labels l ON l.position = q.position AND l.judge = :judge AND {self._is_greedy} "
            f"LEFT JOIN signals v ON v.position = q.position AND v.signal = :signal {chosen}ORDER BY q.position",
            self._state_parameters()
            | {"method": method.key if method is not None else None, "judge": judge, "signal": signal}
            | ({} if positions is None else {"positions": json.dumps(list(positions))}),
        )
        return [
            QuestionOverview(
                position,
                name,
                text,
                category,
                RunState(state),
                DrawCount(samples, bool(greedy)),
                is_short and bool(stops),
                None if assignment is None else tuple(json.loads(assignment)),
                None if label is None else LabelValue(label),
                value,
                scoring,
            )
            for position, name, text, category, state, samples, greedy, stops, assignment, label, value, scoring in rows
        ]
