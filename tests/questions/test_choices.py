import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.questions import Asking, Columns, QuestionFile, load_questions
from homogaudit.records import make_question_id

Q = "Which metal is liquid?"
THREE = ["Iron", "Mercury", "Lead"]


def load(folder: Path, *records: dict[str, Any], **arguments: Any) -> QuestionFile:
    path = folder / "q.jsonl"
    path.write_text("\n".join(json.dumps({"question": f"{Q} {n}"} | record) for n, record in enumerate(records)))
    return load_questions(path, **arguments)


@pytest.mark.parametrize(
    "record",
    [
        {"choices": THREE, "answer": 1},
        {"choices": THREE, "answer": "1"},
        {"choices": THREE, "answer": "1.0"},
        {"choices": THREE, "answer": "B"},
        {"choices": THREE, "answer": "(B)"},
        {"choices": THREE, "answer": "B. Mercury"},
        {"choices": THREE, "answer": "mercury"},
        {"choices": THREE, "gold": [1]},
        {"options": ["A) Iron", "B) Mercury", "C) Lead"], "correct": "B"},
        {"options": {"A": "Iron", "B": "Mercury", "C": "Lead"}, "answer": "Mercury", "answer_idx": "B"},
        {"choices": {"text": THREE, "label": ["A", "B", "C"]}, "answerKey": "B"},
        {"choices": {"text": THREE, "label": ["1", "2", "3"]}, "answerKey": "2"},
        {
            "choices": [{"label": label, "text": text} for label, text in zip("ABC", THREE, strict=True)],
            "answerKey": "B",
        },
        {"choices": [{"text": text, "is_correct": text == "Mercury"} for text in THREE]},
        {"choices": "['Iron' 'Mercury' 'Lead']", "answer": 1},
        {"A": "Iron", "B": "Mercury", "C": "Lead", "answer": "B"},
        {"option_a": "Iron", "option_b": "Mercury", "option_c": "Lead", "correct_option": "b"},
        {"opa": "Iron", "opb": "Mercury", "opc": "Lead", "cop": 1},
        {"ans0": "Iron", "ans1": "Mercury", "ans2": "Lead", "label": 1},
        {"ending0": "Iron", "ending1": "Mercury", "ending2": "Lead", "label": "1"},
        {"answers": THREE, "correct": 1},
        {"mc1_targets": {"choices": ["Mercury", "Iron", "Lead"], "labels": [1, 0, 0]}},
        {"mc1_targets": {"Iron": 0, "Mercury": 1, "Lead": 0}},
        {"target_scores": {"Iron": 0, "Mercury": 1, "Lead": 0}},
    ],
)
def test_the_reference_is_the_text_of_the_right_choice_and_the_others_are_incorrect(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    (question,) = load(tmp_path, record).questions
    assert question.answers == ("Mercury",)
    assert set(question.incorrect_answers) == {"Iron", "Lead"}
    assert question.choices == ()


def test_a_file_that_is_never_0_and_reaches_the_number_of_choices_counts_from_1(tmp_path: Path) -> None:
    file = load(
        tmp_path, {"choice1": "Iron", "choice2": "Mercury", "label": 2}, {"choice1": "a", "choice2": "b", "label": 1}
    )
    assert [question.answers for question in file.questions] == [("Mercury",), ("a",)]
    assert any("`label` counts the choices from 1" in warning for warning in file.warnings)


def test_a_file_that_shows_a_0_counts_from_0_without_a_word(tmp_path: Path) -> None:
    file = load(tmp_path, {"choices": THREE, "answer": 1}, {"choices": THREE, "answer": 0})
    assert [question.answers for question in file.questions] == [("Mercury",), ("Iron",)]
    assert not any("count" in warning for warning in file.warnings)


def test_a_guess_of_how_a_file_counts_is_said(tmp_path: Path) -> None:
    file = load(tmp_path, {"choices": THREE, "answer": 1})
    assert any("`answer` is assumed to count the choices from 0" in warning for warning in file.warnings)


def test_numbers_among_choices_that_are_numbers_are_the_choices(tmp_path: Path) -> None:
    file = load(tmp_path, {"choices": [2, 3, 4, 5], "answer": 4}, {"choices": [7, 8, 9, 4], "answer": 7})
    assert [question.answers for question in file.questions] == [("4",), ("7",)]


def test_a_question_without_its_right_choice_has_no_reference(tmp_path: Path) -> None:
    file = load(
        tmp_path, {"choices": THREE, "label": 0}, {"choices": THREE, "label": -1}, {"choices": THREE, "label": ""}
    )
    assert [question.answers for question in file.questions] == [("Iron",), (), ()]
    assert "no reference answer for 2 of 3 questions: they get no label" in file.warnings


def test_a_right_choice_that_is_none_of_them_is_refused_by_line(tmp_path: Path) -> None:
    records = [{"choices": THREE, "answer": "A"}] * 3
    with pytest.raises(QuestionFileError, match=r"line 4: `answer` is `Gold`, which is not one of its 3 choices"):
        load(tmp_path, *records, {"choices": THREE, "answer": "Gold"})


def test_choices_of_which_nothing_says_which_is_right_are_said(tmp_path: Path) -> None:
    file = load(tmp_path, {"choices": THREE})
    assert file.questions[0].answers == ()
    assert any("no column says which is right (name it with `--answers-column NAME`)" in x for x in file.warnings)


def test_a_column_that_the_user_names_says_which_is_right(tmp_path: Path) -> None:
    file = load(tmp_path, {"choices": THREE, "richtig": 1}, columns=Columns(answers="richtig"))
    assert file.questions[0].answers == ("Mercury",)


def test_choices_are_asked_with_letters_under_the_same_id(tmp_path: Path) -> None:
    (question,) = load(tmp_path, {"choices": THREE, "answer": "B"}, asking=Asking(choices=True)).questions
    assert question.asked == f"{Q} 0\nA. Iron\nB. Mercury\nC. Lead"
    assert question.id == make_question_id(f"{Q} 0")
    assert question.answers == ("Mercury",)


def test_choices_cannot_be_asked_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the question file has no choices"):
        load(tmp_path, {"answer": "x"}, {"answer": "y"}, asking=Asking(choices=True))


def test_letters_among_options_in_the_questions_own_text_become_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"input": "Which?\nOptions:\n(A) Iron\n(B) Mercury", "target": "(B)"}))
    (question,) = load_questions(path).questions
    assert (question.answers, question.incorrect_answers) == (("Mercury",), ("Iron",))


def test_columns_of_correct_and_incorrect_answers_are_references(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(
        "Question,Old Correct Answer,Correct Answer,Incorrect Answer 1,Incorrect Answer 2\nWhich?,x,a,b,c; d\n"
    )
    file = load_questions(path)
    assert file.questions[0].answers == ("a",)
    assert file.questions[0].incorrect_answers == ("b", "c; d")
    assert any("`Old Correct Answer` looks like answers and is not used" in warning for warning in file.warnings)


def test_distractors_are_incorrect_answers(tmp_path: Path) -> None:
    (question,) = load(tmp_path, {"distractor1": "a", "distractor2": "b", "correct_answer": "c"}).questions
    assert (question.answers, question.incorrect_answers) == (("c",), ("a", "b"))


@pytest.mark.parametrize(
    "record",
    [
        {"Option A": "Iron", "Option B": "Mercury", "Option C": "Lead", "Correct Option": "Option B"},
        {"option1": "Iron", "option2": "Mercury", "option3": "Lead", "answer": "option2"},
        {"Answer 1": "Iron", "Answer 2": "Mercury", "Answer 3": "Lead", "Correct answer(s)": "2"},
        {"options": "A. Iron\nB. Mercury\nC. Lead", "answer": "B"},
        {"options": "a ) Iron , b ) Mercury , c ) Lead", "correct": "b"},
        {"options": "Iron|Mercury|Lead", "answer": "Mercury"},
        {"answers": [{"answer": metal, "correct": metal == "Mercury"} for metal in THREE]},
    ],
)
def test_choices_of_quizzes_are_read(tmp_path: Path, record: dict[str, Any]) -> None:
    (question,) = load(tmp_path, record).questions
    assert question.answers == ("Mercury",)
    assert question.incorrect_answers == ("Iron", "Lead")


@pytest.mark.parametrize("answer", [["A", "C"], "A,C", "A and C", "AC", "0, 2", "Iron"])
def test_several_right_choices_are_all_references(tmp_path: Path, answer: Any) -> None:
    first, _ = load(
        tmp_path, {"choices": THREE, "answer": answer}, {"choices": ["Neon", "Tin", "Zinc"], "answer": ["B"]}
    ).questions
    assert first.answers == (("Iron",) if answer == "Iron" else ("Iron", "Lead"))


def test_social_iqa_counts_its_answers_from_one(tmp_path: Path) -> None:
    columns = dict(zip(("answerA", "answerB", "answerC"), THREE, strict=True))
    file = load(tmp_path, columns | {"label": 1}, columns | {"label": "2"})
    assert [question.answers for question in file.questions] == [("Iron",), ("Mercury",)]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("Which is liquid? A) Iron B) Mercury C) Lead", "B"),
        ("Which is liquid? (a) Iron, (b) Mercury, (c) Lead", "(b)"),
        ("Which is liquid?\nA. Iron\nB. Mercury\nC. Lead", "B. Mercury"),
    ],
)
def test_a_letter_is_looked_up_among_the_options_in_the_questions_own_text(
    tmp_path: Path, text: str, reference: str
) -> None:
    (question,) = load(tmp_path, {"question": text, "answer": reference}).questions
    assert (question.text, question.answers, question.incorrect_answers) == (text, ("Mercury",), ("Iron", "Lead"))
