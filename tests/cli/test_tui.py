"""`homogaudit tui` without a terminal; the screens themselves are tested in tests/tui."""

from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.cli.tui import _print_last_word  # pyright: ignore[reportPrivateUsage]
from homogaudit.report.build import build
from homogaudit.store import RunFile
from homogaudit.tui.screens.report import ReportScreen

from ..tui.small_run import make_small_run


def test_without_a_terminal_it_points_at_run(capsys: pytest.CaptureFixture[str]):
    assert run_app(["tui", "demo"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: the live screen needs a terminal",
        "hint: `homogaudit run MODEL` does the same without one",
    ]


def test_leaving_a_report_prints_what_it_showed_unless_the_run_has_changed_since(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = make_small_run(tmp_path)
    with RunFile.open(path) as run:
        verdict, mark = build(run, draws=50, sweeps=False).verdict, run.mark
    # A sentence that no report has tells where a verdict comes from.
    shown = ReportScreen.Built(path, mark, replace(verdict, sentences=("as shown",)))
    _print_last_word(path, shown)
    assert capsys.readouterr().out.splitlines() == [f"verdict: {verdict.level}", "as shown", f"run: {path}"]
    with RunFile.open(path, writable=True) as run:
        run.drop_signals(["response_length"])
    _print_last_word(path, shown)
    assert "as shown" not in (out := capsys.readouterr().out.splitlines())
    assert out[0] == f"verdict: {verdict.level}"
