"""The block for a model card: figures as a model index in YAML, which the Hugging Face Hub reads, and a paragraph."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from homogaudit import __version__
from homogaudit.codec import finite
from homogaudit.report.markdown import escape
from homogaudit.report.numbers import count, decimal, interval, percent_interval, share
from homogaudit.report.records import Estimate, Report
from homogaudit.report.run_data import mapping
from homogaudit.report.text import plain
from homogaudit.statistics import Rate


@dataclass(frozen=True, slots=True)
class _Metric:
    kind: str
    name: str
    value: float


def to_model_card(report: Report) -> str:
    """Return front matter and a section for a README; the front matter is left out where there is no figure for it.

    Who has front matter already copies `model-index` into it.
    """
    metrics = list(_metrics(report))
    paragraph = "\n".join(
        (
            "## Response homogenization",
            "",
            " ".join(map(escape, map(plain, report.verdict.sentences))),
            "",
            f"Audited with homogaudit {__version__}: {escape(_how(report))}.",
        )
    )
    return (_front_matter(report, metrics) if metrics else "") + paragraph + "\n"


def _metrics(report: Report) -> Iterator[_Metric]:
    primary = report.homogenization.primary
    figures = report.homogenization.methods.get(primary or "")
    if figures is not None and not report.verdict.level_reason and isinstance(figures.level_rate, Rate):
        rate, missed = figures.level_rate, figures.wrong_in_single_cluster
        kind = "confidence sequence" if figures.is_sequential else "interval"
        yield _Metric("single_cluster_rate", f"single-cluster rate by {primary}, {_of(rate, kind)}", rate.value)
        if isinstance(missed, Rate):
            yield _Metric("missed_errors", f"wrong answers on which all samples agree, {_of(missed)}", missed.value)
    accuracy, area = report.labels.accuracy, report.verdict.signal_auroc
    if isinstance(accuracy, Rate):
        named = f"accuracy of greedy answers by judge {report.labels.judge}, {_of(accuracy)}"
        yield _Metric("accuracy", named, accuracy.value)
    if report.verdict.signal is not None and isinstance(area, Estimate):
        ends = f"95% interval {interval(area.low, area.high)}, n {count(area.n)}"
        yield _Metric("roc_auc", f"AUROC of {report.verdict.signal} on held-out questions, {ends}", area.value)


def _of(rate: Rate, kind: str = "interval") -> str:
    return f"95% {kind} {percent_interval(rate.low, rate.high)}, {share(rate.k, rate.n)}"


def _how(report: Report) -> str:
    run = report.run
    drawn = f"{count(run.samples)} samples each"
    temperature = finite({**run.decoding, **mapping(run.decoding.get("samples"))}.get("temperature"))
    if temperature is not None:
        drawn += f" at temperature {temperature:g}"
    questions = f"{count(run.questions)} question{'' if run.questions == 1 else 's'}"
    if run.deciding is not None and run.deciding.is_stopped:
        questions = f"{count(run.deciding.questions)} of {questions} in random order until it was decided,"
    if run.rate_alone is not None:
        stopped = share(run.rate_alone.questions_stopped, run.rate_alone.questions)
        drawn += f", {stopped} of them stopped after {run.rate_alone.first_samples} that lay apart"
    return f"{questions} of `{plain(run.question_source)}`, {drawn}, run {plain(run.id[:12])}"


def _front_matter(report: Report, metrics: list[_Metric]) -> str:
    source = plain(report.run.question_source)
    slug = re.sub(r"[^a-z0-9]+", "-", source.rpartition("/")[2].partition(".")[0].casefold()).strip("-")
    lines = [
        "---",
        "model-index:",
        f"- name: {_quoted(report.run.model)}",
        "  results:",
        "  - task:",
        "      type: text-generation",
        "    dataset:",
        f"      type: {_quoted(slug or 'questions')}",
        f"      name: {_quoted(source)}",
        "    metrics:",
    ]
    for metric in metrics:
        lines += [
            f"    - type: {metric.kind}",
            f"      name: {_quoted(metric.name)}",
            f"      value: {decimal(metric.value, 4)}",
        ]
    return "\n".join([*lines, "---", "", ""])


def _quoted(text: str) -> str:
    """Return a text of others as a YAML scalar, which JSON of ASCII always is."""
    return json.dumps(plain(text))
