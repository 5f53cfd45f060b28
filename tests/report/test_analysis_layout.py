import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from homogaudit.records import Question
from homogaudit.report.analysis_layout import analysis_sections
from homogaudit.report.build import build
from homogaudit.report.section import Section
from homogaudit.store.run_file import RunFile


@pytest.fixture
def run(build_run: Callable[..., Any]) -> RunFile:
    """Sixty questions of two categories, a primary signal, one of another boundary, one with a long name."""
    rng = np.random.default_rng(11)
    hostile = "[bold]a|b\x1b[31m"
    builder = build_run([Question(f"q{n}", "?", hostile if n % 3 else "other") for n in range(60)])
    for position in range(60):
        builder.draw(position, ["a", "b", "c"])
    builder.label({p: "incorrect" if p % 2 else "correct" for p in range(60)})
    for name in ("token_entropy_mean", "density", "semantic_entropy_embedding_rao"):
        builder.signal(name, dict(enumerate(rng.normal(size=60).tolist())))
    builder.signal("perplexity", dict.fromkeys(range(60)), reason="not recorded")
    return builder.score()


def by_title(report: Any, *, full: bool) -> dict[str, Section]:
    return {section.title: section for section in analysis_sections(report, full=full)}


def test_a_short_report_shows_two_sections_and_few_rows(run: RunFile) -> None:
    found = by_title(build(run, draws=100), full=False)
    assert list(found) == ["Differences", "Selective prediction"]
    assert found["Differences"].tables == ()
    assert found["Differences"].lines[0].startswith("AUROC against that of token_entropy_mean, 2 signals")
    # The threshold of one signal, three coverages.
    assert [row[0] for row in found["Selective prediction"].tables[1].rows] == ["token_entropy_mean"] * 3


def test_a_full_report_shows_every_section_with_the_figures_of_the_records(run: RunFile) -> None:
    report = build(run, draws=100, full=True)
    found = by_title(report, full=True)
    assert list(found) == [
        "Differences",
        "Selective prediction",
        "Agreement",
        "Categories",
        "Calibration",
        "Dependence",
    ]
    delta = report.comparisons.signals["density"].delta
    row = next(row for row in found["Differences"].tables[0].rows if row[0] == "density")
    assert row[1] == f"{delta:.3f}"
    assert "B1 is token_entropy_mean, B2 is density" in found["Dependence"].lines
    assert [row[0] for row in found["Categories"].tables[0].rows] == ["[bold]a|b", "other"]


def test_every_table_has_as_many_cells_in_each_row_and_no_text_steers_a_terminal(run: RunFile) -> None:
    for section in by_title(build(run, draws=100, full=True), full=True).values():
        assert not re.search(r"[\x00-\x1f]", " ".join([*section.lines, *section.notes]))
        for table in section.tables:
            assert {len(row) for row in table.rows} == {len(table.columns)}
            assert all(cell.isprintable() for row in table.rows for cell in row)


def test_a_full_report_without_labels_gives_the_reason_in_every_section(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    for position in range(3):
        builder.draw(position, ["a", "b", "c"])
    report = build(builder.score(judge=None), draws=100, full=True)
    assert by_title(report, full=False) == {}
    sections = by_title(report, full=True).values()
    assert len(sections) == 6
    assert all(section.lines[0].startswith("Not computed: ") for section in sections)
