import csv
import json
import re
from pathlib import Path

import pytest

from homogaudit.errors import QuestionFileError
from homogaudit.questions import Columns, load_questions


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# The reference files


def test_truthfulqa_is_recognised(reference: Path):
    file = load_questions(reference / "truthfulqa.csv")
    with (reference / "truthfulqa.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert file.layout == "truthfulqa"
    assert len(file.questions) == 790
    assert [question.category for question in file.questions] == [row["Category"] for row in rows]
    for question, row in zip(file.questions, rows, strict=True):
        assert question.text == row["Question"].strip()
        assert question.answers[0] == row["Best Answer"].strip()
        assert set(question.answers) >= {part.strip() for part in row["Correct Answers"].split(";") if part.strip()}
        assert set(question.incorrect_answers) >= {
            part.strip() for part in row["Incorrect Answers"].split(";") if part.strip()
        }
        assert set(question.extra) == {"Type", "Source"}


def test_gsm8k_answers_are_the_numbers_behind_the_marks(reference: Path):
    file = load_questions(reference / "gsm8k_test.jsonl")
    lines = (reference / "gsm8k_test.jsonl").read_text(encoding="utf-8").splitlines()
    assert file.layout == "gsm8k"
    assert len(file.questions) == 1319
    assert file.questions[0].answers == ("18",)
    for question, line in zip(file.questions, lines, strict=True):
        solution = json.loads(line)["answer"]
        assert question.answers == (solution.rsplit("#### ", 1)[1].replace(",", ""),)
        assert re.fullmatch(r"-?\d+(\.\d+)?", question.answers[0])
        assert question.extra == {"answer": solution}


def test_webquestions_is_recognised(reference: Path):
    file = load_questions(reference / "webquestions_200.json")
    assert file.layout == "webquestions"
    assert len(file.questions) == 200
    assert file.questions[0].answers == ("Jamaican Creole English Language", "Jamaican English")
    assert file.questions[5].extra == {"qi": 5}


def test_hotpotqa_keeps_ids_and_paragraphs(reference: Path):
    file = load_questions(reference / "hotpotqa_100.json")
    raw = json.loads((reference / "hotpotqa_100.json").read_text(encoding="utf-8"))
    assert file.layout == "hotpotqa"
    assert [question.id for question in file.questions] == [item["id"] for item in raw]
    first = file.questions[0]
    assert first.answers == ("flotilla",)
    assert first.category == "bridge"
    assert first.passages[0].startswith("Dwarka: Dwarka () is a small city and a municipality")
    assert [len(question.passages) for question in file.questions] == [len(item["context"]) for item in raw]
    assert first.extra == {}


# Made-up files


def test_the_projects_own_layout(tmp_path: Path):
    line = {
        "id": "m-1",
        "question": "Can bats see?",
        "answers": ["Yes", 1, " Yes "],
        "incorrect_answers": ["No; they are blind"],
        "category": "animals",
        "passages": ["Bats see well."],
        "note": {"checked": True},
    }
    file = load_questions(write(tmp_path, "q.jsonl", json.dumps(line)))
    question = file.questions[0]
    assert file.layout == "homogaudit"
    assert (question.id, question.category) == ("m-1", "animals")
    assert question.answers == ("Yes", "1")
    assert question.incorrect_answers == ("No; they are blind",)
    assert question.passages == ("Bats see well.",)
    assert question.extra == {"note": {"checked": True}}


def test_truthfulqa_as_the_hub_writes_it(tmp_path: Path):
    record = {
        "question": "Why?",
        "best_answer": "Because",
        "correct_answers": ["It is so", "Because"],
        "incorrect_answers": ["No reason"],
    }
    file = load_questions(write(tmp_path, "t.json", json.dumps([record])))
    assert file.layout == "truthfulqa"
    assert file.questions[0].answers == ("Because", "It is so")


def test_hotpotqa_as_the_hub_writes_it(tmp_path: Path):
    record = {
        "id": "h",
        "question": "Who?",
        "answer": "Ann",
        "type": "comparison",
        "level": "hard",
        "context": {"title": ["T", "U"], "sentences": [["One.", " Two."], ["Three."]]},
    }
    file = load_questions(write(tmp_path, "h.jsonl", json.dumps(record)))
    assert file.questions[0].passages == ("T: One. Two.", "U: Three.")
    assert file.questions[0].extra == {"level": "hard"}


def test_a_broken_context_is_refused_by_line(tmp_path: Path):
    path = write(tmp_path, "h.jsonl", '{"question": "Who?", "answer": "Ann", "context": ["only a text", 3]}')
    with pytest.raises(QuestionFileError, match=r"line 1: `context` holds a number, not a list of"):
        load_questions(path)


def test_gsm8k_commas_are_removed_and_the_last_mark_counts(tmp_path: Path):
    file = load_questions(write(tmp_path, "g.jsonl", '{"question": "Q?", "answer": "#### 1\\n#### 2,125 "}'))
    assert file.questions[0].answers == ("2125",)


def test_a_csv_answer_in_the_singular_keeps_its_semicolon(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.csv", 'question,answer\nWhat?,"a; b"\n'))
    assert file.layout == "generic"
    assert file.questions[0].answers == ("a; b",)


def test_csv_answers_in_the_plural_are_a_list(tmp_path: Path):
    rows = 'question,answers\nWhat?,"a; b;"\nWho?,"[""c;d"", ""e""]"\n'
    file = load_questions(write(tmp_path, "q.csv", rows))
    assert [question.answers for question in file.questions] == [("a", "b"), ("c;d", "e")]


@pytest.mark.parametrize("name", ["question", "Prompt", "TEXT", " query "])
def test_column_names_are_matched_without_case(tmp_path: Path, name: str):
    file = load_questions(write(tmp_path, "q.jsonl", json.dumps({name: "Why?"})))
    assert file.questions[0].text == "Why?"


def test_named_columns_replace_the_usual_ones(tmp_path: Path):
    rows = "question,frage,nr,thema,gut,falsch\nno,Warum?,7,x,a;b,c\n"
    columns = Columns(question="Frage", id="nr", category="thema", answers="gut", incorrect_answers="falsch")
    question = load_questions(write(tmp_path, "q.csv", rows), columns=columns).questions[0]
    assert (question.text, question.id, question.category) == ("Warum?", "7", "x")
    assert (question.answers, question.incorrect_answers) == (("a", "b"), ("c",))
    assert question.extra == {"question": "no"}


def test_a_named_column_that_is_missing_names_the_nearest(tmp_path: Path):
    path = write(tmp_path, "q.csv", "Question,Answer\nWhy?,x\n")
    with pytest.raises(QuestionFileError, match="has no column `qestion`") as caught:
        load_questions(path, columns=Columns(question="qestion"))
    assert caught.value.hint == "did you mean `Question`? its columns: `Question`, `Answer`"


def test_a_file_without_question_column_lists_its_columns(tmp_path: Path):
    path = write(tmp_path, "q.jsonl", '{"frage": "Warum?", "antwort": "x"}')
    with pytest.raises(QuestionFileError, match="no question column: its columns are `frage`, `antwort`") as caught:
        load_questions(path)
    assert caught.value.hint is not None
    assert "--question-column" in caught.value.hint


@pytest.mark.parametrize("record", ['{"id": 1}', '{"question": "  "}', '{"question": null}', '{"Prompt": "x"}'])
def test_a_record_without_text_is_named_by_line(tmp_path: Path, record: str):
    path = write(tmp_path, "q.jsonl", '{"question": "Why?"}\n\n' + record)
    with pytest.raises(QuestionFileError, match="line 3 has no question"):
        load_questions(path)


def test_a_json_item_is_named_by_the_line_where_it_begins(tmp_path: Path):
    text = '{\n "version": 1,\n "data": [\n  {"question": "Why?"},\n  {\n   "question": ""\n  }\n ]\n}\n'
    with pytest.raises(QuestionFileError, match="line 5 has no question"):
        load_questions(write(tmp_path, "q.json", text))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"question": 5}', "`question` is a number, not a text"),
        ('{"question": [{"role": "user"}]}', "`question` is a list"),
        ('{"question": "x", "id": [1]}', "`id` is a list"),
        ('{"question": "x", "id": true}', "`id` is true or false"),
        ('{"question": "x", "answers": {"texxt": ["a"]}}', "`answers` holds an object"),
        ('{"question": "x", "answers": [{"a": ["b"]}]}', "`answers` holds an object"),
        ('{"question": "x", "answers": "a", "passages": {}}', "`passages` holds an object"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_by_line(tmp_path: Path, record: str, message: str):
    with pytest.raises(QuestionFileError, match="line 1: ") as caught:
        load_questions(write(tmp_path, "q.jsonl", record))
    assert message in caught.value.message


def test_error_lines_hold_no_control_characters_of_the_file(tmp_path: Path):
    path = write(tmp_path, "q.jsonl", json.dumps({"\x1b[31mred\n": "x"}))
    with pytest.raises(QuestionFileError) as caught:
        load_questions(path)
    assert caught.value.message.isprintable()
