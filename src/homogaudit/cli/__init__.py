"""The commands. Nothing imports this package; it imports heavy libraries only inside the commands."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    from homogaudit.cli.app import run_app

    sys.exit(run_app(sys.argv[1:]))
