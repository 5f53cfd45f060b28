"""What is wrong with the tables of a run file: looked for once reading it has failed, so that reading costs nothing.

Knows what each column must hold; it does not know what any of it means.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

from homogaudit.errors import RunFileError
from homogaudit.records import GenerationState, LabelValue
from homogaudit.store.run_schema import SCHEMA, damaged

DATA_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, sqlite3.Error)
"""What reading a value that cannot be there ends in."""

_TYPES = {"TEXT": "'text'", "INTEGER": "'integer'", "REAL": "'real', 'integer'", "BLOB": "'blob'"}


NEEDED = ("id", "model", "parameters", "question_source", "created")
"""Facts without which a run is none."""


def _one_of(names: type[GenerationState] | type[LabelValue]) -> str:
    return f"IN ({', '.join(repr(str(name.value)) for name in names)})"


def _array_of(kind: str, name: str) -> str:
    others = f"SELECT 1 FROM json_each({name}) WHERE type != '{kind}'"
    return _json(name, "array", f"NOT EXISTS ({others})")


def _json(name: str, kind: str, rule: str = "1") -> str:
    # Of text that is no JSON the other functions end the whole query.
    return f"CASE WHEN json_valid({name}) THEN json_type({name}) = '{kind}' AND {rule} ELSE 0 END"


_RULES = {
    "meta": ["json_valid(value)", "key NOT IN ('parameters', 'scoring') OR json_type(value) IN ('object', 'null')"],
    "questions": [
        *(_array_of("text", name) for name in ("answers", "incorrect_answers", "passages", "choices")),
        _json("extra", "object"),
        "position >= 0",
    ],
    "generations": [
        f"state {_one_of(GenerationState)}",
        "sample_index >= -1",
        "coalesce(tokens, 0) >= 0 AND abs(coalesce(seconds, 0)) < 1e15",
        *(f"coalesce(length({name}), 0) % 4 = 0" for name in ("token_ids", "entropies", "logprobs", "logits")),
    ],
    "embeddings": ["length(vector) % 2 = 0", "length(text_hash) = 16"],
    "clusterings": [_array_of("integer", "assignment")],
    "labels": [f"value {_one_of(LabelValue)}", "sample_index >= -1"],
    "sessions": [_json("provenance", "object")],
    "costs": ["tokens >= 0"],
    "calls": ["tokens >= 0"],
}
"""What holds of each row beside the type of its columns."""


@cache
def _columns() -> dict[str, list[Any]]:
    """Return the columns of every table of the newest schema, as `PRAGMA table_info` tells them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(SCHEMA)
        tables = ours.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: ours.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in tables}


def conditions(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return what must hold of each row of a table, as far as this file has the columns."""
    columns = _columns()[table]
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    types = [
        f"typeof({name}) IN ({_TYPES[kind]}{'' if required or key else ', ' + repr('null')})"
        for _, name, kind, required, _, key in columns
        if name in present
    ]
    absent = {name for _, name, *_ in columns} - present
    return [*types, *(rule for rule in _RULES.get(table, []) if not any(name in rule for name in absent))]


def damage(connection: sqlite3.Connection) -> str:
    """Return where a run file is damaged, empty where nothing is found."""
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            return " ".join(str(found).split())
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for table in _columns():
            if table not in there:
                continue
            for condition in conditions(connection, table):
                query = f"SELECT count(*) FROM {table} WHERE NOT coalesce({condition}, 0)"
                if (count := connection.execute(query).fetchone()[0]) > 0:
                    return f"{count:,} row{'' if count == 1 else 's'} of its table `{table}` cannot be what was written"
        missing = missing_fact(connection)
        return f"it lacks its {missing}" if missing else ""
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # Its own message may hold a name that is no text any more.
        return str(error)


def missing_fact(connection: sqlite3.Connection) -> str:
    """Return the first fact that every run has and this one lacks, in words; empty for none."""
    there = {key for (key,) in connection.execute("SELECT key FROM meta")}
    return next((name.replace("_", " ") for name in NEEDED if name not in there), "")


def damage_behind(error: BaseException | None, path: Path, connection: sqlite3.Connection) -> RunFileError | None:
    """Return the error of a damaged file where that is what another error comes from; else that one is ours."""
    if isinstance(error, DATA_ERRORS) and (what := damage(connection)):
        return damaged(path, what)
    return None


@contextlib.contextmanager
def told_as_damage(path: Path, connection: sqlite3.Connection) -> Generator[None]:
    """Tell of an error as one of the run file, where that is damaged.

    Raises:
        RunFileError: The file is damaged.
    """
    try:
        yield
    except DATA_ERRORS as error:
        if found := damage_behind(error, path, connection):
            raise found from error
        raise
