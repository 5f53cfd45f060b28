from typing import Any

import pytest

from homogaudit.generation.event_stream import merged_stream
from homogaudit.generation.openai_format import Choice, choices_of, usage_of


def _read(message: dict[str, Any] | None, finish: Any = "stop", **row: Any) -> Choice | None:
    found = choices_of({"choices": [{**row, "finish_reason": finish} | ({"message": message} if message else {})]}, 1)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "Rome"}, "Rome", ""),
        ({"content": [{"type": "text", "text": "Ro"}, {"type": "output_text", "text": "me"}]}, "Rome", ""),
        ({"content": ["Ro", "me"]}, "Rome", ""),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "Rome"},
                ]
            },
            "Rome",
            "hm",
        ),
        ({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]}, "", "hm"),
        ({"content": "Rome", "reasoning": "hm"}, "Rome", "hm"),
        ({"content": None, "reasoning_content": "hm"}, "", "hm"),
        ({"content": "Rome", "thinking": "hm"}, "Rome", "hm"),
        ({"content": None, "refusal": "I cannot."}, "I cannot.", ""),
        ({"content": {"type": "text", "text": "Rome"}}, "Rome", ""),
        ({"content": 42}, "42", ""),
        ({"content": True}, "", ""),
        ({"content": "Rome", "reasoning_content": " Rome\n"}, "Rome", ""),
        ({"content": None, "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "", "hm"),
        ({"content": "Rome", "reasoning_details": [{"type": "reasoning.encrypted", "data": "Zm9v"}]}, "Rome", ""),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "", ""),
    ],
)
def test_text_and_thinking_are_read_in_any_form(message: dict[str, Any], text: str, reasoning: str) -> None:
    found = _read(message)
    assert found is not None and (found.text, found.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("given", "meant", "unknown"),
    [
        ("stop", "stop", ""),
        ("eos", "stop", ""),
        ("end_turn", "stop", ""),
        ("STOP", "stop", ""),
        ("length", "length", ""),
        ("MAX_TOKENS", "length", ""),
        ("model_length", "length", ""),
        ("SAFETY", "content_filter", ""),
        ("tool_calls", None, "tool_calls"),
        ("because", None, "because"),
        (None, None, ""),
        (7, None, ""),
    ],
)
def test_finish_reasons_are_told_apart_and_none_is_made_up(given: Any, meant: str | None, unknown: str) -> None:
    found = _read({"content": "Rome"}, given)
    assert found is not None and (found.finish_reason, found.unknown_reason) == (meant, unknown)


def test_a_choice_that_reports_an_error_is_no_answer() -> None:
    assert _read({"content": ""}, "error") is None
    assert _read({"content": ""}, "stop", error={"message": "the provider is gone"}) is None
    assert _read(None, None) is None


def test_thoughts_that_the_server_counts_are_read() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 9}}
    assert usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": 12, **details}}).reasoning == 9
    assert usage_of({"usage": {"prompt_tokens": 3}}).reasoning is None


def test_counts_are_whole_numbers_that_a_server_can_mean() -> None:
    for given, meant in ((7, 7), (7.0, 7), (7.5, None), (-1, None), ("7", None), (True, None), (10**30, None)):
        assert usage_of({"usage": {"completion_tokens": given}}).completion == meant


def test_a_token_whose_log_probability_is_not_told_has_none() -> None:
    head = [{"token": "Rome", "logprob": -0.5}, {"token": "Paris", "logprob": -9999.0}]
    for value, is_told in ((-0.5, True), (-9999.0, False)):
        row = {"token": "Rome", "logprob": value, "top_logprobs": head}
        found = _read({"content": "Rome"}, logprobs={"content": [row]})
        assert found is not None and (found.tokens is not None) == is_told


def test_pieces_of_a_stream_make_the_reply_that_was_asked_for() -> None:
    body = b"""event: message
data: {"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]}

data: {"choices": [{"index": 1, "delta": {"role": "assistant", "content": "Pa"}}]}
data: {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "logprobs": {"content": [{"token": "Ro"}]}}]}
data: {"choices": [{"index": 0, "delta": {"content": "Ro"}, "logprobs": {"content": [{"token": "me"}]}}]}
data: {"choices": [{"index": 0, "delta": {"content": "me"}}, {"index": 1, "delta": {"content": "ris"}}]}
data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
data: [DONE]
"""
    merged = merged_stream(body)
    assert merged is not None
    first, second = choices_of(merged, 2)
    assert (first.text, first.reasoning, first.finish_reason) == ("Rome", "hm", "stop")
    assert (second.text, second.finish_reason) == ("Paris", None)
    assert merged["choices"][0]["logprobs"]["content"] == [{"token": "Ro"}, {"token": "me"}]
    assert usage_of(merged).completion == 2


def test_objects_a_line_are_a_stream_too_and_anything_else_is_none() -> None:
    lines = b'{"choices": [{"text": "Ro"}]}\n{"choices": [{"text": "me", "finish_reason": "stop"}]}\n'
    merged = merged_stream(lines)
    assert merged is not None and choices_of(merged, 1) == [Choice(0, "Rome", "stop")]
    assert merged_stream(b"<html>\n<body>") is None
    assert merged_stream(b"") is None
    assert merged_stream(b'data: {"error": {"message": "gone"}}\n') == {"error": {"message": "gone"}}
