import hashlib
from dataclasses import replace

import pytest

from homogaudit.records import Question, make_question_id, questions_digest

PLAIN = Question("a", "Why?", None, ("x",), ("y",))


def test_a_question_alone_is_asked_as_it_stands() -> None:
    assert PLAIN.asked == "Why?"


def test_the_context_stands_before_the_question_and_its_choices_below_it_with_letters() -> None:
    question = replace(PLAIN, context="Tom was late.", choices=("Tom", "Ann"))
    assert question.asked == "Tom was late.\n\nWhy?\nA. Tom\nB. Ann"


def test_questions_without_context_system_line_and_choices_have_the_digest_that_0_1_0_stored() -> None:
    # What 0.1.0 hashed, written out.
    expected = hashlib.sha256(b'[["a", "Why?", null, ["x"], ["y"]]]').hexdigest()
    assert questions_digest([PLAIN]) == expected


@pytest.mark.parametrize("changes", [{"context": "C."}, {"system": "S."}, {"choices": ("x", "y")}])
def test_what_is_asked_beside_the_text_is_in_the_digest(changes: dict[str, object]) -> None:
    assert questions_digest([replace(PLAIN, **changes)]) != questions_digest([PLAIN])  # type: ignore[arg-type]


def test_an_id_is_that_of_the_text_unless_a_context_is_to_tell_it_from_another() -> None:
    assert make_question_id("Why?") == "q-" + hashlib.sha256(b"Why?").hexdigest()[:12]
    assert len({make_question_id("Why?"), make_question_id("Why?", "C."), make_question_id("Why?", "D.")}) == 3
