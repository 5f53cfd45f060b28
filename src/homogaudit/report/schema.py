"""The JSON Schema of the report, generated from its records: `python -m homogaudit.report.schema` writes the file.

What a field means is said once: by its figure, by the glossary's term of its name, or, where it means something of its
own, under `Attributes:` in the docstring of its record.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from homogaudit.report.figure import figures
from homogaudit.report.glossary import TERMS
from homogaudit.report.records import Report

PATH = Path(__file__).with_name("report.schema.json")


class _Schema(GenerateJsonSchema):
    """Describes records by their docstrings; every key is required."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        kind: type = schema["cls"]
        explained = {name: term.definition for name, term in TERMS.items()}
        meanings = explained | {name: x.means for name, x in figures(kind).items() if x.means} | _meanings(kind)
        for name, value in found["properties"].items():
            value.pop("default", None)
            if name in meanings:
                # Beside a reference too, as 2020-12 allows.
                value["description"] = meanings[name]
        # What is always written is what a reader may rely on.
        return found | {"required": list(found["properties"])}


def _meanings(kind: type) -> dict[str, str]:
    """Return what a record's docstring says of its fields."""
    listed = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2]
    entries = (entry.strip().partition(": ") for entry in re.split(r"\n(?=    \w)", "\n" + listed))
    return {name: " ".join(meaning.split()) for name, colon, meaning in entries if colon}


def generate(kind: type = Report, title: str = "report", version: int = 2) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a record that is an output of its own, the report unless another is named."""
    found = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_Schema)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:homogaudit:{title}:{version}",
        "title": f"homogaudit {title}",
    }
    definitions = dict(sorted(found.pop("$defs").items()))
    for record in (found, *definitions.values()):
        if "description" in record:
            record["description"] = " ".join(record["description"].partition("\n\n")[0].split())
    return head | found | {"$defs": definitions}


def write(path: Path, schema: dict[str, Any]) -> None:
    """Write a schema where it is shipped."""
    path.write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(PATH, generate())
