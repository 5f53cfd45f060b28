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


def by_title(report: Any) -> dict[str, Section]:
    return {section.title: section for section in analysis_sections(report)}


def texts(section: Section) -> list[str]:
    return [line.text for line in section.lines()]


def test_what_was_left_for_the_full_report_has_no_section(run: RunFile) -> None:
    found = by_title(build(run, draws=100))
    assert list(found) == ["Differences", "Selective prediction"]
    assert texts(found["Differences"])[0].startswith("AUROC against that of token_entropy_mean, 2 signals")


def test_a_full_report_shows_every_section_with_the_figures_of_the_records(run: RunFile) -> None:
    report = build(run, draws=100, full=True)
    found = by_title(report)
    assert list(found) == [
        "Differences",
        "Selective prediction",
        "Agreement",
        "Categories",
        "Calibration",
        "Dependence",
    ]
    delta = report.comparisons.signals["density"].delta
    (row,) = [row for row in next(found["Differences"].tables()).rows if row.cells[0] == "density"]
    assert row.cells[1] == f"{delta:.3f}" and row.term == "density"
    assert "B1 is token_entropy_mean, B2 is density" in texts(found["Dependence"])
    assert [row.cells[0] for row in next(found["Categories"].tables()).rows] == ["[bold]a|b", "other"]


def test_every_table_has_as_many_cells_in_each_row_and_no_text_steers_a_terminal(run: RunFile) -> None:
    for section in by_title(build(run, draws=100, full=True)).values():
        assert not re.search(r"[\x00-\x1f]", " ".join(texts(section)))
        for table in section.tables():
            assert {len(row.cells) for row in table.rows} == {len(table.columns)}
            assert all(cell.isprintable() for row in table.rows for cell in row.cells)


def test_a_full_report_without_labels_gives_the_reason_in_every_section(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    for position in range(3):
        builder.draw(position, ["a", "b", "c"])
    report = build(builder.score(judge=None), draws=100, full=True)
    sections = by_title(report).values()
    assert len(sections) == 6
    assert all(texts(section)[0].startswith("Not computed: ") for section in sections)
