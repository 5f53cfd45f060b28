"""The JSON Schema of what `protocol run` prints; `python -m homogaudit.protocols.schema` writes it from the records."""

import json
from pathlib import Path
from typing import Any, cast

from homogaudit.protocols.records import ProtocolResults
from homogaudit.report.schema import generate, write

PATH = Path(__file__).with_name("protocol.schema.json")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `protocol run` prints."""
    return cast(dict[str, Any], json.loads(PATH.read_text(encoding="utf-8")))


if __name__ == "__main__":
    write(PATH, generate(ProtocolResults, "protocol", 1))
