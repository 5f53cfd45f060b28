"""A comparison recomputed from what `export` writes, with SciPy, statsmodels and scikit-learn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.stats import wilcoxon
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from homogaudit.cli.app import run_app

QUESTIONS = 40
SAMPLES = 5
WORDS = "the sun stars bread water iron winter rivers old music stone horses paper green".split()


def record(path: Path, single: float, seed: int) -> None:
    """Write recorded answers of one run; the more single, the more questions have one answer."""
    rng = np.random.default_rng(seed)
    lines: list[dict[str, Any]] = [{"format": "homogaudit.recorded", "version": 1, "model": path.stem}]
    for at in range(QUESTIONS):
        kinds = 1 if rng.random() < single else int(rng.integers(2, SAMPLES + 1))
        answers = [" ".join(rng.choice(WORDS, 4, replace=False)) for _ in range(kinds)]
        wrong = bool(rng.random() < 0.5)
        entropies = rng.gamma(2 + wrong, 0.4, 6).tolist()
        lines.append(
            {
                "id": f"q{at}",
                "question": f"What is number {at}?",
                "greedy": {"text": answers[0], "token_entropies": entropies, "finish_reason": "stop"},
                "samples": [{"text": answers[x % kinds], "finish_reason": "stop"} for x in range(SAMPLES)],
                "label": "incorrect" if wrong else "correct",
            }
        )
    path.write_text("".join(json.dumps(x) + "\n" for x in lines))


def homogaudit(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_app(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The comparison as JSON, and the exported questions of both runs by id."""
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    found: list[dict[str, Any]] = []
    for name, single, seed in (("base", 0.1, 1), ("aligned", 0.6, 2)):
        record(tmp_path / f"{name}.jsonl", single, seed)
        homogaudit("import", f"{name}.jsonl", "-o", f"{name}.audit", "--no-embedder", "--quiet", capsys=capsys)
        lines = homogaudit("export", f"{name}.audit", "--output", "-", capsys=capsys).splitlines()
        found.append({x["id"]: x for x in map(json.loads, lines[1:])})
    return json.loads(homogaudit("compare", "base.audit", "aligned.audit", "--json", capsys=capsys)), found


def clusters(question: dict[str, Any]) -> int:
    """Components of answers that share two fifths of their word bigrams."""
    bigrams = [set(zip((x := s["text"].lower().split())[:-1], x[1:], strict=True)) for s in question["samples"]]
    joined = [[len(a & b) >= 0.4 * len(a | b) for b in bigrams] for a in bigrams]
    return int(connected_components(np.array(joined), directed=False)[0])


def test_the_figures_are_those_of_other_libraries(exported: Any):
    comparison, runs = exported
    pair = comparison["pairs"]["aligned"]
    ids = [f"q{at}" for at in range(QUESTIONS)]
    counts = np.array([[clusters(run[x]) for x in ids] for run in runs])
    entropies = np.array([[np.mean(run[x]["greedy"]["token_entropies"]) for x in ids] for run in runs])
    wrong = np.array([[run[x]["label"] == "incorrect" for x in ids] for run in runs])
    one = counts == 1

    rate = pair["rate"]
    for told, own in ((rate["baseline"], one[0]), (rate["run"], one[1])):
        low, high = proportion_confint(own.sum(), QUESTIONS, method="wilson")
        assert (told["k"], told["low"], told["high"]) == (own.sum(), pytest.approx(low), pytest.approx(high))
    table = [[(one[0] & one[1]).sum(), (one[0] & ~one[1]).sum()], [(~one[0] & one[1]).sum(), (~one[0] & ~one[1]).sum()]]
    exact = table[0][1] + table[1][0] < 25
    assert rate["p"] == pytest.approx(mcnemar(table, exact=exact, correction=True).pvalue)
    assert rate["difference"]["value"] == pytest.approx(one[1].mean() - one[0].mean())

    means = pair["means"]
    for name, values in (("mean_clusters", counts), ("mean_token_entropy", entropies)):
        assert means[name]["baseline"] == pytest.approx(values[0].mean(), rel=1e-6)
        assert means[name]["ratio"]["value"] == pytest.approx(values[1].mean() / values[0].mean(), rel=1e-6)
        method = "approx" if name == "mean_clusters" else "auto"
        assert means[name]["p"] == pytest.approx(wilcoxon(values[1], values[0], method=method).pvalue, rel=1e-4)

    area = pair["aurocs"]["token_entropy_mean"]
    for told, own, values in zip((area["baseline"], area["run"]), wrong, entropies, strict=True):
        assert told["value"] == pytest.approx(roc_auc_score(own, values))
    before, after = (roc_auc_score(own, values) for own, values in zip(wrong, entropies, strict=True))
    assert area["difference"]["value"] == pytest.approx(after - before)

    agree = [[(~wrong[0] & ~wrong[1]).sum(), (~wrong[0] & wrong[1]).sum()], [(wrong[0] & ~wrong[1]).sum(), 0]]
    assert pair["accuracy"]["p"] == pytest.approx(mcnemar(agree, exact=agree[0][1] + agree[1][0] < 25).pvalue)

    tests = [pair["accuracy"], *means.values(), *pair["aurocs"].values()]
    tests = [x for x in tests if "p" in x]
    assert len(tests) > 8
    adjusted = multipletests([x["p"] for x in tests], method="holm")[1]
    assert [x["p_holm"] for x in tests] == pytest.approx(adjusted.tolist())
    flipped = {x for x, before, after in zip(ids, *one, strict=True) if after and not before}
    assert {x["question_id"] for x in pair["to_one"]} == flipped and flipped
