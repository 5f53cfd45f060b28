"""One run file out of several: shards of one question file, or runs of it that were each left unfinished.

Copies what is stored and computes nothing. What was computed over all questions of one run at once is left behind,
because it would be another figure over all questions of the merged one.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from homogaudit.errors import ParametersDifferError, RunFileError
from homogaudit.phases import added
from homogaudit.records import Question, questions_digest
from homogaudit.store.drafts import draft_of, remove_run
from homogaudit.store.journals import missing_journal
from homogaudit.store.progress import RunState
from homogaudit.store.run_facts import differences
from homogaudit.store.run_file import RunFile, put_in_place
from homogaudit.store.run_lock import lock_owner
from homogaudit.store.run_schema import reading_mode, storage_errors
from homogaudit.store.shards import Shards

_DERIVED = ("clusterings", "labels", "signals", "scorings")
"""What is computed from all draws of a question."""

_OF_QUESTIONS = ("generations", "calls", "costs", "first_looks")
_OF_TEXTS = ("embeddings", "pair_scores", "token_pieces")
_SHOWN = 5
"""How many of many an error line names."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What came together.

    Attributes:
        unfinished: The questions, by their id, whose draws are not all there.
    """

    shards: Shards
    warnings: tuple[str, ...]
    unfinished: tuple[str, ...]


def merge_runs(paths: Sequence[Path], output: Path, *, run_signals: Iterable[str]) -> Merged:
    """Write a run file that holds what several hold together.

    A draw that several hold must be the same in all of them.

    No run is changed, and the signals over all questions of one, `run_signals`, are not copied.

    Raises:
        ParametersDifferError: The runs are of other questions, another model, other prompts or another decoding.
        RunFileError: One cannot be read, is at work, or two hold different draws of one sample; or `output` exists.
        StorageError: `output` cannot be written.
    """
    if output.exists():
        raise RunFileError(f"`{output}` exists", "choose another file with `-o`")
    for path in paths:
        if (pid := lock_owner(path)) is not None:
            raise RunFileError(f"`{path}` is in use by process {pid}", "wait for it, or stop it first")
    notes = [line for path in paths if (line := missing_journal(path))]
    with contextlib.ExitStack() as opened:
        runs = [opened.enter_context(RunFile.open(path)) for path in paths]
        _check_alike(runs)
        each = [Shards.of_parameters(run.parameters) for run in runs]
        shards = Shards(tuple(sorted({number for part in each for number in part.held})), each[0].of)
        warnings = notes + _warnings(runs)
        draft = draft_of(output)
        try:
            _create(draft, runs, shards)
            with storage_errors(draft):
                for run in runs:
                    _copy(run.path, draft)
            with RunFile.open(draft, writable=True) as merged:
                merged.drop_signals(run_signals)
                states = merged.question_states().items()
                unfinished = tuple(name for name, state in states if state in (RunState.WAITING, RunState.UNFINISHED))
            put_in_place(draft, output, warnings.append)
        finally:
            remove_run(draft)
    return Merged(shards, tuple(warnings), unfinished)


# Whether they belong together


def _check_alike(runs: Sequence[RunFile]) -> None:
    """Check that all runs draw from one model, in one way, to questions of one file."""
    first = runs[0]
    for run in runs:
        if "questions" not in run.parameters:
            hint = "recorded answers are merged as files: put their lines into one"
            raise RunFileError(f"`{run.path}` does not say which question file it belongs to", hint)
        found = [
            f"`{name}` is {json.dumps(one)} and {json.dumps(other)}"
            for name, one, other in differences(_facts(first), _facts(run))
        ]
        if found:
            message = f"`{first.path}` and `{run.path}` do not belong together: {'; '.join(found)}"
            raise ParametersDifferError(
                message, "merge only runs of one model, one question file and the same parameters"
            )


def _facts(run: RunFile) -> dict[str, Any]:
    """Return what must be equal in all runs."""
    parameters = run.parameters
    of = Shards.of_parameters(parameters).of
    modes = sorted({str(x.provenance["mode"]) for x in run.sessions() if x.provenance.get("mode")})
    facts = {key: value for key, value in parameters.items() if key != "shard"} | {"shard": {"of": of}}
    # One that is continued draws all of what the others stop at.
    facts["continued"] = run.continued
    # A run in which nothing was drawn yet has neither.
    if modes:
        facts |= {"prompt mode": modes, "chat_template": run.chat_template}
    return facts


def _warnings(runs: Sequence[RunFile]) -> list[str]:
    warnings: list[str] = []
    if len(days := {run.created[:10] for run in runs}) > 1:
        warnings.append(f"the runs were started on {len(days)} different days: prompts that state the date differ")
    if len({scoring.key for run in runs if (scoring := run.scoring) is not None}) > 1:
        warnings.append("the runs were scored in different ways: all are scored like the first")
    return warnings


# The merged file


def _create(draft: Path, runs: Sequence[RunFile], shards: Shards) -> None:
    """Create the merged run with its questions in the order of the whole file, and the facts about it."""
    first = runs[0]
    count = int(first.parameters["questions"]["count"])
    by_place: dict[int, Question] = {}
    for run in runs:
        held = Shards.of_parameters(run.parameters).positions(count)
        if len(held) != len(run):
            message = f"`{run.path}` holds {len(run)} questions, and its shard has {len(held)}"
            raise RunFileError(message, "draw it again")
        by_place |= dict(zip(held, run.questions(), strict=True))
    questions = [by_place[place] for place in sorted(by_place)]
    parameters = {key: value for key, value in first.parameters.items() if key != "shard"}
    if shards.missing:
        parameters["shard"] = shards.as_parameter()
    elif questions_digest(questions) != parameters["questions"]["sha256"]:
        raise RunFileError("the questions of the runs are not those of their question file", "draw them again")
    with RunFile.create(
        draft,
        model=first.model,
        question_source=first.question_source,
        questions=questions,
        parameters=parameters,
    ) as merged:
        with merged.transaction():
            merged.created = min(run.created for run in runs)
            merged.note_model_entry(first.model_source)
            merged.duplicates, merged.reader, merged.question_cut = first.duplicates, first.reader, first.question_cut
            merged.thinking = first.thinking
            merged.chat_template = next((run.chat_template for run in runs if run.chat_template is not None), None)
            merged.scoring = next((run.scoring for run in runs if run.scoring is not None), None)
            merged.wanted_calls = sorted({kind for run in runs for kind in run.wanted_calls})
            merged.asks_in_conversation = all(run.asks_in_conversation for run in runs if run.wanted_calls)
            # Who the keys of clusterings and labels stand for.
            merged.embedders = {key: used for run in runs for key, used in run.embedders.items()}
            merged.judge_models = {key: used for run in runs for key, used in run.judge_models.items()}
            merged.token_arrays_dropped = any(run.token_arrays_dropped for run in runs)
            merged.phases = reduce(added, (run.phases for run in runs))
            merged.merged = [{"id": run.id, "file": run.path.name} for run in runs]
            merged.missing_shards = shards.missing
            merged.continued = first.continued


def _copy(source: Path, draft: Path) -> None:
    connection = sqlite3.connect(draft.resolve().as_uri(), uri=True, isolation_level=None)
    try:
        connection.execute("ATTACH ? AS other", (f"{source.resolve().as_uri()}?{reading_mode(source)}",))
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TEMP TABLE places AS SELECT theirs.position AS old, ours.position AS new, NOT EXISTS "
            "(SELECT 1 FROM main.generations g WHERE g.position = ours.position) AS is_new "
            "FROM other.questions theirs JOIN main.questions ours USING (id)"
        )
        _check_draws(connection, source)
        tables = {name for (name,) in connection.execute("SELECT name FROM other.sqlite_master WHERE type = 'table'")}
        for table in (*_OF_QUESTIONS, *_DERIVED, *_OF_TEXTS):
            # A file of an earlier version lacks what later ones brought.
            if table in tables:
                _copy_table(connection, table, has_calls="calls" in tables)
        columns = "kind, started, ended, pid, provenance, seconds, generations"
        connection.execute(
            f"INSERT INTO main.sessions ({columns}) SELECT {columns} FROM other.sessions ORDER BY number"
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


def _copy_table(connection: sqlite3.Connection, table: str, *, has_calls: bool) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    columns = ", ".join(names)
    if table in _OF_TEXTS:
        query = f"SELECT {columns} FROM other.{table}"
    else:
        theirs = {row[1] for row in connection.execute(f"PRAGMA other.table_info({table})")}
        # Labels of before there were any of samples are of the greedy answer.
        read = {name: f"theirs.{name}" for name in names} | {"position": "places.new"}
        if table == "labels" and "sample_index" not in theirs:
            read["sample_index"] = "-1"
        values = ", ".join(read.values())
        # What was derived from some of the draws of a question is not what all of them give.
        only = "WHERE places.is_new" if table in _DERIVED else ""
        if table == "labels" and has_calls:
            # What a model says of the greedy answer goes with its call.
            only += (
                " OR EXISTS (SELECT 1 FROM other.calls asked"
                " WHERE asked.position = theirs.position AND asked.kind = theirs.judge)"
            )
        query = f"SELECT {values} FROM other.{table} theirs JOIN places ON places.old = theirs.position {only}"
    connection.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) {query}")


def _check_draws(connection: sqlite3.Connection, source: Path) -> None:
    """Check that no draw of `source` is there already with another content."""
    found = connection.execute(
        "SELECT questions.id, ours.sample_index FROM other.generations theirs "
        "JOIN places ON places.old = theirs.position "
        "JOIN main.generations ours ON ours.position = places.new AND ours.sample_index = theirs.sample_index "
        "JOIN main.questions questions ON questions.position = places.new "
        # What is read of a text may depend on the other texts of its run; it is read anew in the merged one.
        "WHERE (ours.text, ours.finish_reason, ours.tokens) "
        "IS NOT (theirs.text, theirs.finish_reason, theirs.tokens) "
        "ORDER BY places.new, ours.sample_index"
    ).fetchall()
    if found:
        named = ", ".join(f"`{name}` {'greedy' if index < 0 else f'sample {index}'}" for name, index in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        message = f"`{source}` holds other draws than the runs before it of {named}{more}"
        raise RunFileError(message, "merge only one of them: every sample is to be drawn once")
