"""vLLM's outputs as people dump them."""

import math
from typing import Any

from .conftest import Read, greedy, samples


def output(text: str, ids: list[int], **changes: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "text": text,
        "token_ids": ids,
        "cumulative_logprob": -1.0,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
    } | changes


def test_outputs_are_samples_and_the_end_is_no_token_of_the_answer(read: Read):
    logprobs = [
        {"7": {"logprob": math.log(0.75), "rank": 1}, "8": {"logprob": math.log(0.125), "rank": 2}},
        {"2": {"logprob": -0.01, "rank": 1}, "3": {"logprob": -5.0, "rank": 2}},
    ]
    line = {
        "request_id": "0",
        "prompt": "Which river?",
        "prompt_token_ids": [1],
        "outputs": [output(" Nile", [7, 2], logprobs=logprobs), output(" Congo", [9, 4], finish_reason="length")],
        "finished": True,
    }
    recording = read("out.jsonl", [line])
    assert recording.summary == "read as vLLM outputs: 1 question, 2 samples each, greedy none"
    assert samples(recording) == [[" Nile", " Congo"]]
    first, second = recording.file.records[0].samples
    assert first.statistics.token_ids is not None and first.statistics.token_ids.tolist() == [7]
    assert second.statistics.token_ids is not None and second.statistics.token_ids.tolist() == [9, 4]
    assert first.statistics.logprobs is not None
    assert math.isclose(float(first.statistics.logprobs[0]), math.log(0.75), rel_tol=1e-6)
    assert first.statistics.entropies is not None
    assert second.is_truncated


def test_one_output_is_the_greedy_answer(read: Read):
    line = {"prompt": "<|im_start|>user\nWhich river?<|im_end|>", "outputs": [output("Nile", [7, 2])]}
    recording = read("out.json", [line])
    assert (greedy(recording), samples(recording)) == (["Nile"], [[]])
    assert "the prompts hold the marks of a chat template, and so do the questions" in recording.warnings
