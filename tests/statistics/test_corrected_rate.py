"""A rate corrected by whole questions labelled by hand: a hand calculation, and worlds of another making."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import binom

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import corrected_rate

WORLDS = 400
DRAWS = 400


def test_the_corrected_rate_is_that_of_a_hand_calculation():
    # 20 of 100 found; 24 of 30 found ones and 3 of 30 others are true: 0.2 * 0.8 + 0.8 * 0.1 = 0.24.
    found = corrected_rate((20, 100), (24, 30), (3, 30))
    assert found.rate.value == pytest.approx(0.24, abs=1e-12)
    # 0.16 of the 0.24 that are true are found; of the 0.76 others 0.72 are not.
    assert found.sensitivity.value == pytest.approx(0.16 / 0.24, abs=1e-12)
    assert found.specificity.value == pytest.approx(0.72 / 0.76, abs=1e-12)
    assert found.labelled == found.rate.n == 60


@pytest.mark.parametrize(("hits", "missed"), [((30, 30), (0, 30)), ((30, 30), (2, 30)), ((25, 30), (0, 30))])
def test_a_stratum_without_an_error_leaves_an_interval_with_a_width(hits: tuple[int, int], missed: tuple[int, int]):
    found = corrected_rate((20, 100), hits, missed)
    assert found.rate.low < found.rate.value < found.rate.high
    assert found.sensitivity.low < found.sensitivity.value <= found.sensitivity.high <= 1
    assert found.specificity.low < found.specificity.value <= found.specificity.high <= 1


def test_an_end_of_the_interval_is_at_least_as_far_out_as_one_share_alone_puts_it():
    # With a rate of 20,000 of 100,000 and no error among the found the upper end rests on 0 of 50: 1 - 0.025^(1/50).
    found = corrected_rate((20_000, 100_000), (5_000, 5_000), (0, 50), draws=40_000)
    assert found.rate.high == pytest.approx(0.2 + 0.8 * (1 - 0.025 ** (1 / 50)), abs=0.004)


@pytest.mark.parametrize(
    ("found", "hits", "missed", "reason"),
    [
        ((20, 100), (20, 24), (2, 25), "`49` labelled"),
        ((20, 100), (0, 0), (5, 50), "one cluster"),
        ((20, 100), (40, 50), (0, 0), "several clusters"),
        ((20, 100), (15, 30), (14, 30), "reaches 0"),
        # Found worse than by chance: the correction would turn the rate around.
        ((20, 100), (5, 30), (25, 30), "reaches 0"),
    ],
)
def test_there_is_no_corrected_rate_with_too_few_labels_or_a_test_that_tells_nothing(
    found: tuple[int, int], hits: tuple[int, int], missed: tuple[int, int], reason: str
):
    with pytest.raises(UndefinedStatisticError, match=reason):
        corrected_rate(found, hits, missed)


def single_by_average_linkage(rng: np.random.Generator, meanings: int, confusion: float) -> bool:
    """Cluster ten answers whose pairs look alike or not by a similarity that errs more on some questions."""
    meaning = rng.integers(meanings, size=10)
    similarity = np.where(meaning[:, None] == meaning, 0.75, 0.35) + rng.normal(0, 0.12) * confusion
    similarity = similarity + rng.normal(0, 0.15 * confusion, (10, 10))
    similarity = np.clip((similarity + similarity.T) / 2, 0, 1)
    np.fill_diagonal(similarity, 1.0)
    tree = linkage(squareform(1 - similarity, checks=False), "average")
    return int(fcluster(tree, 0.45, "distance").max()) == 1


def pool(rng: np.random.Generator, prevalence: float) -> tuple[np.ndarray, np.ndarray]:
    """What is true and what is found of 8,000 questions; answers of several meanings may be of one by chance.

    How often pairs are confused is a property of the question, so their errors go together.
    """
    true, found = np.zeros(8_000, np.bool_), np.zeros(8_000, np.bool_)
    for place in range(true.size):
        true[place] = rng.random() < prevalence
        meanings = 1 if true[place] else int(rng.integers(2, 5))
        found[place] = single_by_average_linkage(rng, meanings, 0.4 + 2.4 * rng.beta(0.5, 1.5))
    return true, found


@pytest.mark.parametrize("prevalence", [0.05, 0.2, 0.45])
@pytest.mark.parametrize(("questions", "labelled"), [(200, 60), (790, 100)])
def test_the_interval_covers_the_true_rate_where_errors_are_of_pairs_and_go_together_by_question(
    prevalence: float, questions: int, labelled: int
):
    rng = np.random.default_rng(round(prevalence * 1_000))
    true, found = pool(rng, prevalence)
    covered, defined, raw, width = 0, 0, 0, 0.0
    for world in range(WORLDS):
        drawn = rng.choice(true.size, questions)
        is_true, is_found = true[drawn], found[drawn]
        ones, others = rng.permutation(np.flatnonzero(is_found)), rng.permutation(np.flatnonzero(~is_found))
        ones = ones[: max(labelled // 2, labelled - others.size)]
        others = others[: labelled - ones.size]
        try:
            got = corrected_rate(
                (int(is_found.sum()), questions),
                (int(is_true[ones].sum()), ones.size),
                (int(is_true[others].sum()), others.size),
                draws=DRAWS,
                seed=world,
            )
        except UndefinedStatisticError:
            continue
        defined += 1
        covered += got.rate.low <= true.mean() <= got.rate.high
        width += got.rate.high - got.rate.low
        raw += abs(is_found.mean() - true.mean()) < 1.96 * np.sqrt(max(is_found.mean(), 1e-9) / questions)
    print(
        f"rate {true.mean():.3f}, found {found.mean():.3f}, n {questions}, labelled {labelled}: covered "
        f"{covered}/{defined}, width {width / max(defined, 1):.3f}, uncorrected {raw}"
    )
    assert defined >= WORLDS // 2
    assert covered >= binom.ppf(0.005, defined, 0.93)
