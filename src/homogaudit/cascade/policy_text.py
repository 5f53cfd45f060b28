"""JSON text of a frozen record, with a format, a version and a checksum, read back strictly.

Every key must be there, none more, each of its type; the checksum tells a file edited by hand. It knows nothing of
cascades. It protects against mistakes, not against someone who computes the checksum anew.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar, cast

from homogaudit.codec import from_json, to_values
from homogaudit.errors import UsageError

_Record = TypeVar("_Record")


def policy_error(problem: str) -> UsageError:
    """Return the error for a policy that cannot be used."""
    return UsageError(f"this is no policy that can be used: {problem}", "fit it again with `homogaudit cascade fit`")


def write_record(record: Any, name: str, version: int) -> str:
    """Return a frozen dataclass of finite numbers, texts and records as JSON text."""
    body = {"format": name, "version": version, **to_values(record)}
    return json.dumps({**body, "checksum": _checksum(body)}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_record(text: str, kind: type[_Record], name: str, version: int) -> _Record:
    """Read what `write_record` wrote.

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
    try:
        record = from_json(kind, json.dumps(body))
    except ValueError as error:
        raise policy_error(str(error)) from None
    if stated != _checksum({"format": name, "version": version, **body}):
        raise policy_error("it was changed after it was written (the checksum does not match)")
    return record


def _refuse(_: str) -> NoReturn:
    raise ValueError("a number is not finite")


def _checksum(body: Mapping[str, object]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
