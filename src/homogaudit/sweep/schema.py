"""The JSON Schema of a sweep, generated from its records: `python -m homogaudit.sweep.schema` writes it."""

import json
from pathlib import Path
from typing import Any, cast

from homogaudit.report.schema import generate, write
from homogaudit.sweep.records import Sweep

PATH = Path(__file__).with_name("sweep.schema.json")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a sweep."""
    return cast(dict[str, Any], json.loads(PATH.read_text(encoding="utf-8")))


if __name__ == "__main__":
    write(PATH, generate(Sweep, "sweep", 1))
