"""Asks before a command contacts a server, or runs a function, because a file says so that the user did not name."""

import sys

import typer

from homogaudit.cli.error_line import warn
from homogaudit.config.trust import Consent, ForeignSource, hint_to_name, is_url
from homogaudit.errors import UsageError
from homogaudit.report.text import plain


def make_consent(*, is_agreed: bool) -> Consent:
    """Return what asks the user about each source once; where they have agreed to all, it only tells."""
    agreed: set[ForeignSource] = set()

    def ask(source: ForeignSource) -> None:
        if source in agreed:
            return
        if is_agreed:
            warn(f"{source.text}: used because of `--yes`")
            agreed.add(source)
            return
        if sys.stdin.isatty():
            typer.echo(plain(f"{source.text}, which you did not name"), err=True)
            what = "Send it questions and answers?" if is_url(source.location) else "Run it?"
            if typer.confirm(what, err=True):
                agreed.add(source)
                return
        message = f"{source.text}, which you did not name"
        raise UsageError(message, f"agree with `--yes`, or, {hint_to_name(source)}")

    return ask
