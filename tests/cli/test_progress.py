"""What a command says on stderr while a run goes on."""

from homogaudit.cli.progress import rate_text
from homogaudit.events import QuestionScored
from homogaudit.statistics.running_rate import RateCounter


def test_a_provisional_rate_says_what_it_waits_for():
    rates = RateCounter()
    assert rate_text(rates.shown()) == "no question scored yet"
    for position in (1, 2, 3, 4):
        rates.add(QuestionScored(f"q{position}", position, {"embedding": position}, 3, 3, None))
    text = rate_text(rates.shown())
    assert text == "25.0% of 4 with one cluster (embedding), provisional: 4 scored, waiting for question 1"
