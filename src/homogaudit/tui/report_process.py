"""The report of a run, or a comparison of runs, built by a process of its own and read back from its JSON.

Building takes seconds to minutes of work in Python: in a thread it would hold up the screen, and could not be stopped.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from homogaudit.codec import from_values
from homogaudit.comparison.records import Comparison
from homogaudit.config.python_child import child_environment, python_command
from homogaudit.errors import EngineError, from_kind
from homogaudit.report.json import from_json
from homogaudit.report.records import Report

_Record = TypeVar("_Record")


async def build_report(path: Path) -> Report:
    """Build the whole report of a run; when cancelled, the process is gone before this returns.

    Raises:
        HomogauditError: The run cannot be read, or the process failed.
    """
    return _read("report", from_json, await _printed("report", str(path), "--json", "--full"))


async def build_comparison(paths: Sequence[Path], *, force: bool) -> Comparison:
    """Compare runs, the first the baseline, as `build_report` builds a report.

    Raises:
        HomogauditError: They cannot be read or are not comparable, or the process failed.
    """
    forced = ["--force"] if force else []
    printed = await _printed("compare", *map(str, paths), "--json", "--full", *forced)
    return _read("comparison", lambda values: from_values(Comparison, values), printed)


def _read(what: str, read: Callable[[Mapping[str, Any]], _Record], values: Mapping[str, Any]) -> _Record:
    try:
        return read(values)
    except ValueError as error:
        raise EngineError(f"the {what} could not be read: {error}") from None


async def _printed(command: str, *arguments: str) -> Mapping[str, Any]:
    """Return the JSON that a command prints."""
    pipe, devnull = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(
        python_command("homogaudit", command, *arguments),
        stdin=devnull,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
        env=child_environment(),
    )
    # A thread waits for it: unlike a transport of the loop it outlives an application that is torn down meanwhile.
    waiting = asyncio.get_running_loop().run_in_executor(None, process.communicate)
    try:
        output, errors = await asyncio.shield(waiting)
    except asyncio.CancelledError:
        process.kill()
        await asyncio.shield(waiting)
        raise
    try:
        values = json.loads(output)
    except ValueError:
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EngineError(f"`{command}` gave nothing: {''.join(last) or 'no output'}") from None
    if "error" in values:
        error = values["error"]
        raise from_kind(error["kind"], error["message"], error.get("hint"))
    return values
