"""Gates as a JUnit file, read by a library that CI tools use."""

from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml

from homogaudit.report.build import build
from homogaudit.report.gate_records import Gate
from homogaudit.report.junit import to_junit
from homogaudit.report.records import Report, Undefined
from homogaudit.store import RunFile

from ..tui.small_run import make_small_run

NONE = Undefined("no figure")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with RunFile.open(make_small_run(tmp_path_factory.mktemp("small"))) as run:
        return build(run, draws=50, sweeps=False)


def read(report: Report, path: Path) -> JUnitXml:
    path.write_text(to_junit(report), encoding="utf-8")
    return JUnitXml.fromfile(str(path))


def test_a_failure_is_told_from_an_error(report: Report, tmp_path: Path):
    states = ("passed", "failed", "not shown", "cannot be judged")
    gates = tuple(Gate(f"--gate {state}", state, NONE, None, f"because of {state}") for state in states)
    found = read(replace(report, gates=gates), tmp_path / "gates.xml")
    assert (found.tests, found.failures, found.errors) == (4, 2, 1)
    (suite,) = found
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == ("homogaudit", 4, 2, 1, 0)
    cases = {case.name: case.result for case in suite}
    assert [type(x) for result in cases.values() for x in result] == [Failure, Failure, Error]
    assert cases["--gate passed"] == []
    (failure,) = cases["--gate not shown"]
    assert (failure.type, failure.message) == ("not shown", "`--gate not shown` not shown: because of not shown")


def test_text_of_others_becomes_neither_markup_nor_a_broken_file(report: Report, tmp_path: Path):
    name = "<b>&\"'\x1b[31m]]>\x00\ud800\ufffe\uffff\U0001f600"
    run = replace(report.run, model=name)
    gate = Gate(f"--min-auroc {name}=0.5", "failed", NONE, None, name)
    (suite,) = read(replace(report, run=run, gates=(gate,)), tmp_path / "nasty.xml")
    (case,) = suite
    assert case.name == "--min-auroc <b>&\"']]>\U0001f600=0.5"
    assert case.classname == "homogaudit.<b>&\"']]>\U0001f600"
