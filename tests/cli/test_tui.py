"""`homogaudit tui` without a terminal; the screens themselves are tested in tests/tui."""

import pytest

from homogaudit.cli.app import run_app


def test_without_a_terminal_it_points_at_run(capsys: pytest.CaptureFixture[str]):
    assert run_app(["tui", "demo"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: the live screen needs a terminal",
        "hint: `homogaudit run MODEL` does the same without one",
    ]
