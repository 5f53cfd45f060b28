"""Chat completions: batch outputs, plain replies, other servers' batches."""

import math
from typing import Any

import pytest

from homogaudit.recordings import QuestionList
from homogaudit.records import GenerationState

from .conftest import Read, Refused, greedy, samples, texts, write


def reply(*contents: str, **changes: Any) -> dict[str, Any]:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for index, text in enumerate(contents)
    ]
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m-1", "choices": choices} | changes


def batch(custom_id: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": f"batch_{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def request(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"messages": messages} | body,
    }


def test_the_ids_of_a_batch_stand_for_its_questions_and_that_is_said(read: Read):
    recording = read("out.jsonl", [batch("q1", reply("Nile", "Congo")), batch("q2", reply("Red", "Dead"))])
    assert recording.summary == "read as chat completions: 2 questions, 2 samples each, greedy none"
    assert (texts(recording), samples(recording)) == (["q1", "q2"], [["Nile", "Congo"], ["Red", "Dead"]])
    assert recording.file.model == "m-1"
    assert any("the replies do not hold their questions" in warning for warning in recording.warnings)


def test_the_input_of_a_batch_gives_its_questions_and_temperatures(read: Read, tmp_path: Any):
    asked = write(
        tmp_path / "in.jsonl",
        [
            request("a-0", "Which river?", temperature=0),
            request("a-1", "Which river?", temperature=1),
            request("a-2", "Which river?", temperature=1),
            request("b-0", "Which sea?", temperature=1),
        ],
    )
    replies = [("a-1", "Congo"), ("a-0", "Nile"), ("a-2", "Nile."), ("b-0", "Red")]
    lines = [batch(name, reply(text)) for name, text in replies]
    recording = read("out.jsonl", lines, asked=QuestionList.read([asked]))
    assert texts(recording) == ["Which river?", "Which sea?"]
    assert greedy(recording) == ["Nile", None]
    assert samples(recording) == [["Congo", "Nile."], ["Red"]]
    assert recording.file.records[0].question.system == "Be brief."
    assert not any("do not hold their questions" in warning for warning in recording.warnings)


def test_a_question_file_gives_questions_and_references_by_id(read: Read, refused: Refused, tmp_path: Any):
    asked = write(tmp_path / "q.jsonl", [{"id": "q1", "question": "Which river?", "answers": ["Nile"]}])
    recording = read("out.jsonl", [batch("q1", reply("Nile", "Congo"))], asked=QuestionList.read([asked]))
    (record,) = recording.file.records
    assert (record.question.id, record.question.text, record.question.answers) == ("q1", "Which river?", ("Nile",))
    error = refused("out.jsonl", [batch("zz", reply("x", "y"))], asked=QuestionList.read([asked]))
    assert "line 1: no question with the id `zz` in `q.jsonl`" in error.message


def test_requests_that_failed_are_counted_and_left_out(read: Read, refused: Refused):
    failed = batch("q2", {"error": {"message": "Rate limit reached"}}, status=429)
    expired = {"id": "b", "custom_id": "q3", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    recording = read("out.jsonl", [batch("q1", reply("a", "b")), failed, expired])
    assert len(recording.file.records) == 1
    assert "2 requests failed and are left out, the first: `Rate limit reached`" in recording.warnings
    assert "holds no" in refused("out.jsonl", [failed, expired]).message


def test_replies_beside_their_requests_need_no_other_file(read: Read):
    line = {
        "request": {"messages": [{"role": "user", "content": "Which river?"}], "temperature": 1.0},
        "response": reply("a", "b"),
    }
    recording = read("log.json", [line])
    assert (texts(recording), samples(recording)) == (["Which river?"], [["a", "b"]])


def with_logprobs(head: list[tuple[str, float]]) -> dict[str, Any]:
    top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in head]
    content = [{"token": "Nile", "logprob": head[0][1], "bytes": list(b"Nile"), "top_logprobs": top}]
    found = reply("Nile", "Nile")
    for choice in found["choices"]:
        choice["logprobs"] = {"content": content}
    return found


def test_log_probabilities_are_stored_and_bound_the_entropy_where_the_head_is_long(read: Read):
    (record,) = read("o.jsonl", [batch("q", with_logprobs([("Nile", -0.25)]))]).file.records
    statistics = record.samples[0].statistics
    assert statistics.logprobs is not None and statistics.logprobs.tolist() == [-0.25]
    assert statistics.entropies is None
    probabilities = [0.75, 0.125]
    head = [(name, math.log(p)) for name, p in zip(["Nile", "Congo"], probabilities, strict=True)]
    recording = read("o.jsonl", [batch("q", with_logprobs(head))])
    entropies = recording.file.records[0].samples[0].statistics.entropies
    assert entropies is not None
    # Of a token that chance drew, the head is the likeliest alone (the second place may be taken by the drawn one):
    # H_head = -0.75 ln 0.75, and no token of the rest of 0.25 is likelier than the last of the head: -0.25 ln 0.75.
    low = -0.75 * math.log(0.75) - 0.25 * math.log(0.75)
    assert entropies[0] == pytest.approx(low, abs=1e-6)
    assert "token entropies are lower bounds from the 2 likeliest tokens" in recording.warnings


def test_thinking_that_the_server_took_out_stands_before_the_answer(read: Read):
    body = reply("Nile", "x")
    body["choices"][0]["message"]["reasoning_content"] = "hm"
    body["choices"][1] = {"index": 1, "message": {"content": None, "reasoning": "hm"}, "finish_reason": "length"}
    (record,) = read("o.jsonl", [batch("q", body)]).file.records
    assert [x.answer for x in record.samples] == ["Nile", ""]
    assert [x.state for x in record.samples] == [GenerationState.VALID, GenerationState.THINKING_UNCLOSED]


def test_what_a_content_filter_stopped_counts_as_failed(read: Read):
    body = reply("Nile", "The")
    body["choices"][1]["finish_reason"] = "content_filter"
    recording = read("o.jsonl", [batch("q", body)])
    assert recording.file.records[0].samples[1].state is GenerationState.ERROR
    assert "1 answer was stopped by a content filter and counts as failed" in recording.warnings


def test_one_answer_each_is_the_greedy_answer_unless_its_temperature_says_otherwise(read: Read):
    recording = read("o.jsonl", [batch("q1", reply("a")), batch("q2", reply("b"))])
    assert greedy(recording) == ["a", "b"]


def test_replies_of_other_servers_are_read_by_their_parts(read: Read):
    claude = {
        "custom_id": "q1",
        "result": {
            "type": "succeeded",
            "message": {
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": "Nile"}],
                "stop_reason": "max_tokens",
            },
        },
    }
    errored = {"custom_id": "q2", "result": {"type": "errored", "error": {"type": "invalid_request"}}}
    recording = read("o.jsonl", [claude, errored])
    assert greedy(recording) == ["Nile"]
    assert recording.file.records[0].greedy is not None
    assert recording.file.records[0].greedy.finish_reason == "length"
    output = [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "Nile"}]}]
    body = {"object": "response", "status": "completed", "model": "m", "output": output}
    assert greedy(read("r.jsonl", [batch("q1", body)])) == ["Nile"]


def test_answers_of_two_models_are_not_one_run(refused: Refused):
    lines = [batch("q1", reply("a")), batch("q2", reply("b", model="m-2"))]
    assert "2 models" in refused("o.jsonl", lines).message


def test_the_same_question_under_another_system_line_is_another_question(read: Read):
    lines = [
        {
            "request": {"messages": [{"role": "system", "content": line}, {"role": "user", "content": "Which sea?"}]},
            "response": {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]},
        }
        for line, text in (("Be short.", "a"), ("Be long.", "b"), ("Be short.", "c"))
    ]
    assert samples(read("a.jsonl", lines))[0] == ["a", "c"]
    assert len({record.question.id for record in read("a.jsonl", lines).file.records}) == 2


def test_tool_calls_are_counted(read: Read):
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    said = {"role": "assistant", "content": "a"}
    choices = [{"index": 0, "message": call, "finish_reason": "tool_calls"}, {"index": 1, "message": said}]
    recording = read("a.jsonl", [{"messages": [{"role": "user", "content": "Which sea?"}], "choices": choices}])
    assert samples(recording) == [["", "a"]]
    assert "1 answer calls a tool and holds no text: it counts as empty" in recording.warnings
