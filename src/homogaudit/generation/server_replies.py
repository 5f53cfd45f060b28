"""What the body of a reply says of itself: an error in the place of an answer, a reason, broken characters.

Knows no connection; the words of a server are somebody else's and may hold anything.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

_LONGEST_WHOLE = 18
"""Digits of the whole numbers that 64 bits hold; a run file holds no others."""


class Unpacker:
    """The body of a reply as it was before it was packed, never more of it at once than is asked for.

    Args:
        encoding: The header `Content-Encoding`, empty for a body that was not packed.

    Raises:
        ValueError: It is packed in a way that was not asked for, or more than once.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().casefold()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ValueError(f"packed as {name}")
        # 47 is for a header of either kind.
        self._stream = None if name in ("", "identity") else zlib.decompressobj(47)

    def unpack(self, chunk: bytes, most: int) -> bytes:
        """Return what a chunk holds, cut after `most` bytes.

        Raises:
            ValueError: It is damaged.
        """
        if self._stream is None:
            return chunk
        try:
            return self._stream.decompress(chunk, most)
        except zlib.error as error:
            raise ValueError("packed, and damaged") from error


def parsed(text: bytes | str) -> Any:
    """Return what JSON holds; a whole number beyond 64 bits is a float, infinite where a float cannot hold it.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_int=lambda digits: float(digits) if len(digits) > _LONGEST_WHOLE else int(digits))


def reason_in(body: bytes, status: int) -> str:
    """Return what an error body says, in its own words; the status where it says nothing in words."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        found = parsed(body)
    except (ValueError, RecursionError):
        if text.strip() and not text.lstrip().startswith("<"):
            return text
        title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        page = f"a web page, {title[1].strip()}" if title and title[1].strip() else kind_of(body)
        return f"status {status} and {page}"
    try:
        found = well_formed(found)
    except RecursionError:
        return text
    if isinstance(found, list) and len(found) == 1:
        # Google's spelling.
        (found,) = found
    for key in ("error", "message", "detail", "code"):
        if isinstance(found, dict) and found.get(key):
            inner = found[key]
            text = str(inner.get("message") or inner) if isinstance(inner, dict) else str(inner)
            if isinstance(inner, dict) and inner.get("code"):
                text += f" ({inner['code']})"
            break
    return text


def well_formed(value: Any, without: Callable[[str], str] = str) -> Any:
    """Return JSON values with U+FFFD for each half of a surrogate pair, which no file and no stream of UTF-8 can hold.

    Servers that cut an answer between the halves of an emoji send one. `without` takes out of each text what must not
    be kept.

    Raises:
        RecursionError: They are nested too deeply.
    """
    if isinstance(value, str):
        # Halves that stand side by side are one character again.
        text = value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return without(text)
    if isinstance(value, list):
        return [well_formed(item, without) for item in value]
    if isinstance(value, dict):
        return {well_formed(key, without): well_formed(item, without) for key, item in value.items()}
    return value


def failure_in(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what reports an error in the place of a good answer, or of each of its choices; `None` for no error."""
    choices = answer.get("choices")
    if not choices:
        return answer if answer.get("error") or answer.get("object") == "error" else None
    rows = choices if isinstance(choices, list) else []
    failed = [row for row in rows if isinstance(row, dict) and isinstance(row.get("error"), dict) and row["error"]]
    return failed[0] if failed and len(failed) == len(rows) else None


def status_in(answer: Mapping[str, Any]) -> int | None:
    """Return the status that an error in a good answer's place tells, `None` where it tells none."""
    error = answer.get("error")
    codes = [x.get(name) for x in (error, answer) if isinstance(x, dict) for name in ("code", "status")]
    numbers = [int(x) for x in codes if isinstance(x, int) or (isinstance(x, str) and x.isdecimal() and len(x) == 3)]
    return next((number for number in numbers if 400 <= number < 600), None)


def kind_of(body: bytes) -> str:
    """Return what a body is that is no JSON, in words."""
    if not body.strip():
        return "nothing"
    return "a web page" if body.lstrip()[:1] == b"<" else "something broken"
