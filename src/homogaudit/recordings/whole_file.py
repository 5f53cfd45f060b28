"""What only the whole of a file shows: equal questions with other contexts, and prompts that the answers repeat."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from homogaudit.questions.reading import beside, told_apart
from homogaudit.recordings.source import Notes, items_of, object_of, text_of
from homogaudit.records import make_question_id
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import ARRAY_KEYS, LineError


@dataclass(slots=True)
class _Read:
    """A line that was read; packed until its turn comes, because a file is several times as large as objects.

    Attributes:
        again: Returns its values, or raises why there are none; `None` where they are packed.
        question: Its text; empty where it has none.
        beside: What was asked beside it.
        id: As it came, and then as it is to be.
        told: How many of its answers have a text.
        repeat: Whether all of these begin with the question.
        has_arrays: Whether one of them has figures of its tokens.
    """

    place: str
    packed: bytes = b""
    again: Callable[[], Mapping[str, Any]] | None = None
    question: str = ""
    beside: str = ""
    id: Any = None
    told: int = 0
    repeat: bool = True
    has_arrays: bool = False


def settled(lines: Iterable[Line], notes: Notes) -> Iterator[Line]:
    """Yield the lines with ids as a run of the same questions has them, and without prompts before the answers."""
    read = [_read(line) for line in lines]
    asked = [x for x in read if x.question]
    _tell_apart(asked)
    leaves_out = _leaves_prompts_out(asked, notes)
    # Each is let go with its turn, so that a large file is not held twice.
    del asked
    read.reverse()
    while read:
        found = read.pop()
        yield Line(found.place, found.again or partial(_unpacked, found, leaves_out))


def _read(line: Line) -> _Read:
    """Return a line with its values; one that cannot be read raises its error again when its turn comes."""
    try:
        values = dict(line.read())
    except LineError as error:
        return _Read(line.place, again=partial(_refuse, error))
    try:
        found = _Read(line.place, pickle.dumps(values, pickle.HIGHEST_PROTOCOL))
    except RecursionError:
        # It is refused for that, in its turn.
        return _Read(line.place, again=partial(dict, values))
    if question := text_of(values.get("question")):
        found.question, found.beside, found.id = question, _beside(values), values.get("id")
        told = [x for x in _draws(values) if str(x.get("text", "")).strip()]
        found.told = len(told)
        found.repeat = all((text_of(x.get("text")) or "").lstrip().startswith(question.strip()) for x in told)
        found.has_arrays = any(key in x for x in told for key in ARRAY_KEYS)
    return found


def _refuse(error: LineError) -> Mapping[str, Any]:
    raise error


def _unpacked(read: _Read, leaves_prompt_out: bool) -> Mapping[str, Any]:
    values: dict[str, Any] = pickle.loads(read.packed)
    if read.question:
        if read.id is not None:
            values["id"] = read.id
        if leaves_prompt_out:
            question = read.question.strip()
            if values.get("greedy") is not None:
                values["greedy"] = _without(question, values["greedy"])
            if values.get("samples"):
                values["samples"] = [_without(question, item) for item in values["samples"]]
    return values


def _tell_apart(asked: Sequence[_Read]) -> None:
    """Put what was asked beside a question into the ids that were made of its text, where another has that text."""
    for x, name in zip(asked, told_apart([(x.question, x.beside) for x in asked]), strict=True):
        made = make_question_id(x.question)
        if x.id in (None, made) and name != made:
            x.id = name


def _beside(value: Mapping[str, Any]) -> str:
    choices = [text for item in items_of(value.get("choices")) if (text := text_of(item))]
    return beside(text_of(value.get("context")), text_of(value.get("system")), choices)


def _leaves_prompts_out(asked: Sequence[_Read], notes: Notes) -> bool:
    """Whether to leave out of the answers the question that all of them begin with, as text completion returns it."""
    if sum(x.told for x in asked) < 2 or not all(x.repeat for x in asked):
        return False
    if any(x.has_arrays for x in asked):
        notes.say("every answer begins with its question, which is kept: its tokens cannot be told from the answer's")
        return False
    notes.say("every answer begins with its question, which is left out of it")
    return True


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
