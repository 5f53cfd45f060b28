"""Chat prompts: the first user turn of a conversation, its system message, and the reply that follows.

Knows the ways in which a conversation is written down: a list of texts, of messages with a role, or of turns with a
speaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError
from homogaudit.questions.raw_records import RawRecord
from homogaudit.questions.references import decoded, lowered_keys
from homogaudit.questions.wording import quoted

_SYSTEM = frozenset({"system", "developer"})
_USER = frozenset({"user", "human", "prompter", "instruction", "question"})
_ASSISTANT = frozenset({"assistant", "gpt", "bot", "model", "chatgpt", "chatbot", "ai", "bing", "bard", "output"})


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked of a conversation.

    Attributes:
        system: The system message before it; `None` where there is none.
        reply: The assistant's turn right after it; empty where there is none.
        left_out: Turns that are not used: those after the reply, and what the assistant said before the user.
    """

    text: str
    system: str | None
    reply: str
    left_out: int


def is_conversation(value: object) -> bool:
    """Whether a value is a list of turns."""
    value = decoded(value, "")
    if not isinstance(value, list) or not value:
        return False
    items = cast("list[Any]", value)
    if all(isinstance(item, str) for item in items):
        return True
    return all(isinstance(item, dict) and _role(lowered_keys(item)) is not None for item in items)


def read_conversation(value: object, where: str) -> Conversation:
    """Return what is asked of a conversation.

    Raises:
        QuestionFileError: No turn is a user's, or one that is used holds something other than text.
    """
    items = cast("list[Any]", decoded(value, where))
    if all(isinstance(item, str) for item in items):
        # A list of texts holds what the user says, turn after turn.
        return Conversation(items[0].strip(), None, "", len(items) - 1)
    turns = [lowered_keys(cast("dict[str, Any]", item)) for item in items]
    roles = [_role(turn) or "" for turn in turns]
    first = next((place for place, role in enumerate(roles) if role in _USER), None)
    if first is None:
        raise QuestionFileError(f"{where} has no user turn", "give at least one")
    system = [_content(turn, where) for turn, role in zip(turns[:first], roles, strict=False) if role in _SYSTEM]
    has_reply = first + 1 < len(turns) and roles[first + 1] in _ASSISTANT
    return Conversation(
        text=_content(turns[first], where),
        system="\n\n".join(line for line in system if line) or None,
        reply=_content(turns[first + 1], where) if has_reply else "",
        left_out=len(turns) - len(system) - 1 - has_reply,
    )


def first_messages(records: Sequence[RawRecord]) -> tuple[Sequence[RawRecord], tuple[str, ...]]:
    """Return a record a conversation where a file holds a message a record (OpenAssistant), else the records as given.

    The first message of a conversation is asked; the best ranked reply to it is its reference.

    Returns:
        The records, and what was left out, a line each.
    """
    names = ("message_id", "parent_id", "text", "role")
    if not records or not all(set(names) <= record.values.keys() for record in records):
        return records, ()
    replies: dict[Any, Mapping[str, Any]] = {}
    for record in records:
        values = record.values
        if str(values["role"]).casefold() in _ASSISTANT and values["parent_id"] is not None:
            best = replies.get(values["parent_id"])
            if best is None or (_rank(values) < _rank(best)):
                replies[values["parent_id"]] = values
    first: list[RawRecord] = []
    for record in records:
        values = record.values
        if str(values["role"]).casefold() in _USER and not values["parent_id"]:
            reply = replies.get(values["message_id"])
            added = {} if reply is None else {"answer": reply["text"]}
            first.append(RawRecord(record.line, {"id": values["message_id"], **values, **added}))
    note = (
        f"{len(records)} messages hold {len(first)} conversations: the first message of each is asked, and the best "
        "reply to it is its reference"
    )
    return (first, (note,)) if first else (records, ())


def _rank(message: Mapping[str, Any]) -> float:
    rank = message.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


def _role(turn: Mapping[str, Any]) -> str | None:
    """Return who speaks in a turn, `None` where it is no turn."""
    role = next((turn[name] for name in ("role", "from", "speaker", "author") if isinstance(turn.get(name), str)), None)
    has_text = any(name in turn for name in ("content", "value", "text", "message", "tool_calls", "function_call"))
    return None if role is None or not has_text else role.strip().casefold()


def _content(turn: Mapping[str, Any], where: str) -> str:
    value = next((turn[name] for name in ("content", "value", "text", "message") if turn.get(name) is not None), "")
    parts = cast("list[Any]", value) if isinstance(value, list) else [value]
    texts: list[str] = []
    for part in parts:
        text: object = part
        if isinstance(part, dict):
            keys = lowered_keys(cast("dict[str, Any]", part))
            text = keys.get("text")
            if text is None:
                kind = keys.get("type", "something other than text")
                raise QuestionFileError(f"{where} holds {quoted(kind)} in a turn", "only text can be asked")
        if not isinstance(text, str):
            raise QuestionFileError(f"{where} holds {kind_of(text)} in a turn, not a text", "only text can be asked")
        texts.append(text)
    return "\n".join(texts).strip()
