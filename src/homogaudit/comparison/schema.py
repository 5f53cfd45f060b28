"""The JSON Schema of a comparison, generated from its records: `python -m homogaudit.comparison.schema` writes it."""

import json
from pathlib import Path
from typing import Any, cast

from homogaudit.comparison.records import Comparison
from homogaudit.report.schema import generate, write

PATH = Path(__file__).with_name("comparison.schema.json")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a comparison."""
    return cast(dict[str, Any], json.loads(PATH.read_text(encoding="utf-8")))


if __name__ == "__main__":
    write(PATH, generate(Comparison, "comparison", 1))
