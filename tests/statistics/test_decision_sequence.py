import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import gammaln

from homogaudit.statistics.decision_sequence import (
    confidence_sequence,
    log_evidence,
    questions_to_one_band,
)

STARTS = (0.05, math.nextafter(0.20, 1.0))
"""Of the bands [0, 5%), [5%, 20%] and (20%, 1]."""
FILE = 790
NONE, MILD, SEVERE = range(3)
EDGES = {
    "none": (0.05, False, 40),
    "not none": (0.05, True, 20),
    "severe": (0.20, True, 40),
    "not severe": (0.20, False, 20),
}
"""Of each test the rate that it rejects, whether for a higher one, and 1 / its error."""


@pytest.fixture(scope="module")
def rejected() -> dict[str, NDArray[np.bool_]]:
    """Which counts k of n each test rejects, by name; shape (FILE + 1, FILE + 1), first n, then k."""
    n, k = np.meshgrid(np.arange(FILE + 1.0), np.arange(FILE + 1.0), indexing="ij")
    found = {}
    for name, (rate, is_above, bound) in EDGES.items():
        table = np.zeros(n.shape, dtype=np.bool_)
        inside = k <= n
        table[inside] = log_evidence(k[inside], n[inside], rate, is_above=is_above) >= math.log(bound)
        found[name] = table
    return found


@dataclass(frozen=True)
class Simulated:
    """Of some runs, the band that each named first, -1 for none, and after how many questions."""

    named: NDArray[np.intp]
    questions: NDArray[np.intp]

    def wrong(self, band: int) -> float:
        return float(np.mean((self.named >= 0) & (self.named != band)))

    @property
    def median(self) -> float:
        return float(np.median(self.questions))


def simulate(singles: NDArray[np.bool_], rejected: dict[str, NDArray[np.bool_]]) -> Simulated:
    """Look after every question of every run, shape (runs, FILE), and stop at the first band named."""
    k, n = singles.cumsum(axis=1), np.arange(1, FILE + 1)

    def first(name: str) -> NDArray[np.intp]:
        hits = rejected[name][n[None, :], k]
        return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, FILE + 1)

    not_none, not_severe = first("not none"), first("not severe")
    times = np.stack(
        [
            np.maximum(first("none"), not_severe),
            np.maximum(not_none, not_severe),
            np.maximum(first("severe"), not_none),
        ]
    )
    stopped = times.min(axis=0)
    return Simulated(np.where(stopped > FILE, -1, times.argmin(axis=0)), np.minimum(stopped, FILE))


def drawn(rate: float, runs: int) -> NDArray[np.bool_]:
    """Return the questions of some runs, each single with the same probability."""
    return np.random.default_rng(20261129).random((runs, FILE)) < rate


def shuffled(single: int, runs: int) -> NDArray[np.bool_]:
    """Return a file of so many single questions, in the random order of each of some runs."""
    file = np.tile(np.arange(FILE) < single, (runs, 1))
    return np.random.default_rng(20261130).permuted(file, axis=1)


def band_of(rate: float) -> int:
    return NONE if rate < 0.05 else MILD if rate <= 0.20 else SEVERE


@pytest.mark.parametrize("runs", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_whatever_the_rate_a_wrong_band_is_named_in_at_most_5_percent_of_runs(rejected, runs):
    # Three standard errors of a share of 5%.
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    for rate in (0.005, 0.01, 0.03, 0.0499, 0.05, 0.0501, 0.07, 0.10, 0.15, 0.20, 0.2001, 0.21, 0.30, 0.50):
        found = simulate(drawn(rate, runs), rejected)
        wrong = found.wrong(band_of(rate))
        print(f"rate {rate:7.2%}: wrong {wrong:6.2%}, named {np.mean(found.named >= 0):4.0%}, median {found.median:g}")
        assert wrong <= allowed, rate


@pytest.mark.parametrize("runs", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_nor_where_the_file_itself_is_what_is_asked_about(rejected, runs):
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    for single in (8, 30, 39, 40, 79, 158, 159, 170, 237):
        found = simulate(shuffled(single, runs), rejected)
        wrong = found.wrong(band_of(single / FILE))
        print(
            f"{single:3} of {FILE}: wrong {wrong:6.2%}, named {np.mean(found.named >= 0):4.0%}, median {found.median:g}"
        )
        assert wrong <= allowed, single


def test_half_of_the_runs_are_decided_in_a_third_of_the_file(rejected):
    for rate, most in ((0.01, 263), (0.30, 263), (0.10, 300)):
        found = simulate(drawn(rate, 2000), rejected)
        print(f"rate {rate:.0%}: median {found.median:g} of {FILE}")
        assert found.median <= most
        # The number that is told beforehand is about that median.
        told = questions_to_one_band(rate, STARTS)
        assert told == pytest.approx(found.median, rel=0.3)


def test_what_rejects_a_rate_is_less_likely_without_replacement(rejected):
    # So the tests of independent questions hold for a file in random order: the likelihood ratio against it is larger.
    n, k = np.meshgrid(np.arange(FILE + 1.0), np.arange(FILE + 1.0), indexing="ij")

    def log_falling(total: float, taken: NDArray[np.float64]) -> NDArray[np.float64]:
        return gammaln(total + 1) - gammaln(total - taken + 1)

    for name, (rate, _, _) in EDGES.items():
        single = rate * FILE
        possible = rejected[name] & (k <= single) & (n - k <= FILE - single)
        a, b = k[possible], n[possible]
        without = log_falling(single, a) + log_falling(FILE - single, b - a) - log_falling(FILE, b)
        independent = a * math.log(rate) + (b - a) * math.log(1 - rate)
        assert np.all(without <= independent), name


@pytest.mark.parametrize(("k", "n", "rate"), [(0, 20, 0.05), (3, 40, 0.20), (30, 60, 0.20), (12, 100, 0.05)])
def test_the_evidence_is_a_likelihood_integrated_over_jeffreys_prior(k, n, rate):
    def integral(low: float, high: float, k: int, n: int) -> float:
        # With theta = sin^2(x) the prior is flat, and the ends are no poles.
        ends = (math.asin(math.sqrt(low)), math.asin(math.sqrt(high)))
        return quad(lambda x: math.sin(x) ** (2 * k) * math.cos(x) ** (2 * (n - k)), *ends, epsabs=0)[0]

    for is_above in (True, False):
        low, high = (rate, 1.0) if is_above else (0.0, rate)
        ratio = integral(low, high, k, n) / integral(low, high, 0, 0) / (rate**k * (1 - rate) ** (n - k))
        found = log_evidence(np.array([float(k)]), np.array([float(n)]), rate, is_above=is_above)
        assert found[0] == pytest.approx(math.log(ratio), rel=1e-6)


def test_the_bands_that_an_interval_touches_are_those_that_no_test_rejects(rejected):
    rng = np.random.default_rng(4)
    for rate in (0.01, 0.05, 0.10, 0.20, 0.30):
        singles = rng.random(400) < rate
        k, n = singles.cumsum(), np.arange(1, 401)
        has = {name: bool(rejected[name][n, k].any()) for name in EDGES}
        found = confidence_sequence(singles, singles, STARTS)
        assert (found.low >= 0.05) == has["not none"]
        assert (found.high < 0.05) == has["none"]
        assert (found.low > 0.20) == has["severe"]
        assert (found.high <= 0.20) == has["not severe"]


@pytest.mark.parametrize("test", EDGES)
def test_a_rate_where_a_band_begins_is_rejected_with_at_most_the_error_of_its_test(rejected, test):
    # Exact: the probability of every count after every question, what is rejected taken away.
    rate, _, bound = EDGES[test]
    chances, ever = np.array([1.0]), 0.0
    for n in range(1, FILE + 1):
        chances = np.append(chances, 0.0) * (1 - rate) + np.append(0.0, chances) * rate
        hit = rejected[test][n, : n + 1]
        ever += chances[hit].sum()
        chances[hit] = 0.0
    print(f"{test}: {ever:.4f} of {1 / bound}")
    assert 0 < ever <= 1 / bound


def test_the_sequence_only_shrinks_and_begins_with_every_rate():
    singles = np.random.default_rng(3).random(200) < 0.1
    found = [confidence_sequence(singles[:n], singles[:n], STARTS) for n in range(0, 200, 10)]
    assert (found[0].low, found[0].high) == (0.0, 1.0)
    for earlier, later in pairwise(found):
        assert earlier.low <= later.low <= later.high <= earlier.high


def test_a_question_that_is_not_known_counts_against_either_end():
    singles = np.random.default_rng(5).random(200) < 0.1
    unknown = np.arange(200) % 10 == 0
    known = confidence_sequence(singles, singles, STARTS)
    found = confidence_sequence(singles & ~unknown, singles | unknown, STARTS)
    assert found.low < known.low
    assert found.high > known.high


def test_questions_that_are_all_single_show_a_high_rate_at_once_and_none_where_a_band_begins():
    # Three: (1/0.2)^3 = 125 times as likely at a rate of 1; two only 25 times, and 40 are needed.
    assert questions_to_one_band(1.0, STARTS) == 3
    assert questions_to_one_band(0.05, STARTS) is None
    assert questions_to_one_band(0.20, STARTS) is None


def test_a_sequence_of_other_bands_tells_a_bound_only_from_where_it_goes_on_narrowing():
    bound = (math.nextafter(0.04, 1.0),)
    assert questions_to_one_band(0.01, bound) is not None
    # What is left of the first band of STARTS always reaches up to 5%, never down to 4%; from above it narrows.
    assert confidence_sequence([False] * 5000, [False] * 5000, STARTS).high > 0.0499
    assert questions_to_one_band(0.01, bound, STARTS) is None
    singles = np.arange(40) % 3 == 0
    needed = questions_to_one_band(1 / 3, bound, STARTS)
    assert needed is not None and needed < 40
    assert confidence_sequence(singles, singles, STARTS).low > 0.04
