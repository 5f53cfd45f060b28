import math
import re
from dataclasses import replace

import pytest

from homogaudit.cli.engine_job import agree_to_cost
from homogaudit.errors import UsageError
from homogaudit.launch.server_choice import ServerEstimate, estimate_judging, estimate_requests
from homogaudit.records import Decoding, Prompting, Question


def test_the_estimate_counts_every_answer_at_its_full_length_and_both_calls() -> None:
    questions = [Question(f"q{number}", "x" * 30) for number in range(10)]
    decoding = Decoding(samples=4, max_tokens=50, greedy_max_tokens=20)
    found = estimate_requests(questions, decoding, Prompting(system=""), 2.0)
    # 4 samples, the greedy answer and two calls; of the calls 80 tokens and the greedy answer that they show.
    assert found.requests == 10 * 7
    assert found.answer_tokens == 10 * (4 * 50 + 20) + 10 * 2 * (80 + 20)
    assert found.prompt_tokens == 7 * (100 + 10 * 40) + 1500
    assert found.cost == pytest.approx((found.answer_tokens + found.prompt_tokens) * 2e-6)


def test_a_limit_buys_tokens_at_the_price() -> None:
    estimate = ServerEstimate(10, 500_000, 500_000, 2.0)
    assert estimate.token_budget(None) is None
    assert estimate.token_budget(3.0) == 1_500_000
    with pytest.raises(UsageError, match=r"may cost 2\.00, more than `--max-cost` 1\.5"):
        estimate.token_budget(1.5)


def test_a_judge_on_a_server_costs_one_request_for_each_answer_that_can_be_judged() -> None:
    questions = [Question(f"q{number}", "x" * 30, answers=("a" * 60,) if number < 4 else ()) for number in range(10)]
    found = estimate_judging([(question, 20) for question in questions], "t" * 210, price=3.0)
    # Four have a reference: 300 characters each at three a token, 40 tokens of a template and the answer's 20.
    assert (found.requests, found.prompt_tokens, found.answer_tokens) == (4, 4 * (100 + 40 + 20) + 1500, 4 * 80)


def test_a_limit_holds_for_the_run_and_its_judge_together() -> None:
    judging = ServerEstimate(10, 500_000, 0, 1.0)
    estimate = ServerEstimate(10, 500_000, 500_000, 2.0, judging)
    assert estimate.cost == 2.5
    # What is left beside the judge's 0.50 buys tokens at 2.00 a million.
    assert estimate.token_budget(3.0) == 1_250_000
    with pytest.raises(UsageError, match=r"may cost 2\.50, more than `--max-cost` 2\.2"):
        estimate.token_budget(2.2)
    local = ServerEstimate(0, 0, 0, 0.0, judging)
    assert local.cost == 0.5 and local.token_budget(1.0) is None
    assert local.text.startswith("judging: at most 10 requests") and local.text.endswith("a cost of 0.50")
    with pytest.raises(UsageError, match="needs the judge's price"):
        ServerEstimate(1, 1, 1, 1.0, ServerEstimate(1, 1, 1)).token_budget(1.0)


def test_a_limit_holds_for_a_model_of_meaning_too() -> None:
    judging, comparing = ServerEstimate(10, 500_000, 0, 1.0), ServerEstimate(20, 250_000, 0, 1.0)
    estimate = ServerEstimate(10, 500_000, 500_000, 2.0, judging, comparing)
    assert estimate.cost == 2.75
    assert estimate.token_budget(3.0) == 1_125_000
    assert "; judging: at most 10 requests" in estimate.text and "; comparing meanings: at most 20" in estimate.text
    unpriced = replace(estimate, comparing=replace(comparing, price=None))
    with pytest.raises(UsageError, match="needs the model of meaning's price"):
        unpriced.token_budget(100.0)
    assert (unpriced.cost, unpriced.known_cost) == (None, 2.5)


def test_a_free_model_has_no_limit() -> None:
    estimate = ServerEstimate(10, 500, 500, 0.0)
    assert estimate.cost == 0.0 and estimate.token_budget(0.0) is None


def test_a_limit_without_a_price_is_refused() -> None:
    with pytest.raises(UsageError, match="needs the model's price"):
        ServerEstimate(10, 500, 500).token_budget(1.0)


def test_a_cost_of_which_one_part_has_no_price_is_told_and_asked_for_as_far_as_it_is_known() -> None:
    paid, free = ServerEstimate(10, 500_000, 500_000, 2.0), ServerEstimate(10, 500_000, 500_000)
    for estimate, whose in ((replace(paid, judging=free), "judge"), (replace(free, judging=paid), "model")):
        assert (estimate.cost, estimate.known_cost) == (None, 2.0)
        said = f"at least 2.00 (the price of the {whose} is not known)"
        assert estimate.text.endswith(f", a cost of {said}")
        with pytest.raises(UsageError, match="the run may cost " + re.escape(said)):
            agree_to_cost(estimate, is_agreed=False, quiet=True)
        with pytest.raises(UsageError, match=f"needs the {whose}'s price"):
            estimate.token_budget(100.0)
    neither = replace(free, judging=free)
    agree_to_cost(neither, is_agreed=False, quiet=True)
    assert neither.known_cost == 0.0 and "cost" not in neither.text


@pytest.mark.parametrize("limit", [math.nan, math.inf, -1.0])
def test_a_limit_that_is_no_amount_is_refused(limit: float) -> None:
    with pytest.raises(UsageError, match="must be a number that is not negative"):
        ServerEstimate(10, 500, 500, 1.0).token_budget(limit)
