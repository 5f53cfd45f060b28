import math

import pytest

from homogaudit.clustering.meaning_judge import meaning_prompts, same_log_odds


def test_both_orders_are_asked_with_one_common_beginning() -> None:
    there, back = meaning_prompts("Who was it?", "Ada\nLovelace", "Grace Hopper")
    assert there.endswith("Question: Who was it?\nStudent 1: Ada Lovelace\nStudent 2: Grace Hopper\nSame answer:")
    assert back.endswith("Question: Who was it?\nStudent 1: Grace Hopper\nStudent 2: Ada Lovelace\nSame answer:")
    shared = there.partition("Student 1: Ada Lovelace")[0]
    assert back.startswith(shared)


def test_the_log_odds_are_over_all_spellings_of_both_words() -> None:
    # P(yes) = 0.4 + 0.2, P(no) = 0.2: ln 3.
    found = same_log_odds(("Yes", " yes", "No", "Nope"), [math.log(x) for x in (0.4, 0.2, 0.2, 0.1)])
    assert found == pytest.approx(math.log(3))


@pytest.mark.parametrize(("texts", "logprobs"), [((), ()), (("Yes",), (-1.0,)), (("Yes", "No"), (-1.0, -math.inf))])
def test_without_a_probability_of_both_words_there_are_no_odds(
    texts: tuple[str, ...], logprobs: tuple[float, ...]
) -> None:
    assert same_log_odds(texts, logprobs) is None
