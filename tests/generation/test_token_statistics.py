import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare, entropy, kstest

from homogaudit.generation.token_statistics import Distribution, TokenSampler, uniform_draws
from homogaudit.records import Decoding

U_LAST = float(np.nextafter(1.0, 0.0))


def distribution(logits: NDArray[np.float32], **decoding: object) -> Distribution:
    sampler = TokenSampler(len(logits), logits.shape[1], Decoding(**decoding))  # type: ignore[arg-type]
    return sampler.distribution(logits)


def draws(of: Distribution, row: int, uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
    # In parts, because every draw copies one block of weights.
    parts = np.array_split(uniforms, max(1, len(uniforms) // 2000))
    return np.concatenate([of.sampled_tokens(np.full(len(part), row), part) for part in parts])


def reference_probabilities(logits: NDArray[np.float32], decoding: Decoding) -> NDArray[np.float64]:
    """Temperature, then top-k, then top-p, then min-p, each of what the one before left, in plain float64."""
    probabilities = softmax(logits.astype(np.float64) / decoding.temperature)
    order = sorted(range(len(logits)), key=lambda token: -probabilities[token])
    if decoding.top_k:
        order = order[: decoding.top_k]
    mass, total = 0.0, sum(probabilities[token] for token in order)
    kept: list[int] = []
    for token in order:
        if mass >= decoding.top_p * total:
            break
        kept.append(token)
        mass += probabilities[token]
    kept = [token for token in kept if probabilities[token] >= decoding.min_p * probabilities[kept[0]]]
    left = np.zeros(len(logits))
    left[kept] = probabilities[kept]
    return left / left.sum()


def assert_drawn_from(tokens: NDArray[np.intp], probabilities: NDArray[np.float64]) -> None:
    counts = np.bincount(tokens, minlength=len(probabilities))
    assert not counts[probabilities == 0.0].any()
    # Rare tokens go into one cell: the chi-square approximation wants five expected counts in each.
    common = probabilities * len(tokens) >= 5.0
    observed, expected = counts[common], probabilities[common] * len(tokens)
    rest = len(tokens) - expected.sum()
    if rest >= 5.0:
        observed, expected = np.append(observed, len(tokens) - observed.sum()), np.append(expected, rest)
    else:
        expected = expected * observed.sum() / expected.sum()
    if len(observed) > 1:
        assert chisquare(observed, expected).pvalue > 1e-3


# Statistics


@pytest.mark.parametrize("vocabulary", [1, 2, 511, 512, 513, 1000, 49152])
@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_statistics_agree_with_scipy(vocabulary: int, scale: float) -> None:
    generator = np.random.default_rng(vocabulary)
    logits = (scale * generator.standard_normal((3, vocabulary)) - 4.0).astype(np.float32)
    found = distribution(logits)
    expected = log_softmax(logits.astype(np.float64), axis=1)
    rows = np.array([0, 1, 2, 2])
    tokens = generator.integers(0, vocabulary, 4)
    # float32 has 24 bits: sums over 49,152 terms keep about six digits.
    np.testing.assert_allclose(found.logprobs(rows, tokens), expected[rows, tokens], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(found.entropies, entropy(np.exp(expected), axis=1), rtol=5e-6, atol=5e-6)
    np.testing.assert_allclose(found.logits(rows, tokens), logits[rows, tokens], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.greedy_tokens(np.arange(3)), logits.argmax(axis=1))


def test_statistics_of_a_large_vocabulary_agree_with_scipy() -> None:
    logits = (3.0 * np.random.default_rng(0).standard_normal((2, 262144))).astype(np.float32)
    found = distribution(logits)
    expected = log_softmax(logits.astype(np.float64), axis=1)
    tokens = np.array([262143, 5])
    np.testing.assert_allclose(found.logprobs(np.arange(2), tokens), expected[[0, 1], tokens], rtol=2e-6)
    np.testing.assert_allclose(found.entropies, entropy(np.exp(expected), axis=1), rtol=5e-6)


@pytest.mark.parametrize("decoding", [{"temperature": 0.3}, {"temperature": 0.0}, {"top_k": 2}, {"top_p": 0.1}])
def test_statistics_are_of_the_untempered_full_distribution(decoding: dict[str, float]) -> None:
    logits = np.random.default_rng(1).standard_normal((2, 700)).astype(np.float32)
    found, plain = distribution(logits, **decoding), distribution(logits)
    rows, tokens = np.array([0, 1]), np.array([3, 699])
    np.testing.assert_array_equal(found.entropies, plain.entropies)
    np.testing.assert_array_equal(found.logprobs(rows, tokens), plain.logprobs(rows, tokens))
    np.testing.assert_array_equal(found.logits(rows, tokens), plain.logits(rows, tokens))


def test_suppressed_tokens_count_for_nothing() -> None:
    logits = np.random.default_rng(2).standard_normal((2, 900)).astype(np.float32)
    suppressed = np.arange(0, 900, 3)
    logits[0, suppressed] = -np.inf
    found = distribution(logits)
    kept = np.delete(logits[0].astype(np.float64), suppressed)
    np.testing.assert_allclose(found.entropies[0], entropy(softmax(kept)), rtol=1e-6)
    assert found.logprobs(np.array([0]), np.array([0]))[0] == -np.inf
    assert not np.isin(draws(found, 0, np.linspace(0.0, U_LAST, 5000)), suppressed).any()
    np.testing.assert_allclose(found.entropies[1], entropy(softmax(logits[1].astype(np.float64))), rtol=1e-6)


def test_huge_ranges_stay_finite() -> None:
    logits = np.array([[1e30, -1e30, 0.0, 1e30], [60.0, -60.0, 0.0, 88.0]], np.float32)
    found = distribution(logits)
    # Two equal maxima and nothing else: ln 2.
    np.testing.assert_allclose(found.entropies[0], np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(found.logprobs(np.array([0]), np.array([3])), [-np.log(2.0)], rtol=1e-6)
    # exp(60 - 88) is 7e-13, below what a float32 sum near 1 can hold.
    np.testing.assert_allclose(found.entropies[1], entropy(softmax(logits[1].astype(np.float64))), atol=1e-7)
    assert set(draws(found, 0, np.linspace(0.0, U_LAST, 100))) == {0, 3}


def test_a_row_with_one_possible_token_has_no_entropy() -> None:
    logits = np.full((1, 1300), -np.inf, np.float32)
    logits[0, 777] = 12.5
    found = distribution(logits)
    assert found.entropies[0] == 0.0
    assert found.logprobs(np.array([0]), np.array([777]))[0] == 0.0
    assert found.logits(np.array([0]), np.array([777]))[0] == 12.5
    assert set(draws(found, 0, np.array([0.0, 0.5, U_LAST]))) == {777}


def test_equal_logits_go_to_the_lowest_id_when_greedy() -> None:
    found = distribution(np.array([[0.0, 2.0, 2.0, 1.0]], np.float32))
    assert found.greedy_tokens(np.array([0, 0])).tolist() == [1, 1]


def test_a_later_step_with_fewer_rows_leaves_nothing_of_an_earlier_one() -> None:
    generator = np.random.default_rng(3)
    sampler = TokenSampler(4, 600, Decoding(top_k=5))
    sampler.distribution(generator.standard_normal((4, 600)).astype(np.float32))
    logits = generator.standard_normal((2, 600)).astype(np.float32)
    found = sampler.distribution(logits)
    for row in range(2):
        allowed = set(np.argsort(-logits[row])[:5].tolist())
        assert set(draws(found, row, np.linspace(0.0, U_LAST, 2000)).tolist()) == allowed


# Draws


DECODINGS = [
    Decoding(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    for temperature, (top_k, top_p, min_p) in itertools.product(
        (1.0, 0.5, 2.0), ((0, 1.0, 0.0), (20, 1.0, 0.0), (0, 0.7, 0.0), (0, 1.0, 0.1), (50, 0.9, 0.05))
    )
]


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_draws_follow_the_tempered_and_truncated_softmax(decoding: Decoding) -> None:
    generator = np.random.default_rng(4)
    logits = (2.0 * generator.standard_normal((2, 1100))).astype(np.float32)
    found = TokenSampler(2, 1100, decoding).distribution(logits)
    for row in range(2):
        tokens = draws(found, row, generator.random(40_000))
        assert_drawn_from(tokens, reference_probabilities(logits[row], decoding))


def test_a_draw_inverts_the_cumulative_distribution() -> None:
    logits = np.random.default_rng(5).standard_normal((1, 1500)).astype(np.float32)
    uniforms = np.random.default_rng(6).random(3000)
    cumulative = np.cumsum(softmax(logits[0].astype(np.float64)))
    expected = np.searchsorted(cumulative, uniforms, side="right")
    found = draws(distribution(logits), 0, uniforms)
    # The sums are float32, so a number within 1e-5 of a step may fall on either side of it.
    near = np.abs(cumulative[:, None] - uniforms).min(axis=0) < 1e-5
    assert near.sum() < 100
    np.testing.assert_array_equal(found[~near], expected[~near])
    assert (np.abs(found - expected) <= 1).all()


def test_top_p_keeps_the_token_that_crosses_the_mass() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], np.float32))
    uniforms = np.linspace(0.0, U_LAST, 1000)
    # 0.5 < 0.6 <= 0.8: two tokens; a tiny top_p leaves the first alone.
    assert set(draws(distribution(logits, top_p=0.6), 0, uniforms)) == {0, 1}
    assert set(draws(distribution(logits, top_p=1e-9), 0, uniforms)) == {0}


def test_min_p_is_relative_to_the_most_probable_token() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], np.float32))
    # 0.15 / 0.5 = 0.3 stays at 0.29 and goes at 0.31.
    uniforms = np.linspace(0.0, U_LAST, 1000)
    assert set(draws(distribution(logits, min_p=0.29), 0, uniforms)) == {0, 1, 2}
    assert set(draws(distribution(logits, min_p=0.31), 0, uniforms)) == {0, 1}


def test_top_k_beyond_the_vocabulary_keeps_every_token() -> None:
    logits = np.zeros((1, 7), np.float32)
    assert set(draws(distribution(logits, top_k=7), 0, np.linspace(0.0, U_LAST, 99))) == set(range(7))
    assert set(draws(distribution(logits, top_k=1000), 0, np.linspace(0.0, U_LAST, 99))) == set(range(7))


@given(
    vocabulary=st.integers(1, 1600),
    possible=st.sets(st.integers(0, 1599), min_size=1, max_size=6),
    spread=st.floats(0.0, 80.0),
    seed=st.integers(0, 2**32 - 1),
    decoding=st.sampled_from(DECODINGS),
)
@settings(max_examples=150)
def test_no_token_of_weight_zero_is_ever_drawn(
    vocabulary: int, possible: set[int], spread: float, seed: int, decoding: Decoding
) -> None:
    generator = np.random.default_rng(seed)
    allowed = sorted({token % vocabulary for token in possible})
    logits = np.full((1, vocabulary), -np.inf, np.float32)
    logits[0, allowed] = spread * generator.standard_normal(len(allowed))
    found = TokenSampler(1, vocabulary, decoding).distribution(logits)
    uniforms = np.concatenate([[0.0, np.nextafter(0.0, 1.0), 0.5, U_LAST], generator.random(50)])
    # Numbers that fall exactly on the steps between the possible tokens.
    steps = np.cumsum(found.weights[0].reshape(-1)[allowed].astype(np.float64))
    uniforms = np.concatenate([uniforms, np.minimum(steps / steps[-1], U_LAST)])
    tokens = draws(found, 0, uniforms)
    assert set(tokens.tolist()) <= set(allowed)
    assert (found.weights[0].reshape(-1)[tokens] > 0).all()


def test_the_ends_of_the_unit_interval_take_the_first_and_the_last_possible_token() -> None:
    for seed in range(50):
        logits = np.random.default_rng(seed).standard_normal((1, 2000)).astype(np.float32)
        logits[0, [0, 1, 2, *range(1500, 2000)]] = -np.inf
        found = distribution(logits)
        assert draws(found, 0, np.array([0.0])).tolist() == [3]
        # Rounding may leave the very last token out, but never goes past it.
        assert 1490 <= draws(found, 0, np.array([U_LAST]))[0] <= 1499


# Uniform numbers


def test_uniform_draws_depend_on_seed_question_and_sample_only() -> None:
    first = uniform_draws(7, "q1", 3, 50)
    uniform_draws(7, "q1", 4, 1000)
    np.testing.assert_array_equal(uniform_draws(7, "q1", 3, 50), first)
    for other in (uniform_draws(8, "q1", 3, 50), uniform_draws(7, "q2", 3, 50), uniform_draws(7, "q1", 4, 50)):
        assert not np.isin(first, other).any()


def test_longer_uniform_draws_begin_with_the_shorter_ones() -> None:
    long = uniform_draws(0, "question", 0, 200)
    for steps in (0, 1, 2, 3, 4, 5, 63, 64, 199):
        np.testing.assert_array_equal(uniform_draws(0, "question", 0, steps), long[:steps])


def test_fields_of_the_key_cannot_run_into_each_other() -> None:
    assert uniform_draws(1, "1", 11, 1)[0] != uniform_draws(1, "11", 1, 1)[0]
    assert uniform_draws(1, "a\0", 1, 1)[0] != uniform_draws(1, "a", 1, 1)[0]
    assert len(uniform_draws(0, "lone \udc80 surrogate", 0, 2)) == 2


def test_uniform_draws_are_uniform_within_and_across_samples() -> None:
    within = uniform_draws(0, "q", 0, 5000)
    across = np.array(
        [uniform_draws(0, f"q{question}", sample, 1)[0] for question in range(100) for sample in range(20)]
    )
    assert kstest(within, "uniform").pvalue > 1e-3
    assert kstest(across, "uniform").pvalue > 1e-3
    assert within.min() >= 0.0
    assert within.max() < 1.0
