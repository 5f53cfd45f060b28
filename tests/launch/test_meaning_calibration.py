"""The probability of yes from which a model of meaning joins two answers, on pairs whose replies are known."""

import math
from pathlib import Path

import numpy as np
import pytest

from homogaudit.clustering.answer_pairs import AnswerPair, AnswerPairs
from homogaudit.clustering.meaning import together
from homogaudit.config.thresholds import CalibratedThreshold, store_threshold
from homogaudit.errors import UsageError
from homogaudit.events import JobJudge
from homogaudit.launch.embedder_choice import with_own_threshold
from homogaudit.launch.meaning_calibration import meaning_threshold, write_pairs
from homogaudit.store import RunFile

MODEL = JobJudge("tiny", "tiny#12345678", "gguf", "/tiny.gguf", "", "")


def labelled(number: int, of: int) -> AnswerPairs:
    """Pairs of which every second has one meaning, in subjects of twenty each."""
    pairs = [
        AnswerPair("What?", f"a {n}", f"b {n}", n % 2 == 0, "paraphrase" if n % 2 == 0 else "other", f"s{n // 20}")
        for n in range(of)
    ]
    return AnswerPairs(tuple(pairs[:number]), "0")


def asked(file: AnswerPairs, path: Path, log_odds: dict[int, tuple[float, float]]) -> None:
    write_pairs(file, path)
    with RunFile.open(path, writable=True) as run, run.transaction():
        for place, both in log_odds.items():
            pair = file.pairs[place]
            texts = (together(pair.question, pair.a), together(pair.question, pair.b))
            run.add_pair_scores(MODEL.key, {texts: np.asarray(both, np.float32)})


def test_a_threshold_parts_three_in_ten_of_the_asked_pairs_of_one_meaning(tmp_path: Path) -> None:
    file = labelled(220, 220)
    # Of one meaning: -5.0, -4.9, ... +4.9 as means of two orders; of different ones a little below; 20 are not asked.
    odds = {n: (n / 20 - 6.0, n / 20 - 4.0) if n % 2 == 0 else (n / 20 - 6.0, n / 20 - 5.0) for n in range(200)}
    asked(file, tmp_path / "pairs.audit", odds)
    found = meaning_threshold(file, tmp_path / "pairs.audit", MODEL)
    # The 31st of a hundred stands at -5 + 3.0.
    assert found.threshold == pytest.approx(1 / (1 + math.exp(2.0)), abs=2e-6)
    assert found.threshold <= 1 / (1 + math.exp(2.0))
    assert found.separation.false_splits.value == pytest.approx(0.30)
    # Of different meaning -5.45, -5.35, ... : from -2.0 on the last 65.
    assert found.separation.false_merges.value == pytest.approx(0.65)
    assert int(found.asked.sum()) == found.separation.auroc.n == 200
    assert found.interval is not None and 0 < found.interval.low < found.threshold < found.interval.high < 1


def test_too_few_pairs_of_one_meaning_set_no_threshold(tmp_path: Path) -> None:
    file = labelled(60, 60)
    asked(file, tmp_path / "pairs.audit", {n: (0.0, 0.0) for n in range(60)})
    with pytest.raises(UsageError, match="asked about `30` pairs of one meaning and `30` others"):
        meaning_threshold(file, tmp_path / "pairs.audit", MODEL)


def test_a_chosen_model_gets_the_threshold_that_was_found_for_it_with_this_embedder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(tmp_path / "thresholds.json"))
    assert with_own_threshold(MODEL, "key") == MODEL
    store_threshold("key", CalibratedThreshold("tiny", 0.031, None, None, 200, "0", "2026-11-29"))
    assert with_own_threshold(MODEL, "key").clustering_key == "tiny#12345678@0.031"
    assert with_own_threshold(MODEL, "another").clustering_key == MODEL.key
