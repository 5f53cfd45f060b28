"""Lists and objects that a program wrote into a text: as JSON, as Python prints them, as NumPy does.

It evaluates nothing: a small reader of its own takes what is a list, an object, a text, a number or a constant, and
whatever else a text holds leaves it a text.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

_MAX_DEPTH = 16
"""Deeper than any cell of a data set, and far below what exhausts the stack."""

_TOKEN = re.compile(
    r"\s*+(?:(?P<open>(?:(?:np\.)?array\(\s*+)?[\[({])"
    r"|(?P<close>[\])}])"
    r"|(?P<mark>[,:])"
    r"|(?P<text>[ub]?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))"
    r"|(?P<elided>\.\.\.)"
    r"|(?P<dtype>dtype\s*=\s*[^\])}]*)"
    r"|(?P<bare>[+-]?[0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?|True|False|None|true|false|null|nan|NaN))",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "'": "'", '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "\n": ""}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_CONSTANTS: dict[str, Any] = {
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    "None": None,
    "null": None,
    "nan": None,
    "NaN": None,
}

NOT_A_LITERAL = object()
"""What a text is that holds no list and no object, or one with other things in it."""


class ElidedError(ValueError):
    """The program that wrote the text left some of the list out: NumPy prints `...` for them."""


@dataclass(frozen=True, slots=True)
class _Read:
    value: Any
    end: int


class _NotALiteral(Exception):
    pass


def read_literal(text: str) -> Any:
    """Return the list or the object that `text` is, or `NOT_A_LITERAL`.

    Args:
        text: For example `["a", "b"]`, `['a', 'b']`, `['a' 'b']` (NumPy), `array(['a'], dtype=object)`,
            `{'text': ['a'], 'start': [3]}`.

    Raises:
        ElidedError: Some of it is left out.
    """
    stripped = text.strip()
    if not stripped.startswith(("[", "{", "array(", "np.array(")):
        return NOT_A_LITERAL
    try:
        read = _container(stripped, 0, 1)
    except _NotALiteral:
        return NOT_A_LITERAL
    return read.value if read.end == len(stripped) else NOT_A_LITERAL


def _token(text: str, position: int) -> re.Match[str]:
    match = _TOKEN.match(text, position)
    if match is None:
        raise _NotALiteral
    return match


def _container(text: str, position: int, depth: int) -> _Read:
    """Read the list, tuple, array or object that begins at `position`."""
    if depth > _MAX_DEPTH:
        raise _NotALiteral
    opening = _token(text, position)
    if opening.lastgroup != "open":
        raise _NotALiteral
    written = opening["open"]
    bracket = written[-1]
    closings = {"[": "]", "(": ")", "{": "}"}[bracket]
    is_wrapped = "array" in written
    items: list[Any] = []
    keys: list[str] = []
    position = opening.end()
    after_key = False
    is_object = bracket == "{"
    while True:
        token = _token(text, position)
        kind = token.lastgroup
        if kind == "close":
            if token["close"] != closings:
                raise _NotALiteral
            position = token.end()
            break
        if kind == "elided":
            raise ElidedError
        if kind == "mark":
            if token["mark"] == ":" and not (is_object and len(items) == len(keys) + 1 and not after_key):
                raise _NotALiteral
            if token["mark"] == ":":
                keys.append(str(items.pop()))
                after_key = True
            position = token.end()
            continue
        if kind == "open":
            read = _container(text, position, depth + 1)
            items.append(read.value)
            position = read.end
        elif kind in ("text", "bare"):
            items.append(_unquoted(token["text"]) if kind == "text" else _bare(token["bare"]))
            position = token.end()
        else:
            raise _NotALiteral
        after_key = False
    if is_wrapped:
        position = _end_of_array(text, position)
    if is_object:
        if len(items) != len(keys):
            raise _NotALiteral
        return _Read(dict(zip(keys, items, strict=True)), position)
    return _Read(items, position)


def _end_of_array(text: str, position: int) -> int:
    """Return where `, dtype=object)` ends."""
    while True:
        token = _token(text, position)
        position = token.end()
        if token.lastgroup == "close":
            if token["close"] != ")":
                raise _NotALiteral
            return position
        if token.lastgroup not in ("mark", "dtype"):
            raise _NotALiteral


def _bare(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise _NotALiteral from None
    if not math.isfinite(number):
        raise _NotALiteral
    return number


def _unquoted(text: str) -> str:
    body = text[text.index(text[-1]) + 1 : -1]

    def plain(match: re.Match[str]) -> str:
        found = match[1]
        if found[0] in "uxU" and len(found) > 1:
            number = int(found[1:], 16)
            return chr(number) if number < 0x110000 else match[0]
        return _ESCAPES.get(found, match[0])

    read = _ESCAPE.sub(plain, body)
    if read.isascii():
        return read
    # JSON writes what lies beyond the basic plane as two halves.
    return _SURROGATES.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), read)
