"""A question a record: lists of texts, numbered columns, one answer under a known name."""

import json

import pytest

from homogaudit.recordings.names import ANSWER_LISTS
from homogaudit.records import GenerationState

from .conftest import Read, Refused, greedy, labels, samples, texts

RIVER = {"question": "Which river runs through Cairo?", "answers": ["Nile"]}


@pytest.mark.parametrize("name", ["samples", "responses", "generations", "sampled_responses", "completions", "outputs"])
def test_answers_are_a_list_of_texts_under_any_known_name(read: Read, name: str):
    recording = read("a.jsonl", [{**RIVER, name: ["The Nile", "Nile", "Congo"]}])
    assert samples(recording) == [["The Nile", "Nile", "Congo"]]
    assert texts(recording) == [RIVER["question"]]
    assert recording.file.records[0].question.answers == ("Nile",)
    assert recording.summary == "read as one question per record: 1 question, 3 samples each, greedy none"
    assert any(name in warning for warning in recording.warnings) == (name != "samples")


def test_every_known_name_of_a_list_is_in_its_normal_form():
    assert all(name == name.casefold() and " " not in name for name in ANSWER_LISTS)


def test_answers_are_objects_with_a_text_under_its_usual_names(read: Read):
    drawn = [
        {"text": "Nile", "finish_reason": "MAX_TOKENS"},
        {"response": "The Nile", "finish_reason": "eos"},
        {
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Congo"}]},
            "finish_reason": "tool_calls",
        },
        None,
    ]
    recording = read("a.jsonl", [{**RIVER, "generations": drawn}])
    assert samples(recording) == [["Nile", "The Nile", "Congo", ""]]
    assert [x.finish_reason for x in recording.file.records[0].samples] == ["length", "stop", None, None]
    assert recording.file.records[0].samples[3].state is GenerationState.EMPTY
    assert "1 answer is null and counts as empty" in recording.warnings
    assert "1 finish reason is neither `stop` nor `length` and is left out" in recording.warnings


def test_token_arrays_under_short_names_are_those_of_the_format(read: Read):
    drawn = [{"text": "Nile", "logprobs": [-0.5, -0.25], "token_ids": [4, 5]}]
    (record,) = read("a.jsonl", [{**RIVER, "samples": drawn}]).file.records
    statistics = record.samples[0].statistics
    assert statistics.logprobs is not None and statistics.logprobs.tolist() == [-0.5, -0.25]
    assert record.samples[0].tokens == 2


def test_an_answer_without_a_text_is_refused_with_its_place(refused: Refused):
    error = refused("a.jsonl", [RIVER | {"samples": ["x"]}, {"question": "Q2?", "samples": [{"words": 3}]}])
    assert "line 2: `samples[0]`: no text in it: its keys are `words`" in error.message


@pytest.mark.parametrize("name", ["greedy", "response", "answer_greedy", "prediction", "most_likely_answer"])
def test_one_answer_beside_a_list_is_the_greedy_answer(read: Read, name: str):
    recording = read("a.jsonl", [{**RIVER, name: "The Nile.", "sampled_responses": ["Nile", "Congo"]}])
    assert greedy(recording) == ["The Nile."]
    assert samples(recording) == [["Nile", "Congo"]]


def test_a_column_an_answer_is_read_in_the_order_of_its_numbers(read: Read):
    head = "question,answer,response_1,response_10,response_2\n"
    recording = read("a.csv", head + "Which river?,Nile,one,ten,two\nWhich sea?,Red Sea,a,,b\n")
    assert samples(recording) == [["one", "two", "ten"], ["a", "b", ""]]
    assert recording.file.records[0].question.answers == ("Nile",)
    assert "1 empty cell counts as an empty answer" in recording.warnings


@pytest.mark.parametrize("cell", ['["Nile", "Congo"]', "['Nile', 'Congo']"])
def test_a_list_that_was_written_into_a_cell_is_a_list(read: Read, cell: str):
    escaped = cell.replace('"', '""')
    recording = read("a.csv", f'question,sampled_responses\nWhich river?,"{escaped}"\n')
    assert samples(recording) == [["Nile", "Congo"]]


@pytest.mark.parametrize(
    ("key", "value", "label"),
    [
        ("label", "correct", "correct"),
        ("label", True, "correct"),
        ("label", 0, "incorrect"),
        ("is_correct", "no", "incorrect"),
        ("correct", 1.0, "correct"),
        ("score", "I", "incorrect"),
        ("em", 1, "correct"),
        ("hallucination", True, "incorrect"),
        ("score", 0.37, None),
    ],
)
def test_labels_are_read_in_other_spellings(read: Read, key: str, value: object, label: str | None):
    recording = read("a.jsonl", [{**RIVER, "samples": ["x", "y"], key: value}])
    assert labels(recording) == [label]
    assert any(f"`{key}` is read as the label" in x for x in recording.warnings) == (
        label is not None and value != "correct"
    )


def test_labels_and_signals_do_without_answers(read: Read):
    lines = [{"question": f"Q{n}?", "label": "correct", "signals": {"margin": n}} for n in range(3)]
    recording = read("a.jsonl", lines)
    assert recording.summary.endswith("3 questions, no samples, greedy none, 3 labels")
    table = "question,label,signals.margin,signal_spread\nQ0?,1,0.5,2\nQ1?,0,0.25,\n"
    recording = read("b.csv", table)
    assert labels(recording) == ["correct", "incorrect"]
    assert [dict(x.signals) for x in recording.file.records] == [{"margin": 0.5, "spread": 2.0}, {"margin": 0.25}]


def test_a_file_without_answers_is_refused_and_its_columns_are_named(refused: Refused):
    error = refused("q.jsonl", [{"question": "Q?", "answer": "A", "level": 3}])
    assert "holds no answers: no column looks like answers; its columns are `question`, `answer`, `level`" in (
        error.message
    )
    assert error.hint is not None
    assert "homogaudit run MODEL q.jsonl" in error.hint and "`sampled_responses`" in error.hint
    error = refused("l.jsonl", [{"question": "Q?", "label": "correct"}])
    assert "labels without answers need signals" in error.message


def test_a_column_of_answers_can_be_named(read: Read, refused: Refused):
    lines = [{"q": "Q?", "said": ["a", "b"], "truth": "a"}]
    recording = read("a.jsonl", lines, question="q", answer="said", references="truth")
    assert (texts(recording), samples(recording)) == (["Q?"], [["a", "b"]])
    assert recording.file.records[0].question.answers == ("a",)
    assert "no column `sayed`" in refused("a.jsonl", lines, question="q", answer="sayed").message


def test_a_second_list_of_answers_is_named_and_an_empty_one_does_not_hide_it(read: Read):
    recording = read("a.jsonl", [{**RIVER, "samples": [], "responses": ["a", "b"]}])
    assert samples(recording) == [["a", "b"]]
    recording = read("a.jsonl", [{**RIVER, "samples": ["a", "b"], "responses": ["c", "d"]}])
    assert samples(recording) == [["a", "b"]]
    assert "`responses` looks like answers and is not used (`--answer-column NAME` chooses)" in recording.warnings


def test_several_answers_under_the_name_of_one_are_samples(read: Read):
    assert samples(read("a.jsonl", [{**RIVER, "response": ["a", "b"]}])) == [["a", "b"]]


def test_the_output_of_an_instruction_is_its_reference_beside_sampled_answers(read: Read):
    line = {"instruction": "Name a river.", "input": "", "output": "Nile", "generations": ["a", "b"]}
    recording = read("a.json", [line])
    assert (greedy(recording), samples(recording)) == ([None], [["a", "b"]])
    assert recording.file.records[0].question.answers == ("Nile",)


def test_numbered_answers_are_samples_where_nothing_points_at_one_of_them(read: Read, refused: Refused):
    assert samples(read("a.csv", "question,answer_1,answer_2\nQ?,a,b\n")) == [["a", "b"]]
    assert "holds no answers" in refused("a.csv", "question,answer_1,answer_2,label\nQ?,a,b,1\n").message


def test_an_answer_with_its_log_probabilities_beside_it_is_read(read: Read):
    document = {"q1": {"question": "Which river?", "responses": [["Nile", [-0.5], None], ["Congo", [-0.25], None]]}}
    (record,) = read("a.json", document).file.records
    assert [x.text for x in record.samples] == ["Nile", "Congo"]
    assert record.samples[0].statistics.logprobs is not None
    assert record.samples[0].statistics.logprobs.tolist() == [-0.5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"request_states": []}, "a HELM scenario state"),
        ({"results": {}, "configs": {}, "versions": {}}, "results of lm-evaluation-harness without answers"),
        ({"custom_id": "a", "method": "POST", "url": "/v1", "body": {}}, "the input of a batch"),
    ],
)
def test_files_that_are_given_by_mistake_are_named(refused: Refused, content: object, words: str):
    assert words in refused("a.json", content).message


def test_a_dictionary_of_questions_holds_their_answers(read: Read):
    recording = read("a.json", {"Which river?": ["Nile", "Congo"], "Which sea?": ["Red", "Red"]})
    assert texts(recording) == ["Which river?", "Which sea?"]
    assert samples(recording) == [["Nile", "Congo"], ["Red", "Red"]]


def test_what_pandas_writes_is_read_in_each_orientation(read: Read):
    rows = [{"question": "Which river?", "samples": ["Nile", "Congo"]}, {"question": "Which sea?", "samples": ["R"]}]
    columns = {key: {str(n): row[key] for n, row in enumerate(rows)} for key in rows[0]}
    lists = {key: [row[key] for row in rows] for key in rows[0]}
    split = {"columns": list(rows[0]), "index": [0, 1], "data": [list(row.values()) for row in rows]}
    for document in (rows, columns, lists, split, {"data": rows}):
        recording = read("a.json", document)
        assert texts(recording) == ["Which river?", "Which sea?"], document
        assert samples(recording) == [["Nile", "Congo"], ["R"]], document
    assert "1 of 2 questions has fewer than 2 samples and enters nothing" in recording.warnings


def test_a_uqlm_result_has_its_answer_and_its_samples(read: Read):
    data = {
        "prompts": ["Which river?", "Which sea?"],
        "responses": ["Nile", "The Red Sea"],
        "sampled_responses": [["Nile", "Congo"], ["Red", "Dead"]],
        "noncontradiction": [0.75, 0.5],
    }
    recording = read("uq.json", {"data": data, "metadata": {"temperature": 1.0, "num_responses": 2}})
    assert recording.summary == "read as a uqlm result: 2 questions, 2 samples each, greedy all"
    assert greedy(recording) == ["Nile", "The Red Sea"]
    assert samples(recording) == [["Nile", "Congo"], ["Red", "Dead"]]
    assert recording.file.records[0].signals == {"noncontradiction": 0.75}
    assert recording.file.directions == {"noncontradiction": -1}
    frame = "prompt,response,sampled_responses,noncontradiction\n" + "Which river?,Nile,\"['Nile', 'Congo']\",0.75\n"
    assert read("uq.csv", frame).file.directions == {"noncontradiction": -1}


def test_numbers_that_are_not_finite_count_as_missing_in_a_document(read: Read):
    content = '[{"question": "Q?", "samples": ["a", "b"], "score": NaN}]'
    assert labels(read("a.json", content)) == [None]


def test_the_formats_own_lines_are_read_as_before(read: Read):
    header = {"format": "homogaudit.recorded", "version": 1, "model": "m"}
    line = {"id": "x", **RIVER, "samples": [{"text": "Nile", "token_entropies": [0.5]}], "note": {"page": 3}}
    recording = read("a.jsonl", [header, line])
    assert recording.file.model == "m"
    assert recording.file.records[0].question.extra == {"note": {"page": 3}}
    assert recording.summary == "read as recorded answers: 1 question, 1 sample each, greedy none"
    assert not recording.warnings


@pytest.mark.parametrize(
    "content", ["", "\n\n", "[]", "{}", "[1, 2]", "null", '"text"', '{"question": "Q?"', "[" * 5000]
)
def test_what_holds_nothing_is_one_clear_error(refused: Refused, content: str):
    for name in ("a.jsonl", "a.json", "a.csv", "a"):
        assert refused(name, content).message.startswith("`"), name


def test_half_a_surrogate_pair_is_refused_in_a_document(refused: Refused):
    content = json.dumps([{"question": "Q?", "samples": ["\ud800"]}])
    assert "surrogate" in refused("a.json", content).message


def test_numbered_columns_of_several_models_are_never_mixed(read: Read, refused: Refused):
    table = "question,big_response_1,big_response_2,small_response_1,small_response_2\nQ?,a,b,c,d\n"
    error = refused("a.csv", table)
    assert "`big_response`, `small_response`" in error.message
    assert samples(read("a.csv", table, answer="small_response")) == [["c", "d"]]
    assert samples(read("b.csv", "question,temperature_0.7_sample_1,temperature_0.7_sample_2\nQ?,a,b\n")) == [
        ["a", "b"]
    ]
    assert samples(read("c.csv", "question,big_1,big_2\nQ?,a,b\n", answer="big")) == [["a", "b"]]
    # The digits belong to the models' names.
    assert "holds no answers" in refused("d.csv", "question,response_m4,response_n3\nQ?,a,b\n").message


def test_columns_of_answers_that_are_not_used_are_named(read: Read):
    recording = read("a.csv", "question,response_1,response_2,run_1\nQ?,a,b,c\n")
    assert samples(recording) == [["a", "b"]]
    assert any(warning.startswith("`run_1` looks like answers and is not used") for warning in recording.warnings)
    recording = read("b.jsonl", [{"question": "Q?", "response": "a", "generation": "b"}])
    assert any(warning.startswith("`generation` looks like answers") for warning in recording.warnings)


def test_records_of_several_models_need_a_choice(read: Read, refused: Refused):
    lines = [{"question": "Q?", "model": name, "samples": [name, "x"]} for name in ("big", "small")]
    assert "the answers of 2 models stand in one file" in refused("a.jsonl", lines).message
    recording = read("a.jsonl", lines, model="small")
    assert (samples(recording), recording.file.model) == ([["small", "x"]], "small")
    assert "1 answer of a model other than `small` is left out" in recording.warnings


def test_records_are_found_under_other_keys_and_in_objects_of_their_own(read: Read):
    answers = {"question": "Q?", "responses": ["a", "b"]}
    assert samples(read("a.json", {"data": {"1": answers, "2": {**answers, "question": "R?"}}})) == [["a", "b"]] * 2
    cases = [{"input": "Q?", "actualOutput": "a", "expectedOutput": "right"}]
    recording = read("b.json", {"testCases": cases})
    assert (greedy(recording), recording.file.records[0].question.answers) == (["a"], ("right",))
    traces = [{"inputs": {"question": "Q?"}, "outputs": {"answer": "a"}, "reference_outputs": {"answer": "right"}}]
    recording = read("c.jsonl", traces)
    assert (greedy(recording), recording.file.records[0].question.answers) == (["a"], ("right",))
    recording = read("d.csv", "inputs,targets,predictions\nQ?,right,a\n")
    assert (greedy(recording), recording.file.records[0].question.answers) == (["a"], ("right",))


def test_what_a_pipeline_of_transformers_gives_is_read_where_it_holds_the_question(read: Read, refused: Refused):
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Q?"}]
    chats = [{"generated_text": [*turns, {"role": "assistant", "content": text}]} for text in "ab"]
    recording = read("a.json", [chats])
    assert (texts(recording), samples(recording)) == (["Q?"], [["a", "b"]])
    assert recording.file.records[0].question.system == "Be short."
    assert "answers without their question" in refused("b.json", [[{"generated_text": "Q? a"}]]).message


def test_a_column_that_may_be_answer_or_reference_is_not_taken_unsaid(read: Read):
    lines = [{"question": "Q?", "response": "a", "completion": "b"}]
    recording = read("a.jsonl", lines)
    assert (greedy(recording), recording.file.records[0].question.answers) == (["a"], ())
    assert any(warning.startswith("`completion` may hold another answer") for warning in recording.warnings)
    recording = read("b.jsonl", lines, references="completion")
    assert recording.file.records[0].question.answers == ("b",)
    recording = read("c.csv", "question,prediction,response_1,response_2,output\nQ?,S,a,b,c\n")
    assert (samples(recording), recording.file.records[0].question.answers) == ([["a", "b"]], ())


def test_grades_are_no_labels_and_said(read: Read):
    recording = read("a.csv", "question,answer,response_1,response_2,score\nQ?,S,a,b,0.8\nR?,S,a,b,1\n")
    assert labels(recording) == [None, None]
    assert "`score` holds values that are not labels and is not used" in recording.warnings


def test_missing_values_of_pandas_are_empty_answers(read: Read):
    recording = read("a.csv", "question,response_1,response_2,response_3\nQ?,a,nan,\n")
    assert samples(recording) == [["a", "", ""]]
    assert "2 empty cells count as empty answers" in recording.warnings
    assert samples(read("b.csv", "question,response\nQ?,a\nQ?,NaN\n")) == [["a", ""]]


def test_a_list_of_answers_in_an_object_is_found(read: Read):
    draws = [{"text": "a", "logprobs": [-0.1, -0.2]}, {"text": "b", "logprobs": [-0.3]}]
    recording = read("a.json", [{"question": "Q?", "generation": {"responses": draws}}])
    assert samples(recording) == [["a", "b"]]
    assert recording.file.records[0].samples[0].statistics.logprobs is not None


def test_answers_of_another_model_beside_those_taken_are_named(read: Read):
    recording = read("a.csv", "question,response,big_response\nQ?,a,b\n")
    assert greedy(recording) == ["a"]
    assert any(warning.startswith("`big_response` looks like answers") for warning in recording.warnings)
    recording = read("b.jsonl", [{"question": "Q?", "samples": ["a", "b"], "big_samples": ["c"]}])
    assert any(warning.startswith("`big_samples` looks like answers") for warning in recording.warnings)
    recording = read("c.csv", "question,expected_output,n_samples,is_greedy,response\nQ?,a,2,False,b\nQ?,a,2,False,c\n")
    assert not any("looks like" in warning for warning in recording.warnings)
