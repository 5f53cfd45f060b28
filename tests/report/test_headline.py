"""Rate and level of a run, the same as in its report."""

from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit import __version__
from homogaudit.report.build import build
from homogaudit.report.headline import Headline, headline, note_headline, read_headline
from homogaudit.store import RunFile

from ..tui.small_run import make_small_run


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_run(tmp_path_factory.mktemp("small"))


def test_the_headline_is_that_of_the_report(small_run: Path):
    with RunFile.open(small_run) as run:
        found = headline(run)
        report = build(run, draws=50, sweeps=False)
    primary = report.homogenization.primary
    assert primary is not None
    assert found.level == report.verdict.level == "severe"
    assert found.scr == report.homogenization.methods[primary].scr


def test_a_run_of_too_few_questions_is_not_judged_as_in_its_report(small_run: Path, tmp_path: Path):
    path = make_small_run(tmp_path)
    with RunFile.open(path, writable=True) as run, run.transaction():
        run._connection.execute("DELETE FROM generations WHERE position > 5")  # pyright: ignore[reportPrivateUsage]
    with RunFile.open(path) as run:
        assert headline(run).level == build(run, draws=50, sweeps=False).verdict.level == "not judged"


def test_the_last_report_leaves_its_headline_in_the_run_until_something_else_is_stored(tmp_path: Path):
    path = make_small_run(tmp_path)
    with RunFile.open(path) as run:
        report = build(run, draws=50, sweeps=False)
        computed = headline(run)
    # A level that no computation gives tells where a headline comes from.
    note_headline(path, replace(report, verdict=replace(report.verdict, level="mild")))
    assert read_headline(path) == Headline("mild", computed.scr)
    with RunFile.open(path, writable=True) as run:
        run.drop_signals(["response_length"])
    assert read_headline(path) == computed


@pytest.mark.parametrize("noted", [None, [], {"version": __version__}, {"version": "0.0", "level": "mild"}])
def test_a_headline_that_cannot_be_read_or_is_of_another_version_is_computed(tmp_path: Path, noted: object):
    path = make_small_run(tmp_path)
    with RunFile.open(path, writable=True) as run:
        run.note("headline", noted)
    with RunFile.open(path) as run:
        assert read_headline(path) == headline(run)
