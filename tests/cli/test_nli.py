"""`--nli`: entailment by a small real DeBERTa-v2 in the engine process."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.clustering.entailment import CrossEncoderEntailment, entailment_assignment
from homogaudit.launch.resume import plan_resume
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile

ANSWERS = ("the answer is paris", "it was paris", "the answer is not rome", "four")


@pytest.fixture
def run_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(tmp_path / "thresholds.json"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "made.audit"
    with RunFile.create(
        path,
        model="made",
        question_source="made.jsonl",
        questions=[Question("q0", "Where is it?"), Question("q1", "How many?", passages=("It was four.",))],
        parameters={"recorded": True, "decoding": {"samples": 3}},
    ) as run:
        for question_id in ("q0", "q1"):
            for index, text in zip((GREEDY, 0, 1, 2), ANSWERS, strict=True):
                run.add_generation(Generation(question_id, index, text, text, GenerationState.VALID))
    return path


def test_a_run_is_scored_with_an_nli_model_that_its_report_and_a_resumed_job_name(
    run_path: Path, save_tiny_nli: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_tiny_nli(run_path.parent / "tiny-nli")
    flags = ["--nli", str(folder), "--no-embedder", "--judge", "none", "-q", "--json"]
    assert run_app(["score", str(run_path), *flags]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    entailment = report["homogenization"]["methods"]["entailment"]
    assert entailment["embedder"].startswith("tiny-nli#")
    assert entailment["scr"]["n"] == 2
    assert entailment["thresholds"] == []
    with RunFile.open(run_path) as run:
        signals = run.signals()
        assert signals["selfcheck_nli"]["q0"].value is not None
        assert signals["grounding"]["q1"].value is not None
    job = plan_resume(run_path).job
    assert job.scoring.nli_source is not None and job.scoring.nli_source.name == "tiny-nli"


def test_another_scoring_keeps_the_nli_model_and_the_clusterings_that_it_does_not_name(
    run_path: Path, save_tiny_nli: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_tiny_nli(run_path.parent / "tiny-nli")

    def score(*arguments: str) -> tuple[dict[str, float | None], float | None, str]:
        capsys.readouterr()
        flags = [*arguments, "--no-embedder", "--signals", "selfcheck_nli", "-q"]
        assert run_app(["score", str(run_path), *flags]) == 0
        with RunFile.open(run_path) as run:
            methods = {x["similarity"]: x["threshold"] for x in run.meta("scoring")["methods"]}
            return methods, run.signals()["selfcheck_nli"]["q0"].value, capsys.readouterr().err

    wording = ("--clustering", "jaccard=0.2")
    first, contradicted, _ = score(
        "--nli", str(folder), *wording, "--clustering", "entailment=0.3", "--judge", "numeric"
    )
    assert first == {"jaccard": 0.2, "entailment": 0.3, "answer": None}
    assert contradicted is not None
    # The clustering of numbers goes with its judge.
    assert score("--judge", "exact")[:2] == ({"jaccard": 0.2, "entailment": 0.3}, contradicted)
    assert score("--clustering", "jaccard=0.4")[0] == {"jaccard": 0.4, "entailment": 0.5}
    assert score("--nli", "none") == ({"jaccard": 0.4}, None, "")
    assert score("--nli", str(folder))[0] == {"jaccard": 0.4, "entailment": 0.5}
    shutil.rmtree(folder)
    methods, contradicted, err = score()
    assert (methods, contradicted) == ({"jaccard": 0.4}, None)
    assert "warning: no clusters by entailment: the NLI model `tiny-nli`" in err


def test_a_model_with_two_labels_is_one_clear_line_and_leaves_the_run_as_it_was(
    run_path: Path, save_tiny_nli: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_tiny_nli(run_path.parent / "two", ("entailment", "not_entailment"))
    assert run_app(["score", str(run_path), "--nli", str(folder), "--no-embedder", "-q"]) == 3
    assert "`not_entailment`" in capsys.readouterr().err
    with RunFile.open(run_path) as run:
        assert run.meta("scoring") is None


def test_a_model_without_an_entailment_label_is_one_clear_line_too(
    run_path: Path, save_tiny_nli: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_tiny_nli(run_path.parent / "moods", ("positive", "neutral", "negative"))
    assert run_app(["score", str(run_path), "--nli", str(folder), "--no-embedder", "-q"]) == 3
    assert "its labels are `positive`, `neutral`, `negative`" in capsys.readouterr().err
    with RunFile.open(run_path) as run:
        assert run.meta("scoring") is None


def test_several_models_on_one_run_stand_beside_each_other(
    run_path: Path, save_tiny_nli: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def score(name: str) -> dict[str, Any]:
        flags = [
            "--nli",
            str(run_path.parent / name),
            "--no-nli-question",
            "--no-embedder",
            "--judge",
            "none",
            "-q",
            "--json",
        ]
        assert run_app(["score", str(run_path), *flags]) == 0
        return json.loads(capsys.readouterr().out)["homogenization"]

    def stored_pairs() -> list[tuple[str, int]]:
        with sqlite3.connect(run_path) as connection:
            return connection.execute(
                "SELECT model, count(*) FROM pair_scores GROUP BY model ORDER BY model"
            ).fetchall()

    folders = {f"nli-{seed}": save_tiny_nli(run_path.parent / f"nli-{seed}", seed=seed) for seed in (0, 5)}
    assert score("nli-0")["models"]["entailment"]["reason"] == "the run is scored with one NLI model"
    found = score("nli-5")
    models = found["models"]["entailment"]["models"]
    assert list(models) == ["nli-0", "nli-5"]
    for name, folder in folders.items():
        scores = CrossEncoderEntailment(name, folder).scores
        # Both questions have the same samples.
        clusters = len(set(entailment_assignment(ANSWERS[1:], scores)))
        assert models[name]["mean_clusters"] == clusters
        assert models[name]["scr"]["k"] == (2 if clusters == 1 else 0)
        assert models[name]["semantic_entropy_auroc"]["value"] is None
    assert found["methods"]["entailment"]["embedder"] == models["nli-5"]["model"]
    (pair,) = found["models"]["entailment"]["correlations"]
    assert pair["models"] == ["nli-0", "nli-5"] and pair["spearman"]["value"] is None
    # Going back to the first model computes no pair again.
    pairs = stored_pairs()
    assert [model.partition("#")[0] for model, _ in pairs] == ["nli-0", "nli-5"]
    assert score("nli-0")["models"] == found["models"]
    assert stored_pairs() == pairs


@pytest.mark.parametrize("name", ["no-such-model", "nli-deberta-v3-xsmal", "http://localhost:1/v1"])
def test_a_name_that_means_no_nli_model_is_a_usage_error(
    run_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["score", str(run_path), "--nli", name, "--no-embedder", "-q"]) == 2
    assert "NLI model" in capsys.readouterr().err


def test_named_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["models", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["nli"]}
    assert list(found) == ["nli-deberta-v3-xsmall", "nli-deberta-v3-base", "nli-deberta-v3-large"]
    assert found["nli-deberta-v3-base"]["how_to_get"] == "hf download cross-encoder/nli-deberta-v3-base"
