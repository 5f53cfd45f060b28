"""Every word of the report that names a figure is one that `explain` knows; every renderer shows every section."""

import re
from typing import Any

import pytest

from homogaudit.report.build import build
from homogaudit.report.figure import figures_within
from homogaudit.report.glossary import TERMS, lookup
from homogaudit.report.layout import sections
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report
from homogaudit.report.section import Line
from homogaudit.report.summary import summary

NUMBER = re.compile(r"-?[\d.]+%?")


@pytest.fixture
def report(small_run: Any) -> Report:
    return build(small_run, draws=100, full=True)


def test_every_line_row_column_and_plot_has_a_term_that_is_explained(report: Report) -> None:
    found = {term for section in (summary(report), *sections(report)) for term in section.terms()}
    assert len(found) > 40
    for term in found:
        assert lookup(term).definition


def test_every_column_heading_is_a_word_that_is_explained(report: Report) -> None:
    headings = {column.name for section in sections(report) for x in section.tables() for column in x.columns}
    for heading in headings:
        assert NUMBER.fullmatch(heading) or lookup(heading).definition


def test_a_figure_is_explained_in_one_place() -> None:
    for name, figure in figures_within(Report):
        assert lookup(figure.term or name).definition
        # Its own words, or those of the glossary, never both.
        assert not (figure.means and name in TERMS), name


def test_every_row_has_as_many_cells_as_its_table_has_columns(report: Report) -> None:
    for section in (summary(report), *sections(report)):
        for table in section.tables():
            assert {len(row.cells) for row in table.rows} <= {len(table.columns)}


def test_keys_of_sections_are_their_own(report: Report) -> None:
    keys = [section.key for section in (summary(report), *sections(report))]
    assert len(set(keys)) == len(keys) > 10


def test_markdown_shows_every_line_of_every_section(report: Report) -> None:
    text = re.sub(r"\\(.)", r"\1", to_markdown(report))
    for section in (summary(report), *sections(report)):
        assert f"## {section.title}" in text
        for part in section.parts:
            if isinstance(part, Line):
                assert part.text.replace("`", "")[:30] in text.replace("`", "").replace("&lt;", "<").replace(
                    "&gt;", ">"
                )
