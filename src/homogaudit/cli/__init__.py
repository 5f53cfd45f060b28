"""The commands. Nothing imports this package; it imports heavy libraries only inside the commands."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    _open_missing_streams()
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # An empty entry is the working folder, most often by a slip (`PYTHONPATH=$PYTHONPATH:/more`): no code is there.
    if len(named) > 1 and "" in named and (here := os.getcwd()) not in named:
        sys.path[:] = [folder for folder in sys.path if folder not in ("", here)]
    from homogaudit.cli.app import run_app

    sys.exit(run_app(sys.argv[1:]))


def _open_missing_streams() -> None:
    """Put something in the place of standard streams that the caller has closed.

    Else the next file that is opened, such as a run, would get their number and whatever a library prints. What is
    printed to a standard output that is not there fails, as it should; nobody is left to tell of a missing stderr.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
