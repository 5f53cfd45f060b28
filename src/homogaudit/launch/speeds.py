"""What `homogaudit bench` measured of a model on this machine, kept beside the runs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homogaudit.config import load_models, load_settings
from homogaudit.errors import HomogauditError

__all__ = ["Speeds", "find_serial_speed", "find_speeds", "store_speeds"]

_FILE = "bench.json"


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens a second of the engine and of a serial loop over the same prompts."""

    engine: float
    serial: float


def store_speeds(folder: Path, model: Path, speeds: Speeds) -> None:
    """Keep the speeds of a model; those measured before go. A folder that cannot be written is no error."""
    stored = _read(folder)
    try:
        stored[_key(model)] = {"engine": speeds.engine, "serial": speeds.serial}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_text(json.dumps(stored, indent=2), encoding="utf-8")
    except OSError:
        return


def find_speeds(folder: Path, model: Path) -> Speeds | None:
    """Return what was measured of a model file, `None` where nothing was."""
    try:
        found = _read(folder).get(_key(model))
        return Speeds(float(found["engine"]), float(found["serial"])) if found else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def find_serial_speed(model: str) -> float | None:
    """Return the tokens a second of a serial loop on a model file, `None` where they were not measured."""
    try:
        speeds = find_speeds(load_settings(load_models()).runs, Path(model))
    except HomogauditError:
        return None
    return speeds.serial if speeds else None


def _key(model: Path) -> str:
    """Name a model file by its content, so that a file that was replaced has no speed."""
    from homogaudit.generation.fingerprint import fingerprint

    found = fingerprint(model)
    return f"{found.size}-{found.head_sha256[:16]}-{found.tail_sha256[:16]}"


def _read(folder: Path) -> dict[str, Any]:
    try:
        stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
