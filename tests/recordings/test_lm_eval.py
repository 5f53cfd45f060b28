"""Files that lm-evaluation-harness writes with `--log_samples`."""

import json
from typing import Any

import pytest

from .conftest import Read, Refused, greedy, labels, samples, texts


def logged(doc_id: int, resps: Any, **changes: Any) -> dict[str, Any]:
    """Return a line as `EvaluationTracker.save_results_samples` of lm_eval 0.4.13 writes it."""
    question = f"Which river is number {doc_id}?"
    return {
        "doc_id": doc_id,
        "doc": {"question": question, "answer": {"value": "Nile", "aliases": ["Nile", "The Nile"]}},
        "target": "Nile",
        "arguments": {
            "gen_args_0": {
                "arg_0": f"Question: {question}\nAnswer:",
                "arg_1": {"until": ["\n"], "do_sample": True, "temperature": 0.7},
            }
        },
        "resps": resps,
        "filtered_resps": ["Nile"],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": "0",
        "prompt_hash": "0",
        "target_hash": "0",
        "exact_match": 1.0,
    } | changes


def not_sampled(doc_id: int, resps: Any, **changes: Any) -> dict[str, Any]:
    arguments = {"gen_args_0": {"arg_0": "x", "arg_1": {"do_sample": False, "temperature": 0.0}}}
    return logged(doc_id, resps, arguments=arguments) | changes


def test_repeats_are_samples_and_the_documents_answers_the_references(read: Read):
    lines = [logged(0, [["Nile", "The Nile", "Congo"]]), logged(1, [["a", "b", "c"]], exact_match=0.0)]
    recording = read("samples_triviaqa_2026-02-03T04-05-06.jsonl", lines)
    assert (
        recording.summary == "read as lm-evaluation-harness samples: 2 questions, 3 samples each, greedy none, 2 labels"
    )
    assert texts(recording) == ["Which river is number 0?", "Which river is number 1?"]
    assert samples(recording) == [["Nile", "The Nile", "Congo"], ["a", "b", "c"]]
    assert recording.file.records[0].question.answers == ("Nile", "The Nile")
    assert labels(recording) == ["correct", "incorrect"]
    assert "the metric `exact_match` of the filtered answer is read as the label" in recording.warnings


def test_repeats_that_stand_as_requests_are_samples_too(read: Read):
    assert samples(read("s.jsonl", [logged(0, [["Nile"], ["Congo"]])])) == [["Nile", "Congo"]]


def test_one_reply_without_sampling_is_the_greedy_answer(read: Read):
    recording = read("s.jsonl", [not_sampled(0, [["Nile"]])])
    assert (greedy(recording), samples(recording)) == (["Nile"], [[]])
    assert greedy(read("s.jsonl", [logged(0, [["Nile"]])])) == [None]


def test_a_document_counts_once_whatever_filters_its_task_has(read: Read):
    lines = [
        not_sampled(0, [["#### 4"]], filter="strict", exact_match=0.0),
        not_sampled(0, [["#### 4"]], filter="flexible"),
    ]
    recording = read("s.jsonl", lines)
    assert len(recording.file.records) == 1
    assert labels(recording) == ["incorrect"]
    assert "the answers are the same under every filter: `flexible` is left out, `strict` counts" in recording.warnings


def test_the_target_is_the_reference_of_a_document_without_one(read: Read):
    doc = {"question": "What is 6 x 7?", "level": 2}
    (record,) = read("s.jsonl", [logged(0, [["42", "41"]], doc=doc, target="['42', 'forty-two']")]).file.records
    assert record.question.answers == ("42", "forty-two")


def test_a_document_without_a_question_is_asked_by_its_prompt(read: Read):
    recording = read("s.jsonl", [logged(0, [["Nile", "Congo"]], doc={"stem": 1})])
    assert texts(recording) == ["Question: Which river is number 0?\nAnswer:"]
    assert any("the whole prompt is taken as the question" in warning for warning in recording.warnings)


@pytest.mark.parametrize(
    "resps",
    [
        [[["-1.5", "False"]], [["-2.5", "True"]]],
        [[[-1.5, False]], [[-2.5, True]]],
        [["-1.5", "False"], ["-2.5", "True"]],
    ],
)
def test_a_multiple_choice_task_holds_no_texts(refused: Refused, resps: Any):
    error = refused("s.jsonl", [logged(0, resps)])
    assert "line 1: the replies are log-likelihoods of given choices" in error.message
    assert "generate_until" in (error.hint or "")


def test_a_prompt_of_chat_messages_is_read_as_messages(read: Read):
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Which sea?"}]
    line = {
        "doc_id": 0,
        "doc": {"key": "x"},
        "target": "Red",
        "arguments": {"gen_args_0": {"arg_0": json.dumps(turns), "arg_1": {"do_sample": True}}},
        "resps": [["Red", None]],
        "filtered_resps": ["Red"],
    }
    recording = read("samples_t.jsonl", [line])
    question = recording.file.records[0].question
    assert (question.text, question.system, question.answers) == ("Which sea?", "Be short.", ("Red",))
    assert samples(recording) == [["Red", ""]]
    assert "1 answer is null and counts as empty" in recording.warnings
