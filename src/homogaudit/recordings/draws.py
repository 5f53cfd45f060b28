"""One drawn answer as others write it, turned into a draw of the recorded format."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from homogaudit.codec import finite
from homogaudit.recordings.source import Notes, items_of, object_of
from homogaudit.records import LabelValue
from homogaudit.store.recorded_lines import ARRAY_KEYS, LineError

_MISSING_CELLS = ("", "nan", "NaN", "<NA>")
"""What stands in a cell of a table where pandas has no value."""

EMPTY_DRAW: Mapping[str, Any] = {"text": ""}
"""A place where an answer should stand and none does."""

_TEXTS = (
    "text",
    "response",
    "content",
    "answer",
    "output",
    "completion",
    "generation",
    "generated_text",
    "output_text",
    "prediction",
    "value",
)
_STOP = frozenset(
    {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "end", "finished", "complete", "completed", "end_of_text"}
)
_LENGTH = frozenset(
    {"length", "max_tokens", "max_new_tokens", "max_output_tokens", "max_length", "model_length", "truncated", "limit"}
)

_SPELLINGS = {
    LabelValue.CORRECT: (
        *("true", "t", "yes", "y", "correct", "c", "right", "1", "1.0", "pass", "passed"),
        *("\u2713", "\u2714", "\u2714\ufe0f", "\u2705"),
    ),
    LabelValue.INCORRECT: (
        *("false", "f", "no", "n", "incorrect", "wrong", "i", "0", "0.0", "fail", "failed"),
        *("\u2717", "\u2718", "\u2716", "\u2716\ufe0f", "\u274c", "\u00d7"),
    ),
    LabelValue.AMBIGUOUS: ("p", "partial", "partially_correct", "partially correct", "0.5"),
    LabelValue.NO_MATCH: ("not_attempted", "not attempted"),
}
"""Of a verdict in lower case; check marks and crosses among them."""

_LABELS = {spelling: label for label, spellings in _SPELLINGS.items() for spelling in spellings}


def draw_of(value: object, notes: Notes, *, in_cell: bool = False) -> dict[str, Any]:
    """Return one draw: a text, an object with a text under a usual name, or a chat message.

    In the cell of a table a missing value is an empty answer.

    Raises:
        LineError: There is no text in it.
    """
    if in_cell and value in _MISSING_CELLS:
        notes.count("empty cell counts as an empty answer", "empty cells count as empty answers")
        return dict(EMPTY_DRAW)
    if value is None:
        notes.count("answer is null and counts as empty", "answers are null and count as empty")
        return dict(EMPTY_DRAW)
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bool | int | float):
        return {"text": str(value)}
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        return draw_of(cast("list[Any]", value)[0], notes)
    if _is_tuple(value):
        # `(text, log-probabilities, ...)`, as research code keeps an answer.
        text, second, *_ = cast("list[Any]", value)
        notes.say("of answers that are lists, only the text and its token log-probabilities are read")
        is_logprobs = isinstance(second, list) and all(type(x) in (int, float) for x in cast("list[Any]", second))
        return {"text": text, "token_logprobs": second} if is_logprobs and second else {"text": text}
    if not isinstance(value, dict):
        raise LineError("no text in it", 'an answer is `"..."` or `{"text": "..."}`')
    draw = dict(cast("dict[str, Any]", value))
    if not isinstance(draw.get("text"), str):
        key = next((key for key in _TEXTS if isinstance(draw.get(key), str)), None)
        turns = [object_of(turn) for turn in items_of(draw.get("generated_text"))]
        if key is not None:
            text = draw.pop(key)
        elif turns and turns[-1].get("role") == "assistant":
            # A chat in which the answer is the last turn.
            text = content_text(turns[-1].get("content"))
            del draw["generated_text"]
        else:
            text = content_text(object_of(draw.get("message")).get("content"))
        if text is None:
            listed = ", ".join(f"`{name}`" for name in list(draw)[:8]) or "none"
            raise LineError(f"no text in it: its keys are {listed}", 'an answer is `"..."` or `{"text": "..."}`')
        draw = {"text": text, **draw}
    if "finish_reason" in draw or "stop_reason" in draw:
        given = draw.pop("finish_reason", None) or draw.get("stop_reason")
        draw["finish_reason"] = finish_reason(given, notes)
    # An array under its short name, one number a token, is the array that it looks like.
    for short in ("logprobs", "entropies", "logits"):
        numbers = items_of(draw.get(short))
        if numbers and f"token_{short}" not in draw and all(type(x) in (int, float) for x in numbers):
            draw[f"token_{short}"] = draw.pop(short)
    for key in ARRAY_KEYS:
        if draw.get(key) == []:
            del draw[key]
    return draw


def _is_tuple(value: object) -> bool:
    """Whether a list is a text and facts about it."""
    first, *others = items_of(value) or [None]
    return isinstance(first, str) and bool(others) and not any(isinstance(item, str) for item in others)


def content_text(content: object) -> str | None:
    """Return the text of a chat message: a text, or parts of which some are texts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [object_of(part) for part in cast("list[Any]", content)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return "".join(texts) if texts else None


def finish_reason(value: object, notes: Notes) -> str | None:
    """Return `stop`, `length` or, where it says neither, `None`."""
    if value is None:
        return None
    name = value.strip().lower() if isinstance(value, str) else ""
    if name in _STOP:
        return "stop"
    if name in _LENGTH:
        return "length"
    if name:
        notes.count(
            "finish reason is neither `stop` nor `length` and is left out",
            "finish reasons are neither `stop` nor `length` and are left out",
        )
    return None


def label_of(value: object) -> LabelValue | None:
    """Return the label that a value spells, `None` where it spells none."""
    if value is None or isinstance(value, list | dict):
        return None
    text = str(value).strip().casefold()
    return LabelValue(text) if text in list(LabelValue) else _LABELS.get(text)


def label_of_draws(labels: Sequence[LabelValue | None]) -> LabelValue | None:
    """Return the label of most of the answers to a question; of a tie `ambiguous`, without any `None`."""
    counts = Counter(label for label in labels if label is not None).most_common(2)
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return LabelValue.AMBIGUOUS
    return counts[0][0] if counts else None


def temperature_of(settings: Mapping[str, Any]) -> float | None:
    """Return the temperature of an answer's settings, 0 where they say that nothing was sampled."""
    if settings.get("do_sample") is False:
        return 0.0
    return finite(settings.get("temperature"))
