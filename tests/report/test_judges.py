"""Several judges on one run: kappa, AUROC under each, and what a model's replies were worth."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from homogaudit.errors import UsageError
from homogaudit.labels.model_judge import unparsed_reason
from homogaudit.records import Generation, GenerationState, Label, LabelValue, ModelCall
from homogaudit.report.build import build
from homogaudit.report.json import schema, to_json
from homogaudit.report.layout import sections
from homogaudit.report.markdown import to_markdown
from homogaudit.report.side_by_side_records import Area, JudgeComparison
from homogaudit.report.undefined import Undefined
from homogaudit.store.run_file import RunFile

KEY = "model:small#1a2b3c4d"
EXACT = ["incorrect"] * 7 + ["correct"] * 9 + ["ambiguous", "no_match"]
MODEL = ["incorrect"] * 5 + ["correct"] * 3 + ["incorrect"] + ["correct"] * 6 + ["ambiguous", "correct", "no_match"]
REPLIES = {15: "unsure", 17: "unparsed"}


@pytest.fixture
def run(build_run: Callable[..., Any]) -> RunFile:
    builder = build_run(18)
    for position in range(18):
        builder.draw(position, ["a", "b", "c"])
    builder.label(dict(enumerate(EXACT)))
    builder.label(dict(enumerate(MODEL)), judge=KEY)
    builder.signal("token_entropy_mean", {x: float((7 * x) % 11) for x in range(18)})
    builder.signal("response_length", dict.fromkeys(range(18), 4.0))
    builder.run.add_calls(ModelCall(f"q{x}", KEY, None, REPLIES.get(x, ""), "a reply") for x in range(18))
    known = {"name": "model:small", "kind": "gguf", "fingerprint": {"size": 3}, "prompt_sha256": "ab" * 32, "seed": 4}
    builder.run.set_meta("judge_models", {KEY: known})
    return builder.score(judge="exact")


def comparison(run: RunFile) -> JudgeComparison:
    found = build(run, draws=200).labels.comparison
    assert isinstance(found, JudgeComparison)
    return found


def test_kappa_is_that_of_the_answers_that_both_judges_decide(run: RunFile) -> None:
    (pair,) = comparison(run).pairs
    both = [(a, b) for a, b in zip(EXACT, MODEL, strict=True) if {a, b} <= {"correct", "incorrect"}]
    assert pair.judges == ("exact", KEY)
    assert pair.agreed.n == len(both) == 15
    # All but questions 5, 6 and 8.
    assert pair.agreed.k == 12
    assert pair.kappa.value == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))
    assert pair.kappa.low < pair.kappa.value < pair.kappa.high


def test_a_signal_has_an_auroc_under_each_judge_over_what_that_judge_decides(run: RunFile) -> None:
    found = comparison(run).aurocs["token_entropy_mean"]
    values = np.array([float((7 * x) % 11) for x in range(18)])
    for judge, labels in (("exact", EXACT), (KEY, MODEL)):
        decided = np.array([label in ("correct", "incorrect") for label in labels])
        incorrect = np.array([label == "incorrect" for label in labels])[decided]
        area = found[judge]
        assert isinstance(area, Area)
        assert area.value == pytest.approx(roc_auc_score(incorrect, values[decided]))
        assert (area.n, area.positives) == (decided.sum(), incorrect.sum())
        assert area.low is not None and area.high is not None and area.low < area.value < area.high
    constant = comparison(run).aurocs["response_length"]["exact"]
    assert isinstance(constant, Area) and (constant.value, constant.low) == (0.5, None)


def test_a_judge_with_hardly_a_class_has_no_auroc_and_says_why(run: RunFile) -> None:
    run.add_labels([x for x in run.labels("exact").values() if x.value == "correct"])
    few = {x: "incorrect" if x < 4 else "correct" for x in range(18)}
    run.add_labels(
        type(x)(x.question_id, "few", type(x.value)(few[int(x.question_id[1:])])) for x in run.labels("exact").values()
    )
    found = comparison(run).aurocs["token_entropy_mean"]["few"]
    assert isinstance(found, Undefined) and "needs at least 5 of each class" in found.reason


def test_unsure_and_unparsed_replies_are_counted_and_warned_of(run: RunFile) -> None:
    report = build(run, draws=100, judge="model:small")
    assert report.labels.judge == KEY
    model = report.labels.judges[KEY].model
    assert model is not None
    assert (model.model, model.replies, model.unsure.k, model.unparsed.k) == ("model:small", 18, 1, 1)
    assert any("1 of 18 replies of judge `model:small#1a2b3c4d` hold no verdict" in x for x in report.validity.warnings)
    assert report.labels.judges["exact"].model is None


def test_replies_that_failed_are_counted_apart_from_those_without_a_verdict(run: RunFile) -> None:
    filtered, broken = (
        unparsed_reason(Generation("q0", -1, text, "", GenerationState.ERROR))
        for text in ("`content filter`", "`server error`")
    )
    failed = {9: filtered, 10: filtered, 11: broken}
    run.add_labels(Label(f"q{x}", KEY, LabelValue.NO_MATCH, reason) for x, reason in failed.items())
    run.add_calls(ModelCall(f"q{x}", KEY, None, "unparsed", "") for x in failed)
    report = build(run, draws=100, judge=KEY)
    model = report.labels.judges[KEY].model
    assert model is not None
    assert (model.unparsed.k, model.failed.k, model.failed.n, model.failure) == (1, 3, 18, "`content filter`")
    warnings = report.validity.warnings
    assert any("1 of 18 replies of judge `model:small#1a2b3c4d` hold no verdict" in x for x in warnings)
    (said,) = (x for x in warnings if "failed" in x)
    assert "3 of 18 replies of judge `model:small#1a2b3c4d` failed, most because of" in said
    assert "content filter" in said and "larger model" not in said
    document = to_json(report)
    Draft202012Validator(schema()).validate(document)
    assert document["labels"]["judges"][KEY]["model"]["failed"]["k"] == 3


def test_a_name_that_means_two_judges_is_refused(run: RunFile) -> None:
    run.add_labels(type(x)(x.question_id, "model:small#9", x.value) for x in run.labels("exact").values())
    with pytest.raises(UsageError, match="`model:small`"):
        build(run, draws=10, judge="model:small")


def test_one_judge_is_compared_with_nobody(small_run: RunFile) -> None:
    found = build(small_run, draws=100).labels.comparison
    assert found == Undefined("labels of one judge only")


def test_a_judge_that_says_one_thing_has_a_kappa_of_0_without_an_interval(run: RunFile) -> None:
    run.add_labels(type(x)(x.question_id, "stubborn", type(x.value)("incorrect")) for x in run.labels("exact").values())
    (pair,) = (x for x in comparison(run).pairs if x.judges == ("exact", "stubborn"))
    assert (pair.kappa.value, pair.kappa.low, pair.kappa.high) == (0.0, None, None)


def test_judges_that_call_everything_alike_have_no_kappa(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    for judge in ("exact", "overlap"):
        builder.label(dict.fromkeys(range(12), "correct"), judge=judge)
    (pair,) = comparison(builder.score()).pairs
    assert pair.agreed.value == 1.0
    assert isinstance(pair.kappa, Undefined)


def test_text_and_markdown_show_the_agreement_and_with_full_every_auroc(run: RunFile) -> None:
    report = build(run, draws=100, full=True)
    labels = next(x for x in sections(report) if x.title == "Labels")
    (pair,) = comparison(run).pairs
    rows = {row.cells[0]: row.cells for table in labels.tables() for row in table.rows}
    assert rows[f"exact and {KEY}"][1:3] == ("80.0%", f"{pair.kappa.value:.2f}")
    # The exact judge decides 16 answers, the model 16 others.
    by_judge = {table.title: table.rows[0].cells for table in labels.tables() if table.title.startswith("AUROC by")}
    assert list(by_judge) == ["AUROC by judge exact", f"AUROC by judge {KEY}"]
    found = comparison(run).aurocs["token_entropy_mean"]
    assert by_judge["AUROC by judge exact"][:2] == ("token_entropy_mean", f"{found['exact'].value:.3f}")
    assert [cells[-1] for cells in by_judge.values()] == ["16", "16"]
    assert any(
        "1 (5.6%) are unsure, 1 (5.6%) hold no verdict and 0 (0%) failed (prompt abababab, seed 4)" in x.text
        for x in labels.lines()
    )
    assert "kappa" in to_markdown(report)
    assert to_json(report)["labels"]["comparison"]["pairs"][0]["judges"] == ["exact", KEY]
