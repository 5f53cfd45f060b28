"""`homogaudit compare` on runs of a few questions."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from homogaudit.cli.app import run_app
from homogaudit.comparison.schema import schema
from homogaudit.records import Clustering, ClusteringMethod, Generation, GenerationState, Question
from homogaudit.store import RunFile

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
QUESTIONS = [Question(f"q{at}", f"Question {at}?") for at in range(12)]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make(make_run: Callable[..., RunFile]) -> Callable[..., None]:
    """Return a maker of runs of which the first questions have one cluster."""

    def made(name: str, single: int, *, finish: bool = True) -> None:
        decoding = {"samples": 3, "temperature": 1.0}
        with make_run(QUESTIONS, name=f"{name}.audit", decoding=decoding) as run:
            for at, question in enumerate(QUESTIONS):
                answers = ["one answer"] * 3 if at < single else [f"word{x} other{x}" for x in range(3)]
                for index, answer in enumerate(["greedy", *answers], -1):
                    run.add_generation(Generation(question.id, index, answer, answer, GenerationState.VALID, "stop"))
                assignment = (0, 0, 0) if at < single else (0, 1, 2)
                run.add_clusterings([Clustering(question.id, JACCARD, assignment)])
            if finish:
                run.finish()

    return made


def test_two_runs_are_compared_by_name_in_every_form(make, capsys: pytest.CaptureFixture[str]):
    make("base", 1)
    make("aligned", 11)
    assert run_app(["compare", "base", "aligned"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("aligned against base: more homogenized")
    assert "+83.3 points" in shown and len(shown.splitlines()) <= 20
    assert run_app(["compare", "base", "aligned", "--full"]) == 0
    full = capsys.readouterr().out
    # The short account comes last: the end is what a terminal shows.
    assert full.endswith(shown) and "From several to one: 10 questions." in full
    assert run_app(["compare", "base", "aligned", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("# homogaudit comparison\n\n## aligned against base")
    assert run_app(["compare", "base", "aligned", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    Draft202012Validator(schema()).validate(values)
    assert values["pairs"]["aligned"]["rate"]["difference"]["only_first"] == 10


def test_the_baseline_may_be_another_run(make, capsys: pytest.CaptureFixture[str]):
    for name, single in (("one", 1), ("two", 6), ("three", 11)):
        make(name, single)
    assert run_app(["compare", "one", "two", "three", "--baseline", "two", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["baseline"] == "two"
    changes = {name: pair["rate"]["difference"]["value"] for name, pair in values["pairs"].items()}
    assert changes == pytest.approx({"one": -5 / 12, "three": 5 / 12})
    assert run_app(["compare", "one", "three", "--baseline", "two.audit"]) == 0
    assert "3 runs compared, baseline two" in capsys.readouterr().out


def test_an_unfinished_run_is_compared_with_its_own_exit_code(make, capsys: pytest.CaptureFixture[str]):
    make("base", 1)
    make("aligned", 11, finish=False)
    assert run_app(["compare", "base", "aligned", "--json"]) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["questions"] == 12
    assert "aligned.audit` is not complete" in captured.err


def test_a_page_is_written_once_and_holds_the_whole_comparison(make, runs: Path, capsys: pytest.CaptureFixture[str]):
    make("base", 1)
    make("aligned", 11)
    assert run_app(["compare", "base", "aligned", "--html", "page.html"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "wrote the comparison to `page.html`\n"
    page = (runs / "page.html").read_text(encoding="utf-8")
    embedded = page.partition('id="report-json" data-file="comparison.json">')[2].partition("</script>")[0]
    values = json.loads(embedded)
    Draft202012Validator(schema()).validate(values)
    assert values["pairs"]["aligned"]["rate"]["difference"]["only_first"] == 10
    # `--force` is about what is compared: it overwrites nothing.
    assert run_app(["compare", "base", "aligned", "--html", "page.html", "--force"]) == 2
    assert "give `--overwrite`" in capsys.readouterr().err
    assert run_app(["compare", "base", "aligned", "--html", "page.html", "--overwrite"]) == 0
    capsys.readouterr()
    assert run_app(["compare", "base", "aligned", "--html", "-"]) == 0
    assert capsys.readouterr().out == page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base"], "a comparison needs two runs or more"),
        (["base", "absent"], "no run `absent`"),
        (["base", "base", "--margin", "5"], "`--margin` must lie between 0 and 1, not `5`"),
        (["base", "base", "--json", "--markdown"], "both print to standard output"),
        (["base", "base", "--html", "-", "--json"], "both print to standard output"),
        (["base", "base", "--html", "-", "--open"], "`--open` opens a file, and `--html -` writes none"),
        (["base", "base", "--clustering", "meaning"], "no run has a clustering `meaning`"),
        (["base", "base", "--judge", "exact"], "holds no labels of judge `exact`"),
    ],
)
def test_what_cannot_be_compared_is_refused(make, arguments, message, capsys: pytest.CaptureFixture[str]):
    make("base", 1)
    assert run_app(["compare", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
