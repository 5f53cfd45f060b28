import hashlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.questions import Asking, QuestionFile, load_questions


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def texts(file: QuestionFile) -> list[str]:
    return [question.text for question in file.questions]


# Order of operations


def categories_file(folder: Path) -> Path:
    records = [{"question": f"Question {n}?", "id": n, "category": "even" if n % 2 == 0 else "odd"} for n in range(20)]
    return write(folder, "q.jsonl", "\n".join(map(json.dumps, records)))


def test_categories_are_chosen_before_the_limit(tmp_path: Path):
    file = load_questions(categories_file(tmp_path), categories=["ODD"], limit=3)
    assert texts(file) == ["Question 1?", "Question 3?", "Question 5?"]


def test_the_limit_comes_after_the_shuffle(tmp_path: Path):
    path = categories_file(tmp_path)
    whole = texts(load_questions(path, shuffle=7))
    assert texts(load_questions(path, shuffle=7, limit=5)) == whole[:5]
    assert sorted(whole) == sorted(f"Question {n}?" for n in range(20))
    assert whole != [f"Question {n}?" for n in range(20)]


def test_another_seed_gives_another_order(tmp_path: Path):
    path = categories_file(tmp_path)
    assert texts(load_questions(path, shuffle=1)) != texts(load_questions(path, shuffle=2))


def test_only_the_first_questions_of_a_file_are_no_sample_of_it_and_said(tmp_path: Path):
    path = categories_file(tmp_path)
    assert load_questions(path, limit=5).cut == "the first 5 of 20 questions of the file are asked"
    assert load_questions(path, limit=5, categories=["odd"]).cut == "the first 5 of 10 questions of the file are asked"
    assert load_questions(path, limit=5, shuffle=1).cut == load_questions(path).cut == ""


def test_a_limit_beyond_the_file_takes_the_whole_file(tmp_path: Path):
    assert len(load_questions(categories_file(tmp_path), limit=1000).questions) == 20


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(tmp_path: Path, limit: int):
    with pytest.raises(UsageError, match="leaves no questions"):
        load_questions(categories_file(tmp_path), limit=limit)


def test_an_unknown_category_names_the_nearest_and_all_present(tmp_path: Path):
    with pytest.raises(QuestionFileError, match="no questions of category `evne`") as caught:
        load_questions(categories_file(tmp_path), categories=["odd", "evne"])
    assert caught.value.hint == "did you mean `even`? its categories: `even`, `odd`"


def test_a_category_of_a_file_without_categories_is_refused(tmp_path: Path):
    with pytest.raises(QuestionFileError) as caught:
        load_questions(write(tmp_path, "q.txt", "Why?"), categories=["x"])
    assert caught.value.hint == "the file has no categories at all"


# Ids and duplicates


def test_a_missing_id_is_a_hash_of_the_collapsed_text(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.txt", "  Where  is the\tcafe\u0301? \n"))
    expected = hashlib.sha256("Where is the caf\u00e9?".encode()).hexdigest()[:12]
    assert file.questions[0].id == f"q-{expected}"


def test_given_ids_are_kept_as_text(tmp_path: Path):
    lines = '{"question": "A?", "id": 7}\n{"question": "B?", "_id": "x "}\n{"question": "C?", "id": null}'
    ids = [question.id for question in load_questions(write(tmp_path, "q.jsonl", lines)).questions]
    assert ids[0] == "7"
    assert ids[2].startswith("q-")


def test_a_repeated_text_is_left_out_and_reported(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.txt", "Why?\n\nHow?\nWhy?\n How? \n"))
    assert texts(file) == ["Why?", "How?"]
    assert [(item.first_line, item.line) for item in file.duplicates] == [(1, 4), (3, 5)]
    assert file.warnings == ("2 duplicate questions left out, the first at line 4 (first asked at line 1)",)


def test_a_repeated_text_under_another_id_is_a_duplicate(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.csv", "id,question\na,Why?\nb,Why?\n"))
    assert [question.id for question in file.questions] == ["a"]
    assert [(item.id, item.first_line, item.line) for item in file.duplicates] == [("b", 2, 3)]


def test_a_repeated_id_with_another_text_is_an_error_that_names_both_lines(tmp_path: Path):
    path = write(tmp_path, "q.csv", "id,question\na,Why?\nb,When?\na,How?\n")
    with pytest.raises(QuestionFileError, match="lines 2 and 4 have the id `a`"):
        load_questions(path)


# Sources


def test_a_dash_reads_standard_input():
    file = load_questions("-", stdin=io.BytesIO(b"Why?\nHow?\n"))
    assert (file.name, file.layout, texts(file)) == ("stdin", "text", ["Why?", "How?"])


def test_a_missing_file_names_the_nearest_one(tmp_path: Path):
    write(tmp_path, "questions.jsonl", "{}")
    with pytest.raises(QuestionFileError, match="no question file") as caught:
        load_questions(tmp_path / "question.jsonl")
    assert caught.value.hint == "did you mean `questions.jsonl`? check the path"


def test_a_directory_is_refused(tmp_path: Path):
    with pytest.raises(QuestionFileError, match="is a folder"):
        load_questions(tmp_path)


def test_a_path_that_cannot_be_a_path_is_refused():
    with pytest.raises(QuestionFileError, match="cannot read"):
        load_questions("a\0b.jsonl")


# Warnings


def test_questions_in_a_script_without_spaces_are_warned_of(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.txt", "天空为什么是蓝色的\nWhy is the sky blue?\n"))
    assert file.warnings[0].startswith("1 of 2 questions are in a script without spaces")


def test_some_questions_without_answers_are_warned_of(tmp_path: Path):
    file = load_questions(write(tmp_path, "q.csv", "question,answers\nA?,1\nB?,\n"))
    assert file.warnings == ("no reference answer for 1 of 2 questions: they get no label",)


def test_recorded_answers_in_a_question_file_are_not_kept(tmp_path: Path):
    header = '{"format": "homogaudit.recorded", "version": 1}'
    line = '{"question": "A?", "samples": [{"text": "x"}], "label": "correct", "signals": {"density": 1}, "note": 1}'
    file = load_questions(write(tmp_path, "r.jsonl", f"{header}\n{line}\n"))
    assert file.questions[0].extra == {"note": 1}
    assert "homogaudit import" in file.warnings[0]


# Invariants


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt", "a"]))
def test_any_bytes_give_questions_or_one_error_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        file = load_questions(path)
    except QuestionFileError as error:
        assert "\n" not in error.message
        assert error.message.isprintable()
    else:
        assert all(question.text.strip() for question in file.questions)
        assert len({question.id for question in file.questions}) == len(file.questions) > 0


question_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    lambda text: bool(text.strip())
)


@settings(max_examples=60)
@given(st.lists(question_texts, min_size=1, max_size=6))
def test_json_lines_and_json_give_the_same_questions(values: list[str]):
    lines = "\n".join(json.dumps({"question": value}) for value in values)
    listed = json.dumps([{"question": value} for value in values], indent=1, ensure_ascii=False)
    of_lines = load_questions("-", stdin=io.BytesIO(lines.encode()))
    of_list = load_questions("-", stdin=io.BytesIO(listed.encode()))
    assert of_lines.questions == of_list.questions


@settings(max_examples=60)
@given(st.integers(), st.permutations(range(8)))
def test_the_shuffled_order_does_not_depend_on_the_order_of_the_file(seed: int, order: list[int]):
    straight = "\n".join(f"Question {n}?" for n in range(8)).encode()
    permuted = "\n".join(f"Question {n}?" for n in order).encode()
    first = load_questions("-", stdin=io.BytesIO(straight), shuffle=seed)
    assert first.questions == load_questions("-", stdin=io.BytesIO(permuted), shuffle=seed).questions


def lines_of(folder: Path, *records: dict[str, object]) -> QuestionFile:
    path = folder / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return load_questions(path)


@pytest.mark.parametrize(
    "name", ["ground_truth", "ground_truths", "expected_answer", "reference_answer", "gold_answer"]
)
def test_an_answer_beside_a_named_truth_is_what_a_model_said(tmp_path: Path, name: str):
    file = lines_of(tmp_path, {"question": "Who?", "answer": "Bob", name: "Ann", "contexts": ["Ann did."]})
    assert file.questions[0].answers == ("Ann",)
    assert any(warning.startswith("`answer` looks like answers and is not used") for warning in file.warnings)


def test_the_users_input_is_the_question_and_what_was_retrieved_its_passages(tmp_path: Path):
    (question,) = lines_of(
        tmp_path, {"user_input": "Who?", "reference": "Ann", "retrieved_contexts": ["a", "b"]}
    ).questions
    assert (question.text, question.answers, question.passages, question.context) == (
        "Who?",
        ("Ann",),
        ("a", "b"),
        None,
    )


def test_preferences_and_truth_values_are_named_and_not_used(tmp_path: Path):
    file = lines_of(tmp_path, {"prompt": "Who?", "chosen": "Ann", "rejected": "Bob"})
    assert file.questions[0].answers == ()
    assert file.warnings[0].startswith(
        "`chosen`, `rejected` look like answers and are not used (`--answers-column NAME`"
    )


def test_records_of_two_layouts_in_one_file_both_keep_their_references(tmp_path: Path):
    file = lines_of(tmp_path, {"question": "Who?", "answer": "Ann"}, {"question": "Where?", "answers": ["Lima"]})
    assert [question.answers for question in file.questions] == [("Ann",), ("Lima",)]
    assert file.warnings == ()


def test_an_open_question_among_choices_keeps_its_answer(tmp_path: Path):
    file = lines_of(
        tmp_path,
        {"question": "Which?", "choices": ["x", "y"], "answer": 1},
        {"question": "Who?", "choices": [], "answer": "Ann"},
    )
    assert [question.answers for question in file.questions] == [("y",), ("Ann",)]


def test_duplicates_with_other_references_or_choices_are_counted(tmp_path: Path):
    file = lines_of(
        tmp_path,
        {"question": "Which?", "choices": ["x", "y"], "answer": 1},
        {"question": "Which?", "choices": ["p", "q"], "answer": 0},
        {"question": "Which?", "choices": ["y", "x"], "answer": 0},
    )
    assert file.warnings[-1] == (
        "1 of the duplicates has other choices or references, which are left out with them, the first at line 2: "
        "choices make questions of their own with `--with-choices`"
    )


def test_a_column_of_answers_without_any_is_said(tmp_path: Path):
    file = lines_of(tmp_path, {"question": "Who?", "answers": []}, {"question": "Where?", "answers": []})
    assert file.warnings == ("`answers` holds no reference answer for any question: none gets a label",)


def test_cells_that_say_they_are_missing_are_empty_and_counted(tmp_path: Path):
    path = tmp_path / "q.csv"
    path.write_text("question,answer,context\nWho?,nan,NaN\nHow many?,None,<NA>\n")
    file = load_questions(path)
    assert [(question.answers, question.context) for question in file.questions] == [((), None), (("None",), None)]
    assert file.warnings[0] == "3 cells are marked as missing (such as `NaN` and `NULL`), and read as empty"


def test_a_choice_may_be_called_null(tmp_path: Path):
    path = tmp_path / "q.csv"
    path.write_text("question,A,B,answer\nWhat is no value?,NULL,0,A\n")
    assert load_questions(path).questions[0].answers == ("NULL",)


def test_whole_numbers_that_a_program_wrote_with_a_point_are_whole(tmp_path: Path):
    file = lines_of(tmp_path, {"question": "How many?", "answer": 4.0}, {"question": "How tall?", "answer": 1.5})
    assert [question.answers for question in file.questions] == [("4",), ("1.5",)]


def test_more_choices_than_letters_are_not_asked_and_said(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"question": "Which?", "choices": [f"c{n}" for n in range(27)], "answer": 0}))
    file = load_questions(path, asking=Asking(choices=True))
    assert file.questions[0].choices == ()
    assert "1 of 1 questions have more choices than there are letters: they are asked without them" in file.warnings


def test_a_turn_of_tool_calls_alone_is_no_reference(tmp_path: Path):
    messages = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "tool_calls": [{"id": "1"}]}]
    (question,) = lines_of(tmp_path, {"messages": messages}).questions
    assert (question.text, question.answers) == ("Weather?", ())


def test_a_context_that_is_an_object_with_one_text_or_a_list_is_the_passage(tmp_path: Path):
    contexts = [{"text": "Ann did.", "source": "w"}, {"contexts": ["Ann", "did."], "labels": ["a", "b"]}]
    file = lines_of(tmp_path, *({"question": f"Who {n}?", "context": each} for n, each in enumerate(contexts)))
    assert [question.passages for question in file.questions] == [("Ann did.",), ("Ann", "did.")]
