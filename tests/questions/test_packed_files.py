"""Compressed files and tables that are no text, made here with the libraries that write them."""

import bz2
import datetime
import gzip
import importlib
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest

from homogaudit.errors import QuestionFileError
from homogaudit.questions import QuestionFile, binary_files, load_questions

LINES = b'{"question": "Who?", "answers": ["Ann"]}\n{"question": "Why?", "answers": ["So", "Thus"]}\n'


def load(folder: Path, name: str, data: bytes) -> QuestionFile:
    path = folder / name
    path.write_bytes(data)
    return load_questions(path)


def check(file: QuestionFile) -> None:
    assert [(question.text, question.answers) for question in file.questions] == [
        ("Who?", ("Ann",)),
        ("Why?", ("So", "Thus")),
    ]


@pytest.mark.parametrize(
    ("name", "pack"),
    [("q.jsonl.gz", gzip.compress), ("q.jsonl.bz2", bz2.compress), ("q.jsonl.xz", lzma.compress), ("q", gzip.compress)],
)
def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path, name: str, pack: Any) -> None:
    check(load(tmp_path, name, pack(LINES)))


def test_a_zstandard_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    check(load(tmp_path, "q.jsonl.zst", zstandard.ZstdCompressor().compress(LINES)))


def test_a_file_that_unpacks_to_more_than_memory_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary_files, "_LARGEST", 1 << 20)
    with pytest.raises(QuestionFileError, match="unpacks to more than"):
        load(tmp_path, "q.txt.gz", gzip.compress(b"x" * (1 << 22)))


def test_a_broken_compressed_file_is_one_error_line(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match=r"`q.jsonl.gz` is a broken archive"):
        load(tmp_path, "q.jsonl.gz", gzip.compress(LINES)[:20])


@pytest.fixture
def table() -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table({"question": ["Who?", "Why?"], "answers": [["Ann"], ["So", "Thus"]], "picture": [b"1", b"2"]})


def test_parquet_is_read_and_its_bytes_left_out(tmp_path: Path, table: Any) -> None:
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "q.parquet")
    file = load_questions(tmp_path / "q.parquet")
    check(file)
    assert file.warnings[0] == "`picture` of `q.parquet` hold binary data and are left out"


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_is_read(tmp_path: Path, table: Any, kind: str) -> None:
    pyarrow = importlib.import_module("pyarrow")
    sink = pyarrow.BufferOutputStream()
    with getattr(pyarrow.ipc, f"new_{kind}")(sink, table.schema) as writer:
        writer.write_table(table)
    check(load(tmp_path, "q.arrow", sink.getvalue().to_pybytes()))


@pytest.mark.parametrize("data", [b"PAR1" + b"x" * 50, b"ARROW1\0\0" + b"x" * 50])
def test_a_broken_table_is_one_error_line(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(QuestionFileError, match="is broken"):
        load(tmp_path, "q.parquet", data)


def test_a_missing_library_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(binary_files.importlib, "import_module", missing)
    with pytest.raises(QuestionFileError, match=r"`q.parquet` is Parquet, and `pyarrow` is not installed") as caught:
        load(tmp_path, "q.parquet", b"PAR1" + b"x" * 50)
    assert caught.value.hint == 'pip install "homogaudit[files]"'


def test_of_a_workbook_the_sheet_with_questions_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["notes"])
    sheet = book.create_sheet("asked")
    for row in (["Question", "Answers"], ["Who?", "Ann"], ["How many?", 3.0], ["Is it?", True]):
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    file = load(tmp_path, "q.xlsx", stream.getvalue())
    assert [question.answers for question in file.questions] == [("Ann",), ("3",), ("yes",)]
    assert file.warnings[0] == "of `q.xlsx` the sheet `asked` is read, not `Sheet`"


def test_an_archive_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("q.jsonl", json.dumps({"question": "Who?"}))
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, "q.zip", stream.getvalue())
    assert caught.value.hint == "this is an archive; unpack it, and give one of its files"


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, "q.pkl", b"\x80\x04\x95\x00")
    assert caught.value.hint is not None and "never opened" in caught.value.hint


def test_of_a_workbook_the_first_sheet_that_holds_questions_is_read_and_said(tmp_path: Path) -> None:
    openpyxl: Any = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["How to use this book"])
    book.create_sheet("Empty").append(["question", "answer"])
    sheet = book.create_sheet("Quiz")
    for row in (["My quiz", None], ["Question", "Answer"], ["When?", datetime.date(1969, 7, 20)], [None, None]):
        sheet.append(row)
    book.save(tmp_path / "q.xlsx")
    file = load_questions(tmp_path / "q.xlsx")
    assert [(question.text, question.answers) for question in file.questions] == [("When?", ("1969-07-20",))]
    assert file.warnings[0] == "of `q.xlsx` the sheet `Quiz` is read, not `Sheet`, `Empty`"
