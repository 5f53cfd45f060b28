"""What the intervals and tests promise, checked where the truth is known: worlds of 400 questions.

200 worlds by default, which show a gross error; `pytest -m slow -s` takes 2,000 and prints the tables. 500 bootstrap
draws stand for 10,000: the ends then have a Monte Carlo error of about a tenth of the interval's width, which costs
less than 0.5% of coverage.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, kstest, norm

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import (
    bootstrap_auroc,
    bootstrap_selective,
    category_difference,
    category_zones,
    delong,
    delong_paired,
    dependence,
    equivalence,
    holm,
    p_inverted,
    p_works,
    risk_bound,
)

SEED = 20261123
QUESTIONS = 400
BOOTSTRAP_DRAWS = 500
SINGLE_CLUSTER = 0.4
"""Share of the questions on which the fourth signal is 0."""


@pytest.fixture(params=[200, pytest.param(2_000, marks=pytest.mark.slow)])
def worlds(request: pytest.FixtureRequest) -> int:
    return request.param


def four_errors(worlds: int) -> float:
    """Four standard errors of a coverage of 0.95 over the worlds: 0.02 of 2,000."""
    return 4 * math.sqrt(0.95 * 0.05 / worlds) + 0.0005


def shift(auroc: float) -> float:
    """How far two normal distributions of deviation 1 lie apart."""
    return math.sqrt(2) * float(norm.ppf(auroc))


def labels(rng: np.random.Generator, n: int = QUESTIONS) -> np.ndarray:
    return rng.random(n) < 0.5


def at_most(level: float, worlds: int) -> int:
    """The count that a rate of `level` passes in one of 200 simulations."""
    return int(binom.ppf(0.995, worlds, level))


def four_signals(rng: np.random.Generator, positive: np.ndarray) -> np.ndarray:
    """AUROC 0.8, at chance, inverted, and 0.8 but constant on single-cluster questions."""
    noise = rng.normal(size=(4, positive.size))
    centers = np.array([[shift(0.8)], [0.0], [shift(0.35)], [shift(0.8)]])
    scores = noise + centers * positive
    scores[3] = np.where(rng.random(positive.size) < SINGLE_CLUSTER, 0.0, np.exp(scores[3]))
    return scores


# Both on single-cluster questions: tied. Only one: the other's score is above 0.
TRUTHS = (
    0.8,
    0.5,
    0.35,
    SINGLE_CLUSTER**2 / 2 + SINGLE_CLUSTER * (1 - SINGLE_CLUSTER) + (1 - SINGLE_CLUSTER) ** 2 * 0.8,
)


def test_bootstrap_and_delong_intervals_cover_the_truth(worlds: int):
    rng = np.random.default_rng(SEED)
    covered = np.zeros((2, 4))
    for world in range(worlds):
        positive = labels(rng)
        scores = four_signals(rng, positive)
        intervals = bootstrap_auroc(scores, positive, draws=BOOTSTRAP_DRAWS, seed=world)
        for column, truth in enumerate(TRUTHS):
            bootstrap, second = intervals[column], delong(scores[column], positive)
            assert bootstrap is not None
            covered[0, column] += bootstrap.low <= truth <= bootstrap.high
            covered[1, column] += second.low <= truth <= second.high
    covered /= worlds
    print("\ncoverage of the 95% interval of AUROC")
    names = ("AUROC 0.8", "at chance", "inverted", "0 on single clusters")
    for column, (name, truth) in enumerate(zip(names, TRUTHS, strict=True)):
        print(f"  {name:22} truth {truth:.3f}  bootstrap {covered[0, column]:.4f}  DeLong {covered[1, column]:.4f}")
    assert (np.abs(covered - 0.95) <= four_errors(worlds)).all()


def test_bootstrap_intervals_cover_at_790_questions(worlds: int):
    # As many as TruthfulQA without its unlabelled ones, at the recorded share of errors.
    rng = np.random.default_rng(SEED + 14)
    print("\ncoverage of the 95% bootstrap interval of AUROC at 790 questions")
    for truth in (0.55, 0.7, 0.9):
        covered = 0
        for world in range(worlds // 4):
            positive = rng.random(790) < 0.49
            scores = rng.normal(size=790) + shift(truth) * positive
            (found,) = bootstrap_auroc([scores], positive, draws=BOOTSTRAP_DRAWS, seed=world)
            assert found is not None
            covered += found.low <= truth <= found.high
        print(f"  AUROC {truth}: {covered / (worlds // 4):.4f}")
        # Three errors; 0.92 of 500.
        assert covered / (worlds // 4) >= 0.95 - 0.75 * four_errors(worlds // 4)


def test_delongs_interval_covers_with_few_positives():
    rng = np.random.default_rng(SEED + 11)
    print("\ncoverage of DeLong's 95% interval, on the scale of the AUROC and of its log-odds")
    for truth, positives, negatives in ((0.8, 5, 45), (0.9, 8, 92), (0.9, 20, 80), (0.7, 10, 190)):
        with_interval = plain = on_log_odds = 0
        positive = np.arange(positives + negatives) < positives
        for _ in range(2_000):
            found = delong(rng.normal(size=positive.size) + shift(truth) * positive, positive)
            # Classes without overlap have no interval, and none is shown.
            with_interval += found.se > 0
            plain += abs(found.value - truth) <= 1.96 * found.se
            on_log_odds += found.low <= truth <= found.high
        print(f"  AUROC {truth}, {positives} of {positive.size}: ", end="")
        print(f"{plain / with_interval:.4f} {on_log_odds / with_interval:.4f}")
        # DeLong's error itself is too small with a handful of a class; the scale cannot mend that wholly.
        assert on_log_odds >= (0.92 if positives >= 10 else 0.885) * with_interval
        assert on_log_odds > plain


def test_delongs_p_is_uniform_where_two_signals_are_as_good(worlds: int):
    rng = np.random.default_rng(SEED + 1)
    p_values = np.empty(worlds)
    for world in range(worlds):
        positive = labels(rng)
        # Correlated, as two signals of one model are.
        common = rng.normal(size=QUESTIONS)
        first, second = (
            shift(0.7) * positive + math.sqrt(0.5) * (common + rng.normal(size=QUESTIONS)) for _ in range(2)
        )
        p_values[world] = delong_paired(first, second, positive).p
    found = kstest(p_values, "uniform")
    print(f"\nDeLong's p under the null: KS {found.statistic:.4f}, p {found.pvalue:.3f}; ", end="")
    print(f"below 0.05 in {np.mean(p_values < 0.05):.4f} of worlds")
    assert found.pvalue > 0.01


def paired(rng: np.random.Generator, aurocs: tuple[float, float]) -> float:
    """The p of non-inferiority of the first signal in one world."""
    positive = labels(rng)
    common = rng.normal(size=QUESTIONS)
    first, second = (
        shift(auroc) * positive + math.sqrt(0.5) * (common + rng.normal(size=QUESTIONS)) for auroc in aurocs
    )
    return equivalence(delong_paired(first, second, positive)).p_non_inferior


def test_non_inferiority_keeps_its_level_at_the_margin_and_beyond(worlds: int):
    rng = np.random.default_rng(SEED + 2)
    print("\nnon-inferiority (margin 0.05, level 0.05) concluded")
    for aurocs, is_error in (((0.70, 0.75), True), ((0.48, 0.53), True), ((0.65, 0.75), True), ((0.75, 0.75), False)):
        concluded = sum(paired(rng, aurocs) < 0.05 for _ in range(worlds))
        print(f"  AUROC {aurocs[0]:.2f} against {aurocs[1]:.2f}: {concluded / worlds:.4f}")
        if is_error:
            assert concluded <= at_most(0.05, worlds)
        else:
            assert concluded > 0.5 * worlds


@pytest.mark.parametrize("target", [0.2, 0.3, 0.4])
def test_the_risk_bound_holds(target: float, worlds: int):
    rng = np.random.default_rng(SEED + 3)
    found, broken, coverages = 0, 0, []
    for world in range(worlds):
        positive = labels(rng)
        scores = rng.normal(size=QUESTIONS) + shift(0.8) * positive
        try:
            threshold = risk_bound(scores, positive, target, seed=world).threshold
        except UndefinedStatisticError:
            continue
        found += 1
        wrong, right = norm.cdf(threshold - shift(0.8)), norm.cdf(threshold)
        broken += wrong / (wrong + right) > target
        coverages.append((wrong + right) / 2)
    print(f"\nrisk {target}: a threshold in {found / worlds:.4f} of worlds, ", end="")
    print(f"broken in {broken / worlds:.4f} (delta 0.05), mean coverage {np.mean(coverages):.3f}")
    assert broken <= at_most(0.05, worlds)
    # A bound that is never given would hold too. At 0.2 few worlds of 400 questions can show it: this is no claim.
    assert found > (0.5 * worlds if target >= 0.3 else 0)


def test_the_default_target_risk_can_be_shown(worlds: int):
    rng = np.random.default_rng(SEED + 12)
    print("\na bound on the risk is given, by target as a share of the error rate (0.4)")
    for n, auroc in ((200, 0.75), (400, 0.75), (400, 0.8)):
        given = dict.fromkeys((0.5, 0.75), 0)
        for world in range(worlds // 10):
            positive = rng.random(n) < 0.4
            scores = rng.normal(size=n) + shift(auroc) * positive
            for share in given:
                try:
                    risk_bound(scores, positive, round(share * positive.mean(), 2), seed=world)
                    given[share] += 1
                except UndefinedStatisticError:
                    continue
        half, most = (10 * given[share] / worlds for share in given)
        print(f"  {n} questions, AUROC {auroc}: half {half:.3f}, three quarters {most:.3f}")
        assert most > half
    assert most > 0.5


def test_fifteen_coin_flips_are_rarely_recommended(worlds: int):
    rng = np.random.default_rng(SEED + 4)
    recommended = 0
    for _ in range(worlds):
        positive = labels(rng)
        recommended += holm(p_works(rng.normal(size=(15, QUESTIONS)), positive)).min() < 0.05
    print(f"\nof 15 null signals one is recommended in {recommended / worlds:.4f} of worlds")
    assert recommended <= at_most(0.05, worlds)


def test_of_25_coin_flips_one_is_rarely_called_inverted(worlds: int):
    rng = np.random.default_rng(SEED + 10)
    by_interval = adjusted = 0
    for _ in range(worlds):
        positive = labels(rng, 200)
        scores = rng.normal(size=(25, 200))
        by_interval += any(delong(row, positive).high < 0.5 for row in scores)
        adjusted += holm(p_inverted(scores, positive)).min() < 0.05
    print(
        f"\nof 25 null signals one lies below 0.5 with its interval in {by_interval / worlds:.4f} of worlds, ", end=""
    )
    print(f"and is called inverted in {adjusted / worlds:.4f}")
    assert adjusted <= at_most(0.05, worlds)


def test_selective_intervals_cover_what_many_questions_give(worlds: int):
    rng = np.random.default_rng(SEED + 5)
    positive = labels(rng, 1_000_000)
    scores = rng.normal(size=positive.size) + shift(0.8) * positive
    order = np.argsort(scores)
    risks = np.cumsum(positive[order]) / np.arange(1, positive.size + 1)
    oracle = np.cumsum(np.sort(positive)) / np.arange(1, positive.size + 1)
    truths = {
        "accuracy at 0.5": 1 - risks[positive.size // 2 - 1],
        "AURC": risks.mean(),
        "PRR": (0.5 - risks.mean()) / (0.5 - oracle.mean()),
    }
    covered = dict.fromkeys(truths, 0)
    for world in range(worlds):
        positive = labels(rng)
        scores = rng.normal(size=QUESTIONS) + shift(0.8) * positive
        (found,) = bootstrap_selective([scores], positive, (0.5,), draws=BOOTSTRAP_DRAWS, seed=world)
        assert found is not None
        for (name, truth), interval in zip(truths.items(), (found.accuracy[0], found.aurc, found.prr), strict=True):
            assert interval is not None
            covered[name] += interval.low <= truth <= interval.high
    print("\ncoverage of the 95% bootstrap interval, AUROC 0.8")
    for name, truth in truths.items():
        print(f"  {name:22} truth {truth:.3f}  {covered[name] / worlds:.4f}")
    assert all(abs(count / worlds - 0.95) <= four_errors(worlds) for count in covered.values())


def error_rate(name: str, worlds: int, rejects: Callable[[int], bool]) -> None:
    """Print and check how often a test rejects at 0.05 where it must not."""
    rejected = sum(rejects(world) for world in range(worlds))
    print(f"\n{name}: {rejected / worlds:.4f} of {worlds} worlds at level 0.05")
    assert rejected <= at_most(0.05, worlds)


def test_cochrans_test_of_categories_keeps_its_level_and_finds_differences(worlds: int):
    rng = np.random.default_rng(SEED + 13)

    def found(aurocs: list[float], size: int) -> float:
        """Categories differ in error rate and in the level of the scores, too."""
        positive = rng.random(len(aurocs) * size) < rng.uniform(0.25, 0.75, len(aurocs)).repeat(size)
        centers = np.array([shift(x) for x in aurocs]).repeat(size) * positive
        offsets = 2 * rng.normal(size=len(aurocs)).repeat(size)
        names = [str(number) for number in np.arange(len(aurocs)).repeat(size)]
        return category_difference(rng.normal(size=positive.size) + offsets + centers, positive, names).p

    print("\na difference by category is found")
    for name, aurocs, size in (
        ("AUROC 0.5 in 10 of 40", [0.5] * 10, 40),
        ("AUROC 0.75 in 10 of 40", [0.75] * 10, 40),
        ("AUROC 0.75 in 30 of 15", [0.75] * 30, 15),
        ("AUROC 0.65 and 0.85 in 10 of 40", [0.65, 0.85] * 5, 40),
    ):
        share = np.mean([found(aurocs, size) < 0.05 for _ in range(worlds // 2)])
        print(f"  {name}: {share:.4f}")
        # Of 1,000 three errors are 0.02.
        assert share <= 0.05 + 0.75 * four_errors(worlds // 2) if len(set(aurocs)) == 1 else share > 0.7


def test_permutation_tests_keep_their_level(worlds: int):
    rng = np.random.default_rng(SEED + 6)
    names = [f"category {number}" for number in np.repeat(np.arange(10), 40)]
    offsets = 2 * rng.normal(size=10).repeat(40)
    rates = rng.uniform(0.25, 0.75, 10).repeat(40)

    def world(auroc: float) -> tuple[np.ndarray, np.ndarray]:
        """Categories differ in error rate and in the level of the scores, not in AUROC."""
        positive = rng.random(QUESTIONS) < rates
        return rng.normal(size=QUESTIONS) + offsets + shift(auroc) * positive, positive

    # The dearest: a permutation is drawn for each of hundreds of zones.
    few = worlds * 3 // 20
    error_rate(
        "coin flips in 10 categories, a zone is named",
        few,
        lambda seed: min(zone.p_holm for zone in category_zones(*world(0.5), names, 1000, seed).values()) < 0.05,
    )
    found = [dependence(*rng.normal(size=(2, 200)), permutations=199, seed=seed) for seed in range(few)]
    for measure in ("distance_correlation", "hsic", "mutual_information"):
        error_rate(
            f"independent signals, {measure} finds a dependence",
            few,
            lambda seed, measure=measure: getattr(found[seed], measure).p <= 0.05,
        )
