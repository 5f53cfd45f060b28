"""What is told while a report is made."""

import sys
import time

import pytest

from homogaudit.cli import report_progress
from homogaudit.cli.report_progress import telling


def test_a_step_that_lasts_is_told_with_its_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(report_progress, "_LINE_SECONDS", 0.001)
    told = ""
    with telling("reading the answers") as tell:
        while "reading" not in told:
            told += capsys.readouterr().err
        tell("resampling the signals")
        while "resampling" not in told:
            told += capsys.readouterr().err
    assert {"reading the answers  0:00", "resampling the signals  0:00"} <= set(told.splitlines())


def test_what_is_done_soon_or_is_to_be_quiet_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with telling("reading the answers"):
        pass
    monkeypatch.setattr(report_progress, "_LINE_SECONDS", 0.001)
    with telling("reading the answers", quiet=True) as tell:
        tell("resampling the signals")
        before = time.monotonic()
        while time.monotonic() < before + 0.02:
            sys.stderr.flush()
    assert capsys.readouterr().err == ""
