"""What a command says on stderr while a run goes on."""

from homogaudit.cli import progress
from homogaudit.cli.progress import rate_text, ready_text
from homogaudit.cli.progress_bar import BarDisplay
from homogaudit.events import Deciding, EngineReady, Progress, QuestionScored
from homogaudit.launch.forecast import Ahead
from homogaudit.outlook import Outlook
from homogaudit.statistics.running_rate import RateCounter


def test_a_provisional_rate_says_what_it_waits_for():
    rates = RateCounter()
    assert rate_text(rates.shown()) == "no question scored yet"
    for position in (1, 2, 3, 4):
        rates.add(QuestionScored(f"q{position}", position, {"embedding": position}, 3, 3, None))
    text = rate_text(rates.shown())
    assert text == "25.0% of 4 with one cluster (embedding), provisional: 4 scored, waiting for question 1"


def test_the_rate_of_a_run_for_the_rate_alone_is_told_as_an_estimate():
    rates = RateCounter()
    rates.add(QuestionScored("q0", 0, {"embedding": 1}, 8, 8, None, is_apart=False))
    assert rate_text(rates.shown()) == "1 scored, none audited yet"
    rates.add(QuestionScored("q1", 1, {"embedding": 4}, 8, 8, None, is_apart=True, is_audited=True))
    rates.add(QuestionScored("q2", 2, {"embedding": 3}, 3, 3, None, is_apart=True))
    assert rate_text(rates.shown()) == "about 33.3% of 3 with one cluster (embedding), 1 audited"


def test_a_run_that_stops_once_it_is_decided_shows_what_is_left_in_place_of_a_rate(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    display = progress.LineDisplay()
    display.show(Deciding(40, 160, 0.02, 0.31, ("none", "mild", "severe"), Outlook(0.02, 400, 2500), False), Ahead())
    display.show(Progress(40, 160, 440, 1760, 9, 9, 9.0, 1.0, None, 8), Ahead())
    display.show(Deciding(120, 160, 0.21, 0.5, ("severe",), None, True), Ahead())
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        "40/160 questions  440/1760 answers  9 tokens/s  40 questions in order [2.0%, 31.0%], left: none, mild, "
        "severe; no verdict to be expected: 2% likely in the other 120, needs about 400 to 2,500 questions",
        "120 questions in order [21.0%, 50.0%], decided: severe",
    ]


def test_the_time_left_is_a_bound_where_a_run_may_stop_before(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    display = progress.LineDisplay()
    for is_most in (False, True):
        display.show(Progress(40, 160, 440, 1760, 9, 9, 9.0, 1.0, None, 8), Ahead(0.5, 65.0, is_most))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("  1:05 left") and second.endswith("  at most 1:05 left")


def test_without_an_earlier_run_it_is_said_when_the_time_left_is_told():
    ready = EngineReady("CPU", 4, 2048, 10**8, "chat", 10, 60, 0, 600, None)
    assert "no earlier run tells the time left" in ready_text(ready, Ahead(0.0))
    assert "earlier" not in ready_text(ready, Ahead(0.0, 30.0))


def test_beside_a_bar_is_no_room_so_that_a_line_above_it_says_where_no_verdict_is_to_be_expected(capsys):
    display = BarDisplay()
    try:
        for chance in (0.3, 0.04, 0.03, 0.06):
            display.show(Deciding(40, 160, 0.02, 0.31, ("none", "mild"), Outlook(chance, 90, 2500), False), Ahead())
        display.show(Deciding(90, 160, 0.0, 0.049, ("none",), None, True), Ahead())
    finally:
        display.close()
    lines = " ".join(capsys.readouterr().err.split())
    assert lines.count("no verdict to be expected: 4% likely") == 1
    assert lines.count("likely") == 2
    assert "6% likely in the other 120, needs about 90 to 2,500 questions" in lines
    assert lines.endswith("90 questions in order [0%, 4.9%], decided: none")
