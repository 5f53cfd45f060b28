"""Rate and level of a run, the same as in its report."""

from pathlib import Path

import pytest

from homogaudit.report.build import build
from homogaudit.report.headline import headline
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
