import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from homogaudit.records import ClusteringMethod, Interval, Question
from homogaudit.report.build import build
from homogaudit.report.console import render_console
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Auroc, Report
from homogaudit.signals.registry import SIGNALS

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")


def rendered(report: Report, *, width: int = 80, full: bool = False, **options: Any) -> str:
    stream = io.StringIO()
    render_console(report, Console(file=stream, width=width, **options), full=full)
    return stream.getvalue()


@pytest.fixture
def report(small_run: Any) -> Report:
    return build(small_run, draws=100)


def test_validity_and_verdict_come_before_the_figures(report: Report) -> None:
    text = rendered(report, full=True)
    titles = ("Validity", "Verdict", "Homogenization", "Labels", "\nSignals", "Homogenization: undecided")
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_the_short_report_is_about_twenty_lines(report: Report) -> None:
    lines = rendered(report).splitlines()
    assert lines[0] == "Homogenization: undecided at 0.85, depends on the clustering"
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize("full", [False, True])
def test_it_fits_80_columns_without_a_cut_number(report: Report, full: bool) -> None:
    text = rendered(report, full=full)
    assert max(map(len, text.splitlines())) <= 80
    # One table row each, whole: rate, interval and count of a clustering.
    assert "  0%   [0%, 26.5%]  0 of 12" in text
    assert ("25.0%  [5.5%, 57.2%]  3 of 12" in text) == full
    assert "\u2026" not in text


def test_it_has_no_escapes_where_output_is_no_terminal(report: Report) -> None:
    assert "\x1b" not in rendered(report)


def test_colour_only_repeats_the_words(report: Report) -> None:
    coloured = rendered(report, force_terminal=True, color_system="standard", legacy_windows=False)
    assert "\x1b[" in coloured
    from homogaudit.report.text import plain

    assert [plain(line) for line in coloured.splitlines()] == [plain(line) for line in rendered(report).splitlines()]


def test_every_signal_has_an_auroc_or_a_reason(report: Report) -> None:
    text = rendered(report, full=True)
    assert "token_entropy_mean" in text
    assert "Not scored: perplexity (log-probabilities were not recorded)." in " ".join(text.split())


def test_a_wide_screen_draws_the_intervals(report: Report) -> None:
    # The scale of the short report is drawn on any width.
    assert rendered(report, width=130, full=True).count("●") > 3
    assert rendered(report, width=80, full=True).count("●") == 1


def test_aurocs_of_next_to_no_right_answers_are_not_shown(build_run: Callable[..., Any]) -> None:
    builder = build_run(60)
    for position in range(60):
        builder.draw(position, ["12", "13", "14"])
    builder.label({position: "correct" if position < 2 else "incorrect" for position in range(60)})
    builder.signal("token_entropy_mean", {position: float(position) for position in range(60)})
    text = " ".join(rendered(build(builder.score(), draws=100), full=True).split())
    signals = text[text.index(" Signals ") : text.index(" Differences ")]
    assert "Not scored: token_entropy_mean (only 2 of 60 labelled answers are correct" in signals
    assert "0.5" not in signals and "[" not in signals


@pytest.mark.parametrize("questions", [30, 1300])
def test_every_signal_name_is_whole_on_a_line_at_80_columns(build_run: Callable[..., Any], questions: int) -> None:
    builder = build_run(questions)
    with builder.run.transaction():
        for position in range(questions):
            builder.draw(position, ["a", "b", "c"])
        builder.label({position: "incorrect" if position % 3 else "correct" for position in range(questions)})
        for name in SIGNALS:
            builder.signal(name, {position: float(position % 7) for position in range(questions)}, seconds=0.0123)
    report = build(builder.score(), draws=50)
    lines = rendered(report, full=True).splitlines()
    assert max(map(len, lines)) <= 80
    for name in SIGNALS:
        # One row in each of the three tables of signals; analyses and the cascade have more.
        rows = [line for line in lines if line.split()[:1] == [name]]
        assert len(rows) >= 3, name
        assert any(f"{questions:,}" in row for row in rows)
    # Where there is no room for them they are folded between their words.
    heads = [line.split()[0] for line in rendered(report, width=72, full=True).splitlines() if line.strip()]
    assert heads[heads.index("negative_log_") + 1] == "likelihood"


def test_the_wider_interval_over_categories_is_shown(report: Report) -> None:
    signal = report.signals["token_entropy_mean"]
    assert isinstance(signal.auroc, Auroc)
    wide = replace(signal, auroc=replace(signal.auroc, by_category=Interval(0.25, 0.875)))
    shown = replace(report, signals={**report.signals, "token_entropy_mean": wide})
    assert "  token_entropy_mean: wider over categories, [0.250, 0.875], which decides.\n" in rendered(shown, full=True)
    assert "wider over categories" not in rendered(report, full=True)
    assert "wider over categories" in to_markdown(shown)


def test_a_run_of_greedy_answers_says_so_without_empty_tables(build_run: Callable[..., Any]) -> None:
    builder = build_run(12, recorded=True)
    for position in range(12):
        builder.draw(position, [])
    text = rendered(build(builder.score(JACCARD, EMBEDDING), draws=100), full=True)
    section = text[text.index("\nHomogenization\n") : text.index("\nLabels\n")]
    said = "Homogenization Not judged: the run holds no samples. Diversity Not computed: the run holds no samples."
    assert section.split() == said.split()


def test_work_is_named_only_where_it_was_measured(small_run: Any) -> None:
    assert "of work" not in rendered(build(small_run, draws=100), full=True)
    session = small_run.begin_session("generate", 1, {"device": "cpu"})
    assert " on cpu" not in rendered(build(small_run, draws=100), full=True)
    small_run.end_session(session, provenance={"device": "cpu"}, seconds=61.0)
    assert ", 1 min 1 s of work on cpu" in rendered(build(small_run, draws=100), width=120, full=True)


def test_people_see_the_plain_name_of_the_embedder(report: Report) -> None:
    text = rendered(report, full=True)
    assert "Embedder: tiny\n" in text
    assert "1a2b3c4d" not in text


def test_labels_of_another_judge_are_named_where_none_is_chosen(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if position % 2 else "correct" for position in range(12)}, "overlap")
    text = " ".join(rendered(build(builder.score(judge=None), draws=100), full=True).split())
    assert "No judge: the questions have no reference answers. Labels of other scorings: overlap;" in text
    assert "50.0%" not in text


def test_text_of_others_is_neither_markup_nor_escapes(build_run: Callable[..., Any]) -> None:
    hostile = "\x1b]0;owned\x07[bold red]evil[/]\n\x1b[2J:smile: \u202e`x`"
    builder = build_run([Question("q", "Q?")], name=hostile, source=hostile)
    builder.draw(0, ["a", "b", "c"])
    builder.label({0: "correct"}, hostile)
    builder.signal(hostile, {0: 1.0}, reason=hostile)
    built = build(builder.score(judge=hostile), draws=100)
    text = rendered(built, width=200, full=True, force_terminal=True, color_system=None)
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert "[bold red]evil[/] :smile: `x`" in text


def test_an_output_that_holds_ascii_only_gets_ascii(small_run: Any) -> None:
    small_run.set_meta("model", "mod\u00e8le")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    render_console(build(small_run, draws=100), Console(file=stream, width=130), full=True)
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "mod\\xe8le" in text
    assert "###" in text


def test_what_there_is_of_a_killed_run_is_shown(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    builder.draw(0, ["a", "b", "c"])
    text = rendered(build(builder.run, draws=100), full=True)
    assert "11 of 12 questions are unfinished" in text
    assert "0 of 12 questions are scored." in text
    assert ", unfinished, begun " in text
