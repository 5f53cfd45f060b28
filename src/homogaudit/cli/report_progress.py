"""What a command is at on stderr, where that lasts: a large run is read and reported in minutes, without an event."""

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

_FIRST_SECONDS = 2.0
"""What is done sooner is not told on a terminal."""

_LINE_SECONDS = 5.0
"""Between two lines elsewhere."""


@contextmanager
def telling(step: str, *, quiet: bool = False) -> Generator[Callable[[str], None]]:
    """Tell the step that the body is at, once it lasts: beside a spinner on a terminal, else a line every five seconds.

    Args:
        step: The first.
        quiet: Whether to tell nothing.

    Yields:
        What is told each further step as it begins.
    """
    steps, ended = [step], threading.Event()
    if quiet:
        yield steps.append
        return
    show = _show_on_terminal if sys.stderr.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(steps, ended), daemon=True)
    thread.start()
    try:
        yield steps.append
    finally:
        ended.set()
        thread.join()


def _show_on_terminal(steps: list[str], ended: threading.Event) -> None:
    from rich.console import Console
    from rich.text import Text

    begun = time.monotonic()
    if ended.wait(_FIRST_SECONDS):
        return
    with Console(stderr=True, highlight=False).status(Text(_line(steps, begun))) as status:
        while not ended.wait(1.0):
            status.update(Text(_line(steps, begun)))


def _show_lines(steps: list[str], ended: threading.Event) -> None:
    begun = time.monotonic()
    while not ended.wait(_LINE_SECONDS):
        print(_line(steps, begun), file=sys.stderr, flush=True)


def _line(steps: list[str], begun: float) -> str:
    from homogaudit.report.numbers import clock

    return f"{steps[-1]}  {clock(time.monotonic() - begun)}"
