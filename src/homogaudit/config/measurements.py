"""The file of what was measured on this machine, kept beside the runs: reading and writing, by whoever measures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = "bench.json"


def read_measurements(folder: Path) -> dict[str, Any]:
    """Return what is kept in a folder of runs, nothing where it cannot be read."""
    try:
        stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def write_measurements(folder: Path, stored: Mapping[str, Any]) -> None:
    """Keep what was measured in place of what is there.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(json.dumps(stored, indent=2), encoding="utf-8")
