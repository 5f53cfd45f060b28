"""The questions of a run and every answer drawn for them.

A draw is stored once and never overwritten; only what is read of its text may change.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homogaudit.records import (
    GREEDY,
    Generation,
    GenerationState,
    LateSamples,
    Question,
    SampleSet,
    TokenStatistics,
)
from homogaudit.store.database import chunks, to_blob
from homogaudit.store.rate_only import FirstLook
from homogaudit.store.run_facts import RunFacts

_LAST_SAMPLE = 2**62

QUESTION_COLUMNS = "id, text, category, answers, incorrect_answers, passages, extra"
COLUMNS_SINCE_3 = ", context, system, choices"
_GENERATION_COLUMNS = "sample_index, text, answer, state, finish_reason, tokens, seconds"
_ARRAY_COLUMNS = "token_ids, entropies, logprobs, logits, answer_mask"
_NO_STATISTICS = TokenStatistics()
_STATES = {state.value: state for state in GenerationState}

_QUESTIONS_AT_ONCE = 50
"""Read by one query: a query costs as much as some rows, and all rows at once would not fit into memory."""


@dataclass(frozen=True, slots=True)
class DrawCount:
    """How much of a question is drawn: its stored samples, and whether the greedy answer is there."""

    samples: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class FailedDraws:
    """How many of the stored draws failed.

    Attributes:
        failed: Those that hold a reason in place of an answer.
        reason: The commonest; empty where none failed.
    """

    draws: int
    failed: int
    reason: str


class Draws(RunFacts):
    """Questions and generations."""

    @property
    def _question_columns(self) -> str:
        """The columns of a question; a file of an earlier version that is only read lacks some."""
        return QUESTION_COLUMNS + (COLUMNS_SINCE_3 if self._version >= 3 else ", NULL, NULL, '[]'")

    def questions(self) -> list[Question]:
        """Return the questions in the order they are started."""
        rows = self.rows(f"SELECT {self._question_columns} FROM questions ORDER BY position")
        return [_question(row) for row in rows]

    def add_generation(
        self,
        generation: Generation,
        session: int | None = None,
        session_seconds: float | None = None,
        pieces: Mapping[int, bytes] | None = None,
    ) -> None:
        """Store one finished draw in one transaction, and count it for the session that drew it.

        `session` is `None` for draws that came from elsewhere, `session_seconds` its wall time so far, so that a killed
        one is not without. `pieces` are the bytes of tokens by id, as far as they are not stored yet.

        Raises:
            sqlite3.IntegrityError: This (question, sample) is stored already; a draw is never overwritten.
            StorageError: The disk is full or the file not writable.
        """
        statistics = generation.statistics
        with self.transaction():
            self._connection.execute(
                f"INSERT INTO generations (position, {_GENERATION_COLUMNS}, {_ARRAY_COLUMNS}) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._positions[generation.question_id],
                    generation.sample_index,
                    generation.text,
                    generation.answer,
                    generation.state.value,
                    generation.finish_reason,
                    generation.tokens,
                    generation.seconds,
                    to_blob(statistics.token_ids, "<i4"),
                    to_blob(statistics.entropies, "<f4"),
                    to_blob(statistics.logprobs, "<f4"),
                    to_blob(statistics.logits, "<f4"),
                    to_blob(statistics.answer_mask, "|b1"),
                ),
            )
            if pieces:
                self._connection.executemany("INSERT OR IGNORE INTO token_pieces VALUES (?, ?)", list(pieces.items()))
            if session is not None:
                self._connection.execute(
                    "UPDATE sessions SET generations = generations + 1, seconds = ? WHERE number = ?",
                    (session_seconds, session),
                )

    def token_pieces(self, ids: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the bytes that tokens of this run's model stand for, by id; `None` for all that are stored.

        A token can hold part of a character: join the pieces before decoding. Of recorded runs nothing is known.
        """
        if self._version < 2:
            return {}
        if ids is None:
            return dict(self.rows("SELECT id, piece FROM token_pieces"))
        wanted = json.dumps([int(number) for number in ids])
        query = "SELECT id, piece FROM token_pieces WHERE id IN (SELECT value FROM json_each(?))"
        return dict(self.rows(query, (wanted,)))

    def raw_draws(self) -> Iterator[Generation]:
        """Yield every stored draw in the order of the file, without its tokens."""
        for question_id, position in self._positions.items():
            query = f"SELECT {_GENERATION_COLUMNS} FROM generations WHERE position = ? ORDER BY sample_index"
            for row in self.rows(query, (position,)):
                yield _generation(question_id, row)

    def read_answers_anew(self, draws: Iterable[Generation]) -> None:
        """Store what is read of raw texts now, and forget what was derived from what was read of them before.

        Labels and signals that came with a file stay.
        """
        recorded = json.dumps(list(self.recorded.signals.values()))
        with self.transaction():
            for draw in draws:
                position = self._positions[draw.question_id]
                self._connection.execute(
                    "UPDATE generations SET answer = ?, state = ? WHERE position = ? AND sample_index = ?",
                    (draw.answer, draw.state.value, position, draw.sample_index),
                )
                self._connection.execute("DELETE FROM clusterings WHERE position = ?", (position,))
                self._connection.execute("DELETE FROM scorings WHERE position = ?", (position,))
                self._connection.execute(
                    "DELETE FROM labels WHERE position = ? AND sample_index = ? AND judge != 'recorded'",
                    (position, draw.sample_index),
                )
                if draw.sample_index == GREEDY:
                    self._connection.execute(
                        "DELETE FROM signals WHERE position = ? AND signal NOT IN (SELECT value FROM json_each(?))",
                        (position, recorded),
                    )

    def drop_token_arrays(self, question_id: str) -> None:
        """Forget the token arrays of one question whose signals are stored."""
        with self.transaction():
            self._connection.execute(
                "UPDATE generations SET token_ids = NULL, entropies = NULL, logprobs = NULL, logits = NULL, "
                "answer_mask = NULL WHERE position = ?",
                (self._positions[question_id],),
            )

    def generation_keys(self) -> set[tuple[str, int]]:
        """Return every stored (question id, sample index)."""
        rows = self.rows("SELECT questions.id, sample_index FROM generations JOIN questions USING (position)")
        return {(question_id, index) for question_id, index in rows}

    def sample_indexes(self, question_ids: Iterable[str]) -> Iterator[tuple[str, set[int]]]:
        """Yield the id and the stored sample indexes of each of some questions."""
        query = "SELECT sample_index FROM generations WHERE position = ?"
        for question_id in question_ids:
            yield question_id, {index for (index,) in self.rows(query, (self._positions[question_id],))}

    def drawn_tokens(self, question_id: str | None = None) -> tuple[int, int]:
        """Return the tokens of greedy answers and of samples, of one question or of all, as far as they are drawn."""
        only, places = ("", ()) if question_id is None else ("WHERE position = ?", (self._positions[question_id],))
        ((greedy, samples),) = self.rows(
            "SELECT coalesce(sum(tokens) FILTER (WHERE sample_index < 0), 0), "
            f"coalesce(sum(tokens) FILTER (WHERE sample_index >= 0), 0) FROM generations {only}",
            places,
        )
        return int(greedy), int(samples)

    def draw_counts(self) -> dict[str, DrawCount]:
        """Return how many draws are stored, by question id, in the order of the file."""
        rows = self.rows(
            "SELECT id, count(*) FILTER (WHERE sample_index >= 0), count(*) FILTER (WHERE sample_index < 0) "
            "FROM questions LEFT JOIN generations USING (position) GROUP BY position ORDER BY position"
        )
        return {question_id: DrawCount(samples, bool(greedy)) for question_id, samples, greedy in rows}

    def failed_draws(self) -> FailedDraws:
        """Return how many draws failed, and why most of them did."""
        ((draws,),) = self.rows("SELECT count(*) FROM generations")
        rows = self.rows(
            "SELECT text, count(*) AS times FROM generations WHERE state = ? GROUP BY text ORDER BY times DESC, text",
            (GenerationState.ERROR.value,),
        )
        return FailedDraws(draws, sum(times for _, times in rows), rows[0][0] if rows else "")

    def sample_sets(
        self, question_ids: Iterable[str] | None = None, *, token_arrays: bool = True, samples: bool = True
    ) -> Iterator[SampleSet]:
        """Yield the draws of every question (or of `question_ids`) in the order of the file.

        Nothing is read of other questions, nor what is not wanted: token arrays are most of the file.
        """
        wanted = self._positions if question_ids is None else question_ids
        columns = _GENERATION_COLUMNS + (f", {_ARRAY_COLUMNS}" if token_arrays else "")
        last = _LAST_SAMPLE if samples else GREEDY
        for places in chunks(sorted(self._positions[question_id] for question_id in wanted), _QUESTIONS_AT_ONCE):
            chosen = f"position IN ({','.join('?' * len(places))})"
            questions = self.rows(
                f"SELECT position, {self._question_columns} FROM questions WHERE {chosen} ORDER BY position", places
            )
            draws: dict[int, list[Any]] = {}
            for position, *row in self.rows(
                f"SELECT position, {columns} FROM generations WHERE {chosen} AND sample_index <= ? "
                "ORDER BY position, sample_index",
                (*places, last),
            ):
                draws.setdefault(position, []).append(row)
            for position, *row in questions:
                question = _question((self._ids[position], *row[1:]))
                generations = [_generation(question.id, draw) for draw in draws.get(position, ())]
                greedy = generations[0] if generations and generations[0].sample_index == GREEDY else None
                yield SampleSet(question, greedy, generations[1:] if greedy else generations)

    def late_sample_sets(self) -> Iterator[SampleSet]:
        """Yield what `sample_sets` yields without token arrays, but samples that are read whenever they are asked for.

        It takes no memory to speak of to go through them, however many times; the run must stay open.
        """
        counted = self.stream(
            "SELECT position, count(*) FILTER (WHERE sample_index >= 0), "
            "count(*) FILTER (WHERE sample_index >= 0 AND state = ?) "
            "FROM questions LEFT JOIN generations USING (position) GROUP BY position ORDER BY position",
            (GenerationState.VALID.value,),
        )
        reader = _LateReader(self)
        drawn = self.sample_sets(token_arrays=False, samples=False)
        for x, (position, count, valid) in zip(drawn, counted, strict=True):
            yield replace(x, samples=LateSamples(count, valid, position, reader.samples))

    def samples_between(self, first: int, last: int) -> dict[int, list[Generation]]:
        """Return the samples of the questions from one position to before another, without token arrays."""
        found: dict[int, list[Generation]] = {}
        for position, *row in self.rows(
            f"SELECT position, {_GENERATION_COLUMNS} FROM generations WHERE position >= ? AND position < ? "
            "AND sample_index >= 0 ORDER BY position, sample_index",
            (first, last),
        ):
            found.setdefault(position, []).append(_generation(self._ids[position], row))
        return found

    def add_first_look(self, question_id: str, look: FirstLook) -> None:
        """Store what became of the first samples of a question, once."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO first_looks VALUES (?, ?, ?)", (self._positions[question_id], look.is_apart, look.stops)
            )

    def first_looks(self) -> dict[str, FirstLook]:
        """Return what `add_first_look` stored, by question id."""
        if self._version < 6:
            return {}
        rows = self.rows("SELECT id, is_apart, stops FROM first_looks JOIN questions USING (position)")
        return {question_id: FirstLook(bool(is_apart), bool(stops)) for question_id, is_apart, stops in rows}

    def stopped_ids(self) -> frozenset[str]:
        """Return the questions that are drawn no further than their first samples; none of a run that draws all."""
        looks = {} if self.rate_rule is None else self.first_looks()
        return frozenset(name for name, look in looks.items() if look.stops)

    def forget_scorings(self, question_ids: Iterable[str]) -> None:
        """Have some questions scored again, whatever they were scored with."""
        rows = [(self._positions[question_id],) for question_id in question_ids]
        with self.transaction():
            self._connection.executemany("DELETE FROM scorings WHERE position = ?", rows)

    def expected_samples(self) -> int:
        """Return N: what the run is to draw, or the most that any question of a recorded run has."""
        parameters = self.parameters
        samples = parameters.get("decoding", {}).get("samples")
        if isinstance(samples, int) and not parameters.get("recorded"):
            return samples
        (most,) = self.rows(
            "SELECT max(count) FROM (SELECT count(*) AS count FROM generations WHERE sample_index >= 0 "
            "GROUP BY position)"
        )[0]
        return int(most or 0)


class _LateReader:
    """Reads samples of neighbouring questions by one query: they are asked for in the order of the file."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._first = -1
        self._found: dict[int, list[Generation]] = {}

    def samples(self, position: int) -> Sequence[Generation]:
        """Return those of the question at a position."""
        first = position - position % _QUESTIONS_AT_ONCE
        if first != self._first:
            self._found = self._draws.samples_between(first, first + _QUESTIONS_AT_ONCE)
            self._first = first
        return self._found.get(position, ())


def _question(row: Sequence[Any]) -> Question:
    question_id, text, category, *lists, extra, context, system, choices = row
    answers, incorrect_answers, passages = (tuple(json.loads(texts)) for texts in lists)
    return Question(
        question_id,
        text,
        None if category is None else sys.intern(category),
        answers,
        incorrect_answers,
        passages,
        json.loads(extra),
        context,
        system,
        tuple(json.loads(choices)),
    )


def _generation(question_id: str, row: Sequence[Any]) -> Generation:
    index, text, answer, state, finish_reason, tokens, seconds, *blobs = row
    # One text rather than several equal ones: they are most of what a run takes in memory.
    answer = text if answer == text else answer
    finish_reason = None if finish_reason is None else sys.intern(finish_reason)
    statistics = _NO_STATISTICS
    if blobs:
        dtypes = ("<i4", "<f4", "<f4", "<f4", "|b1")
        pairs = zip(blobs, dtypes, strict=True)
        statistics = TokenStatistics(*(None if blob is None else np.frombuffer(blob, kind) for blob, kind in pairs))
    return Generation(question_id, index, text, answer, _STATES[state], finish_reason, tokens, statistics, seconds)
