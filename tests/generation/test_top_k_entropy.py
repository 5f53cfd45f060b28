import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import LlamaSequences
from homogaudit.generation.openai_format import ServerToken
from homogaudit.generation.server_statistics import token_entropy
from homogaudit.generation.top_k_entropy import is_truncated, top_k_entropy


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 400), sharpness=st.floats(0.1, 12.0), k=st.integers(1, 60))
@settings(max_examples=200)
def test_the_bounds_hold_the_entropy_of_any_distribution(seed: int, size: int, sharpness: float, k: int) -> None:
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=size)
    logprobs = np.sort(logits - np.logaddexp.reduce(logits))[::-1]
    exact = float(entropy(np.exp(logprobs)))
    found = top_k_entropy(logprobs[:k], logprobs[0], in_head=True, vocabulary=size)
    assert found.high is not None
    assert found.low - 1e-9 <= exact <= found.high + 1e-9


def test_the_estimate_is_unbiased_over_sampled_tokens() -> None:
    random = np.random.default_rng(5)
    logits = 2.0 * random.normal(size=300)
    logprobs = np.sort(logits - np.logaddexp.reduce(logits))[::-1]
    exact = float(entropy(np.exp(logprobs)))
    ids = random.choice(300, size=4000, p=np.exp(logprobs))
    estimates = [top_k_entropy(logprobs[:20], logprobs[i], in_head=bool(i < 20)).estimate for i in ids]
    standard_error = np.std(estimates, ddof=1) / math.sqrt(len(estimates))
    assert abs(np.mean(estimates) - exact) < 3 * standard_error


def test_the_bounds_hold_the_entropy_of_every_token_that_a_real_model_draws(smollm_f16: Path) -> None:
    random = np.random.default_rng(3)
    model = LlamaModel(smollm_f16)
    sequences = LlamaSequences(model, sequences=2, cells=128, threads=1)
    prompt = model.tokenize("Q: What do people say about the moon, and what is true of it?\nA:")
    logits = sequences.prefill(0, prompt, 0)
    outside = 0
    errors: list[float] = []
    for position in range(len(prompt), len(prompt) + 60):
        logprobs = logits.astype(np.float64) - np.logaddexp.reduce(logits.astype(np.float64))
        exact = float(entropy(np.exp(logprobs)))
        likeliest = np.argsort(-logprobs)[:20]
        drawn = int(random.choice(len(logprobs), p=np.exp(logprobs) / np.exp(logprobs).sum()))
        # What a server shows: the likeliest, or from vLLM the drawn token in the place of the last of them.
        displaced = likeliest if drawn in likeliest else [*likeliest[:19], drawn]
        outside += drawn not in likeliest
        estimates: list[float] = []
        for shown in (likeliest, displaced):
            head = np.sort(np.float32(logprobs[shown]))[::-1]
            token = ServerToken(b"", float(np.float32(logprobs[drawn])), tuple(head.tolist()))
            found = token_entropy(token, k=20, vocabulary=model.vocabulary, is_greedy=False)
            assert found.high is not None
            # Servers give float32.
            assert found.low - 1e-5 <= exact <= found.high + 1e-5
            estimates.append(found.estimate)
        assert estimates[0] == estimates[1]
        errors.append(estimates[0] - exact)
        logits = sequences.prefill(0, [drawn], position)
    sequences.close()
    model.close()
    assert outside > 0
    assert abs(np.mean(errors)) < 3 * np.std(errors, ddof=1) / math.sqrt(len(errors))


def test_a_uniform_distribution_reaches_both_bounds() -> None:
    logprobs = np.full(4, -math.log(10))
    found = top_k_entropy(logprobs, logprobs[0], in_head=True, vocabulary=10)
    # H_head = 0.4 ln 10, r = 0.6: both 0.4 ln 10 + 0.6 ln 10 and 0.4 ln 10 + 0.6 ln(6 / 0.6) are ln 10.
    assert found.low == pytest.approx(math.log(10))
    assert found.high == pytest.approx(math.log(10))


def test_a_head_that_is_everything_has_no_gap() -> None:
    logprobs = np.log([0.5, 0.5])
    found = top_k_entropy(logprobs, logprobs[0], in_head=True)
    assert found.low == found.high == pytest.approx(math.log(2))


def test_there_is_no_upper_bound_where_the_vocabulary_is_not_known() -> None:
    assert top_k_entropy(np.log([0.5, 0.25]), math.log(0.5), in_head=True).high is None


def test_a_head_that_lacks_a_token_has_a_lower_bound_that_still_holds() -> None:
    # Of (0.4, 0.3, 0.2, 0.1) the second is missing: the rest of 0.4 may be one token of 0.4, and not four of 0.1.
    probabilities = [0.4, 0.3, 0.2, 0.1]
    head = np.log([0.4, 0.2, 0.1])
    found = top_k_entropy(head, head[0], in_head=True, is_complete=False)
    assert found.low <= entropy(probabilities) + 1e-12


def test_a_head_without_tokens_leaves_all_entropies_possible_and_the_token_as_its_estimate() -> None:
    found = top_k_entropy([], -1.5, in_head=False, vocabulary=7)
    assert (found.low, found.high, found.estimate) == (0.0, pytest.approx(math.log(7)), 1.5)


def test_a_cut_off_distribution_is_seen_and_a_sure_one_is_not() -> None:
    assert is_truncated([math.log(0.6), math.log(0.4)])
    assert is_truncated([-0.1, -9999.0])
    assert not is_truncated([0.0, -30.0, -31.0])
    assert not is_truncated(np.log([0.5, 0.2]).tolist())
