from collections.abc import Callable
from typing import Any

from homogaudit.report.build import build
from homogaudit.report.markdown import to_markdown


def test_it_holds_every_section_and_table(small_run: Any) -> None:
    text = to_markdown(build(small_run, draws=100))
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles == [
        "# homogaudit report",
        "## Homogenization: undecided at 0.85, depends on the clustering",
        "## Run",
        "## Validity",
        "## Verdict: undecided",
        "## Homogenization",
        "## Diversity",
        "## Labels",
        "## Signals",
        "## Differences",
        "## Selective prediction",
        "## Cascade",
    ]
    assert "| jaccard | 0.4 | 25.0% | \\[5.5%, 57.2%\\] | 3 of 12 | at least mild |" in text
    assert "| token\\_entropy\\_mean |" in text


def test_every_table_has_as_many_cells_in_each_row(small_run: Any) -> None:
    blocks = to_markdown(build(small_run, draws=100)).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) > 5
    for rows in tables:
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_text_of_others_cannot_become_html_links_or_cells(build_run: Callable[..., Any]) -> None:
    hostile = "a|b <script>alert(1)</script> [x](http://evil) **bold** `<img src=x>` \x1b[31m&amp;"
    builder = build_run(1, name=hostile, source=hostile)
    builder.draw(0, ["a", "b", "c"])
    builder.label({0: "correct"}, hostile)
    text = to_markdown(build(builder.score(judge=hostile), draws=100))
    assert "<" not in text
    assert "\x1b" not in text
    assert "[x](" not in text.replace("\\[x\\](", "")
    assert "**bold**" not in text
    judges = next(line for line in text.splitlines() if line.startswith("| a"))
    # judge, four counts, accuracy, interval: eight bars that are not escaped.
    assert judges.replace("\\|", "").count("|") == 8
