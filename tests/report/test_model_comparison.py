"""Clusters of the same answers by several embedders and by several NLI models, side by side."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console
from scipy.stats import spearmanr
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import roc_auc_score

from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.console import render_console
from homogaudit.report.json import schema, to_json
from homogaudit.report.layout import sections
from homogaudit.report.numbers import MISSING
from homogaudit.report.side_by_side_records import Area, ModelComparison, ThresholdPoint
from homogaudit.report.undefined import Undefined
from homogaudit.store.run_file import RunFile

SAMPLES, QUESTIONS = 5, 24
KEYS = ("small#11", "large#22")
JACCARD = ClusteringMethod("jaccard", "single", 0.4)


def vectors(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows of a question lie about one direction, wider from question to question; float16 as in a run file."""
    random = np.random.default_rng(seed)
    rows = np.zeros((QUESTIONS, SAMPLES, 8))
    for question in range(QUESTIONS):
        rows[question] = np.eye(8)[0] + random.normal(0, 0.05 + question * 0.03, (SAMPLES, 8))
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float16).astype(np.float32)


@pytest.fixture
def builder(build_run: Callable[..., Any]) -> Any:
    builder = build_run(QUESTIONS, samples=SAMPLES)
    for position in range(QUESTIONS):
        builder.draw(position, [f"answer {position} {number}" for number in range(SAMPLES)])
    builder.label({x: "incorrect" if x % 3 == 0 else "correct" for x in range(QUESTIONS)})
    builder.cluster(dict.fromkeys(range(QUESTIONS), range(SAMPLES)))
    return builder


@pytest.fixture
def run(builder: Any) -> RunFile:
    """Scored with two embedders, the first at a threshold of its own, the last one calibrated."""
    methods = [ClusteringMethod("embedding", "average", t, key) for t, key in zip((0.6, 0.85), KEYS, strict=True)]
    for seed, key in enumerate(KEYS):
        rows = vectors(seed)
        texts = {f"answer {x} {n}": rows[x, n] for x in range(QUESTIONS) for n in range(SAMPLES)}
        builder.run.add_embeddings(key, texts)
        builder.cluster({0: (0,) * SAMPLES}, methods[seed])
    builder.run.set_meta("embedders", {KEYS[1]: {"name": "large", "calibrated_threshold": 0.93}})
    return builder.score(JACCARD, methods[1])


def counts_of(seed: int, threshold: float) -> list[int]:
    """Cluster counts by scikit-learn."""
    found: list[int] = []
    for rows in vectors(seed):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        distances = np.clip(1 - unit @ unit.T, 0, None)
        np.fill_diagonal(distances, 0)
        tree = AgglomerativeClustering(None, metric="precomputed", linkage="average", distance_threshold=1 - threshold)
        found.append(int(tree.fit(distances).n_clusters_))
    return found


def comparison(run: RunFile, similarity: str = "embedding") -> ModelComparison:
    found = build(run, draws=50).homogenization.models[similarity]
    assert isinstance(found, ModelComparison)
    return found


def test_every_embedder_is_read_at_the_same_thresholds_whatever_it_was_scored_with(run: RunFile) -> None:
    found = comparison(run)
    assert list(found.models) == ["large", "small"]
    for seed, name in enumerate(("small", "large")):
        model = found.models[name]
        assert (model.model, model.threshold, model.linkage) == (KEYS[seed], 0.85, "average")
        counts = counts_of(seed, 0.85)
        assert (model.scr.k, model.scr.n) == (counts.count(1), QUESTIONS)
        assert 0 < model.scr.k < QUESTIONS
        assert model.mean_clusters == pytest.approx(np.mean(counts))
        assert [x.threshold for x in model.thresholds] == [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
        for point in model.thresholds:
            assert point.scr.k == counts_of(seed, point.threshold).count(1)


def test_counts_correlate_as_scipy_says(run: RunFile) -> None:
    (pair,) = comparison(run).correlations
    expected: Any = spearmanr(counts_of(1, 0.85), counts_of(0, 0.85))
    assert pair.models == ("large", "small")
    assert not isinstance(pair.spearman, Undefined)
    assert pair.spearman.value == pytest.approx(expected.statistic)
    assert pair.spearman.n == QUESTIONS
    assert pair.spearman.low < pair.spearman.value < pair.spearman.high


def test_a_calibrated_embedder_has_its_rate_there_and_another_says_that_it_has_none(run: RunFile) -> None:
    models = comparison(run).models
    point = models["large"].calibrated_threshold
    assert isinstance(point, ThresholdPoint)
    assert (point.threshold, point.scr.k) == (0.93, counts_of(1, 0.93).count(1))
    assert isinstance(models["small"].calibrated_threshold, Undefined)


def test_the_entropy_of_each_models_clusters_is_scored(run: RunFile) -> None:
    area = comparison(run).models["small"].semantic_entropy_auroc
    unit = vectors(0)
    entropies: list[float] = []
    for rows in unit:
        distances = np.clip(1 - rows @ rows.T / np.outer(*[np.linalg.norm(rows, axis=1)] * 2), 0, None)
        np.fill_diagonal(distances, 0)
        tree = AgglomerativeClustering(None, metric="precomputed", linkage="average", distance_threshold=0.15)
        shares = np.bincount(tree.fit_predict(distances)) / SAMPLES
        entropies.append(float(-(shares * np.log(shares)).sum()))
    assert isinstance(area, Area)
    assert area.value == pytest.approx(roc_auc_score([x % 3 == 0 for x in range(QUESTIONS)], entropies))
    assert (area.n, area.positives) == (QUESTIONS, 8)


def test_nli_models_are_compared_by_their_stored_clusters(builder: Any) -> None:
    shapes = {
        "xsmall#1": [(0,) * 5] * 10 + [(0, 0, 1, 1, 2)] * 14,
        "base#2+question": [(0, 0, 0, 0, 1)] * 12 + [(0, 1, 2, 3, 4)] * 12,
    }
    for key, assignments in shapes.items():
        builder.cluster(dict(enumerate(assignments)), ClusteringMethod("entailment", "single", 0.5, key))
    found = comparison(builder.score(JACCARD), "entailment")
    assert list(found.models) == ["base+question", "xsmall"]
    assert (found.models["xsmall"].scr.k, found.models["base+question"].scr.k) == (10, 0)
    # 10 ones and 14 threes; 12 twos and 12 fives.
    assert found.models["xsmall"].mean_clusters == pytest.approx(52 / 24)
    assert found.models["base+question"].mean_clusters == pytest.approx(84 / 24)
    expected: Any = spearmanr([2] * 12 + [5] * 12, [1] * 10 + [3] * 14)
    assert found.correlations[0].spearman.value == pytest.approx(expected.statistic)
    assert found.models["xsmall"].thresholds == ()


def test_equal_counts_correlate_without_an_interval(builder: Any) -> None:
    for key in ("a#1", "b#2"):
        shapes = {x: (0,) * 5 if x % 2 else (0, 0, 1, 1, 2) for x in range(QUESTIONS)}
        builder.cluster(shapes, ClusteringMethod("entailment", "single", 0.5, key))
    report = build(builder.score(JACCARD), draws=50)
    document = to_json(report)
    Draft202012Validator(schema()).validate(document)
    (pair,) = document["homogenization"]["models"]["entailment"]["correlations"]
    assert pair["spearman"] == {"value": 1.0, "low": None, "high": None, "p": None, "n": QUESTIONS}
    section = next(x for x in sections(report) if x.title == "NLI models compared")
    assert [row.cells for row in list(section.tables())[-1].rows] == [("a and b", "1.00", MISSING, "24")]
    assert any("has no interval" in x.text for x in section.lines())


def test_models_of_one_name_are_told_apart(builder: Any) -> None:
    for key, threshold in (("x#1", 0.5), ("x#2", 0.5)):
        builder.cluster(
            dict.fromkeys(range(QUESTIONS), range(5)), ClusteringMethod("entailment", "single", threshold, key)
        )
    run = builder.score(JACCARD)
    found = comparison(run, "entailment")
    assert list(found.models) == ["x#1", "x#2"]
    assert isinstance(found.correlations[0].spearman, Undefined)
    builder.cluster(dict.fromkeys(range(QUESTIONS), range(5)), ClusteringMethod("entailment", "single", 0.7, "x#2"))
    assert list(comparison(run, "entailment").models) == ["x#1 at 0.5", "x#2 at 0.5", "x#2 at 0.7"]


def test_one_model_is_compared_with_nobody(small_run: RunFile) -> None:
    found = build(small_run, draws=50).homogenization.models
    assert found["embedding"] == Undefined("the run is scored with one embedder")
    assert found["entailment"] == Undefined("the run is scored with no NLI model")


def stopped(builder: Any, stored: int) -> RunFile:
    """Scored with two embedders, the second of which was stopped after some questions."""
    methods = [ClusteringMethod("embedding", "average", 0.85, key) for key in KEYS]
    for seed, key in enumerate(KEYS):
        rows = vectors(seed)
        texts = {
            f"answer {x} {n}": rows[x, n] for x in range(QUESTIONS if seed == 0 else stored) for n in range(SAMPLES)
        }
        builder.run.add_embeddings(key, texts)
        builder.cluster({0: (0,) * SAMPLES}, methods[seed])
    return builder.score(JACCARD, methods[0])


def test_models_are_compared_on_the_questions_that_all_have_clustered(builder: Any) -> None:
    run = stopped(builder, 14)
    found = comparison(run)
    assert found.questions == 14
    assert {name: model.clustered for name, model in found.models.items()} == {"large": 14, "small": QUESTIONS}
    for seed, name in enumerate(("small", "large")):
        model, counts = found.models[name], counts_of(seed, 0.85)[:14]
        assert (model.scr.k, model.scr.n) == (counts.count(1), 14)
        assert model.mean_clusters == pytest.approx(np.mean(counts))
        assert isinstance(model.semantic_entropy_auroc, Area)
        # Every third question is labelled incorrect: 0, 3, 6, 9, 12.
        assert (model.semantic_entropy_auroc.n, model.semantic_entropy_auroc.positives) == (14, 5)
        for point in model.thresholds:
            assert (point.scr.k, point.scr.n) == (counts_of(seed, point.threshold)[:14].count(1), 14)
    report = build(run, draws=50)
    Draft202012Validator(schema()).validate(to_json(report))
    section = next(x for x in sections(report) if x.title == "Embedders compared")
    texts = [x.text for x in section.lines()]
    assert "(14 by large, 24 by small): figures are over the 14 in common" in texts[0]
    assert "over 14 labelled questions" in texts[-1]


def test_a_model_that_has_clustered_nothing_has_missing_cells_and_takes_nothing_from_the_other(builder: Any) -> None:
    run = stopped(builder, 0)
    found = comparison(run)
    assert isinstance(found.models["large"].scr, Undefined)
    assert found.models["small"].scr.n == found.questions == QUESTIONS
    report = build(run, draws=50)
    Draft202012Validator(schema()).validate(to_json(report))
    section = next(x for x in sections(report) if x.title == "Embedders compared")
    assert next(section.tables()).rows[0].cells == ("large", *[MISSING] * 6)
    for table in section.tables():
        assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    console = Console(file=StringIO(), width=100)
    render_console(report, console, full=True)
    assert "(0 by large, 24 by small)" in " ".join(console.file.getvalue().split())


def test_json_and_text_show_the_tables(run: RunFile) -> None:
    report = build(run, draws=50)
    Draft202012Validator(schema()).validate(to_json(report))
    section = next(x for x in sections(report) if x.title == "Embedders compared")
    table = next(section.tables())
    assert [x.name for x in table.columns] == ["embedder", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95"]
    assert [row.cells[0] for row in table.rows] == ["large", "small"]
    notes = " ".join(x.text for x in section.lines())
    assert "over the 24 questions that all of them have clustered" in notes
    assert "does not transfer exactly to average linkage" in notes
    assert "Not calibrated when the run was scored with it: small" in notes
    assert not any(x.title == "NLI models compared" for x in sections(report))


def test_without_labels_there_is_no_auroc_but_everything_else(builder: Any) -> None:
    for key in ("a#1", "b#2"):
        builder.cluster(dict.fromkeys(range(QUESTIONS), range(5)), ClusteringMethod("entailment", "single", 0.5, key))
    found = comparison(builder.score(JACCARD, judge=None), "entailment")
    assert isinstance(found.models["a"].semantic_entropy_auroc, Undefined)
    assert found.models["a"].scr.n == QUESTIONS
