"""A run file that is damaged in any way is read, or is one clear error; what is left of it can be taken out."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homogaudit.cli.app import run_app
from homogaudit.errors import HomogauditError, RunFileError, StorageError
from homogaudit.launch.run_summary import summarize
from homogaudit.report.build import build
from homogaudit.report.question_rows import question_rows
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile
from homogaudit.store.salvage import salvage

_VALUES = [
    *(None, -1, 0, 2**62, -(2**63), 1e308, float("inf"), "", "x", "[]", "{}", "null", "[1, 2", '"a"'),
    *(b"", b"\x00", b"\xff" * 7, '[["a"]]', '{"a": 1}', '[0, "x", null]'),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored run of three questions."""
    folder = tmp_path_factory.mktemp("whole")
    lines = [
        {
            "question": f"Which river is number {number}?",
            "answers": ["Oder"],
            "greedy": {"text": "Oder"},
            "samples": [{"text": "Oder"}, {"text": "Elbe"}, {"text": f"Po {number}"}],
        }
        for number in range(3)
    ]
    recorded = folder / "r.jsonl"
    recorded.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert run_app(["import", str(recorded), "-o", str(folder / "x.audit"), "--no-embedder", "-q"]) == 0
    return folder / "x.audit"


def read_all(path: Path) -> None:
    """Read what commands and screens read."""
    with RunFile.open(path) as run:
        data = read_run(run)
        build(data, draws=2, sweeps=False)
        question_rows(data, None)
    summarize(path)


@st.composite
def damage_of(draw: st.DrawFn) -> Callable[[Path], None]:
    """Something that happens to a file."""
    kind = draw(st.sampled_from(["bytes", "page", "cut", "cell", "cell", "cell", "version"]))
    place, number = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 255))
    value, column = draw(st.sampled_from(_VALUES)), draw(st.integers(0, 1000))

    def happen(path: Path) -> None:
        content = bytearray(path.read_bytes())
        at = int(place * len(content))
        if kind == "bytes":
            content[at : at + 3] = bytes([number] * 3)
        elif kind == "page":
            content[at // 4096 * 4096 :][:4096] = bytes([number]) * 4096
            content[at // 4096 * 4096 : at // 4096 * 4096 + 4096] = bytes([number]) * 4096
        elif kind == "cut":
            del content[at:]
        if kind in ("bytes", "page", "cut"):
            path.write_bytes(content)
            return
        with closing(sqlite3.connect(path)) as run:
            if kind == "version":
                run.execute(f"PRAGMA user_version = {number - 5}")
                return
            cells = [
                (table, row[1])
                for (table,) in run.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for row in run.execute(f"PRAGMA table_info({table})")
            ]
            table, name = cells[column % len(cells)]
            keys = run.execute(f"SELECT * FROM {table}").fetchall()
            if keys:
                first = run.execute(f"PRAGMA table_info({table})").fetchall()[0][1]
                where = keys[int(place * len(keys))][0]
                try:
                    run.execute(f"UPDATE OR IGNORE {table} SET {name} = ? WHERE {first} = ?", (value, where))
                except sqlite3.Error:
                    return
                run.commit()

    return happen


@settings(max_examples=500, deadline=20_000, suppress_health_check=[HealthCheck.too_slow])
@given(happen=damage_of())
def test_a_damaged_file_is_read_or_is_one_clear_error(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, happen: Callable[[Path], None]
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.audit"
    for leftover in path.parent.glob("damaged.audit*"):
        leftover.unlink()
    path.write_bytes(whole.read_bytes())
    happen(path)
    try:
        read_all(path)
    except HomogauditError as error:
        assert not isinstance(error, StorageError)
        assert error.hint is None or "writable" not in error.hint
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE meta SET value = '[1,' WHERE key = 'parameters'", "1 row of its table `meta`"),
        ("UPDATE generations SET state = 'gone' WHERE position = 1", "4 rows of its table `generations`"),
        ("""UPDATE questions SET answers = '[["a"]]'""", "3 rows of its table `questions`"),
        ("UPDATE clusterings SET assignment = '[0, null, 1]' WHERE position = 2", "row of its table `clusterings`"),
        ("UPDATE labels SET value = 7", "12 rows of its table `labels`"),
        ("UPDATE generations SET text = CAST(x'ff' AS TEXT)", "Could not decode to UTF-8"),
        ("DELETE FROM meta WHERE key = 'parameters'", "it lacks its parameters"),
        ("DROP TABLE labels", "no such table: labels"),
        ("PRAGMA user_version = 0", "schema 0 is none"),
        ("PRAGMA user_version = -1", "schema -1 is none"),
    ],
)
def test_the_error_says_what_is_damaged_and_what_takes_out_the_rest(
    whole: Path, tmp_path: Path, change: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.audit"
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as run:
        run.execute(change)
        run.commit()
    assert run_app(["report", str(path)]) == 2
    err = capsys.readouterr().err
    assert f"`{path}` is damaged: " in err and said in err
    assert f"homogaudit runs salvage {path} -o OUT" in err


def damaged_copy(whole: Path, path: Path, *changes: str) -> Path:
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as run:
        for change in changes:
            run.execute(change)
        run.commit()
    return path


def test_what_can_be_read_is_taken_out_and_scored_again(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = (
        "UPDATE generations SET state = 'gone' WHERE position = 1 AND sample_index = 2",
        "UPDATE generations SET text = CAST(x'ff' AS TEXT) WHERE position = 2 AND sample_index = 0",
        "UPDATE clusterings SET assignment = 'x'",
    )
    path, out = damaged_copy(whole, tmp_path / "x.audit", *changes), tmp_path / "y.audit"
    assert run_app(["runs", "salvage", str(path), "-o", str(out)]) == 0
    assert "3 questions, 10 answers; 2 rows lost" in capsys.readouterr().err
    # Two answers are missing for good: the answers of a recording cannot be drawn again.
    assert run_app(["score", str(out), "--no-embedder", "-q"]) in (0, 4)
    with RunFile.open(out) as run:
        assert sum(len(found.samples) for found in run.sample_sets()) == 7
        assert run.clustering_methods()
    assert not [left for left in tmp_path.iterdir() if "salvage" in left.name]


def test_a_page_that_is_gone_takes_only_its_rows_along(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.audit"
    with closing(sqlite3.connect(whole)) as run:
        (page,) = run.execute("SELECT rootpage FROM sqlite_master WHERE name = 'signals'").fetchone()
    content = bytearray(whole.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(RunFileError, match="damaged"):
        read_all(path)
    found = salvage(path, tmp_path / "y.audit")
    assert (found.questions, found.answers) == (3, 12) and found.lost >= 1


def test_what_stands_in_a_file_that_was_cut_off_is_taken_out(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.audit"
    path.write_bytes(whole.read_bytes()[:-4097])
    with pytest.raises(RunFileError, match="damaged"):
        read_all(path)
    found = salvage(path, tmp_path / "y.audit")
    assert (found.questions, found.answers) == (3, 12)


def test_nothing_is_written_where_the_parameters_are_gone(whole: Path, tmp_path: Path) -> None:
    path = damaged_copy(whole, tmp_path / "x.audit", "UPDATE meta SET value = '{' WHERE key = 'parameters'")
    with pytest.raises(RunFileError, match="its parameters cannot be read"):
        salvage(path, tmp_path / "y.audit")
    assert [left.name for left in tmp_path.iterdir()] == ["x.audit"]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.audit").write_bytes(b"\xa5" * 9000)
    with pytest.raises(RunFileError, match="cannot be salvaged: no question of it can be read"):
        salvage(tmp_path / "x.audit", tmp_path / "y.audit")


def test_an_existing_file_is_not_written_over(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "y.audit").write_text("mine")
    with pytest.raises(RunFileError, match="exists"):
        salvage(whole, tmp_path / "y.audit")
    assert (tmp_path / "y.audit").read_text() == "mine"


def test_an_error_of_the_reader_is_not_blamed_on_a_whole_file(whole: Path) -> None:
    with pytest.raises(ValueError, match="ours"), RunFile.open(whole) as _:
        raise ValueError("ours")


def values(run: RunFile) -> Any:
    """Return what tells two runs apart."""
    return run.parameters, [found.samples[0].text for found in run.sample_sets()]


def test_a_whole_file_is_taken_out_whole(whole: Path, tmp_path: Path) -> None:
    found = salvage(whole, tmp_path / "y.audit")
    assert (found.questions, found.answers, found.lost) == (3, 12, 0)
    with RunFile.open(whole) as old, RunFile.open(tmp_path / "y.audit") as new:
        assert values(old) == values(new)


def test_a_row_whose_json_is_broken_costs_itself_alone(whole: Path, tmp_path: Path):
    path = tmp_path / "x.audit"
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as run:
        run.execute("UPDATE questions SET answers = '[1,' WHERE position = 1")
        run.commit()
    found = salvage(path, tmp_path / "y.audit")
    assert (found.questions, found.answers) == (2, 8)
