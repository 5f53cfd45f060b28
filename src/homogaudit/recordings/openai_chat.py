"""OpenAI's chat completions and completions, one reply an object, and the outputs of batches of them.

Anthropic's message batches and OpenAI's responses are of the same kind and read here too. A reply holds no question:
where its request stands beside it that is read, else the questions come from another file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homogaudit.generation.openai_format import Choice, ServerToken, aligned_tokens, choices_of, usage_of
from homogaudit.recordings.draws import content_text, finish_reason, temperature_of
from homogaudit.recordings.grouping import Drawn, grouped, question_key
from homogaudit.recordings.question_fields import QuestionFields, request_question
from homogaudit.recordings.question_list import question_values
from homogaudit.recordings.source import Notes, Source, items_of, object_of, text_of
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError

_MAX_CHOICES = 10_000
"""Far beyond what any server gives at once."""

_REPLY_KEYS = ("response", "result", "completion", "reply", "output", "body", "chat_completion", "raw_response")
_REQUEST_KEYS = ("request", "input", "params", "kwargs", "body", "metadata")


def is_reply(record: Mapping[str, Any]) -> bool:
    """Whether a record is a reply of such a server, or one of a batch."""
    if "custom_id" in record and ("response" in record or "result" in record):
        return True
    return _reply(record) is not None


def read_replies(source: Source) -> Iterator[Line]:
    """Yield a line a question; requests that failed are counted and left out."""
    return grouped(_drawn(source), source)


def _drawn(source: Source) -> Iterator[Drawn]:
    fields, notes = QuestionFields(source), source.notes
    for line in source.lines:
        place, record = line.place, source.read(line)
        reply = _reply(record)
        if reply is None:
            notes.count("request failed and is left out", "requests failed and are left out", first=_failure(record))
            continue
        identifier = text_of(record.get("custom_id")) or text_of(record.get("id")) or text_of(reply.get("id"))
        request = _request(record) or source.options.asked.requests.get(str(identifier), {})
        question = fields.completed(request_question(request, notes) or _of_id(identifier, source, place))
        temperature = temperature_of(request)
        with source.at(place):
            draws = draws_of_reply(reply, temperature, notes)
        if not draws:
            notes.count("reply holds no answer and is left out", "replies hold no answer and are left out")
            continue
        # The same question in several requests is one question, where it is known.
        key = question_key(question)
        is_greedy = None if temperature is None else temperature == 0
        yield Drawn(place, key, question, draws, is_greedy, model=text_of(reply.get("model")))


def _of_id(identifier: str | None, source: Source, place: str) -> dict[str, Any]:
    """Return the question of an id: that of a question file, else the id itself."""
    asked = source.options.asked
    with source.at(place):
        if identifier is None:
            raise LineError("a reply without its question or an id", "give a file in which each request has one")
        if (found := asked.find(identifier, None)) is not None:
            return question_values(found)
        if asked.names:
            raise asked.unknown(identifier)
    source.notes.say(
        "the replies do not hold their questions: ids stand in their place; `--questions FILE` gives them (the input "
        "of the batch, or a question file with these ids)"
    )
    return {"id": identifier, "question": identifier}


def _reply(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the body of a reply: the record itself, or what it wraps; `None` where there is none."""
    pending = [record]
    for _ in range(3):
        inner: list[Mapping[str, Any]] = []
        for value in pending:
            if _is_body(value):
                return value
            inner += [object_of(value.get(key)) for key in (*_REPLY_KEYS, "message")]
        pending = [value for value in inner if value]
    return None


def _is_body(value: Mapping[str, Any]) -> bool:
    choices = items_of(value.get("choices"))
    if choices and all(isinstance(row, dict) and ("message" in row or "text" in row) for row in choices):
        return True
    if value.get("object") == "response" and isinstance(value.get("output"), list):
        return True
    is_message = value.get("type") == "message" and value.get("role") == "assistant"
    return is_message and isinstance(value.get("content"), list)


def _request(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the request that stands beside a reply, empty where there is none."""
    for value in (record, *(object_of(record.get(key)) for key in _REQUEST_KEYS)):
        inner = object_of(value.get("body"))
        for request in (value, inner):
            if isinstance(request.get("messages"), list) or isinstance(request.get("prompt"), str):
                return request
    return {}


def _failure(record: Mapping[str, Any]) -> str:
    """Return why a request failed, in few words."""
    response = object_of(record.get("response"))
    error = record.get("error") or object_of(response.get("body")).get("error") or record.get("result")
    reason = text_of(object_of(error).get("message")) or text_of(object_of(error).get("type")) or text_of(error)
    status = response.get("status_code")
    words = " ".join(str(reason or f"status {status}").split()).replace("`", "'")
    return f"`{words[:80]}`"


def draws_of_reply(reply: Mapping[str, Any], temperature: float | None, notes: Notes) -> list[dict[str, Any]]:
    """Return the answers of one reply."""
    if "choices" not in reply:
        return _of_parts(reply, notes)
    rows = items_of(reply.get("choices"))
    if len(rows) > _MAX_CHOICES:
        raise LineError(f"a reply with {len(rows):,} answers", None)
    messages = [object_of(row.get("message")) for row in rows]
    # A content may come in parts.
    plain = [{**message, "content": content_text(message.get("content"))} for message in messages]
    whole = [{**row, "message": new} if "message" in row else row for row, new in zip(rows, plain, strict=True)]
    choices = choices_of({"choices": whole}, _MAX_CHOICES)
    if len(choices) < len(rows):
        notes.count(
            "answer of a reply holds no text, such as a tool call, and is left out",
            "answers of a reply hold no text, such as tool calls, and are left out",
            len(rows) - len(choices),
        )
    calls = sum(bool(message.get("tool_calls")) and not message.get("content") for message in plain)
    if calls and len(choices) == len(rows):
        one, many = "answer calls a tool and holds no text", "answers call a tool and hold no text"
        notes.count(f"{one}: it counts as empty", f"{many}: they count as empty", calls)
    completion = usage_of(reply).completion if len(rows) == 1 else None
    return [draw_of_choice(choice, completion, temperature, notes) for choice in choices]


def _of_parts(reply: Mapping[str, Any], notes: Notes) -> list[dict[str, Any]]:
    """Return the answer of a reply that is a list of parts: OpenAI's responses, Anthropic's messages."""
    if "output" in reply:
        messages = [object_of(item) for item in items_of(reply.get("output"))]
        texts = [content_text(item.get("content")) for item in messages if item.get("type") == "message"]
        status = object_of(reply.get("incomplete_details")).get("reason") or reply.get("status")
    else:
        texts, status = [content_text(reply.get("content"))], reply.get("stop_reason")
    found = [text for text in texts if text is not None]
    return [{"text": "".join(found), "finish_reason": finish_reason(status, notes)}] if found else []


def draw_of_choice(choice: Choice, completion: int | None, temperature: float | None, notes: Notes) -> dict[str, Any]:
    """Return one answer of a reply, thinking that was taken out of it before its text."""
    if choice.finish_reason == "content_filter":
        notes.count(
            "answer was stopped by a content filter and counts as failed",
            "answers were stopped by a content filter and count as failed",
        )
        return {"text": "the server's content filter stopped the answer", "answer": "", "state": "error"}
    text = choice.text
    if choice.reasoning:
        # Cut in its thinking, an answer has not closed it.
        is_cut = choice.finish_reason == "length" and not text.strip()
        text = f"<think>{choice.reasoning}{'' if is_cut else '</think>'}{text}"
    draw: dict[str, Any] = {"text": text, "finish_reason": finish_reason(choice.finish_reason, notes)}
    tokens = aligned_tokens(choice, completion)
    if tokens is None:
        if choice.tokens is not None:
            notes.count(
                "answer has log-probabilities of another length than its tokens; these are left out",
                "answers have log-probabilities of another length than their tokens; these are left out",
            )
        if completion is not None:
            draw["tokens"] = completion
        return draw
    return draw | token_fields(tokens, temperature, notes)


def token_fields(tokens: Sequence[ServerToken], temperature: float | None, notes: Notes) -> dict[str, Any]:
    """Return the arrays of an answer's tokens: log-probabilities, and entropies where their heads give them.

    The temperature is `None` where it is not known.
    """
    if not tokens:
        return {}
    fields: dict[str, Any] = {"token_logprobs": [token.logprob for token in tokens]}
    entropies = _entropies(tokens, temperature, notes)
    return fields if entropies is None else {**fields, "token_entropies": entropies}


def _entropies(tokens: Sequence[ServerToken], temperature: float | None, notes: Notes) -> list[float] | None:
    """Return lower bounds of the entropies, `None` where the likeliest tokens do not give them."""
    from homogaudit.generation.server_probe import head_fault
    from homogaudit.generation.server_statistics import token_entropy

    k = max(len(token.head) for token in tokens)
    if k < 2 or not all(token.head for token in tokens):
        return None
    if fault := head_fault([token.head for token in tokens]):
        notes.count(f"answer has no token entropies: {fault}", f"answers have no token entropies: {fault}")
        return None
    if temperature not in (None, 0.0, 1.0):
        notes.say(f"no token entropies: log-probabilities at temperature {temperature:g} may be tempered")
        return None
    notes.say(f"token entropies are lower bounds from the {k} likeliest tokens")
    return [token_entropy(token, k=k, vocabulary=None, is_greedy=temperature == 0).low for token in tokens]
