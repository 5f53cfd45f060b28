"""The block for a model card, read by the library that the Hub reads cards with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from homogaudit.report.build import build
from homogaudit.report.model_card import to_model_card
from homogaudit.report.records import Rate, Report

from .conftest import JACCARD


@pytest.fixture
def report(build_run: Callable[..., Any]) -> Report:
    """Eighty questions, 20 with one cluster; 40 wrong answers, ten of them among the 20."""
    builder = build_run(80)
    for position in range(80):
        builder.draw(position, ["one two"] * 3 if position < 20 else ["one two", "three four", "five six"])
    builder.cluster({n: (0, 0, 0) if n < 20 else (0, 1, 2) for n in range(80)})
    builder.label({n: "correct" if n % 2 else "incorrect" for n in range(80)})
    builder.signal("token_entropy_mean", {n: float(n % 2 == 0) + 7 * n % 11 / 8 for n in range(80)})
    return build(builder.score(JACCARD), draws=100, sweeps=False)


def test_the_hub_reads_the_figures(report: Report):
    card = ModelCard(to_model_card(report))
    assert card.data.model_name == "tiny-model"
    found = {x.metric_type: x for x in card.data.eval_results}
    assert {x.dataset_name for x in found.values()} == {"questions.jsonl"}
    assert {x.task_type for x in found.values()} == {"text-generation"}
    assert (found["single_cluster_rate"].metric_value, found["missed_errors"].metric_value) == (0.25, 0.25)
    assert "20 of 80" in str(found["single_cluster_rate"].metric_name)
    assert "10 of 40" in str(found["missed_errors"].metric_name)
    assert found["accuracy"].metric_value == 0.5
    area = report.verdict.signal_auroc
    assert not isinstance(area, Rate) and found["roc_auc"].metric_value == round(float(area.value or 0), 4)


def test_the_paragraph_is_the_verdict(report: Report):
    text = ModelCard(to_model_card(report)).text
    assert text.strip().startswith("## Response homogenization\n\n")
    assert "20 of 80 questions get one and the same answer" in text
    assert "80 questions of `questions.jsonl`, 3 samples each at temperature 1" in text


def test_text_of_others_is_neither_yaml_nor_markup(report: Report):
    name = 'a: "b"\n---\n# [x](y) <script>\x1b[31m'
    run = replace(report.run, model=name, question_source=name)
    card = ModelCard(to_model_card(replace(report, run=run)))
    assert card.data.model_name == 'a: "b" --- # [x](y) <script>'
    assert "<script>" not in card.text and "[x](y)" not in card.text


def test_without_a_figure_there_is_no_front_matter(report: Report):
    verdict = replace(report.verdict, level="not judged", level_reason="no samples", signal=None, sentences=("None.",))
    labels = replace(report.labels, accuracy=report.pointer)
    text = to_model_card(replace(report, verdict=verdict, labels=labels))
    assert text.startswith("## Response homogenization\n\nNone.\n")
