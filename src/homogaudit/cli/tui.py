"""`homogaudit tui [MODEL] [QUESTIONS]`: the audit live in the terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.errors import UsageError

__all__ = ["tui"]


def tui(
    run_file: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Open this run; needs no model.")
    ] = None,
) -> None:
    """Watch an audit live, and look into its questions and its report."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError("the live screen needs a terminal", "`homogaudit run MODEL` does the same without one")
    from homogaudit.tui.app import HomogauditApp
    from homogaudit.tui.session import TuiSession

    HomogauditApp(TuiSession(run_file) if run_file else None).run()
