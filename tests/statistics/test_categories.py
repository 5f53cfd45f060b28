import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import Zone, auroc_by_category, category_difference, category_zones


def world(aurocs: dict[str, float], n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Normal scores whose AUROC in each category is as given; every other answer incorrect."""
    rng = np.random.default_rng(seed)
    from scipy.stats import norm

    names = [name for name in aurocs for _ in range(n)]
    positive = np.tile(np.arange(n) % 2 == 0, len(aurocs))
    shift = np.repeat([math.sqrt(2) * norm.ppf(value) for value in aurocs.values()], n)
    return rng.normal(size=positive.size) + positive * shift, positive, names


def test_categories_of_recorded_answers(reference: Path):
    expected = json.loads((reference / "expected.json").read_text(encoding="utf-8"))["qwen3-14b"]
    lines = (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    labelled = [record for record in map(json.loads, lines) if record["label"] in ("correct", "incorrect")]
    scores = [np.mean(record["greedy"]["token_entropies"]) for record in labelled]
    positive = [record["label"] == "incorrect" for record in labelled]
    categories = [record["category"] for record in labelled]
    found = auroc_by_category(scores, positive, categories)
    assert found.keys() == expected["categories_token_entropy_mean"].keys()
    for name, figures in expected["categories_token_entropy_mean"].items():
        assert found[name].n == figures["n"]
        assert found[name].auroc == pytest.approx(figures["auroc"], abs=1e-5)
    zones = category_zones(scores, positive, categories)
    # With n >= 20 and 5 of each class.
    assert zones.keys() == {"Health", "Law", "Misconceptions", "Sociology"}


def test_the_table_leaves_out_small_one_class_and_unnamed_categories():
    names = ["nine"] * 9 + ["ten"] * 10 + ["one class"] * 12 + [None] * 15
    positive = np.arange(46) % 2 == 0
    positive[19:31] = True
    scores = np.random.default_rng(0).integers(0, 4, 46).astype(float)
    found = auroc_by_category(scores, positive, names)
    assert list(found) == ["ten"]
    assert found["ten"].auroc == pytest.approx(roc_auc_score(positive[9:19], scores[9:19]), abs=1e-12)
    assert (found["ten"].n, found["ten"].positives) == (10, 5)
    assert found["ten"].interval is not None


def test_a_category_without_overlap_has_no_interval():
    positive = np.arange(10) < 5
    assert auroc_by_category(positive.astype(float), positive, ["a"] * 10)["a"].interval is None
    single = np.arange(10) < 1
    assert auroc_by_category(np.arange(10.0), single, ["a"] * 10)["a"].interval is None


def test_the_statistic_of_the_difference_by_hand():
    # Ten questions a category, five of each class. In "a" the wrong answers are above 3, 4, 4, 4 and 5 of the right
    # ones (AUROC 0.8), in "b" above 1, 2, 2, 2 and 3 (0.4).
    wrong = {"a": [3.5, 4.5, 4.5, 4.5, 5.5], "b": [1.5, 2.5, 2.5, 2.5, 3.5]}
    scores = np.concatenate([[*wrong[name], 1, 2, 3, 4, 5] for name in "ab"]).astype(float)
    positive = np.tile(np.arange(10) < 5, 2)
    placed = {name: [np.mean([w > r for r in range(1, 6)]) for w in wrong[name]] for name in "ab"}
    below = {name: [np.mean([w > r for w in wrong[name]]) for r in range(1, 6)] for name in "ab"}
    assert (np.mean(placed["a"]), np.mean(placed["b"])) == (pytest.approx(0.8), pytest.approx(0.4))
    variance = sum(np.mean([np.var(of[name], ddof=1) for name in "ab"]) / 5 for of in (placed, below))
    found = category_difference(scores, positive, ["a"] * 10 + ["b"] * 10)
    # Two AUROCs 0.2 from their mean, each with the same weight.
    assert found.statistic == pytest.approx(2 * 0.04 / variance)
    assert found.p == pytest.approx(chi2.sf(found.statistic, 1))
    assert (found.tested, found.n) == (2, 20)


def test_a_real_difference_is_found_and_equal_aurocs_are_not():
    different = category_difference(*world({"a": 0.9, "b": 0.5, "c": 0.1}, 40))
    assert different.p < 0.01
    assert category_difference(*world({"a": 0.7, "b": 0.7, "c": 0.7}, 40)).p > 0.05
    with pytest.raises(UndefinedStatisticError, match="do not overlap"):
        category_difference(np.tile(np.arange(20.0), 2), np.tile(np.arange(20) > 9, 2), ["a"] * 20 + ["b"] * 20)


def test_a_shift_of_a_whole_category_is_no_difference():
    scores, positive, names = world({"a": 0.7, "b": 0.7, "c": 0.7}, 40)
    shifted = scores + 100 * np.array([name == "b" for name in names])
    assert category_difference(shifted, positive, names) == category_difference(scores, positive, names)


def test_one_category_has_no_difference():
    with pytest.raises(UndefinedStatisticError, match="`1` categories"):
        category_difference(*world({"a": 0.7}, 40))
    with pytest.raises(UndefinedStatisticError, match="`0` categories"):
        category_difference([], [], [])


def test_zones_are_found_where_the_signal_works_and_where_it_misleads():
    found = category_zones(*world({"works": 0.9, "misleads": 0.1, "coin": 0.5}, 60))
    assert {name: zone.zone for name, zone in found.items()} == {
        "works": Zone.EFFECTIVE,
        "misleads": Zone.BLIND,
        "coin": Zone.UNDECIDED,
    }
    assert found["works"].training_effective == 1.0
    assert found["misleads"].training_effective == 0.0
    # Turned round, the misleading signal does as well as the working one.
    assert found["misleads"].held_out_auroc > 0.8
    assert all(zone.p_holm >= zone.p for zone in found.values())


def test_the_held_out_auroc_is_that_of_pairs_inside_the_held_out_folds():
    scores, positive, names = world({"works": 0.95}, 40)
    found = category_zones(scores, positive, names, permutations=1, seed=3)["works"]
    generator = np.random.default_rng(3)
    won, pairs = 0.0, 0
    for _ in range(20):
        fold = generator.permutation(np.arange(40) % 5)
        for number in range(5):
            training, held_out = fold != number, fold == number
            a, b = scores[held_out & positive], scores[held_out & ~positive]
            decision = roc_auc_score(positive[training], scores[training]) > 0.5
            won += ((a[:, None] > b) == decision).sum()
            pairs += a.size * b.size
    assert found.held_out_auroc == pytest.approx(won / pairs, abs=1e-12)


def test_constant_scores_make_no_zone():
    found = category_zones(np.zeros(30), np.arange(30) < 15, ["a"] * 30)["a"]
    assert (found.zone, found.p, found.held_out_auroc) == (Zone.UNDECIDED, 1.0, 0.5)


def test_categories_that_are_too_small_make_no_zone():
    assert category_zones(np.arange(19.0), np.arange(19) < 9, ["a"] * 19) == {}
    assert category_zones(np.arange(30.0), np.arange(30) < 4, ["a"] * 30) == {}


def test_zone_errors_stay_under_their_level():
    # A coin flip in three categories of 24 questions: at most 5% of worlds may name a zone; 300 worlds have a standard
    # error of 1.3%.
    wrong = 0
    for seed in range(300):
        zones = category_zones(*world({"a": 0.5, "b": 0.5, "c": 0.5}, 24, seed), permutations=199, seed=seed)
        wrong += any(zone.zone is not Zone.UNDECIDED for zone in zones.values())
    assert wrong <= 300 * 0.05 + 2.5 * math.sqrt(300 * 0.05 * 0.95)


def test_the_order_of_questions_across_categories_does_not_matter():
    scores, positive, names = world({"a": 0.8, "b": 0.4}, 30)
    # Interleaved, the questions of each category keep their own order.
    order = np.arange(60).reshape(2, 30).T.ravel()
    moved = [names[i] for i in order]
    assert category_zones(scores[order], positive[order], moved) == category_zones(scores, positive, names)
    assert auroc_by_category(scores[order], positive[order], moved) == auroc_by_category(scores, positive, names)


def test_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match="categories"):
        auroc_by_category([1.0, 2.0], [True, False], ["a"])
