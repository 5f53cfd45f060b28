"""Lets an engine do what was planned, for a command: asks before it costs money, and shows how far it is."""

import sys

import typer

from homogaudit.cli.progress import Display, LineDisplay
from homogaudit.errors import UsageError
from homogaudit.events import Event
from homogaudit.launch.forecast import Forecast
from homogaudit.launch.plan import Plan
from homogaudit.launch.server_choice import ServerEstimate
from homogaudit.launch.speeds import find_paces, store_paces
from homogaudit.launch.work import work


def carry_out(plan: Plan, *, is_agreed: bool, quiet: bool) -> Forecast:
    """Do what was planned, to its end; return what it took, as it is kept for later estimates.

    Raises:
        UsageError: The user does not agree.
        HomogauditError: As `work`.
    """
    if plan.estimate is not None:
        agree_to_cost(plan.estimate, is_agreed=is_agreed, quiet=quiet)
    display = make_display(quiet=quiet)
    forecast = Forecast(find_paces(plan.job))

    def show(event: Event) -> None:
        forecast.apply(event)
        display.show(event, forecast.ahead())

    try:
        work(plan.job, show)
    finally:
        display.close()
        store_paces(plan.job, forecast.measured, forecast.lengths)
    return forecast


def agree_to_cost(estimate: ServerEstimate, *, is_agreed: bool, quiet: bool) -> None:
    """Say what a run asks of a server, and ask back where it costs money and nobody has agreed yet.

    Raises:
        UsageError: The user says no, or there is no terminal to ask at.
    """
    if not quiet:
        typer.echo(f"server: {estimate.text}", err=True)
    if is_agreed or not estimate.known_cost:
        return
    hint = "agree with `--yes`, or set a limit with `--max-cost`"
    if not sys.stdin.isatty() or not typer.confirm("Continue?", err=True):
        raise UsageError(f"the run may cost {estimate.cost_text}", hint)


def make_display(*, quiet: bool) -> Display:
    """Return the display that fits where stderr goes."""
    if quiet:
        return Display()
    if sys.stderr.isatty():
        from homogaudit.cli.progress_bar import BarDisplay

        return BarDisplay()
    return LineDisplay()
