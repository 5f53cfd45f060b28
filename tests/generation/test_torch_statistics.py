import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import entropy

from homogaudit.errors import ModelError
from homogaudit.generation.token_statistics import TokenSampler
from homogaudit.generation.torch_statistics import TorchTokenSampler
from homogaudit.records import Decoding

ROWS = np.arange(3)


def logits_of(seed: int, vocabulary: int = 1100, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (3, vocabulary)).astype(np.float32)


def test_entropy_logprob_and_logit_are_those_of_scipy() -> None:
    logits = logits_of(1)
    found = TorchTokenSampler(Decoding(temperature=0.7, top_p=0.9)).distribution(torch.from_numpy(logits))
    tokens = np.array([3, 700, 1099])
    expected = log_softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(found.entropies, entropy(np.exp(expected), axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.logprobs(ROWS, tokens), expected[ROWS, tokens], rtol=1e-5)
    np.testing.assert_allclose(found.logits(ROWS, tokens), logits[ROWS, tokens], rtol=1e-5)
    assert found.greedy_tokens(ROWS).tolist() == logits.argmax(axis=1).tolist()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 999),
    vocabulary=st.sampled_from([2, 511, 512, 513, 1100]),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_p=st.sampled_from([0.3, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 5]),
    min_p=st.sampled_from([0.0, 0.1]),
)
def test_the_same_uniform_numbers_draw_the_same_tokens_as_on_the_host(
    seed: int, vocabulary: int, temperature: float, top_p: float, top_k: int, min_p: float
) -> None:
    decoding = Decoding(temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)
    logits = logits_of(seed, vocabulary)
    # Away from the edges between two tokens, where the last bit of a sum decides.
    members = np.repeat(ROWS, 8)
    uniforms = np.random.default_rng(seed).random(len(members))
    host = TokenSampler(3, vocabulary, decoding).distribution(logits)
    device = TorchTokenSampler(decoding).distribution(torch.from_numpy(logits))
    expected, found = host.sampled_tokens(members, uniforms), device.sampled_tokens(members, uniforms)
    kept = device.weights.reshape(3, -1).numpy()
    assert ((kept > 0) == (host.weights.reshape(3, -1) > 0)).all()
    assert (found == expected).mean() >= 0.95
    assert (kept[members, found] > 0).all()


def test_a_suppressed_token_is_never_drawn_and_adds_no_entropy() -> None:
    logits = np.array([[0.0, -np.inf, 0.0]], np.float32)
    found = TorchTokenSampler(Decoding()).distribution(torch.from_numpy(logits))
    assert found.entropies[0] == pytest.approx(np.log(2))
    uniforms = np.linspace(0, 1, 50, endpoint=False)
    assert set(found.sampled_tokens(np.zeros(50, np.intp), uniforms).tolist()) == {0, 2}


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = torch.zeros(1, 4096, dtype=torch.bfloat16)
    found = TorchTokenSampler(Decoding()).distribution(logits)
    assert found.entropies[0] == pytest.approx(np.log(4096), rel=1e-6)


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        TorchTokenSampler(Decoding()).distribution(torch.tensor([[0.0, float("nan")]]))
