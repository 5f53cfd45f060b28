"""What only the whole of a file shows: equal questions with other contexts, and prompts that the answers repeat."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from homogaudit.questions.reading import beside, told_apart
from homogaudit.recordings.source import Notes, items_of, object_of, text_of
from homogaudit.records import make_question_id
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import ARRAY_KEYS, LineError


def settled(lines: Iterable[Line], notes: Notes) -> Iterator[Line]:
    """Yield the lines with ids as a run of the same questions has them, and without prompts before the answers."""
    read = [_read(line) for line in lines]
    values = [value for _, value in read if value is not None and text_of(value.get("question"))]
    _tell_apart(values)
    _leave_out_prompts(values, notes)
    # Each is let go with its turn, so that a large file is not held twice.
    del values
    read.reverse()
    while read:
        line, value = read.pop()
        yield line if value is None else Line(line.place, partial(dict, value))


def _read(line: Line) -> tuple[Line, dict[str, Any] | None]:
    """Return a line with its values; one that cannot be read raises its error again when its turn comes."""
    try:
        return line, dict(line.read())
    except LineError as error:
        return Line(line.place, partial(_refuse, error)), None


def _refuse(error: LineError) -> Mapping[str, Any]:
    raise error


def _tell_apart(values: list[dict[str, Any]]) -> None:
    """Put what was asked beside a question into the ids that were made of its text, where another has that text."""
    for value, name in zip(values, told_apart([(x["question"], _beside(x)) for x in values]), strict=True):
        made = make_question_id(value["question"])
        if value.get("id") in (None, made) and name != made:
            value["id"] = name


def _beside(value: Mapping[str, Any]) -> str:
    choices = [text for item in items_of(value.get("choices")) if (text := text_of(item))]
    return beside(text_of(value.get("context")), text_of(value.get("system")), choices)


def _leave_out_prompts(values: list[dict[str, Any]], notes: Notes) -> None:
    """Leave out of the answers the question that all of them begin with, as text completion returns it."""
    asked = [(value["question"].strip(), draw) for value in values for draw in _draws(value)]
    told = [(question, draw) for question, draw in asked if str(draw.get("text", "")).strip()]
    if len(told) < 2 or not all(
        (text_of(draw.get("text")) or "").lstrip().startswith(question) for question, draw in told
    ):
        return
    if any(key in draw for _, draw in told for key in ARRAY_KEYS):
        notes.say("every answer begins with its question, which is kept: its tokens cannot be told from the answer's")
        return
    notes.say("every answer begins with its question, which is left out of it")
    for value in values:
        question = value["question"].strip()
        if value.get("greedy") is not None:
            value["greedy"] = _without(question, value["greedy"])
        if value.get("samples"):
            value["samples"] = [_without(question, item) for item in value["samples"]]


def _draws(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in (value.get("greedy"), *items_of(value.get("samples"))):
        if item is not None:
            yield object_of(item) or {"text": item}


def _without(question: str, item: Any) -> Any:
    text = object_of(item).get("text") if isinstance(item, dict) else item
    if not isinstance(text, str) or not text.lstrip().startswith(question):
        return item
    rest = text.lstrip().removeprefix(question).lstrip()
    return {**object_of(item), "text": rest} if isinstance(item, dict) else rest
