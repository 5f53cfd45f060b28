import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.errors import QuestionFileError
from homogaudit.questions import Asking, Columns, QuestionFile, load_questions
from homogaudit.records import make_question_id


def load(folder: Path, *records: dict[str, Any], **arguments: Any) -> QuestionFile:
    path = folder / "q.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return load_questions(path, **arguments)


@pytest.mark.parametrize("column", ["context", "passage", "input", "article"])
def test_a_text_beside_a_question_is_asked_with_it_and_is_its_passage(tmp_path: Path, column: str) -> None:
    file = load(tmp_path, {"question": "Who was late?", column: "Tom was late."})
    (question,) = file.questions
    assert question.asked == "Tom was late.\n\nWho was late?"
    assert question.passages == ("Tom was late.",)
    assert question.id == make_question_id("Who was late?")
    assert f"`{column}` is asked with each question (`--context hide` leaves it out)" in file.warnings


def test_a_context_that_is_hidden_is_still_the_passage(tmp_path: Path) -> None:
    file = load(tmp_path, {"question": "Who?", "context": "Tom."}, asking=Asking(context=False))
    assert (file.questions[0].asked, file.questions[0].passages) == ("Who?", ("Tom.",))
    assert "`context` is not asked; it is the passage for `grounding`" in file.warnings


def test_equal_texts_with_other_contexts_are_no_duplicates(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        {"question": "Who?", "context": "Tom."},
        {"question": "Who?", "context": "Ann."},
        {"question": "Who?", "context": "Tom."},
        {"question": "Why?", "context": "Eve."},
    )
    assert [question.context for question in file.questions] == ["Tom.", "Ann.", "Eve."]
    assert [(item.first_line, item.line) for item in file.duplicates] == [(1, 3)]
    ids = [question.id for question in file.questions]
    assert len(set(ids)) == 3
    # Where one text stands once, its id is that of the text.
    assert ids[2] == make_question_id("Why?")


def test_the_input_of_an_instruction_stands_below_it(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        {"instruction": "Name a bird.", "input": "", "output": "A robin."},
        {"instruction": "Translate.", "input": "Good day", "output": "Bonjour"},
        {"instruction": "Translate.", "input": "Good night", "output": "Bonne nuit"},
    )
    assert [question.asked for question in file.questions] == [
        "Name a bird.",
        "Translate.\n\nGood day",
        "Translate.\n\nGood night",
    ]
    assert file.questions[1].answers == ("Bonjour",)


def test_lists_of_paragraphs_are_passages_that_nobody_is_asked(tmp_path: Path) -> None:
    paragraphs = [{"title": "T", "paragraph_text": "One."}, {"title": "U", "paragraph_text": "Two."}]
    file = load(tmp_path, {"question": "Who?", "answer": "Ann", "answer_aliases": ["A."], "paragraphs": paragraphs})
    (question,) = file.questions
    assert (question.asked, question.passages) == ("Who?", ("T: One.", "U: Two."))
    assert question.answers == ("Ann", "A.")
    assert any("`paragraphs` holds lists of texts: they are not asked" in warning for warning in file.warnings)


def test_passages_are_asked_where_they_are_asked_for(tmp_path: Path) -> None:
    records = ({"question": "Who?", "contexts": ["Tom was late.", "Ann was not."]}, {"question": "Why?"})
    file = load(tmp_path, *records, asking=Asking(passages=True))
    first, second = file.questions
    assert first.asked == "Tom was late.\nAnn was not.\n\nWho?"
    assert first.passages == ("Tom was late.", "Ann was not.")
    assert second.asked == "Why?"
    assert first.id == load(tmp_path, *records).questions[0].id
    assert any("they are asked, and are the passages" in x for x in file.warnings)


def test_a_text_that_looks_like_context_and_is_not_asked_is_named_with_its_flag(tmp_path: Path) -> None:
    record = {"question": "Who?", "knowledge": "Ann sings."}
    file = load(tmp_path, record)
    assert file.questions[0].asked == "Who?"
    line = "`knowledge` looks like context and is not used (`--context-column NAME` asks one with each question)"
    assert line in file.warnings
    named = load(tmp_path, record, columns=Columns(context="knowledge"))
    assert named.questions[0].asked == "Ann sings.\n\nWho?"


# Conversations


def messages(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


@pytest.mark.parametrize("column", ["messages", "prompt", "input"])
def test_of_a_conversation_the_first_user_turn_is_asked(tmp_path: Path, column: str) -> None:
    turns = messages(("system", "Be short."), ("user", "Who?"), ("assistant", "Ann"), ("user", "Why?"))
    file = load(tmp_path, {column: turns})
    (question,) = file.questions
    assert (question.text, question.system, question.answers) == ("Who?", "Be short.", ("Ann",))
    assert "1 further turn of the conversations left out" in file.warnings


def test_a_target_stands_before_the_reply_of_a_conversation(tmp_path: Path) -> None:
    (question,) = load(tmp_path, {"input": messages(("user", "Who?"), ("assistant", "Bo")), "target": "Ann"}).questions
    assert question.answers == ("Ann",)


def test_turns_are_what_the_user_says_and_the_first_reference_goes_with_the_first(tmp_path: Path) -> None:
    file = load(tmp_path, {"question_id": 3, "turns": ["Who?", "Why?"], "reference": ["Ann", "So"]})
    (question,) = file.questions
    assert (question.id, question.text, question.answers) == ("3", "Who?", ("Ann",))


def test_conversations_of_speakers_and_of_parts_are_read(tmp_path: Path) -> None:
    speakers = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Ann"}]
    parts = messages(("user", [{"type": "text", "text": "Why?"}]))
    file = load(tmp_path, {"conversations": speakers}, {"conversations": parts})
    assert [question.text for question in file.questions] == ["Who?", "Why?"]


def test_a_picture_in_the_turn_that_is_asked_is_refused(tmp_path: Path) -> None:
    parts = messages(("user", [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "u"}}]))
    with pytest.raises(QuestionFileError, match="holds `image_url` in a turn"):
        load(tmp_path, {"messages": parts})


def test_a_system_column_is_the_questions_own_system_line(tmp_path: Path) -> None:
    (question,) = load(tmp_path, {"system_prompt": "Be terse.", "question": "Who?", "response": "Ann"}).questions
    assert (question.system, question.answers) == ("Be terse.", ("Ann",))


def test_of_a_tree_of_messages_the_first_of_each_conversation_is_asked(tmp_path: Path) -> None:
    def message(number: str, parent: str | None, role: str, text: str, rank: int | None) -> dict[str, Any]:
        return {"message_id": number, "parent_id": parent, "role": role, "text": text, "rank": rank}

    file = load(
        tmp_path,
        message("1", None, "prompter", "Who?", None),
        message("2", "1", "assistant", "Bo", 1),
        message("3", "1", "assistant", "Ann", 0),
        message("4", "3", "prompter", "Why?", None),
    )
    assert [(question.text, question.answers) for question in file.questions] == [("Who?", ("Ann",))]
    assert file.warnings[0].startswith("4 messages hold 1 conversations")
