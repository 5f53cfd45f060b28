"""How this project starts Python processes of its own: never with code that lies in the working folder.

`python -m` puts the working folder before everything else, and a run is often started beside files that came from
somewhere else: a `numpy.py` there would be executed, a `random.py` would break every run.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this project in a process of its own."""
    return [sys.executable, "-P", "-m", module, *arguments]


def script_command(script: Path, *arguments: str) -> list[str]:
    """Return the command that runs a file of this project as a script: it imports nothing of the project by itself."""
    return [sys.executable, "-P", str(script), *arguments]


def child_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of such a process; the processes that it starts itself are as safe.

    An empty entry of PYTHONPATH is the working folder, which `-P` does not leave out.
    """
    found = {**os.environ, "PYTHONSAFEPATH": "1", **(added or {})}
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, found["PYTHONPATH"].split(os.pathsep)))
    return found
