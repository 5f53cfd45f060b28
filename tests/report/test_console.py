import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.report.console import render_console
from homogaudit.report.records import Report


def rendered(report: Report, *, width: int = 80, full: bool = False, **options: Any) -> str:
    stream = io.StringIO()
    render_console(report, Console(file=stream, width=width, **options), full=full)
    return stream.getvalue()


@pytest.fixture
def report(small_run: Any) -> Report:
    return build(small_run, draws=100)


def test_validity_and_verdict_come_before_the_figures(report: Report) -> None:
    text = rendered(report)
    places = [text.index(title) for title in ("Validity", "Verdict", "Homogenization", "Labels", "\nSignals")]
    assert places == sorted(places)


@pytest.mark.parametrize("full", [False, True])
def test_it_fits_80_columns_without_a_cut_number(report: Report, full: bool) -> None:
    text = rendered(report, full=full)
    assert max(map(len, text.splitlines())) <= 80
    # One table row each, whole: rate, interval and count of the jaccard clustering.
    assert "25.0%  [8.9%, 53.2%]  3 of 12" in text
    assert "\u2026" not in text


def test_it_has_no_escapes_where_output_is_no_terminal(report: Report) -> None:
    assert "\x1b" not in rendered(report)


def test_colour_only_repeats_the_words(report: Report) -> None:
    coloured = rendered(report, force_terminal=True, color_system="standard", legacy_windows=False)
    assert "\x1b[" in coloured
    from homogaudit.report.text import plain

    assert [plain(line) for line in coloured.splitlines()] == [plain(line) for line in rendered(report).splitlines()]


def test_every_signal_has_an_auroc_or_a_reason(report: Report) -> None:
    text = rendered(report)
    assert "token_entropy_mean" in text
    assert "Not scored: perplexity (log-probabilities were not recorded)." in " ".join(text.split())


def test_a_wide_screen_draws_the_intervals(report: Report) -> None:
    assert "●" in rendered(report, width=130)
    assert "●" not in rendered(report, width=80)


def test_aurocs_of_next_to_no_right_answers_are_not_shown(build_run: Callable[..., Any]) -> None:
    builder = build_run(60)
    for position in range(60):
        builder.draw(position, ["12", "13", "14"])
    builder.label({position: "correct" if position < 2 else "incorrect" for position in range(60)})
    builder.signal("token_entropy_mean", {position: float(position) for position in range(60)})
    text = " ".join(rendered(build(builder.score(), draws=100)).split())
    signals = text[text.index(" Signals ") :]
    assert "only 2 of 60 labelled answers are correct" in signals
    assert "0.5" not in signals and "[" not in signals


def test_text_of_others_is_neither_markup_nor_escapes(build_run: Callable[..., Any]) -> None:
    hostile = "\x1b]0;owned\x07[bold red]evil[/]\n\x1b[2J:smile: \u202e`x`"
    builder = build_run([Question("q", "Q?")], name=hostile, source=hostile)
    builder.draw(0, ["a", "b", "c"])
    builder.label({0: "correct"}, hostile)
    builder.signal(hostile, {0: 1.0}, reason=hostile)
    text = rendered(build(builder.score(judge=None), draws=100), width=200, force_terminal=True, color_system=None)
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
    text = rendered(build(builder.run, draws=100))
    assert "11 of 12 questions are unfinished" in text
    assert "started" in text
