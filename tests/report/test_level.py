"""Which level an interval gives, and how often it is a wrong one."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from homogaudit.report.level import Level, Outcomes, Phases, level_of, possible_bands
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate, questions_needed

SIZES = (10, 20, 60, 100, 200, 790)
RATES = sorted({*np.arange(201) / 200, 0.05 - 1e-9, 0.05 + 1e-9, 0.20 - 1e-9, 0.20 + 1e-9})


def outcomes(
    single: int,
    several: int,
    unknown: int = 0,
    several_short: int = 0,
    categories: Sequence[str | None] | None = None,
) -> Outcomes:
    """Return so many questions known to be single, several, neither, and several although samples are missing."""
    clusters = [1] * single + [2] * several + [1] * unknown + [3] * several_short
    whole = [True] * (single + several) + [False] * (unknown + several_short)
    ids = [f"q{number}" for number in range(len(clusters))]
    return Outcomes(np.array(clusters), np.array(whole), categories or [None] * len(clusters), ids)


@cache
def level(k: int, n: int) -> Level:
    return level_of(outcomes(k, n - k).level_rate("no question"))


def true_band(rate: float) -> str:
    return "none" if rate < 0.05 else "mild" if rate <= 0.20 else "severe"


@pytest.mark.parametrize("n", SIZES)
def test_a_level_excludes_the_true_band_in_at_most_one_audit_of_forty(n: int):
    excluded = {
        band: np.array([band not in possible_bands(level(k, n)) for k in range(n + 1)])
        for band in ("none", "mild", "severe")
    }
    for rate in RATES:
        wrong = binom.pmf(np.arange(n + 1), n, rate) @ excluded[true_band(rate)]
        assert wrong <= 0.025 + 1e-12, rate


@pytest.mark.parametrize(
    ("k", "n", "name"),
    [
        # Ends by scipy.stats.binomtest: 0 of 71 [0, 5.06%], of 72 [0, 4.99%], of 16 [0, 20.6%], of 17 [0, 19.5%].
        (0, 71, "at most mild"),
        (0, 72, "none"),
        (0, 16, "undecided"),
        (0, 17, "at most mild"),
        (0, 60, "at most mild"),
        # 18 of 60 [18.8%, 43.2%], 12 of 100 [6.4%, 20.02%], 24 of 200 [7.8%, 17.3%], 4 of 20 [5.7%, 43.7%],
        # 3 of 20 [3.2%, 37.9%], 60 of 200 [23.7%, 36.9%], 10 of 10 [69.2%, 100%].
        (18, 60, "at least mild"),
        (12, 100, "at least mild"),
        (24, 200, "mild"),
        (4, 20, "at least mild"),
        (3, 20, "undecided"),
        (60, 200, "severe"),
        (10, 10, "severe"),
    ],
)
def test_a_level_names_the_bands_that_the_interval_touches(k: int, n: int, name: Level):
    assert level(k, n) == name


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (0.0, 0.04999, "none"),
        (0.0, 0.05, "at most mild"),
        (0.05, 0.20, "mild"),
        (0.20, 0.20001, "at least mild"),
        (0.20001, 0.3, "severe"),
        (0.04999, 0.20001, "undecided"),
    ],
)
def test_five_and_twenty_per_cent_belong_to_mild(low: float, high: float, name: Level):
    assert level_of(Rate(low, low, high, 1, 100)) == name


def test_what_is_not_judged_leaves_every_band_open():
    assert level_of(Undefined("no samples")) == "not judged"
    everything = possible_bands("undecided")
    assert everything == possible_bands("not judged") == possible_bands("invalid") == ("none", "mild", "severe")


@pytest.mark.parametrize(("k", "n"), [(0, 20), (7, 60), (200, 200)])
def test_the_interval_of_a_level_is_clopper_and_pearsons(k: int, n: int):
    found = outcomes(k, n - k).level_rate("no question")
    expected = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert isinstance(found, Rate)
    assert (found.k, found.n, found.value) == (k, n, k / n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_rate_never_lies_outside_its_best_and_worst_case():
    # 45 of 100 questions are whole and 25 of them single; each of the others already shows two clusters.
    found = outcomes(25, 20, several_short=55)
    rates = (found.rate("none"), found.best_case("none"), found.worst_case("none"))
    assert [(x.k, x.n) for x in rates if isinstance(x, Rate)] == [(25, 100)] * 3
    # 25 of 100: [16.9%, 34.7%]; by the whole questions alone it would be 25 of 45 and severe.
    assert level_of(found.level_rate("none")) == "at least mild"


@pytest.mark.parametrize("unknown", [0, 1, 10, 40])
@pytest.mark.parametrize(("single", "several", "several_short"), [(0, 20, 0), (12, 40, 9), (30, 3, 0), (15, 0, 30)])
def test_the_level_reaches_from_the_best_to_the_worst_case(single: int, several: int, several_short: int, unknown: int):
    found = outcomes(single, several, unknown, several_short)
    rate, best, worst, judged = (
        found.rate("none"),
        found.best_case("none"),
        found.worst_case("none"),
        found.level_rate("none"),
    )
    assert isinstance(rate, Rate) and isinstance(best, Rate) and isinstance(worst, Rate) and isinstance(judged, Rate)
    n = single + several + several_short + unknown
    assert (best.k, best.n, worst.k, worst.n) == (single, n, single + unknown, n)
    assert best.value <= rate.value <= worst.value
    ends = [binomtest(x, n).proportion_ci(0.95, method="exact") for x in (single, single + unknown)]
    assert (judged.low, judged.high) == pytest.approx((ends[0].low, ends[1].high), abs=1e-9)
    assert judged.low <= rate.value <= judged.high


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (outcomes(0, 0), "the run holds no samples"),
        (outcomes(9, 0), "only 9 questions are clustered, 10 are needed"),
        (outcomes(1, 0), "only 1 question is clustered, 10 are needed"),
        (
            outcomes(3, 0, 97),
            "only 3 of 100 scored questions have an answer in each of the samples, 10 are needed",
        ),
    ],
)
def test_too_few_questions_are_not_judged_and_say_why(found: Outcomes, reason: str):
    assert found.level_rate("the run holds no samples") == Undefined(reason)


def test_categories_that_differ_widen_the_interval_that_decides():
    # Five categories of 20, one of them single throughout: 20 of 100 as it were, but five draws of a category.
    categories = [name for name in "abcde" for _ in range(20)]
    found = outcomes(20, 80, categories=categories)
    alone, judged = outcomes(20, 80).level_rate("none"), found.level_rate("none")
    assert isinstance(alone, Rate) and isinstance(judged, Rate)
    assert judged == found.by_category()
    assert judged.low < alone.low and judged.high > alone.high
    assert (level_of(alone), level_of(judged)) == ("at least mild", "undecided")


def test_categories_that_do_not_differ_leave_the_interval_of_independent_questions():
    categories = ["abcde"[place % 5] for place in range(100)]
    # Each category has four of the twenty: nothing varies between them.
    found = outcomes(20, 80, categories=categories)
    assert found.level_rate("none") == outcomes(20, 80).level_rate("none")


def test_fewer_than_five_categories_tell_nothing_of_how_they_vary():
    found = outcomes(20, 80, categories=["a"] * 20 + ["b", "c", "d", None] * 20)
    assert found.by_category() == Undefined("an interval over categories needs 5, there are 4")
    assert found.level_rate("none") == outcomes(20, 80).level_rate("none")


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.03, 0.08, 0.1, 0.15, 0.25, 0.3, 0.5, 1.0])
def test_the_questions_that_are_said_to_be_needed_decide_in_four_audits_of_five(rate: float):
    needed = questions_needed(rate, (0.05, 0.20))
    assert needed is not None

    def power(n: int) -> float:
        # The level is monotone in k, and far from the rate nothing has weight.
        likely = np.flatnonzero(binom.pmf(np.arange(n + 1), n, rate) > 1e-9)
        decided = [true_band(rate) == level(int(k), n) for k in likely]
        return float(binom.pmf(likely, n, rate) @ decided)

    if needed >= 10:
        assert power(needed) >= 0.80 - 1e-6
        assert power(max(10, int(0.7 * needed))) < 0.80


def coverage_over_categories(rate: float, groups: int, reversed_share: float, runs: int) -> float:
    """Return how often the interval over categories holds the rate of a run for the rate alone.

    Ten questions a category; these differ in their rate and in how much of it lies apart at first.
    """
    random = np.random.default_rng([groups, round(1000 * rate), round(100 * reversed_share)])
    names = np.repeat(np.arange(groups), 10)
    n, held = names.size, 0
    for _ in range(runs):
        single = random.random(n) < random.beta(9 * rate, 9 * (1 - rate), groups)[names]
        parts = random.beta(1.5 * reversed_share, 1.5 * (1 - reversed_share), groups)
        apart = np.where(single, random.random(n) < parts[names], random.random(n) < 0.8)
        audited = random.permutation(n) < math.ceil(0.3 * n)
        found = Outcomes(
            np.where(single & (audited | ~apart), 1, 2),
            np.ones(n, dtype=np.bool_),
            tuple(map(str, names)),
            tuple(map(str, range(n))),
            phases=Phases(apart, audited),
        ).by_category()
        assert isinstance(found, Rate)
        held += found.low <= rate <= found.high
    return held / runs


@pytest.mark.parametrize("runs", [150, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("groups", [5, 20])
@pytest.mark.parametrize(("rate", "reversed_share"), [(0.05, 0.05), (0.15, 0.3), (0.4, 0.3)])
def test_the_interval_over_categories_holds_with_reversals_too(
    rate: float, reversed_share: float, groups: int, runs: int
):
    # Four standard errors of a share of so many runs around 0.95.
    share = coverage_over_categories(rate, groups, reversed_share, runs)
    print(f"SCR {rate:4.0%}, {groups:2} categories, {reversed_share:4.0%} of it reversals: {share:6.2%} of {runs}")
    assert share > 0.95 - 4 * math.sqrt(0.95 * 0.05 / runs)
