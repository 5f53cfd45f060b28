"""JSON text of a frozen record, with a format, a version and a checksum, read back strictly.

Every key must be there, none more, each of its type; the checksum tells a file edited by hand. It knows nothing of
cascades. It protects against mistakes, not against someone who computes the checksum anew.
"""

import dataclasses
import hashlib
import json
import math
import types
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from homogaudit.errors import UsageError

__all__ = ["policy_error", "read_record", "write_record"]

_Record = TypeVar("_Record")


def policy_error(problem: str) -> UsageError:
    """Return the error for a policy that cannot be used."""
    return UsageError(f"this is no policy that can be used: {problem}", "fit it again with `homogaudit cascade fit`")


def write_record(record: Any, name: str, version: int) -> str:
    """Return a frozen dataclass of finite numbers, texts and records as JSON text.

    Args:
        record: The dataclass.
        name: Of the format.
        version: Of the format.
    """
    body = {"format": name, "version": version, **dataclasses.asdict(record)}
    return json.dumps({**body, "checksum": _checksum(body)}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_record(text: str, kind: type[_Record], name: str, version: int) -> _Record:
    """Read what `write_record` wrote.

    Args:
        text: JSON.
        kind: The dataclass.
        name: Of the format.
        version: The newest one that is known.

    Raises:
        UsageError: The text is not such a record, is newer, or was changed.
    """
    try:
        loaded: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise policy_error("it is not JSON") from None
    if not isinstance(loaded, dict):
        raise policy_error("it is not a JSON object")
    body = cast(dict[str, object], loaded)
    if body.pop("format", None) != name:
        raise policy_error(f"it does not say `format: {name}`")
    found = body.pop("version", None)
    if type(found) is not int or found != version:
        raise policy_error(f"this release reads version `{version}`")
    stated = body.pop("checksum", None)
    record = cast(_Record, _read(body, kind, ""))
    if stated != _checksum({"format": name, "version": version, **body}):
        raise policy_error("it was changed after it was written (the checksum does not match)")
    return record


def _refuse(_: str) -> NoReturn:
    raise ValueError("a number is not finite")


def _checksum(body: Mapping[str, object]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _read(value: object, kind: Any, where: str) -> object:
    """Return `value` as `kind`, which is a dataclass, a scalar, `X | None`, `tuple[X, ...]` or a mapping of scalars."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        choices = get_args(kind)
        if value is None and type(None) in choices:
            return None
        scalars = [choice for choice in choices if type(value) is choice]
        remaining = [choice for choice in choices if choice is not type(None)]
        return _read(value, (scalars or remaining)[0], where)
    if origin is tuple:
        if not isinstance(value, list):
            raise policy_error(f"`{where}` is not a list")
        items = cast(list[object], value)
        return tuple(_read(item, get_args(kind)[0], f"{where}[{number}]") for number, item in enumerate(items))
    if origin is Mapping:
        entries = _object(value, where)
        return {key: _read(item, get_args(kind)[1], f"{where}.{key}") for key, item in entries.items()}
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(_object(value, where), kind, where)
    return _scalar(value, kind, where)


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise policy_error(f"`{where}` is not an object")
    return cast(dict[str, object], value)


def _read_dataclass(entries: dict[str, object], kind: Any, where: str) -> object:
    hints = get_type_hints(kind)
    if entries.keys() != hints.keys():
        odd = min(entries.keys() ^ hints.keys())
        prefix = f"{where}." if where else ""
        raise policy_error(f"the key `{prefix}{_short(odd)}` is {'unknown' if odd in entries else 'missing'}")
    prefix = f"{where}." if where else ""
    return kind(**{name: _read(entries[name], hint, prefix + name) for name, hint in hints.items()})


def _scalar(value: object, kind: type, where: str) -> object:
    # JSON writes 1.0 as 1 in some editors; True is an int for Python only.
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise policy_error(f"`{where}` is not of the type `{kind.__name__}`")
    return value


def _short(name: str) -> str:
    """Return a key of somebody else's file as it may be shown in one line."""
    return "".join(char if char.isprintable() and char != "`" else "\ufffd" for char in name)[:60]
