"""The folder of a sweep: a run file for each setting that needs draws, and beside them what was swept.

Knows names and the file `sweep.json`; opens no run file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from homogaudit.codec import STRICT, from_json, to_values
from homogaudit.errors import RunFileError, UsageError
from homogaudit.store.output_file import write_text
from homogaudit.sweep.axes import Axis, Value

FILE = "sweep.json"
FORMAT: Literal["homogaudit.sweep_folder/1"] = "homogaudit.sweep_folder/1"


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One run file of the folder, and what sets it apart."""

    file: str
    setting: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sweep is of.

    Attributes:
        command: What was asked for beside the axes; the same command finds the same folder by it.
        axes: What it varies.
        runs: The run files, in the order in which they are drawn.
    """

    command: Mapping[str, Any]
    axes: tuple[Axis, ...]
    runs: tuple[SweptRun, ...]
    format: Literal["homogaudit.sweep_folder/1"] = field(default=FORMAT, kw_only=True)

    __pydantic_config__ = STRICT


def is_sweep(folder: Path) -> bool:
    """Whether a path is the folder of a sweep."""
    return (folder / FILE).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Return what the folder of a sweep holds.

    Raises:
        RunFileError: It is none, or was written by another version.
    """
    try:
        return from_json(Manifest, (folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFileError(f"`{folder}` holds no sweep: {_reason(error)}", "name the folder of a sweep") from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what a sweep is of into its folder, which is made.

    Raises:
        StorageError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, json.dumps(to_values(manifest), indent=1) + "\n")


def check_same(folder: Path, manifest: Manifest) -> None:
    """Check that a folder holds the sweep that is asked for.

    Raises:
        UsageError: It holds another one.
        RunFileError: It holds none.
    """
    stored = read_manifest(folder)
    if stored == manifest:
        return
    if stored.axes != manifest.axes:
        raise UsageError(f"`{folder}` holds a sweep over other values", "name another folder with `-o`")
    differing = [
        key for key in {**stored.command, **manifest.command} if stored.command.get(key) != manifest.command.get(key)
    ]
    named = ", ".join(f"`{key}`" for key in differing)
    raise UsageError(f"`{folder}` holds a sweep with another {named}", "name another folder with `-o`")
