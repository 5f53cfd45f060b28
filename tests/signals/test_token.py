import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.records import GREEDY, Generation, GenerationState, Question, SampleSet, TokenStatistics
from homogaudit.signals.registry import SignalInputs, compute_signals

TOKEN_SIGNALS = (
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_std",
    "high_entropy_ratio",
    "negative_log_likelihood",
    "perplexity",
    "response_length",
)


def inputs(
    statistics: TokenStatistics, state: GenerationState = GenerationState.VALID, *, drawn: bool = True
) -> SignalInputs:
    greedy = Generation("q", GREEDY, "text", "text", state, statistics=statistics) if drawn else None
    return SignalInputs(SampleSet(Question("q", "?"), greedy, []), expected_samples=0)


def values(given: SignalInputs) -> dict[str, float | None]:
    return {value.signal: value.value for value in compute_signals(given, TOKEN_SIGNALS)}


def reasons(given: SignalInputs) -> dict[str, str]:
    return {value.signal: value.reason for value in compute_signals(given, TOKEN_SIGNALS)}


def test_token_signals_by_hand() -> None:
    # entropies 0, 1, 1, 6: mean 2, max 6, variance (4 + 1 + 1 + 16) / 4 = 5.5; one of four is above 2 x 2
    # log-probabilities -1, -2, -3, -2: mean -2
    statistics = TokenStatistics(
        entropies=np.array([0, 1, 1, 6], dtype=np.float32), logprobs=np.array([-1, -2, -3, -2], dtype=np.float32)
    )
    assert values(inputs(statistics)) == pytest.approx(
        {
            "token_entropy_mean": 2.0,
            "token_entropy_max": 6.0,
            "token_entropy_std": math.sqrt(5.5),
            "high_entropy_ratio": 0.25,
            "negative_log_likelihood": 2.0,
            "perplexity": math.exp(2.0),
            "response_length": 4.0,
        }
    )


@pytest.mark.parametrize("unit", [0.1, 0.2, 0.3, 0.7, 1.1])
def test_an_entropy_of_exactly_twice_the_mean_is_not_high(unit: float) -> None:
    # 1, 1, 1, 1, 3, 3 and 4 units have a mean of 2: 4 is twice that, and none is above.
    entropies = np.array([1, 1, 1, 1, 3, 3, 4]) * unit
    for dtype in (np.float32, np.float64):
        statistics = TokenStatistics(entropies=entropies.astype(dtype))
        assert values(inputs(statistics))["high_entropy_ratio"] == 0.0
        above = np.append(entropies[:-1], 4.0001 * unit).astype(dtype)
        assert values(inputs(TokenStatistics(entropies=above)))["high_entropy_ratio"] == pytest.approx(1 / 7)


def test_thinking_tokens_are_left_out() -> None:
    mask = np.array([False, True, True])
    statistics = TokenStatistics(
        token_ids=np.array([1, 2, 3], dtype=np.int32),
        entropies=np.array([9, 1, 3], dtype=np.float32),
        answer_mask=mask,
    )
    found = values(inputs(statistics))
    assert found["token_entropy_mean"] == 2.0
    assert found["response_length"] == 2.0


def test_a_sure_answer_has_likelihood_zero_without_a_sign() -> None:
    found = values(inputs(TokenStatistics(logprobs=np.zeros(3, dtype=np.float32))))["negative_log_likelihood"]
    assert found == 0.0
    assert math.copysign(1.0, found) == 1.0


def test_the_length_comes_from_whatever_array_is_there() -> None:
    for statistics in (
        TokenStatistics(token_ids=np.arange(3, dtype=np.int32)),
        TokenStatistics(logits=np.zeros(3, dtype=np.float32)),
    ):
        assert values(inputs(statistics))["response_length"] == 3.0


def test_what_was_not_recorded_is_none_with_the_reason() -> None:
    given = inputs(TokenStatistics())
    assert set(values(given).values()) == {None}
    found = reasons(given)
    assert found["token_entropy_mean"] == "token entropies were not recorded"
    assert found["perplexity"] == "token log-probabilities were not recorded"
    assert "not recorded" in found["response_length"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (GenerationState.EMPTY, "empty"),
        (GenerationState.THINKING_UNCLOSED, "thinking"),
        (GenerationState.ERROR, "failed"),
    ],
)
def test_an_answer_that_is_not_valid_has_no_signal(state: GenerationState, reason: str) -> None:
    given = inputs(TokenStatistics(entropies=np.ones(3, dtype=np.float32)), state)
    assert set(values(given).values()) == {None}
    assert all(reason in found for found in reasons(given).values())


def test_without_a_greedy_answer_there_is_no_token_signal() -> None:
    given = inputs(TokenStatistics(), drawn=False)
    assert set(reasons(given).values()) == {"there is no greedy answer"}


def test_numbers_that_are_not_finite_never_read_as_confident() -> None:
    given = inputs(
        TokenStatistics(
            entropies=np.array([1, np.nan, 5], dtype=np.float32),
            logprobs=np.array([-1, -np.inf, -1], dtype=np.float32),
        )
    )
    found = values(given)
    assert found.pop("response_length") == 3.0
    assert set(found.values()) == {None}


def test_recorded_qwen_entropies_give_the_reference_aurocs(reference: Path) -> None:
    expected = json.loads((reference / "expected.json").read_text(encoding="utf-8"))["qwen3-14b"]["signals"]
    scores: dict[str, list[float]] = {name: [] for name in expected}
    incorrect: list[bool] = []
    for line in (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
        row = json.loads(line)
        if row["label"] not in ("correct", "incorrect"):
            continue
        incorrect.append(row["label"] == "incorrect")
        entropies = np.asarray(row["greedy"]["token_entropies"], dtype=np.float32)
        found = values(inputs(TokenStatistics(entropies=entropies)))
        for name, signal_scores in scores.items():
            value = found[name]
            assert value is not None
            signal_scores.append(value)
    aurocs = {name: roc_auc_score(incorrect, signal_scores) for name, signal_scores in scores.items()}
    assert aurocs == pytest.approx({name: figures["auroc"] for name, figures in expected.items()}, abs=1e-5)
