"""From runs to their comparison: pure, reads only. The order of its tests, and what is tested alone, is here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from homogaudit.comparison.across import compare_across
from homogaudit.comparison.changes import auroc_changes, mean_change, rate_change, reading, tells_where_it_helps
from homogaudit.comparison.differences import drawing_differences, unrecorded
from homogaudit.comparison.flips import flips
from homogaudit.comparison.pairing import PairedRun, PairedRuns, pair_runs
from homogaudit.comparison.records import AurocChange, ComparedRun, Comparison, MeanChange, RateChange, RunPair
from homogaudit.comparison.signals import SignalTable, incomparable_signals, signal_table
from homogaudit.records import LabelValue
from homogaudit.report.build import SEED
from homogaudit.report.figure import ClusteredQuestion, QuestionMean, figures
from homogaudit.report.homogenization import refused, refused_by_category
from homogaudit.report.numbers import count, share
from homogaudit.report.records import MethodFigures
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import DRAWS, MARGIN, Estimate, holm

TOKEN_ENTROPY = "token_entropy_mean"
"""The signal whose mean over questions is compared with that of the clusters."""

TESTED = ("mean_clusters", "mean_semantic_entropy", "mean_pairwise_similarity")
"""Means over questions that are tested; others say the same in other words."""

_FEW = 30
"""Paired questions below which a caution is told."""

_WITH_ACROSS = Undefined("shown with --across")
_WHOLE = "no compared question has an answer in each of its samples in every run"

Values = Mapping[str, float]
"""Of questions, by their ids."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How tests and intervals are made.

    Attributes:
        margin: The largest difference that does not matter.
        draws: Of every bootstrap.
        seed: Of everything random.
    """

    margin: float
    draws: int
    seed: int


def compare(
    runs: Sequence[RunData],
    *,
    baseline: int = 0,
    clustering: str | None = None,
    judge: str | None = None,
    margin: float = MARGIN,
    force: bool = False,
    full: bool = False,
    across: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Comparison:
    """Compare runs on the questions that all of them have.

    Args:
        runs: At least two, each read whole.
        baseline: The place of the one that the others are compared with.
        clustering: Name of the clustering to compare by; `None` for the one that reports go by.
        judge: Whose labels to compare; `None` for the baseline's own, if every run has them.
        margin: The largest difference that does not matter, of rates and of AUROCs.
        force: Compare also what should not be compared, and tell it.
        full: Whether to add the means of all signals; without it they are undefined and say so.
        across: Whether to compare the answers of the models with each other too.
        draws: Of every bootstrap.
        seed: Of everything random.

    Raises:
        UsageError: The runs are not comparable, or `across` finds no embeddings of one embedder in all of them.
    """
    paired = pair_runs(runs, baseline=baseline, clustering=clustering, judge=judge, force=force)
    return compare_paired(paired, margin=margin, full=full, across=across, draws=draws, seed=seed)


def compare_paired(
    paired: PairedRuns,
    *,
    margin: float = MARGIN,
    full: bool = False,
    across: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Comparison:
    """Compare runs that are brought to what can be compared; arguments and errors are those of `compare`."""
    settings = Settings(margin, draws, seed)
    tables = {name: signal_table(run, paired.judge) for name, run in paired.runs.items()}
    first = paired.runs[paired.baseline]
    return Comparison(
        baseline=paired.baseline,
        questions=len(paired.question_ids),
        samples=paired.samples,
        clustering=paired.clustering,
        judge=paired.judge,
        judge_reason=paired.judge_reason,
        margin=margin,
        left_out=paired.left_out,
        brought=paired.brought,
        forced=paired.forced,
        warnings=_warnings(paired),
        runs={name: _run(run, tables[name], settings, full=full) for name, run in paired.runs.items()},
        pairs={
            name: _pair(first, run, tables[paired.baseline], tables[name], settings)
            for name, run in paired.runs.items()
            if name != paired.baseline
        },
        across=compare_across(paired, tables, draws=draws, seed=seed) if across else _WITH_ACROSS,
    )


def _run(run: PairedRun, table: SignalTable, settings: Settings, *, full: bool) -> ComparedRun:
    """Return the figures of one run over the compared questions."""
    source, labels = run.data.run.model_source, table.labels
    single = run.outcomes.known_single()
    ones = [x for x, is_single in single.items() if is_single]
    wrong = [one for x, one in single.items() if labels.get(x) is LabelValue.INCORRECT]
    correct = list(table.correct.values())
    measured = measures(run, table)
    return ComparedRun(
        path=str(run.data.run.path),
        id=run.data.run.id,
        model=run.data.run.model,
        stage=source.stage,
        family=source.family,
        questions=len(run.data.sets),
        drawn_samples=run.data.sample_count,
        scr=run.outcomes.rate("no compared question is clustered"),
        refused_in_single_cluster=refused(run.data, ones, "no compared question has one cluster"),
        refused_by_category=refused_by_category(run.data, ones),
        wrong_in_single_cluster=rate(sum(wrong), len(wrong), "no clustered question is labelled incorrect"),
        accuracy=rate(sum(correct), len(correct), "no answer is labelled correct or incorrect"),
        **{name: _mean(values, settings) for name, values in measured.items()},
        means=_signal_means(table, settings) if full else WITH_FULL,
    )


def measures(run: PairedRun, table: SignalTable) -> dict[str, Values | Undefined]:
    """Return what is averaged over questions, by the name of its mean."""
    found: dict[str, Values | Undefined] = {}
    for name in TESTED:
        of = mean_of(name)
        values = {x: float(of(own)) for x, own in run.fully_valid.items()}
        is_known = bool(values) and not np.isnan(list(values.values())).any()
        found[name] = (
            values if is_known else Undefined("this clustering compares too few pairs of samples" if values else _WHOLE)
        )
    entropies = table.values(TOKEN_ENTROPY)
    found["mean_token_entropy"] = entropies or Undefined(table.reason(TOKEN_ENTROPY))
    return found


def mean_of(name: str) -> Callable[[ClusteredQuestion], float]:
    """Return what a mean of a report is the mean of, by its one definition there."""
    figure = figures(MethodFigures)[name]
    assert isinstance(figure, QuestionMean)
    return figure.of


def _mean(values: Values | Undefined, settings: Settings) -> Estimate | Undefined:
    if isinstance(values, Undefined):
        return values
    return mean_estimates([list(values.values())], _WHOLE, draws=settings.draws, seed=settings.seed)[0]


def _signal_means(table: SignalTable, settings: Settings) -> dict[str, Estimate | Undefined]:
    """Return the mean of every signal over the compared questions that have it."""
    return {name: _mean(table.values(name) or Undefined(table.reason(name)), settings) for name in table.names}


def _pair(baseline: PairedRun, run: PairedRun, first: SignalTable, other: SignalTable, settings: Settings) -> RunPair:
    """Return a run against the baseline: the rate alone, Holm over every other test."""
    tests: dict[str, RateChange | MeanChange | AurocChange | Undefined] = {
        "accuracy": rate_change(first.correct, other.correct, settings.margin, "no answer is labelled in both")
    }
    one, two = measures(baseline, first), measures(run, other)
    unlike = incomparable_signals(baseline, run)
    means = {name: mean_change(one[name], two[name], settings.draws, settings.seed) for name in one}
    if TOKEN_ENTROPY in unlike:
        means["mean_token_entropy"] = Undefined(unlike[TOKEN_ENTROPY])
    names = list(dict.fromkeys([*first.names, *other.names]))
    alike = [name for name in names if name not in unlike]
    changes = auroc_changes(alike, first, other, settings.margin, settings.draws, settings.seed)
    aurocs = {name: Undefined(unlike[name]) if name in unlike else changes[name] for name in names}
    tests |= {f"mean {name}": x for name, x in means.items()} | {f"auroc {name}": x for name, x in aurocs.items()}
    adjusted = with_holm(tests)
    return RunPair(
        differs=drawing_differences(baseline.data, run.data),
        rate=rate_change(
            baseline.outcomes.known_single(),
            run.outcomes.known_single(),
            settings.margin,
            "no question is clustered in both",
        ),
        accuracy=adjusted["accuracy"],
        means={name: adjusted[f"mean {name}"] for name in means},
        aurocs={name: adjusted[f"auroc {name}"] for name in aurocs},
        tells_where_it_helps={name: tells_where_it_helps(name, first, other) for name in first.names},
        to_one=flips(baseline, run, one=run),
        from_one=flips(baseline, run, one=baseline),
    )


def with_holm(tests: Mapping[str, Any]) -> dict[str, Any]:
    """Return tests with the p adjusted over all of them, and the reading by it."""
    made = {name: x for name, x in tests.items() if not isinstance(x, Undefined)}
    adjusted = dict(zip(made, holm([x.p for x in made.values()]).tolist(), strict=True))
    readings = {name: reading(x.difference.value, adjusted[name]) for name, x in made.items()}
    return {**tests, **{name: replace(x, p_holm=adjusted[name], reading=readings[name]) for name, x in made.items()}}


def _warnings(paired: PairedRuns) -> tuple[str, ...]:
    """Return what limits the figures."""
    found: list[str] = []
    n = len(paired.question_ids)
    for out in paired.left_out:
        left = len(out.question_ids)
        found.append(f"{count(left)} {'question is' if left == 1 else 'questions are'} left out: {out.reason}")
    if n < _FEW:
        found.append(f"with {count(n)} question{'' if n == 1 else 's'} only a large difference can be seen")
    ids = [run.data.run.id for run in paired.runs.values()]
    if same := [name for name, run in paired.runs.items() if ids.count(run.data.run.id) > 1]:
        found.append(f"{' and '.join(same)} are one and the same run")
    if paired.judge is None and any(run.data.run.judges() for run in paired.runs.values()):
        found.append(f"accuracy is not compared: {paired.judge_reason}")
    missing = unrecorded([run.data for run in paired.runs.values()])
    for (name, run), facts in zip(paired.runs.items(), missing, strict=True):
        if facts:
            found.append(f"{name}: {', '.join(facts)} not recorded, and may differ")
        known = len(run.outcomes.known_single())
        if known < n:
            found.append(f"{name}: {share(n - known, n)} compared questions lack answers or clusters and enter no rate")
    return tuple(found)
