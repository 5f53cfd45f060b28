"""One run is one SQLite file: questions, parameters, generations, and everything derived from them.

It knows rows and blobs; it does not know how an answer is drawn, clustered or judged. Every generation is one
transaction, so a kill at any moment loses only what was still being drawn.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from homogaudit.codec import to_values
from homogaudit.errors import ParametersDifferError, RunFileError, StorageError
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    ModelCall,
    Question,
    ResourceCost,
    SampleSet,
    SignalValue,
    TokenStatistics,
)
from homogaudit.store.facts import (
    EmbedderUsed,
    Fact,
    JudgeUsed,
    ModelSource,
    RecordedFacts,
    Scoring,
    ThinkingFacts,
    read_record,
)
from homogaudit.store.file_system import refuse_network_file_system
from homogaudit.store.journals import JOURNAL, check_journal, next_mark, set_aside_leftovers
from homogaudit.store.progress import (
    STATE,
    STATE_TABLES,
    RunProgress,
    RunState,
    question_states,
    run_progress,
)
from homogaudit.store.run_lock import RunLock
from homogaudit.store.run_schema import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    migrate,
    reading_mode,
    storage_errors,
)

__all__ = ["DrawCount", "FailedDraws", "QuestionOverview", "RunFile", "Session", "differences", "put_in_place"]

_Item = TypeVar("_Item")

_LAST_SAMPLE = 2**62
_LATER_PARAMETERS = frozenset({"prompting.all_switches"})
"""Parameters that version 0.1.0 did not store: a run without one goes on as it was begun."""

_IN_PARAMETERS = ("name", "kind", "fingerprint", "server_model")
"""What of a model is compared when its run is resumed."""

_QUESTION_COLUMNS = "id, text, category, answers, incorrect_answers, passages, extra"
_COLUMNS_SINCE_3 = ", context, system, choices"
_GENERATION_COLUMNS = "sample_index, text, answer, state, finish_reason, tokens, seconds"
_ARRAY_COLUMNS = "token_ids, entropies, logprobs, logits, answer_mask"
_NO_STATISTICS = TokenStatistics()
_STATES = {state.value: state for state in GenerationState}

_QUESTIONS_AT_ONCE, _TEXTS_AT_ONCE = 50, 500
"""Read by one query: a query costs as much as some rows, and all rows at once would not fit into memory."""


@dataclass(frozen=True, slots=True)
class Session:
    """One process that worked on the run: what it ran on, for how long, and how many answers it drew."""

    number: int
    kind: str
    started: str
    ended: str | None
    pid: int
    provenance: Mapping[str, Any]
    seconds: float | None
    generations: int


@dataclass(frozen=True, slots=True)
class DrawCount:
    """How much of a question is drawn: its stored samples, and whether the greedy answer is there."""

    samples: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class FailedDraws:
    """How many of the stored draws failed.

    Attributes:
        draws: All that are stored.
        failed: Those that hold a reason in place of an answer.
        reason: The commonest; empty where none failed.
    """

    draws: int
    failed: int
    reason: str


@dataclass(frozen=True, slots=True)
class QuestionOverview:
    """What a list shows of one question.

    Attributes:
        position: Its place in the file, from 0.
        state: How far it is.
        drawn: How much of it is drawn.
        assignment: Of its valid samples by one clustering, `None` where it is not clustered.
        label: Of one judge.
        signal: The value of one signal.
        scoring: Under which it is scored, `None` before.
    """

    position: int
    id: str
    text: str
    category: str | None
    state: RunState
    drawn: DrawCount
    assignment: tuple[int, ...] | None
    label: LabelValue | None
    signal: float | None
    scoring: str | None


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield `items` in their order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _text_hash(text: str) -> bytes:
    """Return the 16-byte key of a text in the embedding table."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _blob(array: NDArray[Any] | None, dtype: str) -> bytes | None:
    """Return the little-endian bytes of `array`."""
    return None if array is None else np.ascontiguousarray(array, dtype=dtype).tobytes()


def _array(blob: bytes | None, dtype: str) -> NDArray[Any] | None:
    """Return the array behind `_blob`."""
    return None if blob is None else np.frombuffer(blob, dtype=dtype)


def put_in_place(draft: Path, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
    """Give the finished `draft` its name; what another process put there is never replaced.

    Args:
        draft: A run file under a passing name.
        path: The name; what an earlier run of this name has left beside it is set aside.
        warn: Told of what was set aside.

    Raises:
        RunFileError: `path` exists, or was removed while a process still writes it.
        StorageError: Its folder cannot be written.
    """
    try:
        # Nobody writes a log beside a file that is not there, and under the lock nobody else puts one there.
        with RunLock(path):
            if path.exists():
                raise FileExistsError
            for line in set_aside_leftovers(path):
                warn(line)
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                raise
            except OSError:
                # Some file systems (exFAT, some FUSE) have no links.
                draft.rename(path)
    except FileExistsError:
        raise RunFileError(f"`{path}` exists", "choose another file with `-o`") from None
    except OSError as error:
        raise StorageError(f"cannot write `{path}`: {error.strerror}", "choose another file with `-o`") from error


def _now() -> str:
    """Return the time now in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunFile:
    """A run file, open for reading or for writing.

    One process writes (it holds a `RunLock`); any number read at the same time.

    Attributes:
        created: ISO 8601, UTC.
        finished: The same; `None` before everything is drawn and scored.
        status: `started` until everything is drawn and scored, then `complete`.
        model: The model's name as reports show it.
        question_source: The question file's name as reports show it.
        directions: -1 for recorded signals where lower is more uncertain.
        duplicates: Questions of the file that were left out because they stand in it twice.
        reader: Of the way in which the question file was read; runs of version 0.1.0 are without one.
        missing_shards: Numbers of the shards that a merged run lacks.
        merged: The runs that a merged one is made of.
        scoring: The last one; `None` before the first.
        wanted_calls: What the model is to be asked about its own answers.
        run_signals: Key of the scoring that the signals over all questions are stored under.
        token_arrays_dropped: Whether token arrays were there and were forgotten.
        embedders: Those that any scoring used, by key.
        judge_models: The models that ever judged, by key.
        given_answers: Sample indexes of recorded answers that the file told beside the text, by question id.
    """

    id = Fact(str, "")
    created = Fact(str, "")
    finished = Fact(str)
    status = Fact(str, "")
    model = Fact(str, "")
    question_source = Fact(str, "")
    directions = Fact(dict[str, int], {})
    duplicates = Fact(int, 0)
    reader = Fact(int)
    question_cut = Fact(str, "")
    missing_shards = Fact(tuple[int, ...], ())
    merged = Fact(list[dict[str, str]], [])
    chat_template = Fact(str)
    thinking = Fact(ThinkingFacts)
    recorded = Fact(RecordedFacts, RecordedFacts())
    given_answers = Fact(dict[str, list[int]])
    scoring = Fact(Scoring)
    wanted_calls = Fact(list[str], [], key="calls")
    run_signals = Fact(str)
    token_arrays_dropped = Fact(bool, False)
    embedders = Fact(dict[str, EmbedderUsed], {})
    judge_models = Fact(dict[str, JudgeUsed], {})

    def __init__(
        self, path: Path, connection: sqlite3.Connection, *, writable: bool, version: int = SCHEMA_VERSION
    ) -> None:
        self.path = path
        self._connection = connection
        self._writable = writable
        self._version = version
        rows = connection.execute("SELECT position, id FROM questions").fetchall()
        self._positions: dict[str, int] = {question_id: position for position, question_id in rows}
        self._id = self.id

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        model: str,
        question_source: str,
        questions: Sequence[Question],
        parameters: Mapping[str, Any],
        directions: Mapping[str, int] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Create a run file that holds its questions and parameters and no generation yet.

        Args:
            path: Where; must not exist.
            model: The model's name as reports show it.
            question_source: The question file's name as reports show it.
            questions: In the order they will be started.
            parameters: Everything that the draws depend on; a resumed run must have the same.
            directions: -1 for recorded signals where lower is more uncertain.
            warn: Told of what an earlier run of this name has left beside it.

        Raises:
            RunFileError: `path` exists, or is on a network file system.
            StorageError: It cannot be written.
        """
        if path.exists():
            raise RunFileError(f"`{path}` exists", "choose another file with `-o`")
        refuse_network_file_system(path)
        # Written under a passing name and linked into place, so that a run file never exists half made.
        draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage_errors(path):
                connection = sqlite3.connect(draft, isolation_level=None)
                try:
                    connection.executescript(
                        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
                        f"BEGIN; {SCHEMA} COMMIT;"
                    )
                    meta = {
                        "id": uuid4().hex,
                        "created": _now(),
                        "status": "started",
                        "model": model,
                        "question_source": question_source,
                        "parameters": parameters,
                        "directions": directions or {},
                    }
                    connection.execute("BEGIN")
                    connection.executemany(
                        "INSERT INTO meta VALUES (?, ?)",
                        [(key, json.dumps(value)) for key, value in meta.items()],
                    )
                    connection.executemany(
                        f"INSERT INTO questions (position, {_QUESTION_COLUMNS}{_COLUMNS_SINCE_3}) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        [
                            (
                                position,
                                question.id,
                                question.text,
                                question.category,
                                json.dumps(question.answers),
                                json.dumps(question.incorrect_answers),
                                json.dumps(question.passages),
                                json.dumps(question.extra),
                                question.context,
                                question.system,
                                json.dumps(question.choices),
                            )
                            for position, question in enumerate(questions)
                        ],
                    )
                    connection.execute("COMMIT")
                finally:
                    connection.close()
            put_in_place(draft, path, warn)
        except OSError as error:
            raise StorageError(f"cannot write `{path}`: {error.strerror}", "choose another file with `-o`") from error
        finally:
            for leftover in (draft, draft.with_name(draft.name + "-journal")):
                with contextlib.suppress(OSError):
                    leftover.unlink()
        return cls.open(path, writable=True)

    @classmethod
    def open(cls, path: Path, *, writable: bool = False) -> Self:
        """Open an existing run file.

        Raises:
            RunFileError: It is missing, is no run file, has a newer schema, is to be written on a network file
                system, or has the journal of another run beside it.
        """
        if not path.is_file():
            raise RunFileError(f"no run file at `{path}`", "`homogaudit runs` lists the runs")
        if writable:
            refuse_network_file_system(path)
        check_journal(path, writable=writable)
        with storage_errors(path):
            mode = "mode=rw" if writable else reading_mode(path)
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
            try:
                connection.execute("PRAGMA busy_timeout = 5000")
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if application != APPLICATION_ID:
                    raise RunFileError(f"`{path}` is not a run file", "`homogaudit runs` lists the runs")
                if version > SCHEMA_VERSION:
                    message = f"`{path}` has schema {version}, and this homogaudit reads up to {SCHEMA_VERSION}"
                    raise RunFileError(message, "upgrade homogaudit")
                if writable:
                    connection.execute("PRAGMA journal_mode = WAL")
                    if version < SCHEMA_VERSION:
                        migrate(connection, version)
                        version = SCHEMA_VERSION
                    # What a killed writer left goes into the file, so that the next log begins on all of it; where a
                    # reader is in the way it stays.
                    connection.execute("PRAGMA busy_timeout = 200")
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                    connection.execute("PRAGMA busy_timeout = 5000")
                    # A commit need not reach the disk before the next draw: a killed process loses nothing.
                    connection.execute("PRAGMA synchronous = NORMAL")
                return cls(path, connection, writable=writable, version=version)
            except BaseException:
                connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a writer folds the write-ahead log back so that the run is one file."""
        if self._writable:
            with contextlib.suppress(sqlite3.Error):
                # Fails where a reader is attached; the log then stays beside the file and nothing is lost.
                self._connection.execute("PRAGMA busy_timeout = 200")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Make all writes inside one transaction; nested uses join the outer one."""
        if self._connection.in_transaction:
            yield
            return
        with storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                # Before anything is written: a large transaction reaches the log before it is committed.
                mark = next_mark(self.path, self._id, self.meta(JOURNAL))
                yield
                # Different every time: what does not change is not written to the log, which it is to mark.
                self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (JOURNAL, json.dumps(mark)))
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite may leave open what a commit failed on, and later writes would join it unseen.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return all rows of a query; a damaged file is one clear error."""
        with storage_errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

    # Facts about the run

    def meta(self, key: str, default: Any = None) -> Any:
        """Return one fact about the run (`id`, `created`, `status`, `model`, `parameters`, ...)."""
        rows = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else default

    def set_meta(self, key: str, value: Any) -> None:
        """Store one fact about the run as JSON."""
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that the draws depend on."""
        return dict(self.meta("parameters"))

    @property
    def is_recorded(self) -> bool:
        """Whether the answers came with a file: nothing more is to be drawn."""
        return bool(self.parameters.get("recorded"))

    @property
    def model_source(self) -> ModelSource:
        """The model that the run is drawn from."""
        drawn, entry = self.parameters.get("model"), self.meta("model_entry")
        told = dict(entry) if isinstance(entry, dict) else {}
        if isinstance(drawn, dict):
            told |= {"kind": drawn.get("kind"), "fingerprint": drawn.get("fingerprint")}
            told["server_model"] = drawn.get("name")
        return read_record(self.path, "model", ModelSource, told | {"name": self.model})

    def note_model_entry(self, source: ModelSource) -> None:
        """Store what the parameters do not tell of a model: nothing of it makes a run another one."""
        told = {key: value for key, value in to_values(source).items() if value is not None}
        self.set_meta("model_entry", {key: value for key, value in told.items() if key not in _IN_PARAMETERS})

    def progress(self) -> RunProgress:
        """Return how far the run is."""
        return run_progress(
            self.rows, self._state_parameters(), calls=self.wanted_calls, lacks_shards=bool(self.missing_shards)
        )

    def question_states(self, scoring: str | None = None) -> dict[str, RunState]:
        """Return how far each question is, by its id, in the order of the file.

        Args:
            scoring: Key of the scoring that counts; `None` for the run's last, under which a complete run is scored.
        """
        return question_states(self.rows, self._state_parameters(scoring))

    def _state_parameters(self, scoring: str | None = None) -> dict[str, Any]:
        """Return what the states of questions depend on."""
        decoding, samples, last = self.parameters.get("decoding"), self.expected_samples(), self.scoring
        return {
            "is_recorded": self.is_recorded,
            "samples": samples,
            "needs_greedy": samples == 0 or (isinstance(decoding, dict) and "greedy_max_tokens" in decoding),
            "scoring": scoring if scoring is not None else last and last.key,
            "is_complete": scoring is None and self.status == "complete",
        }

    def require_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Check that `parameters` are those of this run.

        Raises:
            ParametersDifferError: They are not; the message names each difference.
        """
        changed = [
            f"`{name}` was {json.dumps(was)}, is {json.dumps(now)}"
            for name, was, now in differences(self.parameters, json.loads(json.dumps(parameters)))
        ]
        if changed:
            message = f"`{self.path}` was started with other parameters: {'; '.join(changed)}"
            raise ParametersDifferError(message, "choose another file with `-o`, or give the same parameters")

    # Questions and generations

    @property
    def _question_columns(self) -> str:
        """The columns of a question; a file of an earlier version that is only read lacks some."""
        return _QUESTION_COLUMNS + (_COLUMNS_SINCE_3 if self._version >= 3 else ", NULL, NULL, '[]'")

    def __len__(self) -> int:
        return len(self._positions)

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

        Args:
            generation: The draw.
            session: Number of the session; `None` for draws that came from elsewhere.
            session_seconds: Wall time of that session so far, so that a killed one is not without.
            pieces: The bytes of its tokens by id, as far as they are not stored yet.

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
                    _blob(statistics.token_ids, "<i4"),
                    _blob(statistics.entropies, "<f4"),
                    _blob(statistics.logprobs, "<f4"),
                    _blob(statistics.logits, "<f4"),
                    _blob(statistics.answer_mask, "|b1"),
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
        for question_id, position in sorted(self._positions.items(), key=lambda item: item[1]):
            query = f"SELECT {_GENERATION_COLUMNS} FROM generations WHERE position = ? ORDER BY sample_index"
            for row in self.rows(query, (position,)):
                yield _generation(question_id, row)

    def read_answers_anew(self, draws: Iterable[Generation]) -> None:
        """Store what is read of raw texts now, and forget what was derived from what was read of them before.

        Labels and signals that came with a file stay.

        Args:
            draws: Stored ones, with another answer or state.
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
                if draw.sample_index == GREEDY:
                    self._connection.execute(
                        "DELETE FROM labels WHERE position = ? AND judge != 'recorded'", (position,)
                    )
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

    def drawn_tokens(self, question_id: str) -> tuple[int, int]:
        """Return the tokens of the greedy answer and of all samples of one question, as far as they are drawn."""
        ((greedy, samples),) = self.rows(
            "SELECT coalesce(sum(tokens) FILTER (WHERE sample_index < 0), 0), "
            "coalesce(sum(tokens) FILTER (WHERE sample_index >= 0), 0) FROM generations WHERE position = ?",
            (self._positions[question_id],),
        )
        return int(greedy), int(samples)

    def total_tokens(self) -> tuple[int, int]:
        """Return the tokens of all greedy answers and of all samples."""
        ((greedy, samples),) = self.rows(
            "SELECT coalesce(sum(tokens) FILTER (WHERE sample_index < 0), 0), "
            "coalesce(sum(tokens) FILTER (WHERE sample_index >= 0), 0) FROM generations"
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

        Args:
            method: Whose clusters; `None` for none.
            judge: Whose labels; `None` for none.
            signal: Whose values.
            positions: Which questions, counted from 0; `None` for all.
        """
        chosen = "" if positions is None else "WHERE q.position IN (SELECT value FROM json_each(:positions)) "
        rows = self.rows(
            f"SELECT q.position, q.id, q.text, q.category, {STATE}, coalesce(g.samples, 0), coalesce(g.greedy, 0), "
            f"c.assignment, l.value, v.value, s.scoring FROM {STATE_TABLES} "
            "LEFT JOIN clusterings c ON c.position = q.position AND c.key = :method "
            "LEFT JOIN labels l ON l.position = q.position AND l.judge = :judge "
            f"LEFT JOIN signals v ON v.position = q.position AND v.signal = :signal {chosen}ORDER BY q.position",
            self._state_parameters()
            | {"method": method.key if method is not None else None, "judge": judge, "signal": signal}
            | ({} if positions is None else {"positions": json.dumps(list(positions))}),
        )
        return [
            QuestionOverview(
                position,
                question_id,
                text,
                category,
                RunState(state),
                DrawCount(samples, bool(greedy)),
                None if assignment is None else tuple(json.loads(assignment)),
                None if label is None else LabelValue(label),
                value,
                scoring,
            )
            for position, question_id, text, category, state, samples, greedy, assignment, label, value, scoring in rows
        ]

    def sample_sets(
        self, question_ids: Iterable[str] | None = None, *, token_arrays: bool = True, samples: bool = True
    ) -> Iterator[SampleSet]:
        """Yield the draws of every question (or of `question_ids`) in the order of the file.

        Args:
            question_ids: Which questions; `None` for all. Nothing of the others is read.
            token_arrays: Whether to read the token arrays; they are most of the file.
            samples: Whether to read the samples, beside the greedy answer.
        """
        wanted = self._positions if question_ids is None else question_ids
        columns = _GENERATION_COLUMNS + (f", {_ARRAY_COLUMNS}" if token_arrays else "")
        last = _LAST_SAMPLE if samples else GREEDY
        for places in _chunks(sorted(self._positions[question_id] for question_id in wanted), _QUESTIONS_AT_ONCE):
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
                question = _question(row)
                generations = [_generation(question.id, draw) for draw in draws.get(position, ())]
                greedy = generations[0] if generations and generations[0].sample_index == GREEDY else None
                yield SampleSet(question, greedy, generations[1:] if greedy else generations)

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

    def add_calls(self, calls: Iterable[ModelCall]) -> None:
        """Store what the model said of its own answers; a new call of the same kind replaces the old one."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (self._positions[x.question_id], x.kind, x.value, x.reason, x.text, x.tokens, x.seconds)
                    for x in calls
                ],
            )

    def calls(self) -> dict[str, dict[str, ModelCall]]:
        """Return the stored calls by question id, then by kind."""
        found: dict[str, dict[str, ModelCall]] = {}
        if self._version < 2:
            return found
        rows = self.rows(
            "SELECT questions.id, kind, value, reason, calls.text, tokens, seconds FROM calls "
            "JOIN questions USING (position) ORDER BY position"
        )
        for question_id, kind, *fields in rows:
            found.setdefault(question_id, {})[kind] = ModelCall(question_id, kind, *fields)
        return found

    # What is derived from the generations

    def add_costs(self, costs: Iterable[ResourceCost]) -> None:
        """Store what questions cost; a new measurement replaces the old one."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO costs VALUES (?, ?, ?, ?)",
                [(self._positions[x.question_id], x.resource, x.seconds, x.tokens) for x in costs],
            )

    def costs(self) -> list[ResourceCost]:
        """Return every stored cost in the order of the questions."""
        if self._version < 2:
            return []
        rows = self.rows(
            "SELECT questions.id, resource, seconds, tokens FROM costs JOIN questions USING (position) "
            "ORDER BY position, resource"
        )
        return [ResourceCost(*row) for row in rows]

    def add_embeddings(self, embedder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Store embeddings of unique texts as float16; a text that is there already is left alone."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)",
                [(embedder, _text_hash(text), _blob(vector, "<f2")) for text, vector in vectors.items()],
            )

    def embeddings(self, embedder: str, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the stored embeddings among `texts` as unit float32 vectors of shape (d,)."""
        found: dict[str, NDArray[np.float32]] = {}
        by_hash = {_text_hash(text): text for text in texts}
        for hashes in _chunks(list(by_hash), _TEXTS_AT_ONCE):
            query = "SELECT text_hash, vector FROM embeddings WHERE embedder = ? AND text_hash IN "
            rows = self.rows(f"{query}({','.join('?' * len(hashes))})", (embedder, *hashes))
            if rows:
                vectors = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f2").astype(np.float32)
                vectors = vectors.reshape(len(rows), -1)
                # float16 moves the norm by up to 1e-3, which would move cosines near a threshold.
                vectors /= np.maximum(np.sqrt([np.dot(vector, vector) for vector in vectors]), 1e-12)[:, None]
                found |= {by_hash[text_hash]: vector for (text_hash, _), vector in zip(rows, vectors, strict=True)}
        return found

    def add_pair_scores(self, model: str, scores: Mapping[tuple[str, str], NDArray[np.float32]]) -> None:
        """Keep the (3,) scores of pairs (premise, hypothesis) under a model's key."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO pair_scores VALUES (?, ?, ?, ?)",
                [
                    (model, _text_hash(premise), _text_hash(hypothesis), _blob(row, "<f4"))
                    for (premise, hypothesis), row in scores.items()
                ],
            )

    def pair_scores(self, model: str, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], NDArray[np.float32]]:
        """Return the stored scores of the given pairs; a pair that has none is left out."""
        if self._version < 2:
            return {}
        query = "SELECT scores FROM pair_scores WHERE model = ? AND premise_hash = ? AND hypothesis_hash = ?"
        found: dict[tuple[str, str], NDArray[np.float32]] = {}
        for premise, hypothesis in dict.fromkeys(pairs):
            for (blob,) in self.rows(query, (model, _text_hash(premise), _text_hash(hypothesis))):
                found[premise, hypothesis] = np.frombuffer(blob, dtype="<f4")
        return found

    def add_clusterings(self, clusterings: Iterable[Clustering]) -> None:
        """Store clusterings under everything that they depend on."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO clusterings VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        self._positions[clustering.question_id],
                        clustering.method.key,
                        clustering.method.similarity,
                        clustering.method.linkage,
                        clustering.method.threshold,
                        clustering.method.embedder,
                        json.dumps(clustering.assignment),
                    )
                    for clustering in clusterings
                ],
            )

    def clustering_methods(self) -> list[ClusteringMethod]:
        """Return the methods that have stored clusterings."""
        rows = self.rows("SELECT DISTINCT similarity, linkage, threshold, embedder FROM clusterings ORDER BY key")
        return [ClusteringMethod(*row) for row in rows]

    def clusterings(self, method: ClusteringMethod) -> dict[str, Clustering]:
        """Return the stored clusterings of one method by question id."""
        rows = self.rows(
            "SELECT questions.id, assignment FROM clusterings JOIN questions USING (position) WHERE key = ?",
            (method.key,),
        )
        return {
            question_id: Clustering(question_id, method, tuple(json.loads(assignment)))
            for question_id, assignment in rows
        }

    def add_labels(self, labels: Iterable[Label]) -> None:
        """Store labels; a new label of the same judge replaces the old one."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?)",
                [(self._positions[x.question_id], x.judge, x.value.value, x.reason) for x in labels],
            )

    def judges(self) -> list[str]:
        """Return the judges that have stored labels."""
        return [judge for (judge,) in self.rows("SELECT DISTINCT judge FROM labels ORDER BY judge")]

    def labels(self, judge: str) -> dict[str, Label]:
        """Return the stored labels of one judge by question id."""
        rows = self.rows(
            "SELECT questions.id, value, reason FROM labels JOIN questions USING (position) WHERE judge = ?",
            (judge,),
        )
        return {
            question_id: Label(question_id, judge, LabelValue(value), reason) for question_id, value, reason in rows
        }

    def add_signals(self, values: Iterable[SignalValue]) -> None:
        """Store signal values; a newly computed value replaces the old one."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?, ?)",
                [(self._positions[x.question_id], x.signal, x.value, x.reason, x.seconds) for x in values],
            )

    def drop_signals(self, names: Iterable[str]) -> None:
        """Forget the values of some signals."""
        with self.transaction():
            self._connection.executemany("DELETE FROM signals WHERE signal = ?", [(name,) for name in names])

    def signals(self) -> dict[str, dict[str, SignalValue]]:
        """Return every stored value by signal name, then by question id."""
        values: dict[str, dict[str, SignalValue]] = {}
        rows = self.rows(
            "SELECT questions.id, signal, value, reason, seconds FROM signals JOIN questions USING (position) "
            "ORDER BY position"
        )
        for question_id, signal, value, reason, seconds in rows:
            record = SignalValue(question_id, signal, value, reason, seconds)
            values.setdefault(signal, {})[question_id] = record
        return values

    def mark_scored(self, question_id: str, scoring: str) -> None:
        """Note that what is stored for one question is what `scoring` asks for, and no earlier scoring."""
        position = self._positions[question_id]
        with self.transaction():
            # Signals and labels are those of the last scoring only, so an earlier one no longer holds.
            self._connection.execute("DELETE FROM scorings WHERE position = ?", (position,))
            self._connection.execute("INSERT INTO scorings VALUES (?, ?)", (position, scoring))

    # The processes that worked on it

    def begin_session(self, kind: str, pid: int, provenance: Mapping[str, Any]) -> int:
        """Note that a process starts to work on the run; return its number."""
        with self.transaction():
            cursor = self._connection.execute(
                "INSERT INTO sessions (kind, started, pid, provenance) VALUES (?, ?, ?, ?)",
                (kind, _now(), pid, json.dumps(provenance)),
            )
        return int(cursor.lastrowid or 0)

    def end_session(self, number: int, *, provenance: Mapping[str, Any], seconds: float) -> None:
        """Note that a process has ended its work in good order."""
        with self.transaction():
            self._connection.execute(
                "UPDATE sessions SET provenance = ?, seconds = ?, ended = ? WHERE number = ?",
                (json.dumps(provenance), seconds, _now(), number),
            )

    def note_session_details(self, number: int, details: Mapping[str, Any]) -> None:
        """Keep what an engine says of itself so far, so that a killed session is not without."""
        with self.transaction():
            self._connection.execute(
                "UPDATE sessions SET provenance = json_set(provenance, '$.details', json(?)) WHERE number = ?",
                (json.dumps(details), number),
            )

    def sessions(self) -> list[Session]:
        """Return the processes that worked on the run, oldest first."""
        rows = self.rows(
            "SELECT number, kind, started, ended, pid, provenance, seconds, generations FROM sessions ORDER BY number"
        )
        return [
            Session(number, kind, started, ended, pid, json.loads(provenance), seconds, generations)
            for number, kind, started, ended, pid, provenance, seconds, generations in rows
        ]

    def finish(self) -> None:
        """Mark the run complete."""
        with self.transaction():
            self.finished = _now()
            self.status = "complete"


def _question(row: Sequence[Any]) -> Question:
    """Return the record behind one row of `questions`."""
    question_id, text, category, *lists, extra, context, system, choices = row
    answers, incorrect_answers, passages = (tuple(json.loads(texts)) for texts in lists)
    return Question(
        question_id,
        text,
        category,
        answers,
        incorrect_answers,
        passages,
        json.loads(extra),
        context,
        system,
        tuple(json.loads(choices)),
    )


def _generation(question_id: str, row: Sequence[Any]) -> Generation:
    """Return the record behind one row of `generations`."""
    index, text, answer, state, finish_reason, tokens, seconds, *blobs = row
    statistics = _NO_STATISTICS
    if blobs:
        dtypes = ("<i4", "<f4", "<f4", "<f4", "|b1")
        statistics = TokenStatistics(*(_array(blob, dtype) for blob, dtype in zip(blobs, dtypes, strict=True)))
    return Generation(question_id, index, text, answer, _STATES[state], finish_reason, tokens, statistics, seconds)


def differences(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted name, old value, new value) of every leaf that differs between two JSON values."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted(was.keys() | now.keys()):
            path = f"{name}.{key}" if name else key
            if path not in _LATER_PARAMETERS or (key in was and key in now):
                yield from differences(was.get(key), now.get(key), path)
    elif was != now:
        yield name, was, now
