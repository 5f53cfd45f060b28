"""The thresholds that `homogaudit calibrate` found, one an embedder, in a small JSON file of the user's.

Knows the file; does not know how a threshold is found or used.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homogaudit.errors import ConfigError, storage_error


@dataclass(frozen=True, slots=True)
class CalibratedThreshold:
    """What calibrating one embedder gave.

    Attributes:
        threshold: Cosine from which a pair counts as one meaning.
        low: Lower end of its 95% interval, `None` where there is none.
        pairs: How many pairs set it.
        created: Day and time, UTC.
    """

    embedder: str
    threshold: float
    low: float | None
    high: float | None
    pairs: int
    pairs_sha256: str
    created: str


def thresholds_file() -> Path:
    """Return where the thresholds are kept: HOMOGAUDIT_THRESHOLDS, else a file in the user's data folder."""
    if named := os.environ.get("HOMOGAUDIT_THRESHOLDS"):
        return Path(named).expanduser()
    # Imported here because most commands never need the folder.
    from platformdirs import user_data_path

    return user_data_path("homogaudit", appauthor=False) / "thresholds.json"


def calibrated_thresholds() -> Mapping[str, CalibratedThreshold]:
    """Return the stored thresholds by the embedder's key; empty where none was calibrated.

    Raises:
        ConfigError: The file cannot be read.
    """
    file = thresholds_file()
    try:
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["embedders"]
        found = {key: CalibratedThreshold(**fields) for key, fields in stored.items()}
        if not all(-1 <= entry.threshold <= 1 for entry in found.values()):
            raise ValueError("a threshold is not a cosine")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "remove it, and calibrate again"
        raise ConfigError(f"cannot read the calibrated thresholds in `{file}`: {error}", hint) from error
    return found


def store_threshold(key: str, calibrated: CalibratedThreshold) -> Path:
    """Store one embedder's threshold in place of an earlier one; return the file.

    Raises:
        ConfigError: The file is there and cannot be read.
        StorageError: It cannot be written.
    """
    file = thresholds_file()
    entries = {**calibrated_thresholds(), key: calibrated}
    text = json.dumps({"embedders": {name: asdict(entry) for name, entry in entries.items()}}, indent=2)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # A reader sees the old file or the new one, never half of either.
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise storage_error(f"cannot write `{file}`", error, "name another file in HOMOGAUDIT_THRESHOLDS") from error
    return file
