"""The table of questions: what is written is read back by other programs as it was."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest

from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, Question
from homogaudit.report.question_rows import Questions, question_rows
from homogaudit.report.question_table import check_suffix, columns, to_frame, write_csv, write_json_lines, write_table
from homogaudit.report.run_data import read_run

HOSTILE = [
    "=1+1",
    "+49 30 1",
    "-x",
    "@cmd",
    "\t=1",
    "\r=1",
    'a "quoted", one\nof two lines\r\nthree',
    "\0nul",
    "日本 é 🙂",
    "'",
]


def written(write: Callable[[Questions, TextIO], None], questions: Questions) -> str:
    stream = io.StringIO()
    write(questions, stream)
    return stream.getvalue()


@pytest.fixture
def hostile(build_run: Callable[..., Any]) -> Questions:
    questions = [Question(f"q{n}", text, text, (text, "ok"), (text,)) for n, text in enumerate(HOSTILE)]
    builder = build_run(questions, samples=2, directions={"=lower": -1}, recorded=True)
    for position, text in enumerate(HOSTILE):
        builder.draw(position, [text, text], greedy=text)
    builder.cluster({position: (0, 0) for position in range(len(HOSTILE))})
    builder.label({position: "incorrect" for position in range(3)})
    builder.signal("token_entropy_mean", {0: -0.5, 1: 1e-300})
    builder.signal("=lower", {0: -2.0})
    return question_rows(read_run(builder.score(ClusteringMethod("jaccard", "single", 0.4))))


def test_csv_guards_formulas_and_keeps_every_other_character(hostile: Questions):
    rows = list(csv.DictReader(io.StringIO(written(write_csv, hostile), newline="")))
    assert [row["greedy_answer"] for row in rows] == [f"'{text}" for text in HOSTILE[:6]] + HOSTILE[6:]
    assert [row["question"] for row in rows] == [row["greedy_answer"] for row in rows]
    assert [json.loads(row["answers"]) for row in rows] == [[text, "ok"] for text in HOSTILE]
    # No cell, whatever its column, starts a formula; a negative number is none.
    cells = [cell for row in rows for cell in row.values()]
    assert {cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))} == {"-0.5", "-2.0"}


def test_csv_keeps_numbers_as_numbers(build_run: Callable[..., Any]):
    builder = build_run([Question("q0", "What is 2 - 7?", None, ("-5",))], samples=2)
    builder.draw(0, ["-5", "-5 apples"], greedy="-5")
    (row,) = csv.DictReader(io.StringIO(written(write_csv, question_rows(read_run(builder.run)))))
    assert (row["greedy_answer"], row["category"], row["one_cluster"], row["drawn"]) == ("-5", "", "", "true")


def test_json_lines_hold_one_object_a_question(hostile: Questions):
    text = written(write_json_lines, hostile)
    assert text.isascii()
    rows = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [row["greedy_answer"] for row in rows] == HOSTILE
    assert list(rows[0]) == [column.name for column in columns(hostile)]
    first = {key: rows[0][key] for key in ("enters_rate", "why_not", "one_cluster", "label", "clusters.jaccard")}
    assert first == {
        "enters_rate": True,
        "why_not": None,
        "one_cluster": True,
        "label": "incorrect",
        "clusters.jaccard": 1,
    }
    assert [row["signals.token_entropy_mean"] for row in rows[:3]] == [-0.5, 1e-300, None]
    assert rows[0]["signals.=lower"] == -2.0


def test_counts_of_draws_say_what_became_of_them(build_run: Callable[..., Any]):
    from homogaudit.records import GenerationState

    builder = build_run(1)
    builder.draw(0, ["cut", "", ""], finish_reason="length", state=GenerationState.THINKING_UNCLOSED)
    (row,) = map(json.loads, written(write_json_lines, question_rows(read_run(builder.run))).splitlines())
    counts = {key: row[f"samples_{key}"] for key in ("valid", "cut", "empty", "unclosed", "failed")}
    assert counts == {"valid": 1, "cut": 1, "empty": 0, "unclosed": 2, "failed": 0}
    assert (row["samples"], row["greedy_cut"], row["greedy_state"]) == (3, True, "valid")
    assert (row["why_not"], row["one_cluster"]) == ("2 of 3 samples hold no answer", None)


def test_parquet_gives_back_every_value_and_says_which_way_signals_point(hostile: Questions, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(hostile, tmp_path / "q", ".parquet")
    table = parquet.read_table(tmp_path / "q")
    assert table.to_pylist() == [json.loads(line) for line in written(write_json_lines, hostile).splitlines()]
    assert table.schema.field("signals.=lower").metadata == {b"uncertain": b"lower"}
    assert table.schema.field("signals.token_entropy_mean").metadata == {b"uncertain": b"higher"}


def test_types_of_columns_do_not_depend_on_the_rows(hostile: Questions, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, rows in (("all", hostile), ("none", hostile[:0]), ("unlabelled", hostile[5:])):
        write_table(rows, tmp_path / name, ".parquet")
    schema = parquet.read_schema(tmp_path / "all")
    assert parquet.read_schema(tmp_path / "none") == parquet.read_schema(tmp_path / "unlabelled") == schema
    assert (str(schema.field("label").type), str(schema.field("samples").type)) == ("string", "int64")


def test_parquet_without_pyarrow_says_what_to_install(
    hostile: Questions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="Parquet needs `pyarrow`, which is not installed") as refused:
        write_table(hostile, tmp_path / "q", ".parquet")
    assert refused.value.hint is not None and 'pip install "homogaudit[files]"' in refused.value.hint


def test_a_data_frame_has_the_same_columns_with_types_that_can_be_missing(hostile: Questions):
    pandas = pytest.importorskip("pandas")
    frame = to_frame(hostile)
    assert list(frame.columns) == [column.name for column in columns(hostile)]
    assert list(frame["greedy_answer"]) == HOSTILE
    assert frame["clusters.jaccard"].sum() == len(HOSTILE)
    assert frame["label"].isna().sum() == len(HOSTILE) - 3
    assert frame.dtypes.equals(to_frame(hostile[:0]).dtypes)
    assert isinstance(frame["signals.token_entropy_mean"].dtype, pandas.Float64Dtype)


def test_a_data_frame_without_pandas_says_what_to_install(hostile: Questions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="a data frame needs `pandas`, which is not installed"):
        to_frame(hostile)


def test_a_file_must_say_which_table_it_is():
    check_suffix(Path("Q.CSV"))
    with pytest.raises(UsageError, match=r"`q\.xlsx` does not say which kind of table to write"):
        check_suffix(Path("q.xlsx"))
