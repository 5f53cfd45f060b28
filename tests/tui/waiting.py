"""Waiting until an app under test shows what its engine or its workers have done."""

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from ..patience import PATIENCE


async def until(pilot: Pilot[None], holds: Callable[[], Any]) -> None:
    """Let the app work until something holds."""
    end = time.monotonic() + PATIENCE
    await pilot.pause()
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        await pilot.pause(0.02)
        await pilot.pause()
