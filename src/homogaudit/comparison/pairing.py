"""Runs brought to what can be compared: the same questions as asked, the same N, one clustering.

What can be made the same is made the same in memory and told; what cannot is refused, unless the user forces it. It
computes no figure.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from homogaudit.clustering_method import ClusteringMethod
from homogaudit.comparison.clusters import candidates, clusters, common_clusters, named_method, own_method
from homogaudit.comparison.records import LeftOut
from homogaudit.config.models_file import STAGES
from homogaudit.config.nearest import in_backticks
from homogaudit.errors import UsageError
from homogaudit.records import SampleSet, collapse
from homogaudit.report.figure import ClusteredQuestion
from homogaudit.report.homogenization import run_methods
from homogaudit.report.labels import choose_judge
from homogaudit.report.level import Outcomes
from homogaudit.report.numbers import count
from homogaudit.report.run_data import RunData
from homogaudit.report.text import plain, shorten

_NAMED = 3
"""Questions that an error line names."""

_LONGEST_NAME = 24
"""Characters of a run's name over a column."""


_Refuse = Callable[[str, str], None]
"""Told a message and a hint: raises, or notes what is forced."""


@dataclass(frozen=True, eq=False)
class PairedRun:
    """One run, cut to the questions and samples that are compared.

    Attributes:
        data: The whole of it.
        clusters: Of the first `samples` draws of every question that is clustered, by question id.
        question_ids: Those that are compared.
        samples: N of the comparison.
    """

    data: RunData
    clusters: Mapping[str, ClusteredQuestion]
    question_ids: tuple[str, ...]
    samples: int

    @cached_property
    def sets(self) -> dict[str, SampleSet]:
        """The compared questions with the draws that are compared, by id."""
        whole = {x.question.id: x for x in self.data.finished}
        return {
            x: SampleSet(whole[x].question, whole[x].greedy, whole[x].samples[: self.samples])
            for x in self.question_ids
        }

    @cached_property
    def fully_valid(self) -> dict[str, ClusteredQuestion]:
        """The compared questions whose N samples all hold an answer, with their clusters."""
        return {x: self.clusters[x] for x, own in self.sets.items() if x in self.clusters and _is_whole(own)}

    @cached_property
    def outcomes(self) -> Outcomes:
        """Whether each compared question has one cluster, as the rate of a report counts it."""
        counted = [(x, own) for x, own in self.sets.items() if x in self.clusters or own.valid_count < 2]
        sizes = [len(set(self.clusters[x].assignment)) if x in self.clusters else 1 for x, _ in counted]
        return Outcomes(
            np.array(sizes, dtype=np.intp),
            np.array([_is_whole(own) for _, own in counted], dtype=np.bool_),
            tuple(own.question.category for _, own in counted),
            tuple(x for x, _ in counted),
        )


@dataclass(frozen=True, slots=True, eq=False)
class PairedRuns:
    """The runs of a comparison; the attributes mean what those of `Comparison` mean."""

    runs: Mapping[str, PairedRun]
    baseline: str
    samples: int
    clustering: ClusteringMethod | None
    judge: str | None
    judge_reason: str
    left_out: tuple[LeftOut, ...]
    brought: tuple[str, ...]
    forced: tuple[str, ...]

    @property
    def question_ids(self) -> tuple[str, ...]:
        """Those that every run has, in the order of the baseline's file."""
        return self.runs[self.baseline].question_ids


def pair_runs(
    runs: Sequence[RunData],
    *,
    baseline: int = 0,
    clustering: str | None = None,
    judge: str | None = None,
    force: bool = False,
) -> PairedRuns:
    """Bring runs to what can be compared.

    Args:
        runs: At least two.
        baseline: The place of the one that the others are compared with.
        clustering: Name of the clustering to compare by, as reports name it; `None` for the one that reports go by.
        judge: Whose labels to compare; `None` for the baseline's own, if every run has them.
        force: Compare also what should not be compared, and tell it.

    Raises:
        UsageError: The runs are not comparable, or there is no such clustering or judge.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs two runs or more", "name another run after the first")
    refused: list[str] = []

    def refuse(message: str, hint: str) -> None:
        if not force:
            raise UsageError(message, hint)
        refused.append(message.replace("`", ""))

    names = run_names(runs)
    for name, data in zip(names, runs, strict=True):
        if data.sample_count < 2:
            held = "no samples" if data.sample_count == 0 else "one sample a question"
            raise UsageError(f"`{name}` holds {held}", "a comparison needs runs with two samples a question or more")
        if data.is_stopped:
            refuse(
                f"`{name}` stops once it is decided, and fixed-n intervals do not hold of what it has drawn",
                "draw the rest with its command and `--continue`, or compare all the same with `--force`",
            )
    common, left_out = _common_questions(names, runs, baseline)
    _check_asked(names, runs, common, baseline, refuse)
    samples = min(data.sample_count for data in runs)
    brought = _brought_samples(names, runs, samples)
    method, found = _one_clustering(names, runs, samples, clustering, refuse)
    if method is not None:
        brought += _brought_clustering(names, runs, method)
    chosen, reason = common_judge(names, runs, baseline, judge)
    order = sorted(range(len(runs)), key=lambda place: _stage_order(runs[place]))
    return PairedRuns(
        runs={names[x]: PairedRun(runs[x], found[x], common, samples) for x in order},
        baseline=names[baseline],
        samples=samples,
        clustering=method,
        judge=chosen,
        judge_reason=reason,
        left_out=left_out,
        brought=brought,
        forced=tuple(refused),
    )


def run_names(runs: Sequence[RunData]) -> tuple[str, ...]:
    """Return a name for each run: its model's where that tells it from the others, else its file's."""
    # Two quantizations of a model differ where a long name is cut.
    models = [shorten(plain(data.run.model), _LONGEST_NAME) for data in runs]
    stems = [plain(data.run.path.stem) for data in runs]
    names: list[str] = []
    for model, stem in zip(models, stems, strict=True):
        name = shorten(model if models.count(model) == 1 else stem, _LONGEST_NAME)
        same = sum(x == name or x.startswith(f"{name} (") for x in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return tuple(names)


def _stage_order(data: RunData) -> tuple[str, int]:
    """Return where a run stands among others: by family, then from base to instruct."""
    source = data.run.model_source
    stages: Sequence[str] = STAGES
    return source.family or "", stages.index(source.stage) if source.stage in stages else len(stages)


def _common_questions(
    names: Sequence[str], runs: Sequence[RunData], baseline: int
) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Return the questions that every run has finished, in the baseline's order, and those that are left out."""
    finished = [frozenset(data.finished_ids) for data in runs]
    every = [[x.question.id for x in data.sets] for data in runs]
    shared = frozenset[str].intersection(*map(frozenset, every))
    common = tuple(x for x in every[baseline] if all(x in own for own in finished))
    if not common:
        raise UsageError(
            "the runs have no finished question in common", "questions are paired by their ids; ask both the same file"
        )
    left_out: list[LeftOut] = []
    for name, data, ids, own in zip(names, runs, every, finished, strict=True):
        if alone := tuple(x for x in ids if x not in shared):
            left_out.append(LeftOut(f"in {name}, not in every other run", alone))
        if unfinished := tuple(x for x in ids if x in shared and x not in own):
            why = "unfinished in" if data.short is None else "not drawn to the end for the audit of"
            left_out.append(LeftOut(f"{why} {name}", unfinished))
    return common, tuple(left_out)


def _check_asked(
    names: Sequence[str], runs: Sequence[RunData], common: tuple[str, ...], baseline: int, refuse: _Refuse
) -> None:
    """Check that paired questions are asked in the same words, context and choices included."""
    asked = [{x.question.id: collapse(x.question.asked) for x in data.finished} for data in runs]
    for name, own in zip(names, asked, strict=True):
        other = [x for x in common if own[x] != asked[baseline][x]]
        if other:
            some = ", ".join(map(in_backticks, other[:_NAMED])) + (", ..." if len(other) > _NAMED else "")
            refuse(
                f"`{name}` and `{names[baseline]}` ask {count(len(other))} of {count(len(common))} questions in other "
                f"words or with another context: {some}",
                "`--force` compares them all the same, and every output says so",
            )


def _brought_samples(names: Sequence[str], runs: Sequence[RunData], samples: int) -> tuple[str, ...]:
    more = [
        f"{name} ({data.sample_count})" for name, data in zip(names, runs, strict=True) if data.sample_count > samples
    ]
    if not more:
        return ()
    return (f"only the first {samples} samples of each question count, as a run has no more: {', '.join(more)}",)


def _one_clustering(
    names: Sequence[str], runs: Sequence[RunData], samples: int, clustering: str | None, refuse: _Refuse
) -> tuple[ClusteringMethod | None, list[Mapping[str, ClusteredQuestion]]]:
    """Return the clustering that every run can have and the clusters of each; `None` for one of its own each."""
    if clustering is None:
        methods = candidates(runs)
    else:
        own = named_method(runs, clustering)
        if own is None:
            known = ", ".join(map(in_backticks, dict.fromkeys(x for data in runs for x in run_methods(data.run))))
            raise UsageError(f"no run has a clustering `{clustering}`", f"clusterings: {known or 'none'}")
        methods = [own]
    found = common_clusters(runs, methods, samples)
    if found is not None:
        return found
    if not methods:
        raise UsageError("none of the runs is clustered", "`homogaudit score RUN` clusters the answers")
    wanted = methods[0]
    lacking = next((name, data) for name, data in zip(names, runs, strict=True) if not clusters(data, wanted, samples))
    refuse(
        f"the runs are not clustered by the same model: `{lacking[0]}` holds nothing to cluster it by "
        f"`{described(wanted)}`",
        _score_hint(lacking[1], wanted, runs),
    )
    own = [own_method(data) for data in runs]
    return None, [{} if x is None else clusters(data, x, samples) for data, x in zip(runs, own, strict=True)]


def _score_hint(data: RunData, method: ClusteringMethod, runs: Sequence[RunData]) -> str:
    """Return the command that would give a run what a clustering needs."""
    scorings = [x.scoring for x in runs if x.scoring is not None]
    embedder = next((x.embedder_source.name for x in scorings if x.embedder_source is not None), "NAME")
    nli = next((x.nli_source.name for x in scorings if x.nli_source is not None), "NAME")
    meaning = next((x.meaning_source.name for x in scorings if x.meaning_source is not None), "MODEL")
    flags = ["--nli", nli] if method.similarity == "entailment" else ["--embedder", embedder]
    flags += ["--meaning", meaning] if method.asked else []
    flags = [] if method.embedder is None else flags
    return f"`homogaudit score {shlex.join([str(data.run.path), *flags])}` does; `--force` compares them all the same"


def named(method: ClusteringMethod) -> str:
    """Return a clustering in words: its name and threshold."""
    return method.name if method.threshold is None else f"{method.name} at {method.threshold:g}"


def described(method: ClusteringMethod) -> str:
    """Return a clustering in words: its name, threshold and model."""
    model = (method.embedder or "").partition("#")[0]
    return f"{named(method)} with {model}" if model else named(method)


def _brought_clustering(names: Sequence[str], runs: Sequence[RunData], method: ClusteringMethod) -> tuple[str, ...]:
    """Return which runs are reported by another clustering, or at another threshold, than they are compared by."""
    others = {name: own for name, data in zip(names, runs, strict=True) if (own := own_method(data)) != method}
    return tuple(
        f"{name} is compared by {described(method)}; its own report goes by {'none' if own is None else described(own)}"
        for name, own in others.items()
    )


def common_judge(
    names: Sequence[str], runs: Sequence[RunData], baseline: int, judge: str | None
) -> tuple[str | None, str]:
    """Return the judge whose labels every run holds, or `None` and why there is none."""
    chosen = [choose_judge(data.run, judge) for data in runs]
    first = chosen[baseline]
    stored = [frozenset(data.run.judges()) for data in runs]
    for candidate in dict.fromkeys(x for x in (first, *chosen) if x is not None):
        if all(candidate in own for own in stored):
            return candidate, ""
    if first is None and not any(chosen):
        return None, "no judge has labelled the answers"
    told = ", ".join(f"{name} by {own or 'none'}" for name, own in zip(names, chosen, strict=True))
    return None, f"no judge has labelled every run ({told}): homogaudit score RUN with one and the same --judge"


def _is_whole(sample_set: SampleSet) -> bool:
    return sample_set.valid_count == len(sample_set.samples)
