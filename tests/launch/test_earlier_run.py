"""Runs that version 0.1.0 began on files which are read otherwise today."""

import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.launch.earlier_run import READER, earlier_questions
from homogaudit.questions import Asking, load_questions
from homogaudit.records import Question, make_question_id
from homogaudit.store import RunFile
from homogaudit.store.shards import Shards

WHOLE = Shards((1,), 1)
MODEL = {"model": {"kind": "gguf"}, "decoding": {"samples": 2}}


def question(text: str, *answers: str) -> Question:
    return Question(make_question_id(text), text, answers=answers)


def stored(path: Path, questions: list[Question], **facts: Any) -> Path:
    """Write a run as 0.1.0 began it: with the digest of what it read, and no word on the reader."""
    count = facts.pop("count", len(questions))
    parameters = MODEL | {"questions": {"count": count, "sha256": "of the earlier reading"}} | facts.pop("changed", {})
    with RunFile.create(path, model="m", question_source="q", questions=questions, parameters=parameters) as run:
        for key, value in facts.items():
            run.set_meta(key, value)
    return path


def today(**changed: Any) -> dict[str, Any]:
    return MODEL | {"questions": {"count": 2, "sha256": "of today's"}} | changed


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)))
    return path


CASES = [
    # Other references.
    ([{"question": "Which?", "choices": ["a", "b"], "answer": 1}], [question("Which?", "1")]),
    # A context that was not asked, and a question that was taken for a duplicate.
    (
        [{"question": "Who?", "context": "Tom."}, {"question": "Who?", "context": "Ann."}, {"question": "Why?"}],
        [question("Who?"), question("Why?")],
    ),
    # Another column.
    ([{"instruction": "Translate.", "input": "Good day", "output": "x"}], [question("Good day")]),
]


@pytest.mark.parametrize(("records", "questions"), CASES)
def test_a_run_goes_on_with_the_questions_that_it_stored(
    tmp_path: Path, records: list[dict[str, Any]], questions: list[Question]
) -> None:
    file = load_questions(lines(tmp_path / "q.jsonl", *records))
    path = stored(tmp_path / "x.audit", questions)
    assert earlier_questions(path, file, today(), WHOLE) == questions


def test_json_lines_that_were_asked_line_by_line_go_on_so(tmp_path: Path) -> None:
    file = load_questions(lines(tmp_path / "q.jsonl.txt", {"question": "Who?"}, {"question": "Why?"}))
    asked = [question('{"question": "Who?"}'), question('{"question": "Why?"}')]
    path = stored(tmp_path / "x.audit", asked)
    assert earlier_questions(path, file, today(), WHOLE) == asked


def test_shuffle_limit_and_shards_choose_what_they_chose(tmp_path: Path) -> None:
    records = [{"question": f"Who {n}?", "choices": ["a", "b"], "answer": 1} for n in range(9)]
    path = lines(tmp_path / "q.jsonl", *records)
    file = load_questions(path, shuffle=3, limit=6)
    # The order depends on the ids alone, which are those of today where no context tells texts apart.
    held = [question(each.text, "1") for each in file.questions][1::2]
    run = stored(tmp_path / "x.audit", held, count=6)
    assert earlier_questions(run, file, today(), Shards((2,), 2)) == held


@pytest.mark.parametrize(
    "facts",
    [
        {"reader": READER},
        {"changed": {"decoding": {"samples": 3}}},
        {"count": 2},
    ],
)
def test_a_run_of_another_command_is_not_taken_for_it(tmp_path: Path, facts: dict[str, Any]) -> None:
    file = load_questions(lines(tmp_path / "q.jsonl", {"question": "Which?", "choices": ["a", "b"], "answer": 1}))
    path = stored(tmp_path / "x.audit", [question("Which?", "1")], **facts)
    assert earlier_questions(path, file, today(), WHOLE) is None


def test_a_run_on_other_questions_is_not_taken_for_it(tmp_path: Path) -> None:
    file = load_questions(lines(tmp_path / "q.jsonl", {"question": "Which?", "choices": ["a", "b"], "answer": 1}))
    path = stored(tmp_path / "x.audit", [question("Whose?", "1")])
    assert earlier_questions(path, file, today(), WHOLE) is None


def test_a_command_that_asks_the_choices_is_another_one(tmp_path: Path) -> None:
    source = lines(tmp_path / "q.jsonl", {"question": "Which?", "choices": ["a", "b"], "answer": 1})
    path = stored(tmp_path / "x.audit", [question("Which?", "1")])
    assert earlier_questions(path, load_questions(source, asking=Asking(choices=True)), today(), WHOLE) is None
