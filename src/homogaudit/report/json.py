"""The report as JSON, format `homogaudit.report/1`, described by `report.schema.json` beside this file.

It knows no figure by name: fields become keys, an `Undefined` becomes `{"value": null, "reason": "..."}`.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

from homogaudit.report.records import Report, Undefined

__all__ = ["FORMAT", "dumps", "record_values", "schema", "to_json"]

FORMAT = "homogaudit.report/1"


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values; no number in it is NaN or infinite."""
    return {"schema": FORMAT, **record_values(report)}


def dumps(report: Report) -> str:
    """Return the report as JSON text, indented, ASCII only so that no terminal can be steered by it."""
    return json.dumps(to_json(report), indent=2, allow_nan=False)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `to_json` returns."""
    text = files("homogaudit.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


def record_values(record: Any) -> dict[str, Any]:
    """Return a record's fields by name; `class_` is `class`, which Python keeps for itself."""
    return {field.name.rstrip("_"): _value(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _value(value: Any) -> Any:
    if isinstance(value, Undefined):
        return {"value": None, "reason": value.reason}
    if dataclasses.is_dataclass(value):
        return record_values(value)
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in cast(list[Any], value)]
    if isinstance(value, float) and not math.isfinite(value):
        # Only what a run file brings along unread (its parameters) can hold one.
        return None
    return value
