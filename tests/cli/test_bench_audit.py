"""`homogaudit bench --audit`: a whole audit by phase; the times themselves are the machine's."""

import json
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.phases import Phase

SMALL = ["--questions", "1", "-n", "2", "--max-tokens", "4", "--threads", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_a_whole_audit_is_told_by_phase_and_leaves_no_run(
    demo_model: Path, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_app(["bench", "--audit", str(demo_model), "--json", *SMALL]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert captured.err == ""
    phases = {Phase(name): found for name, found in figures["phases"].items()}
    assert sum(found["share"] for found in phases.values()) == pytest.approx(1)
    assert sum(found["seconds"] for found in phases.values()) == pytest.approx(figures["seconds"])
    assert {Phase.START, Phase.LOADING, Phase.EMBEDDER, Phase.DECODE, Phase.EMBEDDING, Phase.REPORT} <= phases.keys()
    # Phases that round to nothing are among the others: 0.05% of the audit at most, each.
    little = 3 * 0.0005 * figures["seconds"]
    drawn = sum(phases[name]["seconds"] for name in ("prefill", "decode", "host") if name in phases)
    assert figures["drawing_seconds"] == pytest.approx(drawn, abs=little)
    before = sum(phases[name]["seconds"] for name in ("start", "loading", "embedder"))
    work = figures["work_by_drawing"] * figures["drawing_seconds"]
    assert work == pytest.approx(figures["seconds"] - before, abs=little)
    assert (figures["questions"], figures["samples"], figures["decoding"]["max_tokens"]) == (1, 2, 4)
    # Only what was measured stays, so that later runs can tell how long they take.
    assert [x.name for x in folder.rglob("*") if x.is_file()] == ["bench.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audit", "--repeats", "2"], "error: `--repeats` is not for `--audit`"),
        (["--preset", "quick"], "error: `--preset` is for `--audit`"),
        (["--audit", "--preset", "fast"], "error: unknown preset `fast`"),
        (["--audit", "-n", "1"], "error: `--samples` must lie between 2 and 1000"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    demo_model: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert run_app(["bench", str(demo_model), *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)
