"""The lines that say how far and how fast a run is."""

from dataclasses import replace

import pytest

from homogaudit.events import Asking, EngineReady
from homogaudit.launch.forecast import Ahead
from homogaudit.tui.live_state import LiveState
from homogaudit.tui.run_panel import RunPanel
from homogaudit.tui.theme import DARK_PALETTE

from .conftest import progress

READY = EngineReady("CPU (4 threads)", 8, 4096, 141_000_000, "chat", 12, 60, 0, 10_000, 90.0)


def speed_line(ready: EngineReady, bench: float | None) -> str:
    panel = RunPanel()
    panel.set_reactive(RunPanel.state, LiveState(status="generating", ready=ready, progress=progress(30)))
    panel.set_reactive(RunPanel.serial_speed, bench)
    return panel.draw(100, 3, DARK_PALETTE, color=True).plain.splitlines()[1]


@pytest.mark.parametrize(
    ("of_warm_up", "of_bench", "speedup"),
    # The run in progress draws 187 tokens a second.
    [(100.0, None, "1.9x serial"), (100.0, 50.0, "3.7x serial"), (None, 50.0, "3.7x serial")],
)
def test_the_speed_up_is_over_the_stored_bench_else_over_the_warm_up(
    of_warm_up: float | None, of_bench: float | None, speedup: str
):
    line = speed_line(replace(READY, serial_tokens_per_second=of_warm_up), of_bench)
    assert "187 tokens/s" in line
    assert speedup in line


def test_no_speed_up_is_shown_where_no_serial_speed_is_known():
    assert "serial" not in speed_line(READY, None)


def test_the_bar_and_the_time_left_are_those_of_all_phases():
    panel = RunPanel()
    state = LiveState(status="asking", ready=READY, progress=progress(60), asking=Asking(4, 24))
    panel.set_reactive(RunPanel.state, replace(state, ahead=Ahead(0.75, 65.0)))
    bar, words, _ = panel.draw(100, 3, DARK_PALETTE, color=True).plain.splitlines()
    assert "75.0%" in bar and "60 of 60 answers" in bar
    assert "1:05 left" in words and "4 of 24 calls" in words and "tokens/s" not in words
