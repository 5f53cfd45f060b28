"""The report as JSON, format `homogaudit.report/2`, described by `report.schema.json` beside this file.

It knows no figure by name: fields are keys. The schema is generated, by `python -m homogaudit.report.schema`.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

from homogaudit.codec import from_values, to_values
from homogaudit.report.records import FORMAT, Report


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values; no number in it is NaN or infinite."""
    return to_values(report)


def dumps(record: object) -> str:
    """Return a report, or another record, as JSON text, indented, ASCII only so that no terminal can be steered."""
    return json.dumps(to_values(record), indent=2, allow_nan=False)


def from_json(values: Mapping[str, Any]) -> Report:
    """Return the report behind its JSON values.

    Raises:
        ValueError: They are of another format, or no report.
    """
    if values.get("schema") != FORMAT:
        raise ValueError(f"the report is not of the format `{FORMAT}`")
    return from_values(Report, values)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `to_json` returns."""
    text = files("homogaudit.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))
