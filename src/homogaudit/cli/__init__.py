"""The commands. Nothing imports this package; it imports heavy libraries only inside the commands."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # An empty entry is the working folder, most often by a slip (`PYTHONPATH=$PYTHONPATH:/more`): no code is there.
    if len(named) > 1 and "" in named and (here := os.getcwd()) not in named:
        sys.path[:] = [folder for folder in sys.path if folder not in ("", here)]
    from homogaudit.cli.app import run_app

    sys.exit(run_app(sys.argv[1:]))
