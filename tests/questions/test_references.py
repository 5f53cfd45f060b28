import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.errors import QuestionFileError
from homogaudit.questions import read_references
from homogaudit.questions.literals import NOT_A_LITERAL, read_literal
from homogaudit.questions.references import last_boxed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann", ("Ann",)),
        (["Ann", " Ann ", "", "Bo"], ("Ann", "Bo")),
        ("['Ann Lee', 'Ann']", ("Ann Lee", "Ann")),
        ('["Ann", "Bo"]', ("Ann", "Bo")),
        ("['Ann Lee' 'Bo']", ("Ann Lee", "Bo")),
        ("['Ann'\n 'Bo']", ("Ann", "Bo")),
        ("array(['Ann', 'Bo'], dtype=object)", ("Ann", "Bo")),
        ("['O\\'Neill' \"It's\"]", ("O'Neill", "It's")),
        ("{'text': array(['Ann Lee'], dtype=object), 'answer_start': array([3], dtype=int32)}", ("Ann Lee",)),
        (["['Ann', 'Bo']"], ("Ann", "Bo")),
        ({"value": "Ann", "aliases": ["A.", "Ann"], "normalized_value": "ann"}, ("Ann", "A.")),
        ({"Value": "Ann", "Aliases": ["A."]}, ("Ann", "A.")),
        ({"text": ["Ann"], "answer_start": [0]}, ("Ann",)),
        ({"text": [], "answer_start": []}, ()),
        ([{"text": "Ann", "answer_start": 0}, {"text": "Bo"}], ("Ann", "Bo")),
        ({"spans": ["Ann", "Bo"], "types": ["span", "span"]}, ("Ann", "Bo")),
        ({"number": "3", "date": {}, "spans": []}, ("3",)),
        ({"number": "", "date": {"day": "", "month": "May", "year": "1990"}, "spans": []}, ("May 1990",)),
        ('(list (description "Ann Lee") (description Bo))', ("Ann Lee", "Bo")),
        ([["Ann"], ["Bo"]], ("Ann", "Bo")),
        (True, ("yes",)),
        (False, ("no",)),
        (18, ("18",)),
        (None, ()),
        ("[]", ()),
    ],
)
def test_references_of_every_form_are_texts(value: object, expected: tuple[str, ...]) -> None:
    assert read_references(value) == expected


@pytest.mark.parametrize("text", ["[2, 5]", "[2,5)", "(B)", "[sic] Ann", "{x | x > 2}", "['Ann', x]", "true"])
def test_a_text_that_only_looks_like_a_list_stays_a_text(text: str) -> None:
    assert read_references(text) == (text,)


def test_a_list_of_numbers_in_a_cell_is_a_list() -> None:
    assert read_references("[2, 5]", in_cell=True) == ("2", "5")


def test_a_list_with_some_left_out_is_refused() -> None:
    with pytest.raises(QuestionFileError, match=r"q.csv line 2 is a list with `...` in it"):
        read_references("['Ann' ... 'Bo']", where="q.csv line 2")


def test_an_object_without_a_known_text_is_refused() -> None:
    with pytest.raises(QuestionFileError, match="holds an object, not a text"):
        read_references({"colour": {"red": 1}})


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), max_size=4))
def test_what_python_prints_of_a_list_is_read_as_that_list(texts: list[str]) -> None:
    assert read_literal(repr(texts)) == texts


@pytest.mark.parametrize("text", ["[" * 5000, "[" + " " * 200_000 + "x", "['" + "\\" * 100_001, "array( " * 20_000])
def test_texts_made_to_stall_the_reader_are_told_at_once(text: str) -> None:
    began = time.process_time()
    assert read_literal(text) is NOT_A_LITERAL
    # Anything but a linear walk takes minutes on these.
    assert time.process_time() - began < 5


def test_the_last_boxed_answer_keeps_its_braces() -> None:
    assert last_boxed(r"First \boxed{1}, then \boxed{\frac{1}{2}}.") == r"\frac{1}{2}"
    assert last_boxed(r"\boxed{1") is None
