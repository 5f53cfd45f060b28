import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.errors import QuestionFileError
from homogaudit.questions import QuestionFile, load_questions

QA = {"question": "Who flew?", "answers": [{"text": "Ann", "answer_start": 0}], "id": "1"}


def load(folder: Path, value: Any, name: str = "q.json") -> QuestionFile:
    path = folder / name
    path.write_text(json.dumps(value, indent=1))
    return load_questions(path)


@pytest.mark.parametrize(
    "value",
    [
        # SQuAD, as published
        {"version": "2", "data": [{"title": "T", "paragraphs": [{"context": "Ann flew.", "qas": [QA]}]}]},
        # the Hugging Face viewer
        {"features": [{"name": "question"}], "rows": [{"row_idx": 0, "row": QA | {"context": "Ann flew."}}]},
        # pandas: columns, split, records under an id
        {name: [value] for name, value in (QA | {"context": "Ann flew."}).items()},
        {name: {"0": value} for name, value in {"id": "1", "question": "Who flew?", "answers": "Ann"}.items()},
        {"columns": ["id", "question", "answers"], "index": [0], "data": [["1", "Who flew?", ["Ann"]]]},
        {"1": {"question": "Who flew?", "answers": ["Ann"]}},
        # TriviaQA, as published
        {
            "Data": [{"Question": "Who flew?", "QuestionId": "1", "Answer": {"Value": "Ann", "Aliases": []}}],
            "Version": 1,
        },
        # below other facts of the file, and deeper
        {"questions": [{"id": "1", "question": "Who flew?", "answers": ["Ann"]}], "title": "Flights"},
        {"data": {"questions": [{"id": "1", "question": "Who flew?", "answers": ["Ann"]}]}, "title": "Flights"},
        # requests of a batch, traces
        [{"custom_id": "1", "body": {"model": "m", "messages": [{"role": "user", "content": "Who flew?"}]}}],
        {"requests": [{"custom_id": "1", "params": {"messages": [{"role": "user", "content": "Who flew?"}]}}]},
        [{"custom_id": "1", "url": "/v1/responses", "body": {"input": "Who flew?", "instructions": "Be short."}}],
        [{"id": "1", "inputs": {"question": "Who flew?"}, "outputs": {"answer": "Ann"}}],
        # one record alone
        {"id": "1", "question": "Who flew?", "answers": ["Ann"]},
    ],
)
def test_records_are_found_where_data_sets_keep_them(tmp_path: Path, value: Any) -> None:
    (question,) = load(tmp_path, value).questions
    assert (question.id, question.text) == ("1", "Who flew?")
    # A request holds no answer.
    assert question.answers == (
        () if "model" in str(value) or "body" in str(value) or "params" in str(value) else ("Ann",)
    )
    assert question.system == ("Be short." if "instructions" in str(value) else None)


def test_questions_about_one_passage_share_it(tmp_path: Path) -> None:
    pairs = [{"question": f"{word}?", "answer": {"number": "3", "date": {}, "spans": []}} for word in ("Who", "Why")]
    file = load(tmp_path, {"p1": {"passage": "Ann won 3.", "qa_pairs": pairs}})
    assert [question.asked for question in file.questions] == ["Ann won 3.\n\nWho?", "Ann won 3.\n\nWhy?"]
    assert file.questions[0].answers == ("3",)


@pytest.mark.parametrize(
    "value",
    [["Who?", "Why?"], {"questions": ["Who?", "Why?"]}, {"name": "n", "prompts": ["Who?", "Why?"], "tags": ["a"]}],
)
def test_a_list_of_texts_is_a_list_of_questions(tmp_path: Path, value: Any) -> None:
    assert [question.text for question in load(tmp_path, value).questions] == ["Who?", "Why?"]


def test_what_the_viewer_left_out_is_said(tmp_path: Path) -> None:
    row = {"row_idx": 0, "row": {"question": "Who?"}, "truncated_cells": ["context"]}
    file = load(tmp_path, {"features": [], "rows": [row], "num_rows_total": 1200})
    assert file.warnings == (
        "the file holds 1 of the 1200 rows of its data set",
        "the data set viewer has cut cells of `context` short",
    )


def test_several_lists_that_all_ask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match="holds several lists of objects: `train`, `test`"):
        load(tmp_path, {"train": [QA], "test": [QA]})
