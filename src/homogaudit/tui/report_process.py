"""The report of a run, built by a process of its own and read back from its JSON.

Building takes seconds to minutes of work in Python: in a thread it would hold up the screen, and could not be stopped.
"""

import asyncio
import json
import subprocess
from pathlib import Path

from homogaudit.config.python_child import child_environment, python_command
from homogaudit.errors import EngineError, from_kind
from homogaudit.report.json import from_json
from homogaudit.report.records import Report


async def build_report(path: Path) -> Report:
    """Build the whole report of a run; when cancelled, the process is gone before this returns.

    Raises:
        HomogauditError: The run cannot be read, or the process failed.
    """
    command = python_command("homogaudit", "report", str(path), "--json", "--full")
    pipe, devnull = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=devnull, stdout=pipe, stderr=pipe, start_new_session=True, env=child_environment()
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
        raise EngineError(f"the report could not be built: {''.join(last) or 'no output'}") from None
    if "error" in values:
        error = values["error"]
        raise from_kind(error["kind"], error["message"], error.get("hint"))
    try:
        return from_json(values)
    except ValueError as error:
        raise EngineError(f"the report could not be read: {error}") from None
