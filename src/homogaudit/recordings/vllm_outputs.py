"""vLLM's `RequestOutput` as people dump it: a prompt and its `outputs`, with token ids and log-probabilities."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from homogaudit.generation.openai_format import ServerToken
from homogaudit.recordings.draws import draw_of, temperature_of
from homogaudit.recordings.openai_chat import token_fields
from homogaudit.recordings.question_fields import QuestionFields
from homogaudit.recordings.source import Notes, Source, items_of, object_of
from homogaudit.store.recorded import Line

_OUTPUT_KEYS = frozenset({"token_ids", "cumulative_logprob", "finish_reason", "stop_reason", "logprobs"})
_MARKUP = ("<|im_start|>", "<|start_header_id|>", "[INST]", "<start_of_turn>", "<|user|>", "<|turn>")


def is_request_output(record: Mapping[str, Any]) -> bool:
    """Whether a record is such an output."""
    outputs = [object_of(item) for item in items_of(record.get("outputs"))]
    return bool(outputs) and all("text" in item and _OUTPUT_KEYS & item.keys() for item in outputs)


def read_request_outputs(source: Source) -> Iterator[Line]:
    """Yield a line a prompt; one output drawn at temperature 0 is the greedy answer."""
    fields = QuestionFields(source)
    for line in source.lines:
        yield Line(line.place, partial(_of_line, line, fields, source.notes))


def _of_line(line: Line, fields: QuestionFields, notes: Notes) -> dict[str, Any]:
    record = line.read()
    left_out = ("outputs", "request_id", "prompt_token_ids", "prompt_logprobs", "finished", "metrics", "encoder_prompt")
    values = fields.read({key: value for key, value in record.items() if key not in left_out})
    if any(mark in values["question"] for mark in _MARKUP):
        notes.say("the prompts hold the marks of a chat template, and so do the questions")
    temperature = temperature_of(object_of(record.get("sampling_params")))
    draws = [_draw(object_of(item), temperature, notes) for item in items_of(record.get("outputs"))]
    if len(draws) == 1 and temperature in (0.0, None):
        if temperature is None:
            notes.say("one answer per question: taken as the greedy answer")
        return values | {"greedy": draws[0]}
    return values | {"samples": draws}


def _draw(output: Mapping[str, Any], temperature: float | None, notes: Notes) -> dict[str, Any]:
    ids = items_of(output.get("token_ids"))
    rows = [object_of(row) for row in items_of(output.get("logprobs"))]
    # An answer that ended by itself has its end among its tokens; that is no part of the answer.
    has_end = output.get("finish_reason") == "stop" and output.get("stop_reason") is None and len(ids) > 1
    kept = len(ids) - has_end
    draw = draw_of({"text": output.get("text"), "finish_reason": output.get("finish_reason")}, notes)
    if ids:
        draw["token_ids"] = ids[:kept]
    tokens = [_token(number, row) for number, row in zip(ids, rows, strict=False)]
    known = [token for token in tokens if token is not None]
    if ids and len(known) == len(ids):
        draw |= token_fields(known[:kept], temperature, notes)
    return draw


def _token(number: object, row: Mapping[str, Any]) -> ServerToken | None:
    """Return one token with its head, `None` where its log-probability is not there."""
    values = {key: object_of(value).get("logprob", value) for key, value in row.items()}
    numbers = {key: float(x) for key, x in values.items() if isinstance(x, int | float) and -1e30 < x <= 1e-3}
    if str(number) not in numbers:
        return None
    return ServerToken(
        b"", min(0.0, numbers[str(number)]), tuple(sorted((min(0.0, x) for x in numbers.values()), reverse=True))
    )
