"""What one setting says of each question of a run: clusters, accuracy of the samples, tokens.

Fewer samples are the first n of each question, which are those that a run of n samples with the same seed draws; other
thresholds cut the same similarities. Nothing is drawn, embedded or judged here.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.linkage import cluster_counts_by_threshold
from homogaudit.records import ClusteringMethod, SampleSet
from homogaudit.report.homogenization import missing_reason, outcomes, primary_name, run_methods
from homogaudit.report.labels import choose_judge, judge_counts, sample_counts
from homogaudit.report.level import Outcomes
from homogaudit.report.run_data import RunData
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate

DRAWING = ("greedy", "samples")
"""Resources whose seconds are those of drawing."""


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Of the questions of one run whose draws are all stored, by question id.

    Attributes:
        is_complete: Whether the run is.
        questions: How many they are.
        samples: N.
        method: Name of the clustering, `None` where nothing is clustered.
        threshold: That clustering's own.
        outcomes: Whether each question has one cluster.
        clusters: Of the questions whose samples all hold an answer.
        accuracy: Of the greedy answers.
        sample_accuracy: Share of correct ones among the samples that are labelled, where one is.
        correct_samples: Share of correct ones among all samples; empty where no judge labels samples.
        labelled: Samples that are correct or incorrect.
        tokens: Mean of the samples, where each is known.
        seconds: Of drawing a question, the greedy answer included, mean over them; `None` where it was not measured.
        missing: Why there are no clusters, should there be none.
        unlabelled: Why there is no accuracy of samples, should there be none.
    """

    is_complete: bool
    questions: int
    samples: int
    method: str | None
    threshold: float | None
    judge: str | None
    outcomes: Outcomes
    clusters: Mapping[str, int]
    accuracy: Rate | Undefined
    sample_accuracy: Mapping[str, float]
    correct_samples: Mapping[str, float]
    labelled: int
    tokens: Mapping[str, float]
    seconds: float | None
    missing: str
    unlabelled: str


def measure(data: RunData, *, n: int | None = None, threshold: float | None = None) -> Measures:
    """Return what a run says, with its first `n` samples and at another threshold where those are given."""
    methods = run_methods(data.run)
    name = primary_name(methods)
    method = None if name is None else methods[name]
    read = data if n is None or n >= data.sample_count else first_samples(data, n)
    counts = {} if method is None else _counts(data, read, method, threshold)
    judge = choose_judge(data.run, None)
    samples = {} if judge is None else sample_counts(read, judge)
    if not any(labelled for _, labelled in samples.values()):
        samples = {}
    unlabelled = "no judge" if judge is None else f"{judge} calls no sample correct or incorrect"
    missing = missing_reason(read)
    return Measures(
        is_complete=data.run.status == "complete",
        questions=len(data.finished),
        samples=read.sample_count,
        method=name,
        threshold=method and method.threshold,
        judge=judge,
        outcomes=outcomes(read, counts),
        clusters={x.question.id: counts[x.question.id] for x in read.fully_valid if x.question.id in counts},
        accuracy=Undefined("no judge") if judge is None else judge_counts(data.labels[judge], data, None).accuracy,
        sample_accuracy={x: correct / labelled for x, (correct, labelled) in samples.items() if labelled},
        correct_samples={x: correct / read.sample_count for x, (correct, _) in samples.items()},
        labelled=sum(labelled for _, labelled in samples.values()),
        tokens=_tokens(read.finished),
        seconds=_seconds(data) if read is data else None,
        missing=missing,
        unlabelled=unlabelled if data.finished else missing,
    )


def first_samples(data: RunData, n: int) -> RunData:
    """Return what a run of `n` samples would hold: the first ones of every question."""
    sets = tuple(replace(x, samples=x.samples[:n]) for x in data.sets)
    finished = {x.question.id for x in data.finished}
    cut = tuple(x for x in sets if x.question.id in finished)
    whole = tuple(x for x in cut if x.valid_count == len(x.samples))
    return RunData(data.run, sets, n, cut, data.unscored_ids, whole, data.parameters, data.scoring)


def _counts(data: RunData, read: RunData, method: ClusteringMethod, threshold: float | None) -> Mapping[str, int]:
    """Return the clusters of each question's valid samples: the stored ones, or those of a cut of the similarities."""
    at = method.threshold if threshold is None else threshold
    if read is data and at == method.threshold:
        return {name: x.clusters for name, x in data.clusterings(method).items()}
    # What is compared for equality alone joins at 1.
    level = 1.0 if at is None else at
    by_size: dict[int, dict[str, NDArray[np.float64]]] = defaultdict(dict)
    kept = {x.question.id: _kept(x, read.sample_count) for x in data.finished}
    for found in (data.similarities(method), *data.partial_similarities(method)):
        for name, matrix in zip(found.question_ids, found.matrices, strict=True):
            own = matrix[np.ix_(kept[name], kept[name])]
            if len(own) >= 2:
                by_size[len(own)][name] = own
    counts: dict[str, int] = {}
    for matrices in by_size.values():
        column = cluster_counts_by_threshold(np.array(list(matrices.values())), method.linkage, (level,))[:, 0]
        counts |= zip(matrices, column.tolist(), strict=True)
    return counts


def _kept(sample_set: SampleSet, n: int) -> list[int]:
    """Return which of the valid samples are among the first `n`, by their places among the valid ones."""
    valid = [place for place, x in enumerate(sample_set.samples) if x.is_valid]
    return [rank for rank, place in enumerate(valid) if place < n]


def _tokens(finished: Sequence[SampleSet]) -> dict[str, float]:
    """Return the mean tokens of each question's samples, where they are known."""
    counts = {x.question.id: [s.tokens for s in x.samples] for x in finished if x.samples}
    return {name: fmean(x for x in own if x is not None) for name, own in counts.items() if None not in own}


def _seconds(data: RunData) -> float | None:
    """Return what drawing a question took, mean over them."""
    finished, by_question = set(data.finished_ids), defaultdict[str, float](float)
    for cost in data.costs:
        if cost.resource in DRAWING and cost.question_id in finished:
            by_question[cost.question_id] += cost.seconds
    return fmean(by_question.values()) if by_question else None
