"""The questions of a run as a table: CSV, JSON Lines, Parquet or a data frame, all of the same columns.

Column types do not depend on the values: a column without any is of its type all the same.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from homogaudit.errors import UsageError
from homogaudit.records import Generation, GenerationState, LabelValue
from homogaudit.report.question_rows import QuestionRow, Questions

if TYPE_CHECKING:
    import pandas

SUFFIXES = (".csv", ".jsonl", ".parquet")
"""Of the files that a table can be written to."""

Kind = Literal["text", "texts", "whole", "number", "flag"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula."""

_ROWS_AT_ONCE = 20_000
"""Of a Parquet file, held at once."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        kind: Of its values, any of which may be `None`.
        lower_is_uncertain: A signal that falls where the model is uncertain; all others rise.
    """

    name: str
    kind: Kind
    of: Callable[[QuestionRow], Any]
    lower_is_uncertain: bool = False


def columns(questions: Questions) -> tuple[Column, ...]:
    """Return the columns of a table: those of every run, then one a clustering and one a signal."""
    clusterings = [
        Column(f"clusters.{name}", "whole", lambda row, name=name: row.clusters.get(name))
        for name in questions.clusterings
    ]
    signals = [
        Column(
            f"signals.{name}",
            "number",
            lambda row, name=name: row.signals[name],
            questions.directions.get(name) == -1,
        )
        for name in questions.signals
    ]
    return (*_COLUMNS, *clusterings, *signals)


def _of_greedy(value: Callable[[Generation], Any]) -> Callable[[QuestionRow], Any]:
    return lambda row: None if row.greedy is None else value(row.greedy)


def _samples_in(state: GenerationState) -> Callable[[QuestionRow], int]:
    return lambda row: sum(sample.state is state for sample in row.samples)


def _samples_labelled(value: LabelValue) -> Callable[[QuestionRow], Any]:
    """Return what counts the samples of a label, `None` where samples were not judged."""
    return lambda row: sum(x.value is value for x in row.sample_labels.values()) if row.sample_labels else None


_COLUMNS = (
    Column("id", "text", lambda row: row.id),
    Column("question", "text", lambda row: row.text),
    Column("category", "text", lambda row: row.category),
    Column("drawn", "flag", lambda row: row.is_drawn),
    Column("enters_rate", "flag", lambda row: not row.outside),
    Column("why_not", "text", lambda row: row.outside or None),
    Column("stopped", "flag", lambda row: row.is_stopped),
    Column("one_cluster", "flag", lambda row: None if row.outside else row.is_in_one_cluster),
    Column("label", "text", lambda row: None if row.label is None else row.label.value.value),
    Column("label_reason", "text", lambda row: None if row.label is None else row.label.reason),
    Column("greedy_answer", "text", _of_greedy(lambda greedy: greedy.answer)),
    Column("greedy_state", "text", _of_greedy(lambda greedy: greedy.state.value)),
    Column(
        "greedy_cut", "flag", _of_greedy(lambda greedy: None if greedy.finish_reason is None else greedy.is_truncated)
    ),
    Column("common_answer", "text", lambda row: None if (found := row.common_answer) is None else found.text),
    Column("common_count", "whole", lambda row: None if (found := row.common_answer) is None else found.count),
    Column("answers", "texts", lambda row: list(row.question.answers)),
    Column("incorrect_answers", "texts", lambda row: list(row.question.incorrect_answers)),
    Column("samples", "whole", lambda row: len(row.samples)),
    Column("samples_valid", "whole", lambda row: row.sample_set.valid_count),
    Column("samples_cut", "whole", lambda row: row.cut_samples),
    Column("samples_empty", "whole", _samples_in(GenerationState.EMPTY)),
    Column("samples_unclosed", "whole", _samples_in(GenerationState.THINKING_UNCLOSED)),
    Column("samples_failed", "whole", _samples_in(GenerationState.ERROR)),
    Column("samples_correct", "whole", _samples_labelled(LabelValue.CORRECT)),
    Column("samples_incorrect", "whole", _samples_labelled(LabelValue.INCORRECT)),
    Column("refused", "flag", lambda row: row.is_refused),
)


def _records(questions: Questions) -> Iterator[dict[str, Any]]:
    found = columns(questions)
    return ({column.name: column.of(row) for column in found} for row in questions)


def write_json_lines(questions: Questions, stream: TextIO) -> None:
    """Write an object a question, a line each, ASCII only; what is not known is null."""
    stream.writelines(json.dumps(record, allow_nan=False) + "\n" for record in _records(questions))


def write_csv(questions: Questions, stream: TextIO) -> None:
    """Write the table as CSV (RFC 4180): empty where nothing is known, lists as JSON, flags as true and false.

    A text that a spreadsheet would take for a formula gets an apostrophe before it; a number stays what it is.
    """
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(column.name for column in columns(questions))
    writer.writerows([_cell(value) for value in record.values()] for record in _records(questions))


def _cell(value: Any) -> Any:
    if isinstance(value, bool | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def check_suffix(path: Path) -> None:
    """Check that a table can be written to a file of this name.

    Raises:
        UsageError: Its ending is none that is known.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"`{path}` does not say which kind of table to write", "end it in .csv, .jsonl or .parquet")


def write_table(questions: Questions, path: Path, suffix: str) -> None:
    """Write the table to a file, over one that is there; `suffix` is one of `SUFFIXES`.

    Raises:
        UsageError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    if suffix.lower() == ".parquet":
        _write_parquet(questions, path)
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            (write_csv if suffix.lower() == ".csv" else write_json_lines)(questions, stream)


def _write_parquet(questions: Questions, path: Path) -> None:
    """Write Parquet; the metadata of a signal's column says which way it points."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        hint = '`pip install "homogaudit[files]"`, or choose a name that ends in .csv or .jsonl'
        raise UsageError("Parquet needs `pyarrow`, which is not installed", hint) from None
    kinds: Mapping[Kind, Any] = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "whole": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
    }
    uncertain = {True: {"uncertain": "lower"}, False: {"uncertain": "higher"}}
    schema = pa.schema(
        pa.field(
            column.name,
            kinds[column.kind],
            metadata=uncertain[column.lower_is_uncertain] if column.kind == "number" else None,
        )
        for column in columns(questions)
    )
    # Opened here: a file that cannot be opened is then an error that names its reason.
    with path.open("wb") as file, parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, len(questions), _ROWS_AT_ONCE):
            rows = list(_records(questions[start : start + _ROWS_AT_ONCE]))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def to_frame(questions: Questions) -> "pandas.DataFrame":
    """Return the table as a data frame with types that can be missing.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UsageError("a data frame needs `pandas`, which is not installed", "`pip install pandas`") from None
    kinds = {"text": "string", "texts": "object", "whole": "Int64", "number": "Float64", "flag": "boolean"}
    return pandas.DataFrame(
        {
            column.name: pandas.Series([column.of(row) for row in questions], dtype=kinds[column.kind])
            for column in columns(questions)
        }
    )
