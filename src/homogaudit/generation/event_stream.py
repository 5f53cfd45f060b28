"""A reply that came in pieces although it was asked for whole: server-sent events, or a JSON object a line.

Some servers and proxies always stream. Knows no connection; what it cannot put together is `None`.
"""

from collections.abc import Mapping
from typing import Any

from homogaudit.generation.server_replies import parsed

_COLUMNS = ("tokens", "token_logprobs", "top_logprobs", "text_offset", "content", "refusal")
"""What log-probabilities are listed under, in either spelling."""


def merged_stream(body: bytes) -> dict[str, Any] | None:
    """Return the reply that the pieces in a body make, `None` where it is no stream of JSON objects.

    A piece that reports an error is returned in place of the reply.
    """
    pieces = _pieces(body)
    if not pieces:
        return None
    if failed := next((piece for piece in pieces if piece.get("error")), None):
        return failed
    choices: dict[int, dict[str, Any]] = {}
    merged: dict[str, Any] = {}
    for piece in pieces:
        merged |= {name: value for name, value in piece.items() if name != "choices" and value is not None}
        rows = piece.get("choices")
        for row in rows if isinstance(rows, list) else []:
            index = row.get("index", 0) if isinstance(row, dict) else None
            if isinstance(index, int):
                _append(choices.setdefault(index, {"index": index}), row)
    return merged | {"choices": list(choices.values())}


def _pieces(body: bytes) -> list[dict[str, Any]]:
    """Return the objects of a body in their order; nothing where a line is neither one nor part of the protocol."""
    found: list[dict[str, Any]] = []
    for line in body.decode("utf-8-sig", "replace").splitlines():
        text = line.strip()
        if not text or text.startswith((":", "event:", "id:", "retry:")):
            continue
        text = text.removeprefix("data:").strip()
        if text == "[DONE]":
            break
        try:
            piece = parsed(text)
        except (ValueError, RecursionError):
            return []
        if not isinstance(piece, dict):
            return []
        found.append(piece)
    return found


def _append(choice: dict[str, Any], row: Mapping[str, Any]) -> None:
    part = row.get("delta", row.get("message"))
    if isinstance(part, dict):
        message = choice.setdefault("message", {})
        for name, value in part.items():
            if isinstance(value, str | list) and isinstance(message.get(name), type(value)):
                # A role is said once, or again in every piece.
                message[name] = value if name == "role" else message[name] + value
            elif value is not None or name not in message:
                message[name] = value
    if isinstance(row.get("text"), str):
        choice["text"] = choice.get("text", "") + row["text"]
    if row.get("finish_reason") is not None:
        choice["finish_reason"] = row["finish_reason"]
    logprobs = row.get("logprobs")
    if isinstance(logprobs, dict):
        columns = choice.setdefault("logprobs", {})
        for name in _COLUMNS:
            if isinstance(logprobs.get(name), list):
                columns.setdefault(name, []).extend(logprobs[name])
