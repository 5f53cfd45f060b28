import io
import json
import time
from pathlib import Path

import pytest

from homogaudit.errors import QuestionFileError
from homogaudit.questions import Columns, QuestionFile, load_questions


def load(folder: Path, name: str, text: str | bytes, **arguments: object) -> QuestionFile:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_questions(path, **arguments)  # type: ignore[arg-type]


def texts(file: QuestionFile) -> list[str]:
    return [question.text for question in file.questions]


BOTH = ["Why?", "How?"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"question": "Why?"}\n\n{"question": "How?"}'),
        ("q.ndjson", '{"question": "Why?"}\n{"question": "How?"}\n'),
        ("Q.JSONL", '{"question": "Why?"}\n{"question": "How?"}\n'),
        ("q.json", '[{"question": "Why?"}, {"question": "How?"}]'),
        ("q.json", '{"name": "x", "tags": ["a"], "data": [{"question": "Why?"}, {"question": "How?"}]}'),
        ("q.json", '{"question": "Why?"}\n{"question": "How?"}\n'),
        ("q.csv", "question\nWhy?\nHow?\n"),
        ("q.csv", 'Question, Answer\nWhy?, "x, y"\n\n,,\nHow?\n'),
        ("q.csv", "question;answer\nWhy?;x\nHow?;y\n"),
        ("q.tsv", "question\tanswer\nWhy?\tx\nHow?\ty\n"),
        ("q.txt", "\n  Why?  \n\nHow?"),
        ("q", "Why?\nHow?\n"),
        ("q.data", '[\n{"question": "Why?"}, {"question": "How?"}]'),
        ("q.data", '{"question": "Why?"}\n{"question": "How?"}'),
        ("q.data", '{"data": [{"question": "Why?"},\n {"question": "How?"}]}'),
        ("q.data", "id,question\n1,Why?\n2,How?\n"),
        ("q.data", "id\tquestion\n1\tWhy?\n2\tHow?\n"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_format_is_read_with_any_line_ends_and_a_byte_order_mark(
    tmp_path: Path, name: str, text: str, ends: str, mark: bytes
):
    assert texts(load(tmp_path, name, mark + text.replace("\n", ends).encode())) == BOTH


def test_one_object_on_one_line_is_json_lines():
    file = load_questions("-", stdin=io.BytesIO(b'{"question": "Why?", "answers": ["x"]}'))
    assert file.questions[0].answers == ("x",)


def test_the_question_column_named_by_flag_decides_for_a_table():
    data = b"frage,antwort\nWarum?,x\n"
    assert load_questions("-", stdin=io.BytesIO(data)).layout == "text"
    assert texts(load_questions("-", stdin=io.BytesIO(data), columns=Columns(question="frage"))) == ["Warum?"]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(tmp_path: Path):
    file = load(tmp_path, "q.csv", 'question,answer\r\n"Is ""a,b""\r\nok?",yes\r\nWhy?,x\r\n')
    assert texts(file) == ['Is "a,b"\nok?', "Why?"]


def test_unusual_line_separators_do_not_split_a_record(tmp_path: Path):
    assert texts(load(tmp_path, "q.jsonl", '{"question": "a\u2028b\x85c?"}')) == ["a\u2028b\x85c?"]


def test_a_cell_longer_than_the_csv_modules_limit_is_read(tmp_path: Path):
    long = "x" * 300_000
    assert texts(load(tmp_path, "q.csv", f"question\n{long}\n")) == [long]


def test_a_tsv_whose_cells_merely_begin_with_a_quote_is_read(tmp_path: Path):
    file = load(tmp_path, "q.tsv", 'question\tanswer\n"Imagine" is by whom?\tLennon\n5" is how long?\t12.7 cm\n')
    assert texts(file) == ['"Imagine" is by whom?', '5" is how long?']


# Bad input, by line


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("q.jsonl", b"", "`q.jsonl` is empty"),
        ("q.txt", b" \n \n", "`q.txt` is empty"),
        ("q.json", b"[]", "holds no questions"),
        ("q.csv", b"question,answer\n", "holds no questions"),
        ("q.jsonl", b'{"question": "a"}\n{"question": "b"', "line 2 is not valid JSON: expecting ',' delimiter"),
        ("q.jsonl", b'{"question": "a"}\n[1]', "line 2 is a list, not an object"),
        ("q.jsonl", b'{"question": "a"}\n"b"', "line 2 is a text, not an object"),
        ("q.jsonl", b'{"question": "a", "x": NaN}', "line 1 is not valid JSON: `NaN` is not a JSON number"),
        ("q.jsonl", b'{"question": "a", "x": 1e999}', "line 1 holds a number that is not finite"),
        ("q.jsonl", b'{"question": "a", "x": ' + b"9" * 5000 + b"}", "line 1 is not valid JSON: a number too long"),
        ("q.jsonl", b'{"question": "\\ud83d?"}', "line 1 holds half of a surrogate pair"),
        ("q.jsonl", b'{"question": "a\\u0000b"}', "line 1 holds a NUL character"),
        ("q.jsonl", b'{"question": "a", "x": ' + b"[" * 100 + b"]" * 100 + b"}", "line 1 is nested too deeply"),
        ("q.jsonl", b'{"question": ' + b"[" * 200_000, "line 1 is not valid JSON: nested too deeply"),
        ("q.json", b"[" * 200_000, "is not valid JSON: nested too deeply"),
        ("q.json", b'[\n{"question": "a"},\n]', "line 3 is not valid JSON: "),
        ("q.json", b'[\n{"question": "a"}\n{"question": "b"}]', "line 3 is not valid JSON: expecting ',' delimiter"),
        ("q.json", b'[{"question": "a"}]\n[]', "line 2 is not valid JSON: extra data"),
        ("q.json", b'{\n"data": [{"question": "a"}]', "is not valid JSON: expecting ',' delimiter"),
        ("q.json", b'{\n"data" [1]}', "line 2 is not valid JSON: expecting ':' delimiter"),
        ("q.json", b'[{"question": "a"},\n "b"]', "line 2 is a text, not an object"),
        ("q.json", b'{"a": [1, 2], "b": 3}', "is an object that holds no list of objects"),
        ("q.json", b'{"a": [{"question": "x"}], "b": [{"question": "y"}]}', "several lists of objects: `a`, `b`"),
        ("q.json", b"42", "neither a JSON list nor an object"),
        ("q.csv", b"question\nok?\ncaf\xe9?\n", "line 3 is not UTF-8 (byte `0xe9`)"),
        ("q.csv", b"\xef\xbb\xbfquestion\ncaf\xe9?\n", "line 2 is not UTF-8"),
        ("q.txt", b"ok?\na\0b?\n", "line 2 holds a NUL byte"),
        ("q.txt", b"GGUF\3\0\0\0", "is not a question file"),
        ("q.csv", b"What is this?,yes\nAnd that?,no\n", "has no header: its first line is `What is this?,yes`"),
        ("q.csv", b"frage,antwort\nWarum?,x\n", "has no question column: its columns are `frage`, `antwort`"),
        ("q.csv", b"question,answer\na?,b,c\n", "line 2 has 3 cells, the header 2"),
        ("q.csv", b"question,Question\na?,b\n", "has two columns `question`"),
        ("q.csv", b'question,answer\n"a\nb?",x\n\n"open,y\nz,w\n', "line 5 is not valid CSV: unexpected end of data"),
        ("q.csv", b'question,answer\na?,x\n"b" c?,y\n', "line 3 is not valid CSV: ',' expected after"),
        ("q.csv", b'question,answer\n"a\n\nb?",x\n,\n', None),
        ("q.csv", b"question,answer\na?,x\n,y\n", "line 3 has no question"),
    ],
)
def test_bad_input_is_one_error_line(tmp_path: Path, name: str, data: bytes, message: str | None):
    if message is None:
        load(tmp_path, name, data)
        return
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, name, data)
    assert message in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_a_model_file_in_the_place_of_questions_gets_a_hint(tmp_path: Path):
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, "model.gguf", b"GGUF" + bytes(1000))
    assert caught.value.hint == "this is a model file; the order is MODEL QUESTIONS"


def test_columns_named_for_plain_text_are_refused(tmp_path: Path):
    with pytest.raises(QuestionFileError, match="is plain text and has no columns"):
        load(tmp_path, "q.txt", "Why?", columns=Columns(question="x"))


def test_nesting_up_to_the_limit_is_kept(tmp_path: Path):
    deep: object = "x"
    for _ in range(50):
        deep = [deep]
    file = load(tmp_path, "q.jsonl", json.dumps({"question": "Why?", "deep": deep}))
    assert file.questions[0].extra == {"deep": deep}


# Files that their name does not tell


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("q.jsonl.txt", '{"question": "Why?"}\n{"question": "How?"}\n', "JSON Lines"),
        ("q.txt", '[{"question": "Why?"}, {"question": "How?"}]', "JSON"),
        ("q.txt", '"Why?"\n"How?"\n', "JSON Lines"),
        ("q.txt", "question,answer\nWhy?,a\nHow?,b\n", "a table"),
        ("q.dat", "- question: Why?\n- question: How?\n", "YAML"),
        ("q.dat", "# a note\n---\nquestions:\n  - question: Why?\n  - question: How?\n", "YAML"),
        ("q", '{"question": "Why?"}\n{"question": "How?"}\n', "JSON Lines"),
    ],
)
def test_a_file_that_holds_records_is_not_asked_line_by_line(tmp_path: Path, name: str, text: str, kind: str):
    file = load(tmp_path, name, text)
    assert texts(file) == BOTH
    assert file.warnings[0] == f"`{name}` is read as {kind}"


@pytest.mark.parametrize(
    "text", ["Why?\nHow?", "[sic] Why?\n{x} How?", "Question, please: why?\nHow?", "- Why?\n- How?"]
)
def test_a_text_file_of_questions_is_asked_line_by_line(tmp_path: Path, text: str):
    assert texts(load(tmp_path, "q.txt", text)) == text.split("\n")


def test_yaml_has_lines_truth_values_and_no_aliases(tmp_path: Path):
    file = load(tmp_path, "q.yaml", "- question: Is it?\n  answer: true\n- question: Since?\n  answer: 2001-01-02\n")
    assert [question.answers for question in file.questions] == [("yes",), ("2001-01-02",)]
    with pytest.raises(QuestionFileError, match="line 2 holds an alias"):
        load(tmp_path, "q.yaml", "- question: &a Why?\n- question: *a\n")
    with pytest.raises(QuestionFileError, match="line 2 is not valid YAML"):
        load(tmp_path, "q.yml", "- question: Why?\n- question: 'How' so\n")


def test_excels_line_of_the_delimiter_is_no_row(tmp_path: Path):
    file = load(tmp_path, "q.csv", "sep=;\nquestion;answer\nWhere, now?;here\n")
    assert [(question.text, question.answers) for question in file.questions] == [("Where, now?", ("here",))]
    assert file.warnings == ("the first line of `q.csv` names the delimiter (`;`) and is not a row",)


def test_a_notice_above_the_header_is_left_out_and_said(tmp_path: Path):
    file = load(
        tmp_path, "q.csv", '"Do not train on this, please",,\n,,\nid,question,answer_0,answer_1\n1,Who?,Ann,A.\n'
    )
    assert file.questions[0].answers == ("Ann", "A.")
    assert file.warnings == ("1 row before the header of `q.csv` left out",)


def test_utf_16_with_its_mark_is_read(tmp_path: Path):
    assert texts(load(tmp_path, "q.csv", "question\tanswer\nWarum?\tä\n".encode("utf-16"))) == ["Warum?"]


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html></html>", "download the file itself"),
    ],
)
def test_what_stands_in_for_a_file_is_recognised(tmp_path: Path, data: bytes, hint: str):
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, "q.jsonl", data)
    assert caught.value.hint is not None and hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '[{"question": "Who?"}, {"question": "Why?"}]'),
        ("q.jsonl", '[\n  {"question": "Who?"},\n  {"question": "Why?"}\n]\n'),
        ("q.jsonl", '{\n  "data": [{"question": "Who?"}, {"question": "Why?"}]\n}\n'),
    ],
)
def test_one_json_document_under_the_name_of_json_lines_is_read_and_said(tmp_path: Path, name: str, text: str):
    file = load(tmp_path, name, text)
    assert texts(file) == ["Who?", "Why?"]
    assert file.warnings == ("`q.jsonl` is read as JSON",)


def test_a_first_line_about_the_file_is_left_out_and_said(tmp_path: Path):
    file = load(tmp_path, "q.jsonl", '{"name": "Quiz", "count": 2}\n{"question": "Who?"}\n{"question": "Why?"}\n')
    assert texts(file) == ["Who?", "Why?"]
    assert file.warnings == ("line 1 of `q.jsonl` has no question, unlike the others, and is left out",)


def test_a_first_record_that_only_lacks_its_question_is_refused(tmp_path: Path):
    with pytest.raises(QuestionFileError, match="line 1 has no question"):
        load(tmp_path, "q.jsonl", '{"answer": "Ann"}\n{"question": "Who?", "answer": "Ann"}\n')


@pytest.mark.parametrize("name", ["q.jsonl.gz", "q.zst", "q.parquet", "q.xlsx", "q.arrow"])
def test_plain_text_under_the_name_of_another_kind_is_refused_with_the_way_on(tmp_path: Path, name: str):
    with pytest.raises(QuestionFileError, match="but holds plain text") as caught:
        load(tmp_path, name, '{"question": "Who?"}\n')
    assert "name it after what it holds" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Q: Who flew?\nA: Ann\n", "1 of 2 lines begin with `A:` like answers, the first at line 2"),
        ("Who flew?\tAnn\nWho ran?\tBob\n", "2 of 2 lines hold a tab like a table without a header"),
        ("# Flights\nWho flew?\n", "1 of 2 lines begin like a comment or a heading"),
        ("1. Who flew?\n2. Who ran?\n", "2 of 2 lines begin with a number or a bullet"),
        ("| question |\n|---|\n| Who? |\n", "3 of 3 lines are enclosed in bars"),
    ],
)
def test_lines_of_a_plain_text_that_may_be_no_questions_are_counted(tmp_path: Path, text: str, said: str):
    assert any(warning.startswith(said) for warning in load(tmp_path, "q.txt", text).warnings)


def test_an_unknown_name_read_as_plain_text_is_said(tmp_path: Path):
    assert load(tmp_path, "q.py", "Who flew?\n").warnings == ("`q.py` is read as plain text: each line is a question",)
    assert load(tmp_path, "q.txt", "Who flew?\n").warnings == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'<?xml version="1.0"?><q>Who?</q>', "XML"),
        (b"{\\rtf1 Who?}", "rich text"),
        ("question\nWho?\n".encode("utf-16-le"), "it looks like UTF-16"),
    ],
)
def test_text_of_another_kind_gets_its_hint(tmp_path: Path, data: bytes, said: str):
    with pytest.raises(QuestionFileError) as caught:
        load(tmp_path, "q.txt", data)
    assert said in caught.value.hint


@pytest.mark.parametrize("name", ["c{}", "response_{}"])
def test_a_table_of_60_000_columns_is_read_in_linear_time(tmp_path: Path, name: str):
    path = tmp_path / "wide.csv"
    names = [name.format(number) for number in range(60_000)]
    path.write_text(",".join(["question", *names]) + "\n" + "Q?" + ",x" * len(names) + "\n")
    begun = time.process_time()
    (question,) = load_questions(path).questions
    assert question.text == "Q?"
    # A second where the work grows with the columns, minutes where it grows with their square.
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("cell", ['"Q' + "\n" * 10_000_000 + '?"', '"' + "Q" * 10_000_000 + '?"'])
def test_a_cell_of_10_mb_is_read_in_linear_time(tmp_path: Path, cell: str):
    path = tmp_path / "long.csv"
    path.write_text(f"question,answer\n{cell},A\n")
    begun = time.process_time()
    assert len(load_questions(path).questions) == 1
    assert time.process_time() - begun < 20
