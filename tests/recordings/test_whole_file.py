"""What only the whole of a file shows."""

import pytest

from homogaudit.questions.loaders import load_questions

from .conftest import Read, Refused, samples, texts


def test_questions_have_the_ids_of_a_run_of_the_same_file(read: Read, tmp_path):
    lines = [
        {"question": "Who left?", "context": "Ann left.", "samples": ["Ann"]},
        {"question": "Who came?", "context": "Cy came.", "samples": ["Cy"]},
        {"question": "Who left?", "context": "Bob left.", "samples": ["Bob"]},
        {"id": "own", "question": "Who left?", "context": "Di left.", "samples": ["Di"]},
    ]
    recording = read("a.jsonl", lines)
    asked = load_questions(recording.file.path)
    assert [x.question.id for x in recording.file.records] == [question.id for question in asked.questions]
    assert len({question.id for question in asked.questions}) == 4


def test_a_prompt_that_every_answer_repeats_is_left_out(read: Read):
    lines = [
        {"question": "Which river?", "samples": ["Which river? Nile", {"text": "\nWhich river?\nCongo"}, ""]},
        {"question": "Which sea?", "greedy": "Which sea? Red", "samples": ["Which sea?Black", "Which sea? Red", "x"]},
    ]
    kept = read("a.jsonl", lines)
    assert samples(kept)[1] == ["Which sea?Black", "Which sea? Red", "x"]
    lines[1]["samples"] = ["Which sea?Black", "Which sea? Red", "Which sea?"]
    recording = read("b.jsonl", lines)
    assert samples(recording) == [["Nile", "Congo", ""], ["Black", "Red", ""]]
    assert recording.file.records[1].greedy is not None
    assert recording.file.records[1].greedy.answer == "Red"
    assert "every answer begins with its question, which is left out of it" in recording.warnings


def test_a_repeated_prompt_whose_tokens_are_recorded_stays_and_is_said(read: Read):
    draws = [{"text": f"Which sea? {name}", "token_logprobs": [-0.1, -0.2]} for name in ("Red", "Black")]
    recording = read("a.jsonl", [{"question": "Which sea?", "samples": draws}])
    assert samples(recording) == [["Which sea? Red", "Which sea? Black"]]
    assert any("which is kept" in warning for warning in recording.warnings)


def test_case_and_spaces_do_not_tell_the_rows_of_a_question_apart(read: Read):
    recording = read("a.csv", "question,response\nWhich river?,Nile\nwhich  river? ,Congo\nWhich sea?,Red\n")
    assert (texts(recording), samples(recording)) == (["Which river?", "Which sea?"], [["Nile", "Congo"], ["Red"]])
    assert "1 of 2 questions has fewer than 2 samples and enters nothing" in recording.warnings


@pytest.mark.parametrize(
    ("spelled", "label"),
    [
        ("\u2713", "correct"),
        ("\u2717", "incorrect"),
        ("P", "ambiguous"),
        (0.5, "ambiguous"),
        ("", None),
        ("T", "correct"),
    ],
)
def test_labels_are_read_in_many_spellings(read: Read, spelled: object, label: str | None):
    record = read("a.jsonl", [{"question": "Which sea?", "samples": ["Red"], "label": spelled}]).file.records[0]
    assert (record.label and record.label.value) == label


def test_a_verdict_that_spells_no_label_is_said(read: Read):
    recording = read("a.jsonl", [{"question": "Which sea?", "samples": ["Red"], "is_correct": 0.3}])
    assert "`is_correct` is not used: `0.3` is not a label" in recording.warnings


def test_a_file_whose_answers_are_all_empty_is_refused(read: Read, refused: Refused):
    rows: list[dict[str, object]] = [
        {"question": "Which sea?", "samples": ["", " "], "greedy": ""},
        {"question": "Which river?", "samples": []},
    ]
    told = refused("a.jsonl", rows).message
    assert "holds no answers: all 3 that it lists are empty" in told
    rows[1]["samples"] = ["Nile"]
    assert samples(read("b.jsonl", rows))[1] == ["Nile"]
    # A run in which nothing was said comes back from its export.
    header = {"format": "homogaudit.recorded", "version": 1}
    assert samples(read("c.jsonl", [header, {"question": "Which sea?", "samples": ["", ""]}])) == [["", ""]]
