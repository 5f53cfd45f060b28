"""The job that takes up a run where it was left."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from homogaudit.config import load_models
from homogaudit.errors import ModelError, RunFileError, UsageError
from homogaudit.events import JobEmbedder, JobModel, Scoring
from homogaudit.generation.fingerprint import model_fingerprint
from homogaudit.launch.embedder_choice import resolve_job_embedder, resolve_job_nli
from homogaudit.launch.resume import plan_resume
from homogaudit.records import ClusteringMethod
from homogaudit.store import RunFile, RunLock


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def run(make_run: Callable[..., RunFile], model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunFile:
    monkeypatch.chdir(tmp_path)
    stored = {"kind": "gguf", "fingerprint": model_fingerprint(model)}
    run = make_run(model=stored, decoding={"samples": 2})
    run.set_meta("model_entry", {"location": str(model)})
    return run


def test_the_scoring_is_the_one_that_the_run_was_begun_with(run: RunFile, model: Path):
    embedder = JobEmbedder("mini", "mini#1", "/models/mini")
    methods = [
        {"similarity": "jaccard", "linkage": "leader", "threshold": 0.2, "embedder": None},
        {"similarity": "answer", "linkage": "single", "threshold": None, "embedder": None},
    ]
    run.set_meta(
        "scoring",
        {
            "judge": "exact",
            "judge_reason": "asked",
            "embedder_source": asdict(embedder),
            "embedder_reason": "",
            "methods": methods,
            "signals": ["density"],
            "density_pool": None,
        },
    )
    job = plan_resume(run.path).job
    assert (job.model, job.scoring.judge, job.scoring.embedder_source) == (JobModel(str(model)), "exact", embedder)
    assert job.scoring.methods == (
        ClusteringMethod("jaccard", "leader", 0.2),
        ClusteringMethod("answer", "single", None),
    )
    assert job.scoring.signals == ("density",)


@pytest.mark.parametrize("is_same", [True, False])
def test_models_that_moved_are_looked_for_by_name_and_taken_where_they_are_the_same(
    run: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_same: bool
):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    listed = tmp_path / "models.toml"
    listed.write_text(f'[embedders.mini]\nsource = "{folder}"\n[nli.pairs]\nsource = "{folder}"\n')
    monkeypatch.setenv("HOMOGAUDIT_MODELS", str(listed))
    embedder, _ = resolve_job_embedder("mini", load_models(), wanted=True)
    nli = resolve_job_nli("pairs", load_models(), question_first=True)
    assert embedder is not None and nli is not None
    changes = {} if is_same else {"key": "another"}
    old_embedder = replace(embedder, location="/gone/mini", calibrated_threshold=0.7, **changes)
    old_nli = replace(nli, location="/gone/pairs", **changes)
    scoring = {"judge": "exact", "judge_reason": "", "embedder_reason": "", "signals": [], "methods": []}
    run.set_meta("scoring", {**scoring, "embedder_source": asdict(old_embedder), "nli_source": asdict(old_nli)})
    job = plan_resume(run.path).job
    moved = (replace(embedder, calibrated_threshold=0.7), nli)
    assert (job.scoring.embedder_source, job.scoring.nli_source) == (moved if is_same else (old_embedder, old_nli))


def test_a_model_file_that_vanished_or_changed_is_told(run: RunFile, model: Path):
    model.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="is not the one that the run was started with"):
        plan_resume(run.path)
    model.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        plan_resume(run.path)


def test_a_run_that_is_being_written_is_left_alone(run: RunFile):
    with RunLock(run.path), pytest.raises(RunFileError, match="is in use by process"):
        plan_resume(run.path)


@pytest.mark.parametrize("address", ["HTTP://theirs.example/v1", " http://theirs.example/v1", "theirs.example/v1"])
def test_a_server_in_a_run_file_is_asked_about_however_its_address_is_written(
    make_run: Callable[..., RunFile], address: str
):
    run = make_run(model={"kind": "server", "name": "m"}, decoding={"samples": 2})
    run.set_meta("model_entry", {"location": address})
    with pytest.raises(UsageError, match="theirs"):
        plan_resume(run.path)


def test_models_that_moved_are_looked_for_in_the_file_that_is_named(run: RunFile, tmp_path: Path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    listed = tmp_path / "theirs.toml"
    listed.write_text(f'[embedders.mini]\nsource = "{folder}"\n')
    embedder, _ = resolve_job_embedder("mini", load_models(listed), wanted=True)
    assert embedder is not None
    run.scoring = Scoring("exact", embedder_source=replace(embedder, location="/gone/mini"))
    assert plan_resume(run.path, models_file=listed).job.scoring.embedder_source == embedder
    without = plan_resume(run.path).job.scoring.embedder_source
    assert without is not None and without.location == "/gone/mini"
