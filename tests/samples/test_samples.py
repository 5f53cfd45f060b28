import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from homogaudit.labels.judges import label
from homogaudit.questions import load_questions
from homogaudit.records import Generation, GenerationState, LabelValue

SAMPLES = Path(__file__).parents[2] / "samples"
LEAST = {"misconceptions": 80, "factual": 80, "arithmetic": 60, "time_sensitive": 30}
KEYS = {"id", "question", "category", "answers", "incorrect_answers"}
every_file = pytest.mark.parametrize("name", LEAST)


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def words(text: str) -> str:
    """The lower-cased words of a text between single spaces, so that `in` finds whole words only."""
    return " " + " ".join(re.findall(r"\w+", text.lower())) + " "


@every_file
def test_a_file_is_utf8_with_one_object_a_line_and_unix_line_ends(name: str):
    content = (SAMPLES / f"{name}.jsonl").read_bytes()
    assert b"\r" not in content and content.endswith(b"}\n")
    assert all(isinstance(json.loads(line), dict) for line in content.decode("utf-8").split("\n")[:-1])


@every_file
def test_a_file_holds_enough_questions(name: str):
    assert len(rows(name)) >= LEAST[name]


@every_file
def test_every_question_has_the_required_keys_with_text_in_them(name: str):
    for row in rows(name):
        assert set(row) == KEYS
        assert all(isinstance(row[key], str) and row[key].strip() for key in ("id", "question", "category"))
        for key in ("answers", "incorrect_answers"):
            assert isinstance(row[key], list)
            assert all(isinstance(answer, str) and answer.strip() for answer in row[key])


@every_file
def test_no_incorrect_answer_equals_an_answer(name: str):
    for row in rows(name):
        assert not {words(text) for text in row["answers"]} & {words(text) for text in row["incorrect_answers"]}, row


def test_ids_are_unique_over_all_files():
    ids = Counter(row["id"] for name in LEAST for row in rows(name))
    assert [identity for identity, count in ids.items() if count > 1] == []


def test_questions_are_unique_over_all_files():
    questions = Counter(words(row["question"]) for name in LEAST for row in rows(name))
    assert [question for question, count in questions.items() if count > 1] == []


@pytest.mark.parametrize("name", ["misconceptions", "factual"])
def test_every_question_of_a_labelled_file_has_answers_of_both_kinds(name: str):
    assert [row["id"] for row in rows(name) if not row["answers"] or not row["incorrect_answers"]] == []


def test_the_misconceptions_come_in_eight_categories():
    assert len({row["category"] for row in rows("misconceptions")}) == 8


def test_the_echo_of_a_misconception_question_is_seldom_labelled_correct_or_incorrect():
    questions = load_questions(SAMPLES / "misconceptions.jsonl").questions
    echoes = [
        Generation(question.id, -1, question.text, question.text, GenerationState.VALID) for question in questions
    ]
    labels = [label(question, echo, "overlap") for question, echo in zip(questions, echoes, strict=True)]
    decided = [each for each in labels if each.value in (LabelValue.CORRECT, LabelValue.INCORRECT)]
    assert len(decided) <= len(questions) / 4, decided


def test_no_alias_of_a_factual_question_stands_in_its_own_incorrect_answers():
    for row in rows("factual"):
        held = [(a, i) for a in row["answers"] for i in row["incorrect_answers"] if words(a) in words(i)]
        assert held == [], row["id"]


def test_no_factual_question_gives_an_answer_away():
    for row in rows("factual"):
        given = [text for text in row["answers"] + row["incorrect_answers"] if words(text) in words(row["question"])]
        assert given == [], row["id"]


def test_every_arithmetic_question_has_one_answer_that_is_a_number():
    for row in rows("arithmetic"):
        (answer,) = row["answers"]
        assert Decimal(answer).is_finite()


def test_the_time_sensitive_file_holds_controls_with_answers():
    controls = [row for row in rows("time_sensitive") if row["category"] == "control"]
    assert controls and all(row["answers"] for row in controls)
