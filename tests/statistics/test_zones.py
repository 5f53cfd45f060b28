import json
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import held_out_zones, in_sample_zones, zone_auroc

REFERENCE = Path(os.environ.get("HOMOGAUDIT_REFERENCE", Path(__file__).parents[3] / "shared/reference"))


def test_published_zones_go_by_the_mean_of_each_class():
    # a: wrong 3 and 4 against 1 and 2; b: wrong 1 and 1 against 2 and 9; c has one wrong answer.
    scores = [3, 4, 1, 2, 1, 1, 2, 9, 5, 6, 7]
    positive = [True, True, False, False] * 2 + [True, False, False]
    categories = ["a"] * 4 + ["b"] * 4 + ["c"] * 3
    assert in_sample_zones(scores, positive, categories).tolist() == [1] * 4 + [-1] * 4 + [0] * 3
    assert in_sample_zones(scores, positive, [None] * 11).tolist() == [0] * 11


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference data are absent")
def test_the_published_zones_of_qwen3_14b_are_found_again():
    lines = (REFERENCE / "qwen3-14b.greedy.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("label") in ("correct", "incorrect")]
    entropy = np.array([np.mean(row["greedy"]["token_entropies"]) for row in rows])
    wrong = np.array([row["label"] == "incorrect" for row in rows])
    zones = in_sample_zones(entropy, wrong, [row["category"] for row in rows])
    # results/v1a_supplement_report.md of the published code.
    for sign, n, positives, published in ((1, 163, 63, 0.6233), (-1, 168, 93, 0.4022)):
        inside = zones == sign
        assert (inside.sum(), wrong[inside].sum()) == (n, positives)
        found = zone_auroc(entropy, wrong, [inside])
        assert found.value == pytest.approx(published, abs=5e-5)
        assert found.value == pytest.approx(roc_auc_score(wrong[inside], entropy[inside]))


def test_held_out_zones_find_where_a_signal_works_and_where_it_is_turned_round():
    rng = np.random.default_rng(2)
    wrong = np.arange(160) % 2 == 0
    scores = rng.normal(size=160)
    scores[:80] += 2 * wrong[:80]
    scores[80:] -= 2 * wrong[80:]
    zones = list(held_out_zones(scores, wrong, ["good"] * 80 + ["bad"] * 80, seed=1))
    assert len(zones) == 20
    for first, second in zip(zones[::2], zones[1::2], strict=True):
        # Two halves, every question in one of them.
        assert np.array_equal(first != 0, second == 0)
        assert set((first + second)[:80]) == {1} and set((first + second)[80:]) == {-1}
    found = zone_auroc(scores, wrong, [x == 1 for x in zones])
    assert found.n == 80 and found.low > 0.8
    assert zone_auroc(scores, wrong, [x == -1 for x in zones]).high < 0.2


def test_zones_of_noise_say_nothing_on_the_other_half():
    rng = np.random.default_rng(3)
    held_out, in_sample = [], []
    for seed in range(40):
        wrong = rng.random(240) < 0.5
        scores = rng.normal(size=240)
        categories = [str(x) for x in np.arange(240) // 12]
        zones = list(held_out_zones(scores, wrong, categories, seed))
        held_out.append(zone_auroc(scores, wrong, [x == 1 for x in zones]))
        in_sample.append(zone_auroc(scores, wrong, [in_sample_zones(scores, wrong, categories) == 1]))
    assert np.mean([x.value for x in held_out]) == pytest.approx(0.5, abs=0.02)
    assert sum(x.low <= 0.5 <= x.high for x in held_out) >= 38
    # Decided and scored on the same questions, noise looks like a signal.
    assert np.mean([x.value for x in in_sample]) > 0.57


def test_a_zone_without_both_classes_has_no_auroc():
    with pytest.raises(UndefinedStatisticError, match="no question of this zone"):
        zone_auroc([1.0, 2.0], [True, True], [np.array([True, True])])
    with pytest.raises(ValueError, match="expected 2 categories"):
        in_sample_zones([1.0, 2.0], [True, False], ["a"])
