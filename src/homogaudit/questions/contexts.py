"""Texts that a question comes with: one that can be asked with it, and passages that an answer can be grounded in."""

from collections.abc import Mapping
from typing import Any, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError
from homogaudit.questions.references import decoded, lowered_keys

CONTEXT_COLUMNS = ("context", "passage", "input", "article", "story", "paragraph", "premise", "background")
"""Columns that are asked with the question where they hold one text, the surest first."""

PASSAGE_COLUMNS = ("passages", "context", "contexts", "paragraphs", "retrieved_contexts", "reference_contexts")
"""Columns whose lists of texts are passages; they are too long to be asked."""

_TEXTS = ("text", "paragraph_text", "sentences", "content", "passage", "snippet", "body", "contexts")
"""Where a paragraph that is an object holds its text."""


def passages_of(value: object, where: str) -> tuple[str, ...]:
    """Return the passages that a value holds, a title before its paragraph.

    It may be a text, a list of texts, a list of `[title, sentences]` (HotpotQA), a list of objects with a text in them
    (MuSiQue), or an object with titles and sentences side by side (HotpotQA on the Hugging Face hub).

    Raises:
        QuestionFileError: It is none of these.
    """
    value = decoded(value, where)
    if isinstance(value, str):
        return (value.strip(),) if value.strip() else ()
    if value is None:
        return ()
    if isinstance(value, dict):
        columns = lowered_keys(cast("dict[str, Any]", value))
        texts = next((columns[name] for name in _TEXTS if isinstance(columns.get(name), list)), None)
        titles = columns.get("title")
        if texts is None and (
            text := next((columns[name] for name in _TEXTS if isinstance(columns.get(name), str)), None)
        ):
            return (text.strip(),) if text.strip() else ()
        if texts is None:
            raise _unreadable(value, where)
        if not isinstance(titles, list) or len(cast("list[Any]", titles)) != len(texts):
            titles = [""] * len(texts)
        pairs = list(zip(cast("list[Any]", titles), texts, strict=True))
    elif isinstance(value, list):
        pairs = [_pair(item, where) for item in cast("list[Any]", value)]
    else:
        raise _unreadable(value, where)
    paragraphs = [(title if isinstance(title, str) else "", _joined(text, where)) for title, text in pairs]
    return tuple(f"{title}: {text}" if title else text for title, text in paragraphs if text)


def _pair(item: object, where: str) -> tuple[Any, Any]:
    if isinstance(item, str):
        return "", item
    if isinstance(item, dict):
        keys: Mapping[str, Any] = lowered_keys(cast("dict[str, Any]", item))
        text = next((keys[name] for name in _TEXTS if keys.get(name) is not None), None)
        if text is not None:
            return keys.get("title"), text
    elif isinstance(item, list) and len(cast("list[Any]", item)) == 2:
        title, text = cast("list[Any]", item)
        if isinstance(title, str) and isinstance(text, list):
            return title, text
    raise _unreadable(item, where)


def _joined(value: object, where: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
        return " ".join(item.strip() for item in cast("list[str]", value))
    raise _unreadable(value, where)


def _unreadable(value: object, where: str) -> QuestionFileError:
    return QuestionFileError(
        f"{where} holds {kind_of(value)}, not a list of texts or of [title, sentences]",
        "leave it out, or give it as HotpotQA does",
    )
