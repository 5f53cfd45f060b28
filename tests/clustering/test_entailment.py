"""Clusters of answers that entail each other, on tables of scores and on a small real DeBERTa-v2."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from homogaudit.clustering.entailment import (
    CONTRADICTION,
    ENTAILMENT,
    CrossEncoderEntailment,
    entailment_assignment,
    with_question,
)
from homogaudit.clustering.methods import choose_methods, cluster_question, sweep_thresholds
from homogaudit.errors import ModelError, UsageError
from homogaudit.records import ClusteringMethod, Generation, GenerationState, Question, SampleSet

SaveNli = Callable[..., Path]
PAIRS = [
    ("it was paris", "the answer is paris"),
    ("it was paris", "the answer is not paris and not rome and not london"),
    ("four", "five"),
    ("five", "four"),
    ("yes they are in a city of france", "no"),
]


def both(*pairs: tuple[str, str], p: float = 0.9) -> dict[tuple[str, str], float]:
    return {pair: p for a, b in pairs for pair in ((a, b), (b, a))}


class TableEntailment:
    """Entailment by a table; a pair that is not in it is not entailed. Counts every pair that it is asked."""

    name = "table"

    def __init__(self, entailed: Mapping[tuple[str, str], float]) -> None:
        self._entailed = entailed
        self.asked: list[tuple[str, str]] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        self.asked += pairs
        entailment = np.asarray([self._entailed.get(pair, 0.0) for pair in pairs], dtype=np.float32)
        rest = 1 - entailment
        return np.stack([entailment, rest / 4, rest * 3 / 4], axis=1)


# Clusters


def test_answers_join_only_where_each_entails_the_other() -> None:
    one_way = TableEntailment({("a", "b"): 0.9})
    assert entailment_assignment(["a", "b"], one_way.scores) == (0, 1)
    assert entailment_assignment(["a", "b"], TableEntailment(both(("a", "b"))).scores) == (0, 0)


def test_a_probability_of_exactly_the_threshold_does_not_join() -> None:
    assert entailment_assignment(["a", "b"], TableEntailment(both(("a", "b"), p=0.5)).scores, 0.5) == (0, 1)
    assert entailment_assignment(["a", "b"], TableEntailment(both(("a", "b"), p=0.5)).scores, 0.49) == (0, 0)


def test_a_chain_is_one_cluster() -> None:
    model = TableEntailment(both(("a", "b"), ("b", "c")))
    assert entailment_assignment(["a", "c", "x", "b"], model.scores) == (0, 0, 1, 0)


def test_identical_texts_are_one_and_never_compared() -> None:
    model = TableEntailment({})
    assert entailment_assignment(["a", "a", "b", "a"], model.scores) == (0, 0, 1, 0)
    assert model.asked == [("a", "b")]
    assert entailment_assignment(["a"] * 5, TableEntailment({}).scores) == (0,) * 5


def test_texts_that_all_agree_cost_one_comparison_each() -> None:
    texts = list("abcdefgh")
    model = TableEntailment(both(*combinations(texts, 2)))
    assert entailment_assignment(texts, model.scores) == (0,) * 8
    assert len(model.asked) == 2 * 7


def test_the_way_back_is_asked_only_where_the_way_there_holds() -> None:
    model = TableEntailment({})
    entailment_assignment(list("abcde"), model.scores)
    assert len(model.asked) == 10


@pytest.mark.parametrize("density", [0.05, 0.15, 0.3, 0.7])
def test_random_tables_give_the_components_of_brute_force_with_fewer_pairs(density: float) -> None:
    random = np.random.default_rng(int(density * 100))
    asked = possible = 0
    for _ in range(40):
        n = int(random.integers(2, 11))
        texts = [f"text {i}" for i in range(n)]
        drawn = np.where(
            random.random((n, n)) < density, random.uniform(0.5, 1.0, (n, n)), random.uniform(0, 0.5, (n, n))
        )
        table = {(texts[i], texts[j]): float(drawn[i, j]) for i in range(n) for j in range(n) if i != j}
        model = TableEntailment(table)
        found = entailment_assignment(texts, model.scores)
        joined = (drawn > 0.5) & (drawn.T > 0.5)
        _, expected = connected_components(joined, directed=False)
        assert [found[i] == found[j] for i, j in combinations(range(n), 2)] == [
            expected[i] == expected[j] for i, j in combinations(range(n), 2)
        ]
        assert len(set(model.asked)) == len(model.asked)
        asked += len(model.asked)
        possible += n * (n - 1)
    assert asked < possible


# As a method


def sample_set(*answers: str) -> SampleSet:
    samples = [
        Generation("q", i, text, text, GenerationState.VALID if text else GenerationState.EMPTY)
        for i, text in enumerate(answers)
    ]
    return SampleSet(Question("q", "Where?"), None, samples)


def test_the_clustering_comes_with_an_nli_model_and_single_linkage_alone() -> None:
    method = ClusteringMethod("entailment", "single", 0.5, "tiny#1")
    assert method in choose_methods(embedder=None, numeric=False, nli="tiny#1")
    (_, chosen) = choose_methods(embedder=None, numeric=False, nli="tiny#1", specifications=["entailment=0.7"])
    assert chosen == ClusteringMethod("entailment", "single", 0.7, "tiny#1")
    assert sweep_thresholds(method) == ()
    for specification, nli in (("entailment", None), ("entailment/average", "tiny#1"), ("entailment=2", "tiny#1")):
        with pytest.raises(UsageError):
            choose_methods(embedder=None, numeric=False, nli=nli, specifications=[specification])


def test_only_valid_answers_are_compared_with_the_question_before_them_where_asked() -> None:
    method = ClusteringMethod("entailment", "single", 0.5, "table")
    model = TableEntailment({})
    cluster_question(sample_set("a", "", "b"), method, pair_scores=model.scores)
    assert model.asked == [("a", "b")]
    model = TableEntailment(both(("Where? a", "Where? b")))
    asked = with_question(" Where? ", model.scores)
    clustering = cluster_question(sample_set("a", "", "b"), method, pair_scores=asked)
    assert clustering is not None and clustering.assignment == (0, 0)
    with pytest.raises(ValueError, match="NLI"):
        cluster_question(sample_set("a", "b"), method)


# The cross-encoder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, save_tiny_nli: SaveNli) -> Path:
    import torch

    torch.set_num_threads(1)
    return save_tiny_nli(tmp_path_factory.mktemp("nli"))


def load(folder: Path, **options: Any) -> CrossEncoderEntailment:
    return CrossEncoderEntailment("tiny", folder, device="cpu", **options)


def test_scores_are_probabilities_that_tell_pairs_and_directions_apart(tiny: Path) -> None:
    scores = load(tiny).scores(PAIRS)
    assert scores.shape == (5, 3)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert len({tuple(row) for row in scores.round(4).tolist()}) == 5


def test_the_model_itself_gives_the_same_numbers(tiny: Path) -> None:
    import torch
    from transformers import AutoTokenizer, DebertaV2ForSequenceClassification

    model = DebertaV2ForSequenceClassification.from_pretrained(tiny).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    with torch.inference_mode():
        expected = [
            model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits.softmax(-1)[0].tolist()
            for premise, hypothesis in PAIRS
        ]
    np.testing.assert_allclose(load(tiny).scores(PAIRS), expected, atol=1e-5)


@pytest.mark.parametrize("order", list(permutations(("Entailment", "NEUTRAL", "contradiction"))))
def test_the_order_of_the_labels_is_read_from_the_configuration(
    tiny: Path, tmp_path: Path, order: Any, save_tiny_nli: SaveNli
) -> None:
    permuted = load(save_tiny_nli(tmp_path / "permuted", order)).scores(PAIRS)
    np.testing.assert_allclose(permuted, load(tiny).scores(PAIRS), atol=1e-5)


def test_batches_change_nothing(tiny: Path) -> None:
    whole = load(tiny).scores(PAIRS)
    for batch_size in (1, 2):
        np.testing.assert_allclose(load(tiny, batch_size=batch_size).scores(PAIRS), whole, atol=1e-5)
    np.testing.assert_allclose(load(tiny).scores(PAIRS[::-1]), whole[::-1], atol=1e-5)


def test_equal_pairs_pass_the_model_once(tiny: Path) -> None:
    model = load(tiny, batch_size=1)
    passes: list[int] = []
    inner: Any = model._model
    inner.register_forward_hook(lambda *_: passes.append(1))
    scores = model.scores([*PAIRS, *PAIRS])
    assert len(passes) == len(PAIRS)
    np.testing.assert_array_equal(scores[:5], scores[5:])


def test_no_pairs_and_pairs_above_the_limit_have_scores(tiny: Path) -> None:
    model = load(tiny)
    assert model.scores([]).shape == (0, 3)
    assert np.isfinite(model.scores([("paris " * 200, "rome " * 90), ("", "")])).all()


def test_answers_are_clustered_by_a_real_model(tiny: Path) -> None:
    texts = [premise for premise, _ in PAIRS]
    found = entailment_assignment(texts, load(tiny).scores)
    table = {pair: load(tiny).scores([pair])[0] for pair in permutations(dict.fromkeys(texts), 2)}
    joined = [[a == b or min(table[a, b][ENTAILMENT], table[b, a][ENTAILMENT]) > 0.5 for b in texts] for a in texts]
    _, expected = connected_components(np.asarray(joined), directed=False)
    assert [found[i] == found[j] for i, j in combinations(range(5), 2)] == [
        expected[i] == expected[j] for i, j in combinations(range(5), 2)
    ]
    assert {ENTAILMENT, CONTRADICTION} == {0, 2}


@pytest.mark.parametrize(
    "labels", [("entailment", "not_entailment"), ("LABEL_0", "LABEL_1", "LABEL_2"), ("entailment", "neutral", "other")]
)
def test_a_model_without_the_three_labels_is_one_clear_error(
    tmp_path: Path, labels: Any, save_tiny_nli: SaveNli
) -> None:
    with pytest.raises(ModelError, match=f"`{labels[-1].lower()}`") as caught:
        load(save_tiny_nli(tmp_path / "other", labels))
    assert "id2label" in str(caught.value.hint)


@pytest.mark.parametrize("fault", ["missing", "no weights", "pickle", "no config", "code"])
def test_a_folder_that_does_not_load_is_one_error(tiny: Path, tmp_path: Path, fault: str) -> None:
    import shutil

    import torch

    folder = tmp_path / "broken"
    if fault != "missing":
        shutil.copytree(tiny, folder)
    match fault:
        case "no weights":
            (folder / "model.safetensors").unlink()
        case "pickle":
            (folder / "model.safetensors").unlink()
            torch.save({}, folder / "pytorch_model.bin")
        case "no config":
            (folder / "config.json").write_text("{")
        case "code":
            config = json.loads((folder / "config.json").read_text())
            config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
            (folder / "config.json").write_text(json.dumps(config))
            (folder / "own.py").write_text("raise SystemExit('ran')")
        case _:
            pass
    with pytest.raises(ModelError, match="tiny"):
        load(folder)
