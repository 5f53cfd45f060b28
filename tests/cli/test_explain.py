import json

import pytest
import typer
from typer.testing import CliRunner

from homogaudit.cli.explain import explain
from homogaudit.errors import UsageError
from homogaudit.report.glossary import all_terms

app = typer.Typer()
app.command()(explain)


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_a_term_shows_its_definition_formula_and_source():
    done = CliRunner().invoke(app, ["scr"])
    assert done.exit_code == 0
    for part in ("Single-cluster rate", "D(q) = 1", "arXiv 2603.24124"):
        assert part in done.stdout


def test_words_that_the_shell_took_apart_are_one_term():
    assert CliRunner().invoke(app, ["Semantic", "Entropy"]).stdout.startswith("semantic_entropy")


def test_json_is_one_object():
    done = CliRunner().invoke(app, ["wilson", "--json"])
    term = json.loads(done.stdout)
    assert term["name"] == "wilson"
    assert "1927" in term["source"]


def test_without_a_term_all_are_listed_within_80_columns():
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    listed = f" {' '.join(done.stdout.split())} "
    assert [term for term in all_terms() if f" {term} " not in listed] == []
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout


def test_the_list_in_json_holds_every_term():
    listing = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    assert [term["name"] for term in listing["terms"]] == list(all_terms())


def test_an_unknown_term_is_a_usage_error():
    done = CliRunner().invoke(app, ["aurok"])
    assert isinstance(done.exception, UsageError)
    assert "`auroc`" in str(done.exception.hint)


def test_a_signal_shows_what_it_looks_at_what_it_costs_and_what_it_needs():
    shown = CliRunner().invoke(app, ["semantic_entropy_embedding"]).stdout
    for part in ("B1, the model's own uncertainty", "samples, N more answers", "samples, clustering embedding"):
        assert part in shown
