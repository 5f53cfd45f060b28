"""The report of a run, built by a process of its own and read back from its JSON.

Building takes seconds to minutes of work in Python: in a thread it would hold up the screen, and could not be stopped.
"""

import asyncio
import dataclasses
import json
import subprocess
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from homogaudit.errors import EngineError, from_kind
from homogaudit.report.json import FORMAT
from homogaudit.report.records import Report, Undefined

__all__ = ["BuiltReport", "build_report", "read_report"]


@dataclasses.dataclass(frozen=True, slots=True)
class BuiltReport:
    """A report, and its JSON as it was written."""

    report: Report
    text: str


async def build_report(path: Path, *, full: bool) -> BuiltReport:
    """Build the report of a run; when cancelled, the process is gone before this returns.

    Args:
        path: The run file.
        full: Whether to make what only the full report shows.

    Raises:
        HomogauditError: The run cannot be read, or the process failed.
    """
    command = [sys.executable, "-m", "homogaudit", "report", str(path), "--json", *(["--full"] if full else [])]
    pipe, devnull = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=devnull, stdout=pipe, stderr=pipe, start_new_session=True)
    # A thread waits for it: unlike a transport of the loop it outlives an application that is torn down meanwhile.
    waiting = asyncio.get_running_loop().run_in_executor(None, process.communicate)
    try:
        output, errors = await asyncio.shield(waiting)
    except asyncio.CancelledError:
        process.kill()
        await asyncio.shield(waiting)
        raise
    text = output.decode("utf-8", "replace")
    try:
        values = json.loads(text)
    except ValueError:
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EngineError(f"the report could not be built: {''.join(last) or 'no output'}") from None
    if "error" in values:
        error = values["error"]
        raise from_kind(error["kind"], error["message"], error.get("hint"))
    return BuiltReport(read_report(values), text)


def read_report(values: Mapping[str, Any]) -> Report:
    """Return the report behind its JSON values.

    Raises:
        EngineError: They are of another format.
    """
    if values.get("schema") != FORMAT:
        raise EngineError(f"the report is not of the format `{FORMAT}`")
    return cast(Report, _read(values, Report))


def _read(value: Any, kind: Any) -> Any:
    """Return the value of the type `kind` that was written as `value`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _read_union(value, arguments)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return kind(**{name: _read(value[name.rstrip("_")], hints[name]) for name in names})
    if origin is tuple:
        items = cast(Sequence[Any], value)
        kinds = [arguments[0]] * len(items) if arguments[1:] == (...,) else arguments
        return tuple(_read(item, each) for item, each in zip(items, kinds, strict=True))
    if origin is not None and isinstance(value, dict):
        found = cast(dict[str, Any], value)
        return {key: _read(item, arguments[1]) for key, item in found.items()}
    return float(value) if kind is float and isinstance(value, int) else value


def _read_union(value: Any, kinds: Sequence[Any]) -> Any:
    if value is None:
        return None
    is_undefined = isinstance(value, dict) and set(cast(dict[str, Any], value)) == {"value", "reason"}
    if Undefined in kinds and is_undefined:
        return Undefined(value["reason"])
    others = [kind for kind in kinds if kind not in (Undefined, type(None))]
    return _read(value, others[0])
