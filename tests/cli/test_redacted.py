"""`export --redact` and `import` of what it writes: no text is left, and the figures are the same."""

import json
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.report.build import build
from homogaudit.report.records import Auroc, Report
from homogaudit.store import RunFile

from ..tui.small_run import make_small_run


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


def reported(path: Path) -> Report:
    with RunFile.open(path) as run:
        return build(run, draws=50, sweeps=False)


def test_no_text_is_left_and_rate_missed_errors_and_aurocs_stay(tmp_path: Path):
    path = make_small_run(tmp_path)
    with RunFile.open(path) as run:
        sets = list(run.sample_sets())
    assert run_app(["export", str(path), "-o", "red.jsonl", "--redact", "--signals"]) == 0
    text = Path("red.jsonl").read_text()
    words = {x for draws in sets for x in (draws.question.text, *draws.question.answers)}
    words |= {sample.answer for draws in sets for sample in (*draws.samples, draws.greedy) if sample is not None}
    assert words and not [word for word in words if len(word) > 3 and word in text]
    header, line = (json.loads(x) for x in text.splitlines()[:2])
    assert header["redacted"] and line["question"] == f"question {line['id']}"

    assert run_app(["import", "red.jsonl", "-o", "red.audit", "-q"]) == 0
    before, after = reported(path), reported(Path("red.audit"))
    one, two = (x.homogenization.methods[x.homogenization.primary or ""] for x in (before, after))
    assert (one.scr, one.level_rate, one.wrong_in_single_cluster) == (
        two.scr,
        two.level_rate,
        two.wrong_in_single_cluster,
    )
    stored = {name: x.auroc for name, x in before.signals.items() if isinstance(x.auroc, Auroc)}
    assert stored
    for name, auroc in stored.items():
        recorded = after.signals.get(f"recorded:{name}", after.signals.get(name))
        assert recorded is not None and isinstance(recorded.auroc, Auroc)
        assert recorded.auroc.value == pytest.approx(auroc.value, abs=1e-12)
    assert any("the texts are left out" in warning for warning in after.validity.warnings)


def test_what_would_bring_the_texts_back_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = make_small_run(tmp_path)
    assert run_app(["export", str(path), "--redact", "--embeddings"]) == 2
    assert "`--redact` and `--embeddings` exclude each other" in capsys.readouterr().err
    assert run_app(["export", str(path), "-o", "red.jsonl", "--redact"]) == 0
    assert run_app(["import", "red.jsonl", "--embedder", "minilm"]) == 2
    assert "`red.jsonl` has no texts" in capsys.readouterr().err
